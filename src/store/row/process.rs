//! Which process wrote something, so that an instant is held against the clock that it came from.
//!
//! Clocks of processes on one store may differ by a minute. What is good for seconds, the code and the
//! grace of a refresh, would then be over for another process before it began: for what another process
//! wrote the bound is a minute later. What is good for longer may end a minute early or late (OA-139).

use jiff::SignedDuration;

use crate::chance;

/// How far the clocks of two processes may differ.
pub const SKEW: SignedDuration = SignedDuration::from_secs(60);

/// A process that has the store open, until it closes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process(i64);

impl Process {
    /// One that opens the store now. Without randomness all are one, and none gets a minute more.
    pub(in crate::store) fn new() -> Self {
        Self(chance::bytes().map_or(0, i64::from_be_bytes))
    }

    pub(in crate::store) const fn from_number(number: i64) -> Self {
        Self(number)
    }

    pub(in crate::store) const fn number(self) -> i64 {
        self.0
    }

    /// How much later than it says a bound is that another process wrote, or nobody knows which.
    pub(in crate::store) fn leeway(self, wrote: Option<Self>) -> SignedDuration {
        if wrote == Some(self) { SignedDuration::ZERO } else { SKEW }
    }
}
