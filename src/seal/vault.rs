//! What is kept sealed in the store and must be read back, and the keys that it is sealed under.
//!
//! New records are sealed under the newest key, in any process: the store refuses a write under an
//! older one, and the writer then reads the keys anew. Old records are read under the key that they
//! were sealed under, and written anew when they are touched.
//!
//! INVARIANT: nothing sealed leaves the store's transaction unless its key is there (`store::op::key`).
//! SPEC: oauth §3.5.

use std::{collections::BTreeMap, sync::Arc};

use arc_swap::ArcSwap;
use jiff::{SignedDuration, Timestamp};

use super::{
    SealError,
    master::{Kdf, Mark, Master, MasterKey},
    record::{self, Place},
    unlock::MARK,
};
use crate::{
    chance,
    config::Algorithm,
    secret::Secret,
    store::{DataKeyRow, DataKeyUse, Lease, PutSealed, Rewrap, SealedRow, SealedWrite, Store},
};

/// With nonces of 96 bits left to chance, so many messages keep a repetition as good as impossible.
const MOST_MESSAGES: u64 = 1 << 31;
/// How often a write is tried when others write too.
const TRIES: u32 = 8;
/// Records that one step of a rewrap takes.
const BATCH: u32 = 100;
/// The lease under which one process seals again.
const REWRAP: &str = "rewrap";
/// How long a rewrap may go without a step before another may begin.
const REWRAP_LEASE: SignedDuration = SignedDuration::from_secs(30);

/// How data keys are wrapped.
#[derive(Debug)]
pub(super) struct Wrapping {
    pub(super) key: Secret<[u8; 32]>,
    pub(super) kdf: Kdf,
    /// The store's id.
    pub(super) store: String,
    pub(super) algorithm: Algorithm,
}

/// What is kept sealed.
#[derive(Debug)]
pub struct Vault {
    wrapping: Wrapping,
    keys: ArcSwap<BTreeMap<u32, DataKey>>,
}

#[derive(Debug)]
struct DataKey {
    purpose: DataKeyUse,
    secret: Secret<[u8; 32]>,
}

/// A record that was opened.
#[derive(Debug)]
pub struct Fetched {
    /// What was kept.
    pub content: Secret<Vec<u8>>,
    /// How often it was written; for [`Vault::keep_after`].
    pub revision: u64,
}

/// What came of keeping a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// It is kept, as this revision.
    Done(u64),
    /// Somebody else wrote before.
    Moved,
}

/// The keys of a store, without any of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Whether the master key is a passphrase.
    pub passphrase: bool,
    /// The data keys, by number.
    pub keys: Vec<KeyState>,
}

/// A data key, without the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyState {
    /// Its number.
    pub id: u32,
    /// What it is for.
    pub purpose: DataKeyUse,
    /// Whether it is the one in use.
    pub in_use: bool,
    /// Since when.
    pub created_at: Timestamp,
    /// How many messages were sealed under it.
    pub messages: u64,
    /// How many records need it.
    pub records: u64,
}

impl Wrapping {
    /// A data key, wrapped for the store.
    pub(super) fn row(
        &self,
        id: u32,
        purpose: DataKeyUse,
        key: &Secret<[u8; 32]>,
        created_at: Timestamp,
    ) -> Result<DataKeyRow, SealError> {
        let record = self.record(id, purpose);
        let wrapped = record::seal(self.algorithm, &self.key, 0, self.place(&record), chance::bytes()?, key.expose())
            .map_err(|_| SealError::Integrity { what: name(id) })?;
        Ok(DataKeyRow { id, purpose, wrapped, created_at, messages: 0 })
    }

    fn unwrap(&self, row: &DataKeyRow) -> Result<Secret<[u8; 32]>, SealError> {
        let failed = || SealError::Integrity { what: name(row.id) };
        let record = self.record(row.id, row.purpose);
        let opened = record::open(&self.key, self.place(&record), &row.wrapped).map_err(|_| failed())?;
        Ok(Secret::new(opened.expose().as_slice().try_into().map_err(|_| failed())?))
    }

    /// What a key is bound to besides its place: its use, and how the master key is derived.
    fn record(&self, id: u32, purpose: DataKeyUse) -> String {
        format!("{id} {} {}", purpose.as_str(), self.kdf)
    }

    fn place<'a>(&'a self, record: &'a str) -> Place<'a> {
        Place { store: &self.store, table: "data_key", column: "wrapped", record, revision: 0 }
    }
}

fn name(key: u32) -> String {
    format!("data key {key}")
}

impl Vault {
    pub(super) async fn open(wrapping: Wrapping, store: &Store) -> Result<Self, SealError> {
        let vault = Self { wrapping, keys: ArcSwap::default() };
        vault.reload(store).await?;
        Ok(vault)
    }

    /// The key that digests are derived from.
    pub(super) fn digests(&self) -> Result<Secret<[u8; 32]>, SealError> {
        let keys = self.keys.load();
        let found = keys.values().rfind(|key| key.purpose == DataKeyUse::Digests);
        found.map(|key| Secret::new(*key.secret.expose())).ok_or(SealError::BadMark)
    }

    /// Keeps a record, in place of one of its kind with this id.
    ///
    /// # Errors
    /// When nothing was kept.
    pub async fn keep(
        &self,
        store: &Store,
        kind: &str,
        id: &str,
        content: &[u8],
        now: Timestamp,
    ) -> Result<u64, SealError> {
        for _ in 0..TRIES {
            let standing = store.sealed(kind, id).await?.map_or(0, |row| row.revision);
            if let Kept::Done(revision) = self.keep_after(store, kind, id, standing, content, now).await? {
                return Ok(revision);
            }
        }
        Err(SealError::Busy { what: format!("{kind} {id}") })
    }

    /// Keeps a record in place of its revision `before`, 0 for none.
    ///
    /// # Errors
    /// When nothing was kept.
    pub async fn keep_after(
        &self,
        store: &Store,
        kind: &str,
        id: &str,
        before: u64,
        content: &[u8],
        now: Timestamp,
    ) -> Result<Kept, SealError> {
        let revision = before.saturating_add(1);
        for _ in 0..TRIES {
            let (key, sealed) = self.seal(kind, id, revision, content)?;
            let row = SealedRow { kind: kind.to_owned(), id: id.to_owned(), revision, key, content: sealed };
            match store.put_sealed(PutSealed { row, most_messages: MOST_MESSAGES }).await? {
                SealedWrite::Done => return Ok(Kept::Done(revision)),
                SealedWrite::Moved => return Ok(Kept::Moved),
                SealedWrite::StaleKey => self.reload(store).await?,
                SealedWrite::KeyWornOut => drop(self.rotate(store, now).await?),
            }
        }
        Err(SealError::Busy { what: format!("{kind} {id}") })
    }

    /// The record of a kind with this id. One that is sealed under an older key is sealed anew.
    ///
    /// # Errors
    /// When it cannot be read, or does not open.
    pub async fn fetch(
        &self,
        store: &Store,
        kind: &str,
        id: &str,
        now: Timestamp,
    ) -> Result<Option<Fetched>, SealError> {
        let Some(row) = store.sealed(kind, id).await? else { return Ok(None) };
        let content = self.unseal(store, &row).await?;
        let mut revision = row.revision;
        if self.newest().is_some_and(|newest| newest != row.key)
            && let Kept::Done(next) = self.keep_after(store, kind, id, revision, content.expose(), now).await?
        {
            revision = next;
        }
        Ok(Some(Fetched { content, revision }))
    }

    /// Removes a record. Whether there was one.
    ///
    /// # Errors
    /// When nothing was changed.
    pub async fn remove(&self, store: &Store, kind: &str, id: &str) -> Result<bool, SealError> {
        Ok(store.remove_sealed(kind, id).await?)
    }

    /// Adds a data key, under which everything is sealed from now on; gives its number. Of many who
    /// race, each adds one.
    ///
    /// # Errors
    /// When none was added.
    pub async fn rotate(&self, store: &Store, now: Timestamp) -> Result<u32, SealError> {
        for _ in 0..TRIES {
            let id = store.next_data_key().await?;
            let row = self.wrapping.row(id, DataKeyUse::Sealing, &Secret::new(chance::bytes()?), now)?;
            if store.add_data_key(row).await? {
                self.reload(store).await?;
                return Ok(id);
            }
        }
        Err(SealError::Busy { what: "the list of data keys".to_owned() })
    }

    /// Seals up to a hundred records anew that are under older keys: how many, and how many are left.
    /// Nothing where another process is at it. What was done stays done if it ends between two steps.
    ///
    /// # Errors
    /// When a record does not open or cannot be written.
    pub async fn rewrap(&self, store: &Store, holder: &str, now: Timestamp) -> Result<Option<(u64, u64)>, SealError> {
        if let Lease::Held(_) = store.lease(REWRAP, holder, REWRAP_LEASE, now).await? {
            return Ok(None);
        }
        self.reload(store).await?;
        let newest = self.newest().ok_or(SealError::BadMark)?;
        let mut done = 0;
        for row in store.sealed_otherwise(newest, BATCH).await? {
            let content = self.unseal(store, &row).await?;
            // Whoever wrote before us wrote under the newest key.
            self.keep_after(store, &row.kind, &row.id, row.revision, content.expose(), now).await?;
            done += 1;
        }
        let left =
            store.count_sealed().await?.into_iter().filter(|(key, _)| *key != newest).map(|(_, many)| many).sum();
        Ok(Some((done, left)))
    }

    /// Lets others rewrap again.
    ///
    /// # Errors
    /// When the store cannot be written; the lease ends by itself then.
    pub async fn end_rewrap(&self, store: &Store, holder: &str, now: Timestamp) -> Result<(), SealError> {
        if let Lease::Ours(lease) = store.lease(REWRAP, holder, REWRAP_LEASE, now).await? {
            store.release(REWRAP, &lease, now).await?;
        }
        Ok(())
    }

    /// Wraps the data keys under another master key, which alone opens the store from then on.
    ///
    /// # Errors
    /// When the new key is a bad one, or nothing was changed.
    pub async fn change_master(&self, store: &Store, key: &Secret<String>, now: Timestamp) -> Result<(), SealError> {
        let key = MasterKey::read(key).map_err(|problem| SealError::BadKey { from: "`--to`", problem })?;
        let kdf = key.kdf(chance::bytes()?);
        let master = Master::derive(&key, kdf).await?;
        let to = Mark { wraps: true, kdf, check: master.check() };
        let Wrapping { store: id, algorithm, .. } = &self.wrapping;
        let wrapping = Wrapping { key: master.wrapping(), kdf, store: id.clone(), algorithm: *algorithm };
        for _ in 0..TRIES {
            let from = store.mark(MARK).await?;
            let mut keys = Vec::new();
            for row in store.data_keys().await? {
                let key = self.wrapping.unwrap(&row)?;
                keys.push(wrapping.row(row.id, row.purpose, &key, row.created_at)?);
            }
            if store.rewrap_data_keys(Rewrap { mark: MARK, from, to: to.to_string(), keys, changed: true, now }).await?
            {
                return Ok(());
            }
        }
        Err(SealError::Busy { what: "the list of data keys".to_owned() })
    }

    /// Reads the keys anew.
    async fn reload(&self, store: &Store) -> Result<(), SealError> {
        let mut keys = BTreeMap::new();
        for row in store.data_keys().await? {
            keys.insert(row.id, DataKey { purpose: row.purpose, secret: self.wrapping.unwrap(&row)? });
        }
        self.keys.store(Arc::new(keys));
        Ok(())
    }

    fn newest(&self) -> Option<u32> {
        self.keys.load().iter().rfind(|(_, key)| key.purpose == DataKeyUse::Sealing).map(|(id, _)| *id)
    }

    fn seal(&self, kind: &str, id: &str, revision: u64, content: &[u8]) -> Result<(u32, Vec<u8>), SealError> {
        let newest = self.newest().ok_or(SealError::BadMark)?;
        let keys = self.keys.load();
        let key = keys.get(&newest).ok_or(SealError::BadMark)?;
        let record = format!("{kind}\0{id}");
        let place = self.place(&record, revision);
        let sealed = record::seal(self.wrapping.algorithm, &key.secret, newest, place, chance::bytes()?, content)
            .map_err(|_| SealError::Integrity { what: format!("{kind} {id}") })?;
        Ok((newest, sealed))
    }

    async fn unseal(&self, store: &Store, row: &SealedRow) -> Result<Secret<Vec<u8>>, SealError> {
        let what = || format!("{} {}", row.kind, row.id);
        if !self.keys.load().contains_key(&row.key) {
            self.reload(store).await?;
        }
        let keys = self.keys.load();
        let key = keys
            .get(&row.key)
            .filter(|key| key.purpose == DataKeyUse::Sealing)
            .ok_or_else(|| SealError::NoKey { what: what(), key: row.key })?;
        let record = format!("{}\0{}", row.kind, row.id);
        // The column beside it says which key, for `keys drop`; the record has the last word.
        if record::key_id(&row.content) != Some(row.key) {
            return Err(SealError::Integrity { what: what() });
        }
        record::open(&key.secret, self.place(&record, row.revision), &row.content)
            .map_err(|_| SealError::Integrity { what: what() })
    }

    fn place<'a>(&'a self, record: &'a str, revision: u64) -> Place<'a> {
        Place { store: &self.wrapping.store, table: "sealed", column: "content", record, revision }
    }
}

impl Status {
    /// The keys of a store; no key is needed to see it. Nothing where the store has none yet.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn of(store: &Store) -> Result<Option<Self>, SealError> {
        let Some(mark) = store.mark(MARK).await? else { return Ok(None) };
        let mark: Mark = mark.parse()?;
        let records: BTreeMap<u32, u64> = store.count_sealed().await?.into_iter().collect();
        let rows = store.data_keys().await?;
        let in_use =
            |key: &DataKeyRow| rows.iter().rfind(|other| other.purpose == key.purpose).is_some_and(|last| last == key);
        let keys = rows
            .iter()
            .map(|key| KeyState {
                id: key.id,
                purpose: key.purpose,
                in_use: in_use(key),
                created_at: key.created_at,
                messages: key.messages,
                records: records.get(&key.id).copied().unwrap_or(0),
            })
            .collect();
        Ok(Some(Self { passphrase: matches!(mark.kdf, Kdf::Scrypt { .. }), keys }))
    }
}
