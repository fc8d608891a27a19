//! Calls that wait for a modern caller's answer to a question of a legacy server.
//!
//! The server waits inside its call; the caller has its question for an answer and comes back with
//! another request. Until then the call is kept here, under a name that the caller holds sealed. It
//! is never run again: who comes too late has to call anew.
//!
//! INVARIANT: what is dropped here is cancelled at the server.
//! SPEC: sheet `mcp.md` §2.5; PX-31, SE-04.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::mpsc;

use super::{super::Owner, run::Heard, state::GOOD_FOR};
use crate::{tasks::Stop, upstream::Ask};

/// Calls of one owner that may wait.
const PER_OWNER: usize = 16;
/// Calls that may wait in all.
const MOST: usize = 1024;
const SWEEP: Duration = Duration::from_secs(30);

/// Every call that waits.
#[derive(Debug, Default)]
pub(crate) struct Parked {
    calls: Mutex<HashMap<[u8; 16], Call>>,
}

/// A call that waits.
#[derive(Debug)]
struct Call {
    owner: Owner,
    until: Instant,
    waiting: Waiting,
}

/// The question that a call waits for, and where its answer comes in the end.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) ask: Ask,
    pub(super) coming: mpsc::Receiver<Heard>,
}

impl Parked {
    /// Keeps a call under a name made of chance; gives it back, to be dropped, where too many wait.
    pub(super) fn park(&self, name: [u8; 16], owner: &Owner, waiting: Waiting, now: Instant) -> Result<(), Waiting> {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let own = calls.values().filter(|call| call.owner == *owner).count();
        if own >= PER_OWNER || calls.len() >= MOST {
            return Err(waiting);
        }
        let until = now + GOOD_FOR.unsigned_abs();
        calls.insert(name, Call { owner: owner.clone(), until, waiting });
        Ok(())
    }

    /// Takes a call back; nothing where it does not wait any more.
    pub(super) fn take(&self, name: [u8; 16], owner: &Owner) -> Option<Waiting> {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.get(&name).filter(|call| call.owner == *owner)?;
        calls.remove(&name).map(|call| call.waiting)
    }

    /// Drops those whose time is over, until told to stop; then all.
    pub(crate) async fn keep(self: Arc<Self>, mut stop: Stop) {
        let mut every = tokio::time::interval(SWEEP);
        loop {
            let now = tokio::select! {
                tick = every.tick() => Some(tick.into_std()),
                () = stop.stopped() => None,
            };
            let over = self.sweep(now);
            drop(over);
            if now.is_none() {
                return;
            }
        }
    }

    fn sweep(&self, now: Option<Instant>) -> Vec<Call> {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let over = |call: &Call| now.is_none_or(|now| now >= call.until);
        calls.extract_if(|_, call| over(call)).map(|(_, call)| call).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{mcp::Method, principal::Principal};

    fn owner(name: &str) -> Owner {
        Owner { principal: Principal::User(name.parse().unwrap()), client: None, resource: "r".into() }
    }

    fn waiting() -> (Waiting, mpsc::Sender<Heard>) {
        let (events, coming) = mpsc::channel(1);
        (Waiting { ask: Ask::new(Method::RootsList, "".into()).0, coming }, events)
    }

    #[test]
    fn px31_a_call_that_waits_is_its_owners_once_for_a_while_and_bounded() {
        let (parked, now) = (Parked::default(), Instant::now());
        let (call, events) = waiting();
        parked.park([1; 16], &owner("local/ana"), call, now).unwrap();
        assert!(parked.take([1; 16], &owner("local/bob")).is_none());
        assert!(parked.take([2; 16], &owner("local/ana")).is_none());
        assert!(!events.is_closed());
        assert!(parked.take([1; 16], &owner("local/ana")).is_some());
        assert!(parked.take([1; 16], &owner("local/ana")).is_none());
        // Dropped is cancelled.
        assert!(events.is_closed());
        let kept: Vec<_> = (0..PER_OWNER)
            .map(|nth| {
                let (call, events) = waiting();
                parked.park([u8::try_from(nth).unwrap(); 16], &owner("local/ana"), call, now).unwrap();
                events
            })
            .collect();
        assert!(parked.park([99; 16], &owner("local/ana"), waiting().0, now).is_err());
        assert!(parked.park([99; 16], &owner("local/bob"), waiting().0, now).is_ok());
        drop(parked.sweep(Some(now + GOOD_FOR.unsigned_abs() - Duration::from_secs(1))));
        assert!(kept.iter().all(|events| !events.is_closed()));
        drop(parked.sweep(Some(now + GOOD_FOR.unsigned_abs())));
        assert!(kept.iter().all(mpsc::Sender::is_closed));
    }
}
