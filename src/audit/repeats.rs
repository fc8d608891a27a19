//! Refusals that come by the thousand: one record with a count instead of a full disk (T-221).
//!
//! The first few of one kind, address and caller within a minute have records of their own; the rest are
//! counted and become one. A crash loses at most the counts of the last ten seconds.

use std::{
    collections::{HashMap, hash_map::Entry},
    io::Write as _,
    net::IpAddr,
};

use jiff::{SignedDuration, Timestamp};

use crate::{
    limit::network,
    record::{Decided, Record},
};

/// Of one kind, address and caller in one minute.
const OWN_RECORDS: u32 = 10;
const WINDOW: SignedDuration = SignedDuration::from_secs(60);
/// Kinds, addresses and callers kept apart; beyond, all of a kind count as one.
const MOST: usize = 4096;

#[derive(Debug, Default)]
pub(super) struct Repeats {
    seen: HashMap<Key, Seen>,
    closed: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    kind: Box<str>,
    address: Option<IpAddr>,
    /// Who, where that is known.
    who: Option<Box<str>>,
}

#[derive(Debug)]
struct Seen {
    since: Timestamp,
    own: u32,
    held: Option<Counted>,
}

#[derive(Debug)]
struct Counted {
    /// The first of them as a record, without its closing brace.
    body: Vec<u8>,
    count: u64,
    first: Timestamp,
    last: Timestamp,
}

/// Refusals that are due to be written.
#[derive(Debug)]
pub(super) struct Held {
    key: Key,
    counted: Counted,
}

impl Repeats {
    /// Whether the refusal gets a record of its own; if not it is counted.
    pub(super) fn admit(&mut self, decided: &Decided<'_>) -> bool {
        if self.closed {
            return true;
        }
        let at = decided.at;
        let mut key = Key {
            kind: decided.refused.map_or("", |refused| refused.kind).into(),
            address: decided.peer.map(|peer| network(peer.address)),
            who: decided.caller.map(|who| format!("{} {:?}", who.principal, who.client).into()),
        };
        if self.seen.len() >= MOST && !self.seen.contains_key(&key) {
            (key.address, key.who) = (None, None);
        }
        let nobody = key.address.is_none();
        let seen = self.seen.entry(key).or_insert(Seen { since: at, own: 0, held: None });
        if at.duration_since(seen.since).abs() >= WINDOW {
            (seen.since, seen.own) = (at, 0);
        }
        if seen.own < OWN_RECORDS {
            seen.own += 1;
            return true;
        }
        match &mut seen.held {
            Some(counted) => {
                counted.count += 1;
                counted.last = at;
            }
            None => {
                let mut body = Vec::new();
                let mut one = decided.clone();
                if nobody {
                    (one.peer, one.request, one.caller) = (None, None, None);
                }
                Record::Decided(&one).write(&mut body);
                body.pop();
                seen.held = Some(Counted { body, count: 1, first: at, last: at });
            }
        }
        false
    }

    /// Counts no more: what comes now is written or refused.
    pub(super) fn close(&mut self) {
        self.closed = true;
    }

    /// Everything counted, and forgets whoever has been quiet.
    pub(super) fn take(&mut self, now: Timestamp) -> Vec<Held> {
        let due = self
            .seen
            .iter_mut()
            .filter_map(|(key, seen)| Some(Held { key: key.clone(), counted: seen.held.take()? }))
            .collect();
        self.seen.retain(|_, seen| now.duration_since(seen.since).abs() < WINDOW);
        due
    }

    /// Takes back what could not be written.
    pub(super) fn restore(&mut self, held: Held) {
        let Held { key, counted } = held;
        match self.seen.entry(key) {
            Entry::Vacant(entry) => {
                entry.insert(Seen { since: counted.last, own: OWN_RECORDS, held: Some(counted) });
            }
            Entry::Occupied(mut entry) => {
                let now = entry.get_mut().held.take();
                let (more, last) = now.map_or((0, counted.last), |now| (now.count, now.last));
                entry.get_mut().held = Some(Counted { count: counted.count + more, last, ..counted });
            }
        }
    }
}

impl Held {
    /// The record, as [`Record::write`] gives one.
    pub(super) fn body(&self) -> Vec<u8> {
        let Counted { body, count, first, last } = &self.counted;
        let mut body = body.clone();
        let end = write!(body, ",\"count\":{count},\"first\":\"{first:.9}\",\"last\":\"{last:.9}\"}}");
        debug_assert!(end.is_ok(), "a vector takes every byte");
        body
    }
}
