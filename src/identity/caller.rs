//! An authenticated principal with the facts its token gave.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use jiff::Timestamp;

use crate::{
    id::Id,
    name::{ClientId, GroupId, ScopeName},
    principal::Principal,
    store::{Opened, Reach},
};

/// An authenticated principal. `F` is what else is worked out once per token: the policy engine's
/// part of the context.
#[derive(Debug)]
pub struct Caller<F = ()> {
    /// Who.
    pub principal: Principal,
    /// The OAuth client that a person uses.
    pub client: Option<ClientId>,
    /// What the token grants, sorted.
    pub scopes: Arc<[ScopeName]>,
    /// The groups of the person, sorted.
    pub groups: Arc<[GroupId]>,
    /// The token's public name.
    pub token: Id,
    /// The family that the token came from, where a person approved it.
    pub family: Option<Id>,
    /// The grant behind the token, likewise.
    pub grant: Option<Id>,
    /// What each scope opened when the person consented last; nothing where no person did.
    pub opened: Option<Arc<Opened>>,
    /// The audit trail's name for the token.
    pub token_hash: Arc<str>,
    /// Since when the token is good.
    pub issued_at: Timestamp,
    /// Until when, that instant excluded.
    pub expires_at: Timestamp,
    /// The URL that the token is good at.
    pub resource: Arc<str>,
    /// Worked out for the token, by whoever needs it first.
    pub facts: F,
    pub(super) revoked: AtomicBool,
}

impl<F> Caller<F> {
    /// Whether the token is still good at `now`, as far as this process has heard; for streams
    /// that outlive the request that opened them (OA-89).
    #[must_use]
    pub fn is_good(&self, now: Timestamp) -> bool {
        now < self.expires_at && !self.revoked.load(Ordering::Acquire)
    }
    /// Whether a revocation of this reach is one of this token.
    #[must_use]
    pub fn is_within(&self, reach: &Reach) -> bool {
        match reach {
            Reach::Token(id) => self.token == *id,
            Reach::Family(id) => self.family == Some(*id),
            Reach::Grant(id) => self.grant == Some(*id),
            Reach::Client(id) => self.client.as_ref() == Some(id) || self.principal == Principal::Client(id.clone()),
            Reach::User(id) => self.principal == Principal::User(id.clone()),
            Reach::All => true,
        }
    }
}
