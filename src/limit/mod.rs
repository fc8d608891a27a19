//! Which rate tiers have room for a request, and the counts behind that answer.
//!
//! Policies say which tiers a request draws from and by which key; this module keeps the counts. A
//! request is charged for all its tiers at once: either each of them has room and each is charged, or
//! none is and the answer names the tier that makes it wait longest. So a request that is refused costs
//! nothing, and whoever is over a narrow tier does not use up a wide one. What is charged is never given
//! back, whatever becomes of the request.
//!
//! Time is an argument: how long some monotonic clock has run. A `now` before one that was seen counts
//! as the later one, so that a clock set back frees nothing.
//!
//! INVARIANT: without `burst` no stretch of `window` holds more than `limit` charges of one key; with it
//! no stretch of time t holds more than `burst + limit * t / window`.
//! INVARIANT: locks are taken in the order of the tiers' names, also by generations that share counts.

mod bucket;
mod field;
mod key;
mod log;
mod table;
#[cfg(test)]
mod tests;
mod tier;

use std::{collections::hash_map::RandomState, hash::BuildHasher, sync::Arc, time::Duration};

use bucket::Bound;
pub use field::Fields;
pub use key::{Key, Payer, network};
use table::Table;
pub use table::{BYTES_PER_KEY, KEYS_PER_TIER};
pub use tier::{Penalty, Tier};

/// The counts of all tiers.
#[derive(Debug)]
pub struct Limiter {
    /// By name.
    tiers: Box<[Arc<Counted>]>,
    seeds: [RandomState; 2],
}

/// A tier of one [`Limiter`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TierId(usize);

/// What a request draws from one tier. Of two draws from one tier the first counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draw<'k> {
    /// The tier.
    pub tier: TierId,
    /// Whose count it is.
    pub key: Key<'k>,
}

/// What is left after a charge, of the tier that has least left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remaining {
    /// The tier.
    pub tier: TierId,
    /// How many more it would admit now.
    pub left: u32,
}

/// A request that some tier has no room for; nothing was charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Over {
    /// The tier that has no room for longest.
    pub tier: TierId,
    /// When the tier has room again if nobody else comes. Never zero.
    pub wait: Duration,
}

#[derive(Debug)]
struct Counted {
    tier: Tier,
    bound: Bound,
    table: Table,
}

impl Limiter {
    /// Nobody has been counted yet. Of two tiers of one name the first is meant.
    pub fn new(tiers: impl IntoIterator<Item = Tier>) -> Self {
        Self::build(tiers, &[], [RandomState::new(), RandomState::new()])
    }

    /// The limiter of a new configuration: a tier that is as it was keeps its counts.
    pub fn after(&self, tiers: impl IntoIterator<Item = Tier>) -> Self {
        Self::build(tiers, &self.tiers, self.seeds.clone())
    }

    fn build(tiers: impl IntoIterator<Item = Tier>, before: &[Arc<Counted>], seeds: [RandomState; 2]) -> Self {
        let mut tiers: Vec<Tier> = tiers.into_iter().collect();
        tiers.sort_by(|one, other| one.name().cmp(other.name()));
        tiers.dedup_by(|later, first| later.name() == first.name());
        let counted = |tier: Tier| match before.iter().find(|held| held.tier == tier) {
            Some(held) => Arc::clone(held),
            None => Arc::new(Counted { bound: Bound::of(&tier), table: Table::new(), tier }),
        };
        Self { tiers: tiers.into_iter().map(counted).collect(), seeds }
    }

    /// The tier of this name.
    pub fn find(&self, name: &str) -> Option<TierId> {
        self.tiers.binary_search_by(|held| held.tier.name().cmp(name)).ok().map(TierId)
    }

    /// What a tier says.
    pub fn tier(&self, id: TierId) -> Option<&Tier> {
        self.tiers.get(id.0).map(|held| &held.tier)
    }

    /// Charges every tier, or none. Without draws there is nothing to run out of.
    ///
    /// # Errors
    ///
    /// If a tier has no room, or is no tier of this limiter.
    pub fn charge(&self, now: Duration, draws: &[Draw<'_>]) -> Result<Option<Remaining>, Over> {
        self.step(instant(now), draws, None, None)
    }

    /// Looks at the tiers one after the other, holds each while it looks at the next, and charges on its
    /// way back if all had room.
    fn step(
        &self,
        now: u64,
        draws: &[Draw<'_>],
        last: Option<TierId>,
        refused: Option<Over>,
    ) -> Result<Option<Remaining>, Over> {
        let ahead = draws.iter().filter(|draw| last.is_none_or(|last| draw.tier > last));
        let Some(Draw { tier, key }) = ahead.min_by_key(|draw| draw.tier) else {
            return refused.map_or(Ok(None), Err);
        };
        let Some(held) = self.tiers.get(tier.0) else {
            return Err(Over { tier: *tier, wait: Duration::from_secs(1) });
        };
        let Counted { tier: _, bound, table } = &**held;
        let digest = self.digest(*key);
        let mut shard = table.shard(digest);
        let bucket = shard.bucket(digest, now, bound);
        match bucket.room(now, bound) {
            Err(wait) => {
                let over = Over { tier: *tier, wait: Duration::from_nanos(wait) };
                let longest = refused.filter(|other| other.wait >= over.wait).unwrap_or(over);
                self.step(now, draws, Some(*tier), Some(longest))
            }
            Ok(left) => {
                let others = self.step(now, draws, Some(*tier), refused)?;
                bucket.take(now, bound);
                Ok(others.filter(|other| other.left < left).or(Some(Remaining { tier: *tier, left })))
            }
        }
    }

    /// Counts a failure, such as a wrong token, against the keys of the tiers that have a penalty.
    pub fn failed(&self, now: Duration, draws: &[Draw<'_>]) {
        let now = instant(now);
        for Draw { tier, key } in draws {
            let Some(Counted { tier: _, bound, table }) = self.tiers.get(tier.0).map(|held| &**held) else { continue };
            if bound.has_penalty() {
                let digest = self.digest(*key);
                table.shard(digest).own(digest, now, bound, |bucket| bucket.fail(now, bound));
            }
        }
    }

    /// How many keys a tier holds; at most [`KEYS_PER_TIER`].
    pub fn keys(&self, id: TierId) -> usize {
        self.tiers.get(id.0).map_or(0, |held| held.table.keys())
    }

    /// Keyed by secrets of this process, so that nobody can choose what falls together.
    fn digest(&self, key: Key<'_>) -> u128 {
        let [high, low] = self.seeds.each_ref().map(|seed| u128::from(seed.hash_one(key)));
        (high << 64) | low
    }
}

/// From the start of the clock. It stands still after 292 years, so that sums of times fit.
fn instant(now: Duration) -> u64 {
    nanos(now).min(u64::MAX / 2)
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
