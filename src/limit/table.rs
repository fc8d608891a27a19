//! The keys of one tier: bounded, and nobody over the limit is forgotten.
//!
//! A key is kept as a keyed digest of 128 bits, so an entry has one size whatever a caller is called. An
//! entry goes only once it is as a new one would be. Each new key looks at a few entries, one after the
//! other around the table, and drops those; where a shard is full of keys that still count, new keys
//! share one bucket of that shard. So a flood of keys can slow down newcomers, never lift a limit, never
//! take more memory and never take longer.

use std::sync::{Mutex, MutexGuard, PoisonError};

use hashbrown::HashTable;

use super::bucket::{Bound, Bucket};

/// The most keys that a tier tells apart.
pub const KEYS_PER_TIER: usize = 1 << 16;
/// The most that a key takes; most take a fifth of it. A tier of a full table takes forty mebibytes.
pub const BYTES_PER_KEY: usize = 640;

const SHARDS: usize = 64;
const KEYS_PER_SHARD: usize = KEYS_PER_TIER / SHARDS;
/// Entries that a new key looks at.
const LOOKS: usize = 8;

#[derive(Debug)]
pub(super) struct Table {
    shards: Box<[Mutex<Shard>; SHARDS]>,
}

#[derive(Debug, Default)]
pub(super) struct Shard {
    /// Where in `entries` a digest is.
    index: HashTable<usize>,
    entries: Vec<Entry>,
    /// The entry that is looked at next.
    hand: usize,
    /// For all keys that there is no entry for.
    shared: Option<Bucket>,
}

#[derive(Debug)]
struct Entry {
    digest: u128,
    bucket: Bucket,
}

impl Table {
    pub(super) fn new() -> Self {
        Self { shards: Box::new(std::array::from_fn(|_| Mutex::default())) }
    }

    /// The shard of a digest, held.
    pub(super) fn shard(&self, digest: u128) -> MutexGuard<'_, Shard> {
        let [first, ..] = &*self.shards;
        let at = usize::try_from(digest >> 64).map_or(0, |high| high % SHARDS);
        // No step of ours leaves counts that are too low, so a panic elsewhere does not spoil them.
        self.shards.get(at).unwrap_or(first).lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn keys(&self) -> usize {
        let held = |shard: &Mutex<Shard>| shard.lock().unwrap_or_else(PoisonError::into_inner).entries.len();
        self.shards.iter().map(held).sum()
    }

    /// What all entries take.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        let of = |shard: &Mutex<Shard>| {
            let shard = shard.lock().unwrap();
            let logs: usize = shard.entries.iter().map(|entry| entry.bucket.heap()).sum();
            logs + shard.entries.capacity() * size_of::<Entry>() + shard.index.allocation_size()
        };
        self.shards.iter().map(of).sum()
    }
}

impl Shard {
    /// The bucket of a key, or the one it shares.
    pub(super) fn bucket(&mut self, digest: u128, now: u64, bound: &Bound) -> &mut Bucket {
        let at = self.place(digest, now, bound);
        match at.and_then(|at| self.entries.get_mut(at)) {
            Some(entry) => &mut entry.bucket,
            None => self.shared.get_or_insert_with(|| Bucket::new(bound)),
        }
    }

    /// Changes the bucket of a key if it has one of its own: nobody pays for what another one did.
    pub(super) fn own(&mut self, digest: u128, now: u64, bound: &Bound, change: impl FnOnce(&mut Bucket)) {
        let at = self.place(digest, now, bound);
        if let Some(entry) = at.and_then(|at| self.entries.get_mut(at)) {
            change(&mut entry.bucket);
        }
    }

    /// Where the entry of a digest is; a new one is made if there is room.
    fn place(&mut self, digest: u128, now: u64, bound: &Bound) -> Option<usize> {
        let Self { index, entries, hand: _, shared: _ } = &*self;
        let is = |&at: &usize| entries.get(at).is_some_and(|entry| entry.digest == digest);
        if let Some(&at) = index.find(hash(digest), is) {
            return Some(at);
        }
        self.look_around(now, bound);
        let Self { index, entries, hand: _, shared: _ } = self;
        let at = entries.len();
        if at >= KEYS_PER_SHARD {
            return None;
        }
        entries.push(Entry { digest, bucket: Bucket::new(bound) });
        index.insert_unique(hash(digest), at, |&at| entries.get(at).map_or(0, |entry| hash(entry.digest)));
        Some(at)
    }

    /// Drops entries that are as new ones would be.
    fn look_around(&mut self, now: u64, bound: &Bound) {
        for _ in 0..LOOKS.min(self.entries.len()) {
            if self.hand >= self.entries.len() {
                self.hand = 0;
            }
            match self.entries.get(self.hand) {
                Some(entry) if entry.bucket.fresh_at(bound) <= now => self.drop_at(self.hand),
                Some(_) => self.hand += 1,
                None => return,
            }
        }
    }

    /// The last entry takes its place.
    fn drop_at(&mut self, at: usize) {
        let Self { index, entries, hand: _, shared: _ } = self;
        let last = entries.len().saturating_sub(1);
        let gone = entries.swap_remove(at);
        if let Ok(found) = index.find_entry(hash(gone.digest), |&place| place == at) {
            found.remove();
        }
        if let Some(moved) = entries.get(at)
            && let Some(place) = index.find_mut(hash(moved.digest), |&place| place == last)
        {
            *place = at;
        }
    }
}

/// The low half; the high half chose the shard.
#[expect(clippy::cast_possible_truncation, reason = "half of a digest is meant")]
fn hash(digest: u128) -> u64 {
    digest as u64
}
