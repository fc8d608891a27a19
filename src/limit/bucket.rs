//! The count of one key in one tier: the log of a sliding window, or the next instant of a pace (GCRA),
//! and the failures that tighten either.

use super::{
    log::{Log, Scale},
    nanos,
    tier::Tier,
};

/// A tier as its buckets read it, in nanoseconds.
#[derive(Debug)]
pub(super) struct Bound {
    plain: Rate,
    tight: Option<Tight>,
    scale: Scale,
}

#[derive(Debug, Clone, Copy)]
enum Rate {
    /// So many in the window.
    Window(u32),
    /// One in each interval, and so far ahead of it.
    Pace { interval: u64, ahead: u64 },
}

#[derive(Debug)]
struct Tight {
    rate: Rate,
    after: u32,
    time: u64,
}

#[derive(Debug)]
pub(super) struct Bucket {
    count: Count,
    failures: u32,
    failed: u64,
}

#[derive(Debug)]
enum Count {
    Log(Log),
    /// When the next request would be on time.
    Next(u64),
}

impl Bound {
    pub(super) fn of(tier: &Tier) -> Self {
        let window = nanos(tier.window());
        let rate = |factor: u32| {
            let factor = factor.min(tier.limit());
            let limit = (tier.limit() / factor).max(1);
            match tier.burst_size() {
                None => Rate::Window(limit),
                Some(burst) => {
                    let burst = (burst / factor).max(1);
                    // Rounded up, so that the pace is never above the limit. A limit that does not divide
                    // evenly is divided in time instead.
                    let interval = window.saturating_mul(factor.into()).div_ceil(tier.limit().into()).max(1);
                    let ahead = interval.saturating_mul(u64::from(burst).saturating_sub(1)).min(u64::MAX / 4);
                    Rate::Pace { interval, ahead }
                }
            }
        };
        let tight = tier.penalised().map(|penalty| Tight {
            rate: rate(penalty.factor.get()),
            after: penalty.after.get(),
            time: nanos(penalty.time),
        });
        Self { plain: rate(1), tight, scale: Scale::of(tier.limit(), window) }
    }

    pub(super) fn has_penalty(&self) -> bool {
        self.tight.is_some()
    }
}

impl Bucket {
    pub(super) fn new(bound: &Bound) -> Self {
        let count = match bound.plain {
            Rate::Window(_) => Count::Log(Log::default()),
            Rate::Pace { .. } => Count::Next(0),
        };
        Self { count, failures: 0, failed: 0 }
    }

    /// How many more than one it would let through now, or how long it lets none through.
    pub(super) fn room(&mut self, now: u64, bound: &Bound) -> Result<u32, u64> {
        let plain = self.count.room(now, bound.plain, bound.scale);
        let Some((tight, until)) = self.penalised(now, bound) else { return plain };
        // Room comes at the tight rate, or at the plain one once the penalty is over.
        self.count.room(now, tight, bound.scale).map_err(|wait| {
            let over = until.saturating_sub(now).max(plain.err().unwrap_or(0));
            wait.min(over)
        })
    }

    /// Counts one request.
    pub(super) fn take(&mut self, now: u64, bound: &Bound) {
        let rate = self.penalised(now, bound).map_or(bound.plain, |(tight, _)| tight);
        match (&mut self.count, rate) {
            (Count::Next(next), Rate::Pace { interval, .. }) => *next = now.max(*next).saturating_add(interval),
            (Count::Log(log), _) => log.take(now, bound.scale),
            (Count::Next(_), Rate::Window(_)) => {}
        }
    }

    /// Counts one failure.
    pub(super) fn fail(&mut self, now: u64, bound: &Bound) {
        let Some(tight) = &bound.tight else { return };
        if now >= self.failed.saturating_add(tight.time) {
            self.failures = 0;
        }
        self.failures = self.failures.saturating_add(1);
        self.failed = now.max(self.failed);
    }

    /// The rate of whoever failed too often, and until when it holds.
    fn penalised(&self, now: u64, bound: &Bound) -> Option<(Rate, u64)> {
        let tight = bound.tight.as_ref().filter(|tight| self.failures >= tight.after)?;
        let until = self.failed.saturating_add(tight.time);
        (now < until).then_some((tight.rate, until))
    }

    /// From when on it is as a new one.
    pub(super) fn fresh_at(&self, bound: &Bound) -> u64 {
        let count = match &self.count {
            Count::Log(log) => log.empty_at(bound.scale),
            Count::Next(next) => *next,
        };
        let forgiven = match &bound.tight {
            Some(tight) if self.failures > 0 => self.failed.saturating_add(tight.time),
            _ => 0,
        };
        count.max(forgiven)
    }

    #[cfg(test)]
    pub(super) fn heap(&self) -> usize {
        match &self.count {
            Count::Log(log) => log.heap(),
            Count::Next(_) => 0,
        }
    }
}

impl Count {
    fn room(&mut self, now: u64, rate: Rate, scale: Scale) -> Result<u32, u64> {
        match (self, rate) {
            (Self::Log(log), Rate::Window(limit)) => log.room(now, limit, scale),
            (Self::Next(next), Rate::Pace { interval, ahead }) => {
                let early = next.saturating_sub(now);
                match ahead.checked_sub(early) {
                    Some(room) => Ok(u32::try_from(room / interval).unwrap_or(u32::MAX)),
                    None => Err(early - ahead),
                }
            }
            // A bucket is made for the rate of its tier; one that is not lets nothing through.
            (Self::Log(_), Rate::Pace { .. }) | (Self::Next(_), Rate::Window(_)) => Err(u64::MAX),
        }
    }
}
