//! Data keys and what is sealed under them. The store sees neither keys nor contents.
//!
//! INVARIANT: a record is never written under a key that is not there, and no key goes while a
//! record needs it: both look and write in one transaction.

use jiff::Timestamp;

use crate::store::{
    DataKeyRow, DataKeyUse, Event, SealedRow, Store, StoreError,
    rows::{Op, Read, Rows},
};

/// A sealed record to be written.
#[derive(Debug, Clone)]
pub struct PutSealed {
    /// The record; its revision is one more than that of the one that it replaces, or 1.
    pub row: SealedRow,
    /// The most messages that may be sealed under its key.
    pub most_messages: u64,
}

/// What came of writing a sealed record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SealedWrite {
    /// It is kept.
    Done,
    /// Somebody else wrote before: the standing revision is another.
    Moved,
    /// Its key is not the one in use: there is a newer one.
    StaleKey,
    /// As many messages were sealed under its key as may be.
    KeyWornOut,
}

/// What all the data keys are to be wrapped as from now on.
#[derive(Debug, Clone)]
pub struct Rewrap {
    /// The mark of the master key, as it has to be now.
    pub mark: &'static str,
    /// What the mark has to say now; nothing where there must be none.
    pub from: Option<String>,
    /// What it says afterwards.
    pub to: String,
    /// Every data key, wrapped anew.
    pub keys: Vec<DataKeyRow>,
    /// Whether this is another master key, and not the first wrapping.
    pub changed: bool,
    /// The present.
    pub now: Timestamp,
}

/// A data key that is to go.
#[derive(Debug, Clone, Copy)]
pub struct DropKey {
    /// Its number.
    pub id: u32,
    /// The present.
    pub now: Timestamp,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dropped {
    /// It is gone.
    Done,
    /// There is no such key.
    Unknown,
    /// New records are sealed under it, or digests come of it.
    InUse,
    /// So many records need it.
    Needed(u64),
}

impl Store {
    /// The data keys, wrapped; by number. The highest of a use is the one in use.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn data_keys(&self) -> Result<Vec<DataKeyRow>, StoreError> {
        self.read(DataKeys).await
    }

    /// Adds a data key, which is in use from then on, and leaves an event. Whether its number was
    /// free and the highest: of many who race, one adds.
    ///
    /// # Errors
    /// When nothing was changed.
    pub async fn add_data_key(&self, key: DataKeyRow) -> Result<bool, StoreError> {
        self.write(AddDataKey { key }).await
    }

    /// The number that the next data key has.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn next_data_key(&self) -> Result<u32, StoreError> {
        self.read(NextDataKey).await
    }

    /// Wraps all data keys anew and sets the mark of the master key, if that mark and the keys are
    /// still as they were. Whether they were.
    ///
    /// # Errors
    /// When nothing was changed.
    pub async fn rewrap_data_keys(&self, ask: Rewrap) -> Result<bool, StoreError> {
        self.write(ask).await
    }

    /// Removes a data key that nothing needs, and leaves an event.
    ///
    /// # Errors
    /// When nothing was changed.
    pub async fn drop_data_key(&self, ask: DropKey) -> Result<Dropped, StoreError> {
        self.write(ask).await
    }

    /// The sealed record of a kind with this id.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn sealed(&self, kind: &str, id: &str) -> Result<Option<SealedRow>, StoreError> {
        self.read(FindSealed { kind: kind.to_owned(), id: id.to_owned() }).await
    }

    /// Writes a sealed record in place of the one whose revision comes before its own.
    ///
    /// # Errors
    /// When nothing was changed.
    pub async fn put_sealed(&self, ask: PutSealed) -> Result<SealedWrite, StoreError> {
        self.write(ask).await
    }

    /// Removes a sealed record. Whether there was one.
    ///
    /// # Errors
    /// When nothing was changed.
    pub async fn remove_sealed(&self, kind: &str, id: &str) -> Result<bool, StoreError> {
        self.write(RemoveSealed { kind: kind.to_owned(), id: id.to_owned() }).await
    }

    /// How many records are sealed under each key.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn count_sealed(&self) -> Result<Vec<(u32, u64)>, StoreError> {
        self.read(CountSealed).await
    }

    /// Records that are sealed under another key than this, at most so many.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn sealed_otherwise(&self, key: u32, most: u32) -> Result<Vec<SealedRow>, StoreError> {
        self.read(SealedOtherwise { key, most }).await
    }
}

/// The key in use.
async fn in_use<R: Rows>(rows: &mut R, purpose: DataKeyUse) -> Read<Option<DataKeyRow>> {
    Ok(rows.data_keys().await?.into_iter().rfind(|key| key.purpose == purpose))
}

struct DataKeys;

impl Op for DataKeys {
    type Answer = Vec<DataKeyRow>;

    async fn run<R: Rows>(&self, rows: &mut R) -> Read<Self::Answer> {
        rows.data_keys().await
    }
}

struct NextDataKey;

impl Op for NextDataKey {
    type Answer = u32;

    async fn run<R: Rows>(&self, rows: &mut R) -> Read<u32> {
        let highest = rows.mark(HIGHEST).await?.and_then(|text| text.parse().ok()).unwrap_or(0_u32);
        Ok(highest.saturating_add(1))
    }
}

struct AddDataKey {
    key: DataKeyRow,
}

impl Op for AddDataKey {
    type Answer = bool;

    async fn run<R: Rows>(&self, rows: &mut R) -> Read<bool> {
        // A number that was dropped does not come back: its records would read under another key.
        if self.key.id != NextDataKey.run(rows).await? {
            return Ok(false);
        }
        rows.put_data_key(&self.key).await?;
        rows.set_mark(HIGHEST, &self.key.id.to_string()).await?;
        rows.leave(self.key.created_at, &Event::KeyMade { key: self.key.id }).await?;
        Ok(true)
    }
}

/// The mark that says which number the last data key had.
const HIGHEST: &str = "data-keys";

impl Op for Rewrap {
    type Answer = bool;

    async fn run<R: Rows>(&self, rows: &mut R) -> Read<bool> {
        let ids = |keys: &[DataKeyRow]| keys.iter().map(|key| key.id).collect::<Vec<_>>();
        let standing = rows.data_keys().await?;
        // Where there are none yet, these are the first.
        let same = standing.is_empty() || ids(&standing) == ids(&self.keys);
        if rows.mark(self.mark).await? != self.from || !same {
            return Ok(false);
        }
        for key in &self.keys {
            let messages = standing.iter().find(|standing| standing.id == key.id).map_or(0, |key| key.messages);
            rows.put_data_key(&DataKeyRow { messages, ..key.clone() }).await?;
        }
        if standing.is_empty()
            && let Some(last) = self.keys.last()
        {
            rows.set_mark(HIGHEST, &last.id.to_string()).await?;
        }
        rows.set_mark(self.mark, &self.to).await?;
        if self.changed {
            rows.leave(self.now, &Event::MasterKeyChanged).await?;
        }
        Ok(true)
    }
}

impl Op for DropKey {
    type Answer = Dropped;

    async fn run<R: Rows>(&self, rows: &mut R) -> Read<Dropped> {
        let Some(key) = rows.data_keys().await?.into_iter().find(|key| key.id == self.id) else {
            return Ok(Dropped::Unknown);
        };
        if in_use(rows, key.purpose).await?.is_none_or(|current| current.id == key.id) {
            return Ok(Dropped::InUse);
        }
        let needed = rows.count_sealed().await?.into_iter().find(|(id, _)| *id == key.id).map_or(0, |(_, count)| count);
        if needed > 0 {
            return Ok(Dropped::Needed(needed));
        }
        rows.remove_data_key(self.id).await?;
        rows.leave(self.now, &Event::KeyDropped { key: self.id }).await?;
        Ok(Dropped::Done)
    }
}

impl Op for PutSealed {
    type Answer = SealedWrite;

    async fn run<R: Rows>(&self, rows: &mut R) -> Read<SealedWrite> {
        let row = &self.row;
        let Some(mut key) = in_use(rows, DataKeyUse::Sealing).await?.filter(|key| key.id == row.key) else {
            return Ok(SealedWrite::StaleKey);
        };
        if key.messages >= self.most_messages {
            return Ok(SealedWrite::KeyWornOut);
        }
        let standing = rows.sealed(&row.kind, &row.id).await?.map_or(0, |standing| standing.revision);
        if standing.checked_add(1) != Some(row.revision) {
            return Ok(SealedWrite::Moved);
        }
        key.messages += 1;
        rows.put_data_key(&key).await?;
        rows.put_sealed(row).await?;
        Ok(SealedWrite::Done)
    }
}

struct FindSealed {
    kind: String,
    id: String,
}

impl Op for FindSealed {
    type Answer = Option<SealedRow>;

    async fn run<R: Rows>(&self, rows: &mut R) -> Read<Self::Answer> {
        rows.sealed(&self.kind, &self.id).await
    }
}

struct RemoveSealed {
    kind: String,
    id: String,
}

impl Op for RemoveSealed {
    type Answer = bool;

    async fn run<R: Rows>(&self, rows: &mut R) -> Read<bool> {
        rows.remove_sealed(&self.kind, &self.id).await
    }
}

struct CountSealed;

impl Op for CountSealed {
    type Answer = Vec<(u32, u64)>;

    async fn run<R: Rows>(&self, rows: &mut R) -> Read<Self::Answer> {
        rows.count_sealed().await
    }
}

struct SealedOtherwise {
    key: u32,
    most: u32,
}

impl Op for SealedOtherwise {
    type Answer = Vec<SealedRow>;

    async fn run<R: Rows>(&self, rows: &mut R) -> Read<Self::Answer> {
        rows.sealed_otherwise(self.key, self.most).await
    }
}
