//! Calls that wait for a modern caller's answer to a question of a legacy server.
//!
//! The server waits inside its call; the caller has its question for an answer and comes back with
//! another request. Until then the call is kept here, under a name that the caller holds sealed. It
//! is never run again: who comes too late has to call anew. A call that waits holds a connection of its
//! server's, so one owner's are few, and where a server's are many the greediest owner's oldest goes.
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
use crate::{name::ServerName, tasks::Stop, upstream::Ask};

/// Calls of one owner that may wait: half of the connections that a server has for it.
const PER_OWNER: usize = 4;
/// Calls that may wait at one server: half of its private connections.
const PER_SERVER: usize = 16;
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
    server: ServerName,
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
    pub(super) fn park(
        &self,
        name: [u8; 16],
        owner: &Owner,
        server: &ServerName,
        waiting: Waiting,
        now: Instant,
    ) -> Result<(), Waiting> {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let mut owners: HashMap<&Owner, usize> = HashMap::new();
        for call in calls.values().filter(|call| call.server == *server) {
            *owners.entry(&call.owner).or_default() += 1;
        }
        let own = calls.values().filter(|call| call.owner == *owner).count();
        let loser = if own >= PER_OWNER {
            oldest(&calls, |call| call.owner == *owner)
        } else if owners.values().sum::<usize>() >= PER_SERVER {
            let greediest = owners.into_iter().max_by_key(|(_, count)| *count).filter(|(_, count)| *count > own);
            let Some((greediest, _)) = greediest else { return Err(waiting) };
            oldest(&calls, |call| call.server == *server && call.owner == *greediest)
        } else if calls.len() >= MOST {
            return Err(waiting);
        } else {
            None
        };
        let lost = loser.and_then(|name| calls.remove(&name));
        let until = now + GOOD_FOR.unsigned_abs();
        calls.insert(name, Call { owner: owner.clone(), server: server.clone(), until, waiting });
        drop(calls);
        drop(lost);
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

/// The name of the one that has waited for longest.
fn oldest(calls: &HashMap<[u8; 16], Call>, which: impl Fn(&Call) -> bool) -> Option<[u8; 16]> {
    calls.iter().filter(|(_, call)| which(call)).min_by_key(|(_, call)| call.until).map(|(name, _)| *name)
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

    fn park(parked: &Parked, name: u8, whose: &str, now: Instant) -> Option<mpsc::Sender<Heard>> {
        let (call, events) = waiting();
        parked.park([name; 16], &owner(whose), &"wiki".parse().unwrap(), call, now).is_ok().then_some(events)
    }

    #[test]
    fn px31_a_call_that_waits_is_its_owners_once_and_for_a_while() {
        let (parked, now) = (Parked::default(), Instant::now());
        let events = park(&parked, 1, "local/ana", now).unwrap();
        assert!(parked.take([1; 16], &owner("local/bob")).is_none());
        assert!(parked.take([2; 16], &owner("local/ana")).is_none());
        assert!(!events.is_closed());
        assert!(parked.take([1; 16], &owner("local/ana")).is_some());
        assert!(parked.take([1; 16], &owner("local/ana")).is_none());
        // Dropped is cancelled.
        assert!(events.is_closed());
        let kept = park(&parked, 3, "local/ana", now).unwrap();
        drop(parked.sweep(Some(now + GOOD_FOR.unsigned_abs() - Duration::from_secs(1))));
        assert!(!kept.is_closed());
        drop(parked.sweep(Some(now + GOOD_FOR.unsigned_abs())));
        assert!(kept.is_closed());
    }

    #[test]
    fn t202_calls_that_wait_are_bounded_and_the_greediest_owner_loses() {
        let (parked, now) = (Parked::default(), Instant::now());
        let later = |seconds: u8| now + Duration::from_secs(seconds.into());
        let anas: Vec<_> = (0..5).map(|nth| park(&parked, nth, "local/ana", later(nth)).unwrap()).collect();
        // Ana's own oldest went for her fifth.
        assert_eq!(anas.iter().map(mpsc::Sender::is_closed).collect::<Vec<_>>(), [true, false, false, false, false]);
        let others: Vec<_> =
            (10..22).map(|nth| park(&parked, nth, &format!("local/u{nth}"), later(nth)).unwrap()).collect();
        // The server's are full: one with none takes Ana's oldest, until nobody has more than one.
        let more: Vec<_> =
            (30..33).map(|nth| park(&parked, nth, &format!("local/u{nth}"), later(nth)).unwrap()).collect();
        assert_eq!(anas.iter().filter(|events| events.is_closed()).count(), 4);
        assert!(others.iter().chain(&more).all(|events| !events.is_closed()));
        assert!(park(&parked, 40, "local/u10", now).is_none());
    }
}
