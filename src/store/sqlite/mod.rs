//! The store in one SQLite file, in WAL mode: one connection writes, a few read.
//!
//! Every commit is on the disk before it is answered (`synchronous=FULL`); what waits for the writer
//! is committed together (`batch`), so that the disk is asked once for many.

mod batch;
mod event;
mod grant;
mod key;
mod line;
mod migrate;
mod person;
mod private;
mod token;

use std::{fmt, path::Path, time::Duration};

use jiff::Timestamp;
use sqlx::{
    ConnectOptions as _, Connection as _, Row as _, SqliteConnection, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous},
};
use tokio::sync::Mutex;

use line::Line;

use super::{
    Process, StoreError,
    rows::{Op, Read},
};
use crate::name::ScopeName;

const READERS: u32 = 4;
/// Pages that are written beside the store before they are moved into it, 16 MiB: a page that changes
/// often is then moved once.
const PAGES: u32 = 4000;

#[derive(Debug)]
pub(super) struct Sqlite {
    process: Process,
    pool: SqlitePool,
    writer: batch::Writer,
    readers: SqlitePool,
    /// For what is found with one statement: a pool asks a connection that it takes back how it is,
    /// which takes as long as finding a token does. Nothing once the store is closed.
    finder: Mutex<Option<SqliteConnection>>,
}

impl Sqlite {
    pub(super) async fn open(path: &Path) -> Result<Self, StoreError> {
        private::make(path)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(5))
            .pragma("trusted_schema", "OFF")
            .disable_statement_logging();
        // One connection is opened now, more by whoever needs them; all are kept.
        let pool = |most| {
            let pool = SqlitePoolOptions::new().idle_timeout(None).max_lifetime(None).test_before_acquire(false);
            pool.min_connections(0).max_connections(most)
        };
        let writing = options.clone().journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Full);
        let writing = writing.pragma("wal_autocheckpoint", PAGES.to_string()).pragma("secure_delete", "ON");
        let writer = pool(1).connect_with(writing).await?;
        migrate::migrate(&writer).await?;
        private::companions(path)?;
        let options = options.pragma("query_only", "ON");
        // Both at once: a start waits for them.
        let (finder, readers) = tokio::join!(options.connect(), pool(READERS).connect_with(options.clone()));
        let (finder, readers) = (Mutex::new(Some(finder?)), readers?);
        let process = Process::new();
        Ok(Self { process, writer: batch::Writer::start(writer.clone(), process), pool: writer, readers, finder })
    }

    pub(super) async fn write<O: Op>(&self, op: O) -> Read<O::Answer> {
        self.writer.run(op).await
    }

    pub(super) async fn read<O: Op>(&self, op: &O) -> Read<O::Answer> {
        if O::FINDS {
            return self.find(op).await;
        }
        // One state for all that the operation reads.
        let mut tx = self.readers.begin().await?;
        let answer = op.run(&mut Line::on(&mut tx, self.process)).await?;
        tx.rollback().await?;
        Ok(answer)
    }

    async fn find<O: Op>(&self, op: &O) -> Read<O::Answer> {
        if let Some(finder) = self.finder.lock().await.as_mut()
            && let Ok(found) = op.run(&mut Line::on(finder, self.process)).await
        {
            return Ok(found);
        }
        // The pool opens a connection anew where one is broken, and says what else is wrong.
        op.run(&mut Line::on(&mut *self.readers.acquire().await?, self.process)).await
    }

    pub(super) async fn writable(&self) -> Result<(), StoreError> {
        let mut tx = self.pool.begin_with("begin immediate").await?;
        sqlx::query("insert into meta (name, value) values ('ready', '') on conflict (name) do update set value = ''")
            .execute(&mut *tx)
            .await?;
        Ok(tx.rollback().await?)
    }

    pub(super) async fn close(&self) {
        self.writer.end().await;
        if let Some(finder) = self.finder.lock().await.take() {
            // Only read from: closing it cannot lose anything.
            drop(finder.close().await);
        }
        self.readers.close().await;
        self.pool.close().await;
    }
}

/// A row that is being read, and what it is, for complaints.
struct Reading<'a> {
    row: &'a SqliteRow,
    what: &'static str,
}

impl<'a> Reading<'a> {
    fn get<T: sqlx::Decode<'a, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>>(&self, name: &str) -> Read<T> {
        Ok(self.row.try_get(name)?)
    }

    fn parsed<T: std::str::FromStr<Err: fmt::Display>>(&self, name: &str) -> Read<T> {
        self.get::<&str>(name)?.parse().map_err(|error| corrupt(self.what, error))
    }

    fn maybe<T: std::str::FromStr<Err: fmt::Display>>(&self, name: &str) -> Read<Option<T>> {
        let text = self.get::<Option<&str>>(name)?;
        text.map(str::parse).transpose().map_err(|error| corrupt(self.what, error))
    }

    fn at(&self, name: &str) -> Read<Timestamp> {
        self.instant(self.get(name)?)
    }

    fn maybe_at(&self, name: &str) -> Read<Option<Timestamp>> {
        self.get::<Option<i64>>(name)?.map(|millis| self.instant(millis)).transpose()
    }

    fn instant(&self, millis: i64) -> Read<Timestamp> {
        Timestamp::from_millisecond(millis).map_err(|error| corrupt(self.what, error))
    }

    fn scopes(&self, name: &str) -> Read<Vec<ScopeName>> {
        read_scopes(self.get(name)?).map_err(|error| corrupt(self.what, error))
    }

    fn maybe_scopes(&self, name: &str) -> Read<Option<Vec<ScopeName>>> {
        let text = self.get::<Option<&str>>(name)?;
        text.map(read_scopes).transpose().map_err(|error| corrupt(self.what, error))
    }

    fn bytes<const N: usize>(&self, name: &str) -> Read<[u8; N]> {
        self.get::<&[u8]>(name)?.try_into().map_err(|_| corrupt(self.what, format_args!("`{name}` has another length")))
    }

    fn number<T: TryFrom<i64>>(&self, name: &str) -> Read<T> {
        T::try_from(self.get::<i64>(name)?).map_err(|_| corrupt(self.what, format_args!("`{name}` is out of bounds")))
    }
}

fn read_scopes(text: &str) -> Result<Vec<ScopeName>, crate::name::NameError> {
    text.split_terminator(' ').map(str::parse).collect()
}

fn written(scopes: &[ScopeName]) -> String {
    scopes.iter().map(ScopeName::as_str).collect::<Vec<_>>().join(" ")
}

fn millis(at: Option<Timestamp>) -> Option<i64> {
    at.map(Timestamp::as_millisecond)
}

fn corrupt(what: &'static str, problem: impl fmt::Display) -> StoreError {
    StoreError::Corrupt { what, problem: problem.to_string() }
}
