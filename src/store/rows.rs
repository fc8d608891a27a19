//! The port below the port: single rows, within one transaction.
//!
//! A kind of store implements these and nothing else. What the operations of `op` decide is thereby
//! decided once for all of them.
//!
//! INVARIANT: all calls between the begin and the end of an operation see and make one state; no
//! other writer comes between.

use std::future::Future;

use jiff::Timestamp;

use super::{
    AccountRow, ClientKind, ClientRow, CodeRow, CounterRow, DataKeyRow, Event, FamilyRow, FoundToken, GrantRow,
    LeaseRow, NewToken, Process, Reach, SealedRow, SignInRow, StoreError, StoredEvent, TokenRow,
};
use crate::{
    id::Id,
    name::{ClientId, UserId},
};

/// What came of reading or writing.
pub(super) type Read<T> = Result<T, StoreError>;

/// A digest that something is found by.
pub(super) type Mac = [u8; 32];

/// One operation: a transaction that is run again from its beginning where it has to be.
pub(super) trait Op: Send + Sync + 'static {
    /// What it gives.
    type Answer: Send + 'static;

    /// Whether it only finds a row, with one statement: that is of one state by itself.
    const FINDS: bool = false;

    fn run<R: Rows>(&self, rows: &mut R) -> impl Future<Output = Read<Self::Answer>> + Send;
}

/// All rows.
pub(super) trait Rows: TokenRows + GrantRows + PersonRows + KeyRows + EventRows + Send {
    /// The process that runs the operation.
    fn process(&self) -> Process;
}

/// What a revocation touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Touched {
    /// Access tokens that were good.
    pub tokens: u64,
    /// Families that were not over.
    pub families: u64,
    /// Approvals.
    pub grants: u64,
}

pub(super) trait TokenRows {
    fn add_token(&mut self, token: &NewToken) -> impl Future<Output = Read<()>> + Send;
    fn token(&mut self, mac: &Mac) -> impl Future<Output = Read<Option<FoundToken>>> + Send;
    fn token_by_id(&mut self, id: Id) -> impl Future<Output = Read<Option<TokenRow>>> + Send;
    fn tokens(&mut self) -> impl Future<Output = Read<Vec<TokenRow>>> + Send;
    /// Marks as revoked all tokens, families and grants that are reached and not marked.
    fn mark_revoked(&mut self, reach: &Reach, now: Timestamp) -> impl Future<Output = Read<Touched>> + Send;
}

pub(super) trait GrantRows {
    fn grant(&mut self, id: Id) -> impl Future<Output = Read<Option<GrantRow>>> + Send;
    /// The one that is not revoked.
    fn grant_of(
        &mut self,
        user: &UserId,
        client: &ClientId,
        resource: &str,
    ) -> impl Future<Output = Read<Option<GrantRow>>> + Send;
    /// Those that are not revoked, newest first.
    fn grants(&mut self, reach: &Reach) -> impl Future<Output = Read<Vec<GrantRow>>> + Send;
    fn put_grant(&mut self, grant: &GrantRow) -> impl Future<Output = Read<()>> + Send;
    fn code(&mut self, mac: &Mac) -> impl Future<Output = Read<Option<CodeRow>>> + Send;
    fn put_code(&mut self, mac: &Mac, code: &CodeRow) -> impl Future<Output = Read<()>> + Send;
    fn family(&mut self, id: Id) -> impl Future<Output = Read<Option<FamilyRow>>> + Send;
    fn put_family(&mut self, family: &FamilyRow) -> impl Future<Output = Read<()>> + Send;
    fn client(&mut self, id: &ClientId) -> impl Future<Output = Read<Option<ClientRow>>> + Send;
    fn put_client(&mut self, client: &ClientRow) -> impl Future<Output = Read<()>> + Send;
    fn remove_client(&mut self, id: &ClientId) -> impl Future<Output = Read<bool>> + Send;
    fn count_clients(&mut self, kind: ClientKind) -> impl Future<Output = Read<u64>> + Send;
    /// Newest first.
    fn clients(&mut self) -> impl Future<Output = Read<Vec<ClientRow>>> + Send;
    /// Removes those of a kind whose time is over, at most so many; the rest as the sweep does it.
    fn remove_expired_clients(
        &mut self,
        kind: ClientKind,
        now: Timestamp,
        most: u32,
    ) -> impl Future<Output = Read<u64>> + Send;
}

pub(super) trait PersonRows {
    fn account(&mut self, user: &UserId) -> impl Future<Output = Read<Option<AccountRow>>> + Send;
    fn put_account(&mut self, account: &AccountRow) -> impl Future<Output = Read<()>> + Send;
    /// By name.
    fn accounts(&mut self) -> impl Future<Output = Read<Vec<AccountRow>>> + Send;
    fn sign_in(&mut self, mac: &Mac) -> impl Future<Output = Read<Option<SignInRow>>> + Send;
    fn put_sign_in(&mut self, mac: &Mac, row: &SignInRow) -> impl Future<Output = Read<()>> + Send;
    fn remove_sign_in(&mut self, mac: &Mac) -> impl Future<Output = Read<bool>> + Send;
    fn remove_sign_ins(&mut self, user: &UserId) -> impl Future<Output = Read<u64>> + Send;
    fn counter(&mut self, name: &str, key: &[u8]) -> impl Future<Output = Read<Option<CounterRow>>> + Send;
    fn put_counter(&mut self, name: &str, key: &[u8], row: &CounterRow) -> impl Future<Output = Read<()>> + Send;
    fn remove_counter(&mut self, name: &str, key: &[u8]) -> impl Future<Output = Read<()>> + Send;
    fn lease(&mut self, name: &str) -> impl Future<Output = Read<Option<LeaseRow>>> + Send;
    fn put_lease(&mut self, name: &str, lease: &LeaseRow) -> impl Future<Output = Read<()>> + Send;
    /// Whether the mark was not there, or over.
    fn add_once(
        &mut self,
        name: &str,
        id: &[u8],
        until: Timestamp,
        now: Timestamp,
    ) -> impl Future<Output = Read<bool>> + Send;
}

pub(super) trait KeyRows {
    /// By number.
    fn data_keys(&mut self) -> impl Future<Output = Read<Vec<DataKeyRow>>> + Send;
    fn put_data_key(&mut self, key: &DataKeyRow) -> impl Future<Output = Read<()>> + Send;
    fn remove_data_key(&mut self, id: u32) -> impl Future<Output = Read<()>> + Send;
    fn sealed(&mut self, kind: &str, id: &str) -> impl Future<Output = Read<Option<SealedRow>>> + Send;
    fn put_sealed(&mut self, row: &SealedRow) -> impl Future<Output = Read<()>> + Send;
    fn remove_sealed(&mut self, kind: &str, id: &str) -> impl Future<Output = Read<bool>> + Send;
    /// How many records are sealed under each key.
    fn count_sealed(&mut self) -> impl Future<Output = Read<Vec<(u32, u64)>>> + Send;
    /// Records that are sealed under another key than this, at most so many.
    fn sealed_otherwise(&mut self, key: u32, most: u32) -> impl Future<Output = Read<Vec<SealedRow>>> + Send;
}

pub(super) trait EventRows {
    fn leave(&mut self, at: Timestamp, event: &Event) -> impl Future<Output = Read<()>> + Send;
    fn events_since(&mut self, seq: i64) -> impl Future<Output = Read<Vec<StoredEvent>>> + Send;
    fn newest_event(&mut self) -> impl Future<Output = Read<i64>> + Send;
    fn mark(&mut self, name: &str) -> impl Future<Output = Read<Option<String>>> + Send;
    fn set_mark(&mut self, name: &str, value: &str) -> impl Future<Output = Read<()>> + Send;
    /// Removes what was over before `before`, and events up to `recorded`; at most so many rows.
    fn sweep(
        &mut self,
        now: Timestamp,
        before: Timestamp,
        recorded: i64,
        most: u32,
    ) -> impl Future<Output = Read<u64>> + Send;
}
