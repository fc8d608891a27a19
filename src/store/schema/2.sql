-- Version 2: grants and what comes of them, clients, persons, sealed records. Instants are
-- milliseconds since 1970, UTC; scopes are sorted, one space between; digests are HMAC-SHA-256.

alter table token add column family text;
alter table token add column grant_id text;
create index token_grant on token (grant_id, family) where grant_id is not null;
create index token_principal on token (principal, principal_kind);

-- What a person approved for a client at a resource.
create table oauth_grant (
    id          text    not null primary key,
    person      text    not null,
    client      text    not null,
    resource    text    not null,
    scopes      text    not null,
    opened      text    not null, -- JSON: scope -> servers with their risk, as of consent
    groups      text    not null, -- JSON: the groups of the person, as of consent
    remembered  text,             -- the redirect URI for which it is not asked again
    created_at  integer not null,
    approved_at integer not null,
    used_at     integer,
    revoked_at  integer
) strict, without rowid;

create unique index oauth_grant_standing on oauth_grant (person, client, resource) where revoked_at is null;
create index oauth_grant_client on oauth_grant (client);
create index oauth_grant_revoked_at on oauth_grant (revoked_at) where revoked_at is not null;

create table code (
    mac           blob    not null primary key check (length(mac) = 32),
    grant_id      text    not null,
    person        text    not null,
    client        text    not null,
    redirect_uri  text    not null,
    redirect_sent integer not null,
    challenge     text    not null,
    resource      text    not null,
    scopes        text    not null,
    renewable     integer not null,
    issued_at     integer not null,
    expires_at    integer not null,
    tries         integer not null,
    family        text             -- what came of it
) strict, without rowid;

create index code_expires_at on code (expires_at);

-- The tokens of one code. Refresh tokens are derived from this and a key that is not in the store.
create table family (
    id              text    not null primary key,
    grant_id        text    not null,
    person          text    not null,
    client          text    not null,
    resource        text    not null,
    scopes          text    not null,
    generation      integer not null,
    nonce           blob    not null check (length(nonce) = 16),
    asked           text,
    renewable       integer not null,
    created_at      integer not null,
    rotated_at      integer,
    successor_used  integer not null,
    idle_expires_at integer not null,
    expires_at      integer not null,
    revoked_at      integer
) strict, without rowid;

create index family_grant on family (grant_id);
create index family_idle_expires_at on family (idle_expires_at);

-- Clients that registered themselves or publish what they are.
create table client (
    id         text    not null primary key,
    kind       text    not null check (kind in ('registered', 'published')),
    metadata   text    not null,
    secret     blob,             -- the digest of the secret that we gave it
    created_at integer not null,
    used_at    integer,
    expires_at integer not null
) strict, without rowid;

create index client_kind on client (kind, expires_at);

create table account (
    person      text    not null primary key,
    password    text    not null, -- the hash
    created_at  integer not null,
    changed_at  integer not null,
    disabled_at integer
) strict, without rowid;

create table sign_in (
    mac             blob    not null primary key check (length(mac) = 32),
    id              text    not null unique,
    person          text    not null,
    method          text    not null,
    created_at      integer not null,
    proved_at       integer not null,
    idle_expires_at integer not null,
    expires_at      integer not null
) strict, without rowid;

create index sign_in_person on sign_in (person);
create index sign_in_idle_expires_at on sign_in (idle_expires_at);

-- What was used and cannot be used again until then.
create table once (
    name  text    not null,
    id    blob    not null,
    until integer not null,
    primary key (name, id)
) strict, without rowid;

create index once_until on once (until);

create table counter (
    name  text    not null,
    key   blob    not null,
    count integer not null,
    since integer not null,
    until integer not null,
    primary key (name, key)
) strict, without rowid;

create index counter_until on counter (until);

create table lease (
    name   text    not null primary key,
    holder text    not null,
    fence  integer not null,
    until  integer not null
) strict, without rowid;

-- Wrapped under the master key, which is not in the store.
create table data_key (
    id         integer not null primary key,
    purpose    text    not null check (purpose in ('digests', 'sealing')),
    wrapped    blob    not null,
    created_at integer not null,
    messages   integer not null
) strict;

create table sealed (
    kind     text    not null,
    id       text    not null,
    revision integer not null,
    key      integer not null,
    content  blob    not null,
    primary key (kind, id)
) strict, without rowid;

create index sealed_key on sealed (key);
