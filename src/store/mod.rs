//! What must outlive a request: tokens (as digests), events of commands, and a few marks.
//!
//! A port of operations that mean something, not of rows: each is one transaction with its promise
//! written beside it. Reads never wait for writes.
//!
//! INVARIANT: nothing in the store is a credential; with the file alone nobody gets in (OA-131).
//! SPEC: oauth §4.
//! To add a store: a variant of `Backend`, then follow the compiler; the tests at
//! `tests/integration/store.rs` hold for every one.

mod row;
mod sqlite;

use std::path::{Path, PathBuf};

use jiff::Timestamp;

pub use row::{Event, NewToken, Revocation, StoredEvent, TokenRow};

use crate::id::Id;

/// The store.
#[derive(Debug)]
pub struct Store {
    backend: Backend,
}

/// The kinds of store.
#[derive(Debug)]
enum Backend {
    Sqlite(sqlite::Sqlite),
}

/// The store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file cannot be made or opened.
    #[error("store `{}`: {source}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is no store of ours, or not usable as one.
    #[error("store `{}` cannot be opened: {source}", path.display())]
    Open {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: sqlx::Error,
    },
    /// The database said no.
    #[error("store: {0}")]
    Database(#[from] sqlx::Error),
    /// A newer Portcullis has been here.
    #[error("store is of version {found}, this Portcullis knows versions up to {known}")]
    TooNew {
        /// The version found.
        found: i64,
        /// The newest version known.
        known: i64,
    },
    /// Something was read that nobody of ours wrote.
    #[error("store holds a {what} that does not read: {problem}")]
    Corrupt {
        /// What.
        what: &'static str,
        /// Why not.
        problem: String,
    },
}

impl Store {
    /// Opens the SQLite store at `path`, made with its directory where there is none.
    ///
    /// # Errors
    /// When the file cannot be made or opened, or is of a newer version.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let store = sqlite::Sqlite::open(path).await.map_err(|error| match error {
            StoreError::Database(source) => StoreError::Open { path: path.to_owned(), source },
            other => other,
        })?;
        Ok(Self { backend: Backend::Sqlite(store) })
    }

    /// Keeps a new token and leaves an event, both or neither.
    ///
    /// # Errors
    /// When nothing was kept.
    pub async fn issue_token(&self, token: &NewToken) -> Result<(), StoreError> {
        match &self.backend {
            Backend::Sqlite(store) => store.issue_token(token).await,
        }
    }

    /// The token with this digest, expired and revoked ones too.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn find_token(&self, mac: &[u8; 32]) -> Result<Option<TokenRow>, StoreError> {
        match &self.backend {
            Backend::Sqlite(store) => store.find_token(mac).await,
        }
    }

    /// Every token not yet swept, newest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn list_tokens(&self) -> Result<Vec<TokenRow>, StoreError> {
        match &self.backend {
            Backend::Sqlite(store) => store.list_tokens().await,
        }
    }

    /// Revokes one token and leaves an event, both or neither. A second time changes nothing.
    ///
    /// # Errors
    /// When nothing was changed.
    pub async fn revoke_token(&self, id: Id, now: Timestamp) -> Result<Revocation, StoreError> {
        match &self.backend {
            Backend::Sqlite(store) => store.revoke_token(id, now).await,
        }
    }

    /// Revokes every token that is still good, leaves one event, and says how many they were.
    ///
    /// # Errors
    /// When nothing was changed.
    pub async fn revoke_all(&self, now: Timestamp) -> Result<u64, StoreError> {
        match &self.backend {
            Backend::Sqlite(store) => store.revoke_all(now).await,
        }
    }

    /// The events after `seq` in order without gaps, at most 1,000 of them.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn events_since(&self, seq: i64) -> Result<Vec<StoredEvent>, StoreError> {
        match &self.backend {
            Backend::Sqlite(store) => store.events_since(seq).await,
        }
    }

    /// The number of the newest event ever, 0 where there was none.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn newest_event(&self) -> Result<i64, StoreError> {
        match &self.backend {
            Backend::Sqlite(store) => store.newest_event().await,
        }
    }

    /// Drops what nobody needs any more: tokens a day after they expired, and events a day old up
    /// to number `recorded`. At most 500 of each; says how many.
    ///
    /// # Errors
    /// When nothing was dropped.
    pub async fn sweep(&self, now: Timestamp, recorded: i64) -> Result<u64, StoreError> {
        match &self.backend {
            Backend::Sqlite(store) => store.sweep(now, recorded).await,
        }
    }

    /// A mark by name.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn mark(&self, name: &str) -> Result<Option<String>, StoreError> {
        match &self.backend {
            Backend::Sqlite(store) => store.mark(name).await,
        }
    }

    /// Sets a mark, whether or not there was one.
    ///
    /// # Errors
    /// When nothing was set.
    pub async fn set_mark(&self, name: &str, value: &str) -> Result<(), StoreError> {
        match &self.backend {
            Backend::Sqlite(store) => store.set_mark(name, value).await,
        }
    }

    /// Sets a mark only where there is none, and gives the one that stands. Of many who race, one wins.
    ///
    /// # Errors
    /// When nothing was set.
    pub async fn first_mark(&self, name: &str, value: &str) -> Result<String, StoreError> {
        match &self.backend {
            Backend::Sqlite(store) => store.first_mark(name, value).await,
        }
    }

    /// Whether a write would be taken; for readiness.
    ///
    /// # Errors
    /// When it would not.
    pub async fn writable(&self) -> Result<(), StoreError> {
        match &self.backend {
            Backend::Sqlite(store) => store.writable().await,
        }
    }

    /// Waits for what is under way and closes the files.
    pub async fn close(&self) {
        match &self.backend {
            Backend::Sqlite(store) => store.close().await,
        }
    }
}
