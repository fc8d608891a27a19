//! What must outlive a request: grants and what comes of them, tokens as digests, clients, persons,
//! sealed records, events, and a few marks.
//!
//! A port of operations that mean something, not of rows: each is one transaction with its promise
//! written beside it (`op`), decided once for every kind of store. Reads never wait for writes, and
//! no write is answered before it is on the disk.
//!
//! INVARIANT: nothing in the store is a credential; with the file alone nobody gets in (OA-131).
//! SPEC: oauth §4, design §8.
//! To add an operation: a file or a struct in `op`. To add a kind of store: the traits of `rows`, a
//! variant of `Backend`, then follow the compiler; `tests/integration/store/contract.rs` holds for
//! every one.

mod memory;
mod op;
mod row;
mod rows;
mod sqlite;

use std::path::{Path, PathBuf};

pub use op::{
    AddAccount, Approve, Approved, Attempt, Counted, DropKey, Dropped, FreshToken, Lease, NewFamily, NewGrant, Once,
    OpenSignIn, PutSealed, RedeemCode, Redeemed, Registered, Rewrap, Rotate, Rotated, SealedWrite, SignedIn, Unfit,
};
pub use row::{
    AccountRow, Cause, ClientKind, ClientRow, CodeRow, CounterRow, DataKeyRow, DataKeyUse, Event, FamilyRow,
    FoundToken, GrantRow, LeaseRow, NewToken, Opaque, Opened, Opening, Process, Reach, Revocation, Risk, SKEW,
    SealedRow, SignInRow, StoredEvent, TokenRow,
};
pub use rows::Touched;

use rows::Op;

/// The store.
#[derive(Debug)]
pub struct Store {
    backend: Backend,
}

/// The kinds of store.
#[derive(Debug)]
enum Backend {
    Sqlite(sqlite::Sqlite),
    Memory(Box<memory::Memory>),
}

/// The store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file cannot be made or opened.
    #[error("store `{}`: {source}; `store.sqlite` says where it is", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Others than its owner can write where the store is.
    #[error("`{}` can be written by others, who could put another store in its place; `chmod {mode} {}`", path.display(), path.display())]
    OpenToOthers {
        /// The file or directory.
        path: PathBuf,
        /// What it should be.
        mode: &'static str,
    },
    /// The file is no store of ours, or not usable as one.
    #[error("store `{}` cannot be opened: {source}; {}", path.display(), unopened(source))]
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
    /// It takes no more.
    #[error("store is closed")]
    Closed,
}

/// What to do about a file that is not opened, by what SQLite says.
fn unopened(error: &sqlx::Error) -> &'static str {
    let code = error.as_database_error().and_then(|error| error.code());
    match code.as_deref() {
        Some("11" | "26") => "it is damaged or no store: put a copy of it back, or move it away and a new one is made",
        Some("8" | "14") => {
            "it must be a file that whoever runs this may read and write; `store.sqlite` says where it is"
        }
        _ => "`store.sqlite` says where it is",
    }
}

impl Store {
    /// Opens the SQLite store at `path`, made with its directory where there is none.
    ///
    /// # Errors
    /// When the file cannot be made or opened, is of a newer version, or others can write it.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let store = sqlite::Sqlite::open(path).await.map_err(|error| match error {
            StoreError::Database(source) => StoreError::Open { path: path.to_owned(), source },
            other => other,
        })?;
        Ok(Self { backend: Backend::Sqlite(store) })
    }

    /// A store that is gone with the process; for tests.
    #[must_use]
    pub fn in_memory() -> Self {
        Self { backend: Backend::Memory(Box::default()) }
    }

    /// Whether a write would be taken; for readiness.
    ///
    /// # Errors
    /// When it would not.
    pub async fn writable(&self) -> Result<(), StoreError> {
        match &self.backend {
            Backend::Sqlite(store) => store.writable().await,
            Backend::Memory(_) => Ok(()),
        }
    }

    /// Waits for what is under way and closes the files.
    pub async fn close(&self) {
        match &self.backend {
            Backend::Sqlite(store) => store.close().await,
            Backend::Memory(_) => {}
        }
    }

    /// Runs an operation that changes something; it is kept when this returns.
    async fn write<O: Op>(&self, op: O) -> Result<O::Answer, StoreError> {
        match &self.backend {
            Backend::Sqlite(store) => store.write(op).await,
            Backend::Memory(store) => store.run(&op).await,
        }
    }

    /// Runs an operation that changes nothing.
    async fn read<O: Op>(&self, op: O) -> Result<O::Answer, StoreError> {
        match &self.backend {
            Backend::Sqlite(store) => store.read(&op).await,
            Backend::Memory(store) => store.run(&op).await,
        }
    }
}
