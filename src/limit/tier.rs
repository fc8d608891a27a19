//! What a rate tier says, in numbers.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use crate::policy;

/// Beyond, a limit counts as this one.
const MOST: u32 = 1_000_000;
/// Shorter or longer windows count as the nearest of these.
const WINDOWS: [Duration; 2] = [Duration::from_millis(1), Duration::from_secs(366 * 24 * 3600)];

/// How many requests of one key are let through, and in what time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tier {
    name: Arc<str>,
    limit: u32,
    window: Duration,
    burst: Option<u32>,
    penalty: Option<Penalty>,
}

/// How a tier tightens for a key that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Penalty {
    /// After so many failures, each within `time` of the one before.
    pub after: NonZeroU32,
    /// The limit and the burst are divided by this; one request stays.
    pub factor: NonZeroU32,
    /// Until so long after the last failure.
    pub time: Duration,
}

impl Tier {
    /// A tier. A limit or burst above a million counts as a million, a window is
    /// a millisecond at least and a year at most.
    pub fn new(name: &str, limit: NonZeroU32, window: Duration) -> Self {
        let [shortest, longest] = WINDOWS;
        let window = window.clamp(shortest, longest);
        Self { name: name.into(), limit: limit.get().min(MOST), window, burst: None, penalty: None }
    }

    /// With a burst: so many at once, and then at the pace of the limit.
    #[must_use]
    pub fn burst(self, burst: NonZeroU32) -> Self {
        Self { burst: Some(burst.get().min(MOST)), ..self }
    }

    /// With a penalty.
    #[must_use]
    pub fn penalty(self, penalty: Penalty) -> Self {
        Self { penalty: Some(penalty), ..self }
    }

    /// Its name in the configuration.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many in a window.
    pub fn limit(&self) -> u32 {
        self.limit
    }

    /// The window.
    pub fn window(&self) -> Duration {
        self.window
    }

    /// How many at once, where that is said.
    pub fn burst_size(&self) -> Option<u32> {
        self.burst
    }

    /// How it tightens, if it does.
    pub fn penalised(&self) -> Option<Penalty> {
        self.penalty
    }
}

impl From<&policy::Tier> for Tier {
    fn from(tier: &policy::Tier) -> Self {
        let policy::Tier { name, limit, window, burst, by: _, penalty, reason: _ } = tier;
        let count = |number: u64| NonZeroU32::new(number.try_into().unwrap_or(u32::MAX)).unwrap_or(NonZeroU32::MIN);
        let tightened = |penalty: policy::Penalty| {
            let policy::Penalty { after, factor, time } = penalty;
            Penalty { after: count(after), factor: count(factor), time }
        };
        let made = Self::new(name, count(*limit), *window);
        let made = burst.map_or(made.clone(), |burst| made.burst(count(burst)));
        penalty.map_or(made.clone(), |penalty| made.penalty(tightened(penalty)))
    }
}
