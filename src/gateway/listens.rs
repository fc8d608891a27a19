//! How many streams of changes are open: so many of one owner, and so many in all.
//!
//! A stream of the legacy era belongs to a session, of which an owner has few; one of the modern era
//! belongs to nobody but its request, so it is counted here.
//!
//! INVARIANT: who opens many takes the room of nobody else, until the house is full.
//! SPEC: T-202.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::session::Owner;

/// Streams that one owner may have open.
const PER_OWNER: usize = 64;
/// Streams in all.
const MOST: usize = 10_000;

/// The streams that are open.
#[derive(Debug, Default)]
pub(super) struct Listens(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    of: HashMap<Owner, usize>,
    all: usize,
}

/// Room for one stream. Dropped, it is free.
#[derive(Debug)]
pub(super) struct Room {
    listens: Arc<Listens>,
    owner: Owner,
}

impl Listens {
    /// Room for one more, if there is any.
    pub(super) fn room(self: &Arc<Self>, owner: Owner) -> Option<Room> {
        let mut counts = self.lock();
        if counts.all >= MOST || counts.of.get(&owner).is_some_and(|count| *count >= PER_OWNER) {
            return None;
        }
        counts.all += 1;
        *counts.of.entry(owner.clone()).or_default() += 1;
        drop(counts);
        Some(Room { listens: Arc::clone(self), owner })
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let mut counts = self.listens.lock();
        counts.all = counts.all.saturating_sub(1);
        if let Some(count) = counts.of.get_mut(&self.owner) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                counts.of.remove(&self.owner);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::principal::Principal;

    fn owner(name: &str) -> Owner {
        let principal = Principal::User(format!("local/{name}").parse().unwrap());
        Owner { principal, client: None, resource: "http://localhost/mcp".into() }
    }

    #[test]
    fn t202_one_owner_has_so_many_streams_and_takes_nobody_elses() {
        let listens = Arc::new(Listens::default());
        let mut open: Vec<Room> = (0..PER_OWNER).map(|_| listens.room(owner("ana")).unwrap()).collect();
        assert!(listens.room(owner("ana")).is_none());
        let other = listens.room(owner("bob")).unwrap();
        drop(open.pop());
        open.push(listens.room(owner("ana")).unwrap());
        assert!(listens.room(owner("ana")).is_none());
        drop((open, other));
        let mut all: Vec<Room> = Vec::new();
        for nth in 0..MOST {
            all.push(listens.room(owner(&format!("u{}", nth / 10))).unwrap());
        }
        assert!(listens.room(owner("late")).is_none());
        drop(all);
        assert!(listens.lock().of.is_empty() && listens.lock().all == 0);
    }
}
