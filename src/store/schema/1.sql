-- Version 1. Instants are milliseconds since 1970, UTC.

create table token (
    mac            blob    not null primary key check (length(mac) = 32), -- HMAC-SHA-256 of the token; never the token
    id             text    not null unique,
    principal_kind text    not null check (principal_kind in ('user', 'client')),
    principal      text    not null,
    client         text,
    scopes         text    not null, -- sorted, one space between
    resource       text    not null, -- the URL the token is good at
    issued_at      integer not null,
    expires_at     integer not null,
    revoked_at     integer
) strict, without rowid;

create index token_expires_at on token (expires_at);

-- What commands did, for a running gateway to record and to act on. `seq` never repeats.
create table event (
    seq  integer primary key autoincrement,
    at   integer not null,
    body text    not null -- JSON
) strict;
