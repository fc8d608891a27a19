//! Accounts, sign-ins, counters, leases, and marks of single use in memory.

use jiff::Timestamp;

use super::State;
use crate::{
    name::UserId,
    store::{
        AccountRow, CounterRow, LeaseRow, SignInRow,
        rows::{Mac, PersonRows, Read},
    },
};

impl PersonRows for State {
    async fn account(&mut self, user: &UserId) -> Read<Option<AccountRow>> {
        Ok(self.accounts.get(user).cloned())
    }

    async fn put_account(&mut self, account: &AccountRow) -> Read<()> {
        self.accounts.insert(account.user.clone(), account.clone());
        Ok(())
    }

    async fn accounts(&mut self) -> Read<Vec<AccountRow>> {
        Ok(self.accounts.values().cloned().collect())
    }

    async fn sign_in(&mut self, mac: &Mac) -> Read<Option<SignInRow>> {
        Ok(self.sign_ins.get(mac).cloned())
    }

    async fn put_sign_in(&mut self, mac: &Mac, row: &SignInRow) -> Read<()> {
        self.sign_ins.insert(*mac, row.clone());
        Ok(())
    }

    async fn remove_sign_in(&mut self, mac: &Mac) -> Read<bool> {
        Ok(self.sign_ins.remove(mac).is_some())
    }

    async fn remove_sign_ins(&mut self, user: &UserId) -> Read<u64> {
        let before = self.sign_ins.len();
        self.sign_ins.retain(|_, row| row.user != *user);
        Ok(u64::try_from(before - self.sign_ins.len()).unwrap_or(u64::MAX))
    }

    async fn counter(&mut self, name: &str, key: &[u8]) -> Read<Option<CounterRow>> {
        Ok(self.counters.get(&(name.to_owned(), key.to_owned())).copied())
    }

    async fn put_counter(&mut self, name: &str, key: &[u8], row: &CounterRow) -> Read<()> {
        self.counters.insert((name.to_owned(), key.to_owned()), *row);
        Ok(())
    }

    async fn remove_counter(&mut self, name: &str, key: &[u8]) -> Read<()> {
        self.counters.remove(&(name.to_owned(), key.to_owned()));
        Ok(())
    }

    async fn lease(&mut self, name: &str) -> Read<Option<LeaseRow>> {
        Ok(self.leases.get(name).cloned())
    }

    async fn put_lease(&mut self, name: &str, lease: &LeaseRow) -> Read<()> {
        self.leases.insert(name.to_owned(), lease.clone());
        Ok(())
    }

    async fn add_once(&mut self, name: &str, id: &[u8], until: Timestamp, now: Timestamp) -> Read<bool> {
        let mark = self.onces.entry((name.to_owned(), id.to_owned())).or_insert(now);
        let free = *mark <= now;
        if free {
            *mark = until;
        }
        Ok(free)
    }
}
