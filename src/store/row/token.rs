//! Access tokens, as far as they are kept.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::Opened;
use crate::{
    id::Id,
    name::{ClientId, GroupId, ScopeName},
    principal::Principal,
};

/// A token to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewToken {
    /// Its keyed digest, which is all that is kept of the token itself.
    pub mac: [u8; 32],
    /// What is kept beside it.
    pub row: TokenRow,
}

/// What is known of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRow {
    /// Its public name, for lists, revocation and the audit trail.
    pub id: Id,
    /// Whose it is: a user or a client, never anonymous.
    pub principal: Principal,
    /// The client that a person uses.
    pub client: Option<ClientId>,
    /// What it grants, sorted.
    pub scopes: Vec<ScopeName>,
    /// The URL that it is good at.
    pub resource: String,
    /// The family that it came from, for tokens that a person approved.
    pub family: Option<Id>,
    /// The grant behind it, likewise.
    pub grant: Option<Id>,
    /// Since when.
    pub issued_at: Timestamp,
    /// Until when, that instant excluded.
    pub expires_at: Timestamp,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Timestamp>,
}

/// A token as it was found, with what its grant says now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundToken {
    /// The token.
    pub row: TokenRow,
    /// What each scope opened when the person consented last; nothing where no person did.
    pub opened: Option<Opened>,
    /// The groups that the person was in then.
    pub groups: BTreeSet<GroupId>,
}

/// What a revocation found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revocation {
    /// The token was good and is no more.
    Done,
    /// The token had been revoked before.
    Before,
    /// There is no such token.
    Unknown,
}
