//! Events, marks, leases, and dropping what nobody needs any more.

use jiff::{SignedDuration, Timestamp};

use crate::store::{
    LeaseRow, Store, StoreError, StoredEvent,
    rows::{Op, Read, Rows},
};

/// Rows that one sweep drops at most, so that no writer waits long for it.
const BATCH: u32 = 500;
/// How long what is over stays for lists, for late readers of events, and to tell a replay.
const KEPT: SignedDuration = SignedDuration::from_hours(24);

/// What came of asking for a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lease {
    /// It is ours until then; what is done under it carries its fence.
    Ours(LeaseRow),
    /// Somebody else holds it.
    Held(LeaseRow),
}

impl Store {
    /// The events after `seq` in order without gaps, at most 1,000 of them.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn events_since(&self, seq: i64) -> Result<Vec<StoredEvent>, StoreError> {
        self.read(EventsSince { seq }).await
    }

    /// The number of the newest event ever, 0 where there was none.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn newest_event(&self) -> Result<i64, StoreError> {
        self.read(NewestEvent).await
    }

    /// Drops what nobody needs any more: what was over for a day, and events a day old up to number
    /// `recorded`. At most 500 rows; says how many. Fewer mean that there is no more to drop.
    ///
    /// # Errors
    /// When nothing was dropped.
    pub async fn sweep(&self, now: Timestamp, recorded: i64) -> Result<u64, StoreError> {
        self.write(Sweep { now, recorded }).await
    }

    /// Takes a lease, or keeps one that `holder` has. The fence grows with every new holder, so that
    /// what a late holder does can be told from what the next one did.
    ///
    /// # Errors
    /// When nothing was changed; nobody holds anything new then.
    pub async fn lease(
        &self,
        name: &str,
        holder: &str,
        ttl: SignedDuration,
        now: Timestamp,
    ) -> Result<Lease, StoreError> {
        let until = now.saturating_add(ttl).unwrap_or(now);
        self.write(TakeLease { name: name.to_owned(), holder: holder.to_owned(), until, now }).await
    }

    /// Gives a lease back, if `holder` still has it under that fence.
    ///
    /// # Errors
    /// When nothing was changed.
    pub async fn release(&self, name: &str, lease: &LeaseRow, now: Timestamp) -> Result<bool, StoreError> {
        self.write(Release { name: name.to_owned(), lease: lease.clone(), now }).await
    }

    /// A mark by name.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn mark(&self, name: &str) -> Result<Option<String>, StoreError> {
        self.read(Mark { name: name.to_owned() }).await
    }

    /// Sets a mark, whether or not there was one.
    ///
    /// # Errors
    /// When nothing was set.
    pub async fn set_mark(&self, name: &str, value: &str) -> Result<(), StoreError> {
        self.write(SetMark { name: name.to_owned(), value: value.to_owned() }).await
    }

    /// Sets a mark only where there is none, and gives the one that stands. Of many who race, one wins.
    ///
    /// # Errors
    /// When nothing was set.
    pub async fn first_mark(&self, name: &str, value: &str) -> Result<String, StoreError> {
        self.write(FirstMark { name: name.to_owned(), value: value.to_owned() }).await
    }
}

struct EventsSince {
    seq: i64,
}

impl Op for EventsSince {
    type Answer = Vec<StoredEvent>;
    const FINDS: bool = true;

    async fn run<R: Rows>(&self, rows: &mut R) -> Read<Self::Answer> {
        rows.events_since(self.seq).await
    }
}

struct NewestEvent;

impl Op for NewestEvent {
    type Answer = i64;

    async fn run<R: Rows>(&self, rows: &mut R) -> Read<i64> {
        rows.newest_event().await
    }
}

struct Sweep {
    now: Timestamp,
    recorded: i64,
}

impl Op for Sweep {
    type Answer = u64;

    async fn run<R: Rows>(&self, rows: &mut R) -> Read<u64> {
        let before = self.now.saturating_sub(KEPT).unwrap_or(Timestamp::MIN);
        rows.sweep(self.now, before, self.recorded, BATCH).await
    }
}

struct TakeLease {
    name: String,
    holder: String,
    until: Timestamp,
    now: Timestamp,
}

impl Op for TakeLease {
    type Answer = Lease;

    async fn run<R: Rows>(&self, rows: &mut R) -> Read<Lease> {
        let standing = rows.lease(&self.name).await?;
        let fence = match standing {
            Some(lease) if self.now < lease.until && lease.holder != self.holder => return Ok(Lease::Held(lease)),
            Some(lease) if self.now < lease.until => lease.fence,
            Some(lease) => lease.fence + 1,
            None => 1,
        };
        let lease = LeaseRow { holder: self.holder.clone(), fence, until: self.until };
        rows.put_lease(&self.name, &lease).await?;
        Ok(Lease::Ours(lease))
    }
}

struct Release {
    name: String,
    lease: LeaseRow,
    now: Timestamp,
}

impl Op for Release {
    type Answer = bool;

    async fn run<R: Rows>(&self, rows: &mut R) -> Read<bool> {
        match rows.lease(&self.name).await? {
            Some(mut lease) if lease.holder == self.lease.holder && lease.fence == self.lease.fence => {
                // The row stays for its fence.
                lease.until = self.now;
                rows.put_lease(&self.name, &lease).await?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }
}

struct Mark {
    name: String,
}

impl Op for Mark {
    type Answer = Option<String>;
    const FINDS: bool = true;

    async fn run<R: Rows>(&self, rows: &mut R) -> Read<Self::Answer> {
        rows.mark(&self.name).await
    }
}

struct SetMark {
    name: String,
    value: String,
}

impl Op for SetMark {
    type Answer = ();

    async fn run<R: Rows>(&self, rows: &mut R) -> Read<()> {
        rows.set_mark(&self.name, &self.value).await
    }
}

struct FirstMark {
    name: String,
    value: String,
}

impl Op for FirstMark {
    type Answer = String;

    async fn run<R: Rows>(&self, rows: &mut R) -> Read<String> {
        if let Some(standing) = rows.mark(&self.name).await? {
            return Ok(standing);
        }
        rows.set_mark(&self.name, &self.value).await?;
        Ok(self.value.clone())
    }
}
