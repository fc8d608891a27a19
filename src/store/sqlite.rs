//! The store in one SQLite file, in WAL mode: one connection writes, a few read.
//!
//! Every commit is on the disk before it is answered (`synchronous=FULL`). The file is ours alone
//! (0600); SQLite gives its companions the same mode.

use std::{
    fs,
    io::ErrorKind,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use sqlx::{
    ConnectOptions as _, Connection as _, Row as _, SqliteConnection, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous},
};

use tokio::sync::Mutex;

use super::{Event, NewToken, Revocation, StoreError, StoredEvent, TokenRow};
use crate::{id::Id, name::ScopeName, principal::Principal};

const SCHEMA: &str = include_str!("schema.sql");
const VERSION: i64 = 1;
const READERS: u32 = 4;
/// Rows that one sweep drops at most, so that no writer waits long for it.
const BATCH: i64 = 500;
/// How long what is over stays for `token list` and for late readers of events.
const KEPT: SignedDuration = SignedDuration::from_hours(24);

#[derive(Debug)]
pub(super) struct Sqlite {
    writer: SqlitePool,
    readers: SqlitePool,
    /// For tokens alone: a pool asks a connection that it takes back how it is, which takes as long
    /// as finding a token does. Nothing once the store is closed.
    finder: Mutex<Option<SqliteConnection>>,
}

impl Sqlite {
    pub(super) async fn open(path: &Path) -> Result<Self, StoreError> {
        make_private(path).map_err(|source| StoreError::File { path: path.to_owned(), source })?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(5))
            .pragma("trusted_schema", "OFF")
            .disable_statement_logging();
        let pool = || {
            SqlitePoolOptions::new().idle_timeout(None).max_lifetime(None).test_before_acquire(false).min_connections(1)
        };
        let writer = pool()
            .max_connections(1)
            .connect_with(
                options
                    .clone()
                    .journal_mode(SqliteJournalMode::Wal)
                    .synchronous(SqliteSynchronous::Full)
                    .pragma("secure_delete", "ON"),
            )
            .await?;
        migrate(&writer).await?;
        let options = options.pragma("query_only", "ON");
        let finder = Mutex::new(Some(options.connect().await?));
        let readers = pool().max_connections(READERS).connect_with(options).await?;
        Ok(Self { writer, readers, finder })
    }

    pub(super) async fn issue_token(&self, token: &NewToken) -> Result<(), StoreError> {
        let NewToken { mac, row } = token;
        let TokenRow { id, principal, client, scopes, resource, issued_at, expires_at, revoked_at } = row;
        let mut tx = self.writer.begin_with("begin immediate").await?;
        sqlx::query(
            "insert into token
             (mac, id, principal_kind, principal, client, scopes, resource, issued_at, expires_at, revoked_at)
             values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(mac.as_slice())
        .bind(id.to_string())
        .bind(principal.kind())
        .bind(principal.id())
        .bind(client.as_ref().map(|client| client.as_str().to_owned()))
        .bind(scopes.iter().map(ScopeName::as_str).collect::<Vec<_>>().join(" "))
        .bind(resource.as_str())
        .bind(issued_at.as_millisecond())
        .bind(expires_at.as_millisecond())
        .bind(revoked_at.map(Timestamp::as_millisecond))
        .execute(&mut *tx)
        .await?;
        let event = Event::TokenIssued {
            token: id.to_string(),
            principal: principal.to_string(),
            client: client.clone(),
            scopes: scopes.clone(),
            resource: resource.clone(),
            expires_at: expires_at.to_string(),
        };
        leave(&mut tx, *issued_at, &event).await?;
        Ok(tx.commit().await?)
    }

    pub(super) async fn find_token(&self, mac: &[u8; 32]) -> Result<Option<TokenRow>, StoreError> {
        let find = || sqlx::query("select * from token where mac = ?").bind(mac.as_slice());
        let found = match self.finder.lock().await.as_mut() {
            Some(finder) => find().fetch_optional(finder).await.ok(),
            None => None,
        };
        let row = match found {
            Some(row) => row,
            // The pool opens a connection anew where one is broken.
            None => find().fetch_optional(&self.readers).await?,
        };
        row.map(|row| token(&row)).transpose()
    }

    pub(super) async fn list_tokens(&self) -> Result<Vec<TokenRow>, StoreError> {
        let rows = sqlx::query("select * from token order by issued_at desc, id desc").fetch_all(&self.readers).await?;
        rows.iter().map(token).collect()
    }

    pub(super) async fn revoke_token(&self, id: Id, now: Timestamp) -> Result<Revocation, StoreError> {
        let mut tx = self.writer.begin_with("begin immediate").await?;
        let changed = sqlx::query("update token set revoked_at = ? where id = ? and revoked_at is null")
            .bind(now.as_millisecond())
            .bind(id.to_string())
            .execute(&mut *tx)
            .await?
            .rows_affected();
        if changed > 0 {
            leave(&mut tx, now, &Event::TokenRevoked { token: id.to_string() }).await?;
            tx.commit().await?;
            return Ok(Revocation::Done);
        }
        let known =
            sqlx::query("select 1 from token where id = ?").bind(id.to_string()).fetch_optional(&mut *tx).await?;
        Ok(if known.is_some() { Revocation::Before } else { Revocation::Unknown })
    }

    pub(super) async fn revoke_all(&self, now: Timestamp) -> Result<u64, StoreError> {
        let mut tx = self.writer.begin_with("begin immediate").await?;
        let count = sqlx::query("update token set revoked_at = ? where revoked_at is null and expires_at > ?")
            .bind(now.as_millisecond())
            .bind(now.as_millisecond())
            .execute(&mut *tx)
            .await?
            .rows_affected();
        leave(&mut tx, now, &Event::AllTokensRevoked { count }).await?;
        tx.commit().await?;
        Ok(count)
    }

    pub(super) async fn events_since(&self, seq: i64) -> Result<Vec<StoredEvent>, StoreError> {
        // One writer at a time commits in the order of `seq`, so that no number appears late.
        let rows = sqlx::query("select seq, at, body from event where seq > ? order by seq limit 1000")
            .bind(seq)
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(event).collect()
    }

    pub(super) async fn newest_event(&self) -> Result<i64, StoreError> {
        let row =
            sqlx::query("select seq from sqlite_sequence where name = 'event'").fetch_optional(&self.readers).await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?.unwrap_or(0))
    }

    pub(super) async fn sweep(&self, now: Timestamp, recorded: i64) -> Result<u64, StoreError> {
        let before = now.saturating_sub(KEPT).map_or(i64::MIN, Timestamp::as_millisecond);
        let mut tx = self.writer.begin_with("begin immediate").await?;
        let tokens = sqlx::query(
            "delete from token where mac in (select mac from token where expires_at < ? order by expires_at limit ?)",
        )
        .bind(before)
        .bind(BATCH)
        .execute(&mut *tx)
        .await?;
        let events = sqlx::query(
            "delete from event where seq in (select seq from event where at < ? and seq <= ? order by seq limit ?)",
        )
        .bind(before)
        .bind(recorded)
        .bind(BATCH)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(tokens.rows_affected() + events.rows_affected())
    }

    pub(super) async fn mark(&self, name: &str) -> Result<Option<String>, StoreError> {
        let row = sqlx::query("select value from meta where name = ?").bind(name).fetch_optional(&self.readers).await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    pub(super) async fn set_mark(&self, name: &str, value: &str) -> Result<(), StoreError> {
        sqlx::query(
            "insert into meta (name, value) values (?, ?) on conflict (name) do update set value = excluded.value",
        )
        .bind(name)
        .bind(value)
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    pub(super) async fn first_mark(&self, name: &str, value: &str) -> Result<String, StoreError> {
        let mut tx = self.writer.begin_with("begin immediate").await?;
        sqlx::query("insert into meta (name, value) values (?, ?) on conflict (name) do nothing")
            .bind(name)
            .bind(value)
            .execute(&mut *tx)
            .await?;
        let row = sqlx::query("select value from meta where name = ?").bind(name).fetch_one(&mut *tx).await?;
        tx.commit().await?;
        Ok(row.try_get(0)?)
    }

    pub(super) async fn writable(&self) -> Result<(), StoreError> {
        let mut tx = self.writer.begin_with("begin immediate").await?;
        sqlx::query("insert into meta (name, value) values ('ready', '') on conflict (name) do update set value = ''")
            .execute(&mut *tx)
            .await?;
        Ok(tx.rollback().await?)
    }

    pub(super) async fn close(&self) {
        if let Some(finder) = self.finder.lock().await.take() {
            // Only read from: closing it cannot lose anything.
            drop(finder.close().await);
        }
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// Makes the directory (0700) and the file (0600) where there are none, and takes a file that is
/// there away from everybody else.
fn make_private(path: &Path) -> std::io::Result<()> {
    if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    }
    match fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let file = fs::OpenOptions::new().read(true).write(true).open(path)?;
            if file.metadata()?.permissions().mode() & 0o077 != 0 {
                file.set_permissions(fs::Permissions::from_mode(0o600))?;
            }
            Ok(())
        }
        Err(error) => Err(error),
    }
}

async fn migrate(writer: &SqlitePool) -> Result<(), StoreError> {
    let mut tx = writer.begin_with("begin immediate").await?;
    sqlx::query(
        "create table if not exists meta (name text not null primary key, value text not null) strict, without rowid",
    )
    .execute(&mut *tx)
    .await?;
    let row = sqlx::query("select value from meta where name = 'version'").fetch_optional(&mut *tx).await?;
    match row {
        None => {
            sqlx::raw_sql(SCHEMA).execute(&mut *tx).await?;
            sqlx::query("insert into meta (name, value) values ('version', ?)")
                .bind(VERSION.to_string())
                .execute(&mut *tx)
                .await?;
        }
        Some(row) => {
            let text: String = row.try_get(0)?;
            let found = text.parse().map_err(|_| corrupt("version", &text))?;
            if found > VERSION {
                return Err(StoreError::TooNew { found, known: VERSION });
            }
        }
    }
    Ok(tx.commit().await?)
}

async fn leave(tx: &mut SqliteConnection, at: Timestamp, event: &Event) -> Result<(), StoreError> {
    let body = serde_json::to_string(event).map_err(|error| corrupt("event", error))?;
    sqlx::query("insert into event (at, body) values (?, ?)").bind(at.as_millisecond()).bind(body).execute(tx).await?;
    Ok(())
}

fn token(row: &SqliteRow) -> Result<TokenRow, StoreError> {
    let text = |name: &str| row.try_get::<&str, _>(name);
    let bad = |problem: &dyn std::fmt::Display| corrupt("token", problem);
    let instant = |millis: i64| Timestamp::from_millisecond(millis).map_err(|error| bad(&error));
    let principal = match text("principal_kind")? {
        "user" => Principal::User(text("principal")?.parse().map_err(|error| bad(&error))?),
        "client" => Principal::Client(text("principal")?.parse().map_err(|error| bad(&error))?),
        other => return Err(bad(&other)),
    };
    Ok(TokenRow {
        id: text("id")?.parse().map_err(|error| bad(&error))?,
        principal,
        client: row.try_get::<Option<&str>, _>("client")?.map(str::parse).transpose().map_err(|error| bad(&error))?,
        scopes: text("scopes")?
            .split_terminator(' ')
            .map(str::parse)
            .collect::<Result<_, _>>()
            .map_err(|error| bad(&error))?,
        resource: text("resource")?.to_owned(),
        issued_at: instant(row.try_get("issued_at")?)?,
        expires_at: instant(row.try_get("expires_at")?)?,
        revoked_at: row.try_get::<Option<i64>, _>("revoked_at")?.map(instant).transpose()?,
    })
}

fn event(row: &SqliteRow) -> Result<StoredEvent, StoreError> {
    Ok(StoredEvent {
        seq: row.try_get("seq")?,
        at: Timestamp::from_millisecond(row.try_get("at")?).map_err(|error| corrupt("event", error))?,
        event: serde_json::from_str(row.try_get("body")?).map_err(|error| corrupt("event", error))?,
    })
}

fn corrupt(what: &'static str, problem: impl std::fmt::Display) -> StoreError {
    StoreError::Corrupt { what, problem: problem.to_string() }
}
