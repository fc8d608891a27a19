//! The store in memory: maps behind one lock, gone with the process; for tests.
//!
//! It is the second reading of what `rows` promises: plain enough to be seen to be right.

mod grant;
mod person;
mod token;

use std::collections::BTreeMap;

use jiff::Timestamp;
use tokio::sync::Mutex;

use super::{
    AccountRow, ClientKind, ClientRow, CodeRow, CounterRow, DataKeyRow, Event, FamilyRow, GrantRow, LeaseRow, Process,
    SealedRow, SignInRow, StoredEvent, TokenRow,
    rows::{EventRows, KeyRows, Mac, Op, Read, Rows},
};
use crate::{
    id::Id,
    name::{ClientId, UserId},
};

#[derive(Debug, Default)]
pub(super) struct Memory {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    tokens: BTreeMap<Mac, TokenRow>,
    grants: BTreeMap<Id, GrantRow>,
    codes: BTreeMap<Mac, CodeRow>,
    families: BTreeMap<Id, FamilyRow>,
    clients: BTreeMap<ClientId, ClientRow>,
    accounts: BTreeMap<UserId, AccountRow>,
    sign_ins: BTreeMap<Mac, SignInRow>,
    counters: BTreeMap<(String, Vec<u8>), CounterRow>,
    onces: BTreeMap<(String, Vec<u8>), Timestamp>,
    leases: BTreeMap<String, LeaseRow>,
    keys: BTreeMap<u32, DataKeyRow>,
    sealed: BTreeMap<(String, String), SealedRow>,
    events: BTreeMap<i64, StoredEvent>,
    newest: i64,
    marks: BTreeMap<String, String>,
}

impl Memory {
    pub(super) async fn run<O: Op>(&self, op: &O) -> Read<O::Answer> {
        op.run(&mut *self.state.lock().await).await
    }
}

impl Rows for State {
    fn process(&self) -> Process {
        // Nobody else can have it.
        Process::from_number(0)
    }
}

impl KeyRows for State {
    async fn data_keys(&mut self) -> Read<Vec<DataKeyRow>> {
        Ok(self.keys.values().cloned().collect())
    }

    async fn put_data_key(&mut self, key: &DataKeyRow) -> Read<()> {
        self.keys.insert(key.id, key.clone());
        Ok(())
    }

    async fn remove_data_key(&mut self, id: u32) -> Read<()> {
        self.keys.remove(&id);
        Ok(())
    }

    async fn sealed(&mut self, kind: &str, id: &str) -> Read<Option<SealedRow>> {
        Ok(self.sealed.get(&(kind.to_owned(), id.to_owned())).cloned())
    }

    async fn put_sealed(&mut self, row: &SealedRow) -> Read<()> {
        self.sealed.insert((row.kind.clone(), row.id.clone()), row.clone());
        Ok(())
    }

    async fn remove_sealed(&mut self, kind: &str, id: &str) -> Read<bool> {
        Ok(self.sealed.remove(&(kind.to_owned(), id.to_owned())).is_some())
    }

    async fn count_sealed(&mut self) -> Read<Vec<(u32, u64)>> {
        let mut counts = BTreeMap::<u32, u64>::new();
        for row in self.sealed.values() {
            *counts.entry(row.key).or_default() += 1;
        }
        Ok(counts.into_iter().collect())
    }

    async fn sealed_otherwise(&mut self, key: u32, most: u32) -> Read<Vec<SealedRow>> {
        let mut rows: Vec<_> = self.sealed.values().filter(|row| row.key != key).cloned().collect();
        rows.sort_by(|a, b| (a.key, &a.kind, &a.id).cmp(&(b.key, &b.kind, &b.id)));
        rows.truncate(usize::try_from(most).unwrap_or(usize::MAX));
        Ok(rows)
    }
}

impl EventRows for State {
    async fn leave(&mut self, at: Timestamp, event: &Event) -> Read<()> {
        self.newest += 1;
        self.events.insert(self.newest, StoredEvent { seq: self.newest, at, event: event.clone() });
        Ok(())
    }

    async fn events_since(&mut self, seq: i64) -> Read<Vec<StoredEvent>> {
        Ok(self.events.values().filter(|event| event.seq > seq).take(1000).cloned().collect())
    }

    async fn newest_event(&mut self) -> Read<i64> {
        Ok(self.newest)
    }

    async fn mark(&mut self, name: &str) -> Read<Option<String>> {
        Ok(self.marks.get(name).cloned())
    }

    async fn set_mark(&mut self, name: &str, value: &str) -> Read<()> {
        self.marks.insert(name.to_owned(), value.to_owned());
        Ok(())
    }

    async fn sweep(&mut self, now: Timestamp, before: Timestamp, recorded: i64, most: u32) -> Read<u64> {
        let mut left = most;
        retain(&mut self.tokens, &mut left, |row| row.expires_at < before);
        retain(&mut self.codes, &mut left, |row| row.expires_at < before);
        retain(&mut self.families, &mut left, |row| row.idle_expires_at < before);
        retain(&mut self.grants, &mut left, |row| row.revoked_at.is_some_and(|at| at < before));
        for kind in [ClientKind::Registered, ClientKind::Published] {
            retain(&mut self.clients, &mut left, |row| row.kind == kind && row.expires_at < before);
        }
        retain(&mut self.sign_ins, &mut left, |row| row.idle_expires_at <= now);
        retain(&mut self.onces, &mut left, |until| *until <= now);
        retain(&mut self.counters, &mut left, |row| row.until <= now);
        retain(&mut self.events, &mut left, |event| event.at < before && event.seq <= recorded);
        Ok(u64::from(most - left))
    }
}

/// Removes what is over, at most as many as are left.
fn retain<K: Ord, V>(map: &mut BTreeMap<K, V>, left: &mut u32, over: impl Fn(&V) -> bool) {
    map.retain(|_, value| {
        let goes = *left > 0 && over(value);
        *left -= u32::from(goes);
        !goes
    });
}
