//! What one key was let through in the last window.
//!
//! Up to [`EXACT`] the log holds the instant of each request and is exact. For a larger limit time is cut
//! into slots, [`SLOTS`] to a window, and requests of one slot count together until the last instant of
//! their slot is a window ago: a request may count for a slot longer than it had to (1.7 % of the
//! window), never for less. Either way a log holds at most 64 words.

use std::collections::VecDeque;

/// The largest limit whose log is exact.
pub(super) const EXACT: u32 = 64;
/// Slots of a window; one more is begun and one more is ending.
const SLOTS: u64 = 60;
/// Of a word in slots, the low bits that count. The rest are enough for nine years of the shortest slots;
/// from then on nothing would be let through.
const COUNT_BITS: u32 = 20;

#[derive(Debug, Default)]
pub(super) struct Log {
    /// Exact: instants. In slots: the slot's number and how many it holds.
    words: VecDeque<u64>,
    total: u32,
}

/// How time is written in the logs of one tier.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    window: u64,
    /// The length of a slot; none is exact.
    slot: Option<u64>,
}

impl Scale {
    pub(super) fn of(limit: u32, window: u64) -> Self {
        Self { window, slot: (limit > EXACT).then(|| window.div_ceil(SLOTS)) }
    }

    /// How many a word counts, and until when.
    fn read(self, word: u64) -> (u32, u64) {
        let (count, last) = match self.slot {
            None => (1, word),
            Some(slot) => {
                let count = u32::try_from(word & ((1 << COUNT_BITS) - 1)).unwrap_or(u32::MAX);
                (count, (word >> COUNT_BITS).saturating_add(1).saturating_mul(slot).saturating_sub(1))
            }
        };
        (count, last.saturating_add(self.window))
    }
}

impl Log {
    /// How many more than one fit, or how long there is no room for one.
    pub(super) fn room(&mut self, now: u64, limit: u32, scale: Scale) -> Result<u32, u64> {
        while let Some(&word) = self.words.front() {
            let (count, until) = scale.read(word);
            if until > now {
                break;
            }
            self.words.pop_front();
            self.total = self.total.saturating_sub(count);
        }
        if let Some(left) = limit.checked_sub(self.total).and_then(|room| room.checked_sub(1)) {
            return Ok(left);
        }
        let mut total = self.total;
        for &word in &self.words {
            let (count, until) = scale.read(word);
            total = total.saturating_sub(count);
            if total < limit {
                return Err(until.saturating_sub(now).max(1));
            }
        }
        Err(scale.window)
    }

    /// Counts one.
    pub(super) fn take(&mut self, now: u64, scale: Scale) {
        self.total = self.total.saturating_add(1);
        let word = match scale.slot {
            None => now,
            Some(slot) => {
                let word = (now / slot).min(u64::MAX >> COUNT_BITS) << COUNT_BITS;
                // An instant before the last one counts with the last one.
                if let Some(last) = self.words.back_mut().filter(|last| **last >> COUNT_BITS >= word >> COUNT_BITS) {
                    *last += 1;
                    return;
                }
                word + 1
            }
        };
        let last = self.words.back().copied().unwrap_or(0);
        self.words.push_back(word.max(last));
    }

    /// When it is empty again.
    pub(super) fn empty_at(&self, scale: Scale) -> u64 {
        self.words.back().map_or(0, |&word| scale.read(word).1)
    }

    /// What it takes beside its own size.
    #[cfg(test)]
    pub(super) fn heap(&self) -> usize {
        self.words.capacity() * size_of::<u64>()
    }
}
