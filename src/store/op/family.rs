//! A refresh token is used: the family goes on by one generation, or answers a late or doubled
//! request as it answered the first.
//!
//! Refresh tokens are derived from the family and kept nowhere, so that a retry gets the same
//! successor, whichever process answers and whatever crashed in between (OA-64).
//!
//! INVARIANT: of many who race with one generation, one rotates (the rest are in its grace); a
//! generation that is older than the one before revokes the family (OA-53, T-081); what asks for
//! more than was granted changes nothing (OA-58, OA-59).
//! SPEC: OAuth 2.1 §4.3, RFC 9700 §4.14, oauth §3.3.

use jiff::{SignedDuration, Timestamp};

use super::{FreshToken, approve::sorted, revoke, token};
use crate::{
    id::Id,
    name::{ClientId, ScopeName},
    store::{
        Cause, FamilyRow, Process, Store, StoreError, TokenRow,
        rows::{Op, Read, Rows},
    },
};

/// The grace once the successor was seen in use: enough for requests that race.
const USED_GRACE: SignedDuration = SignedDuration::from_secs(10);

/// A refresh token that a client presents; that it is one of ours is shown by its MAC before.
#[derive(Debug, Clone)]
pub struct Rotate {
    /// Its family.
    pub family: Id,
    /// Its generation.
    pub generation: u32,
    /// Who presents it, authenticated as far as that client can be.
    pub client: ClientId,
    /// The scopes of the access token, where the request names some.
    pub scopes: Option<Vec<ScopeName>>,
    /// The most that policies allow now; nothing where they allow all of it.
    pub ceiling: Option<Vec<ScopeName>>,
    /// The resource, where the request names one.
    pub resource: Option<String>,
    /// Whether there is to be a new refresh token: not for clients that prove themselves by a key.
    pub rotates: bool,
    /// How long a late request is answered like the first.
    pub grace: SignedDuration,
    /// How long the family may then lie unused.
    pub idle: SignedDuration,
    /// The access token.
    pub token: FreshToken,
    /// The present.
    pub now: Timestamp,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rotated {
    /// The family went on by one generation (or stayed, where it is not to rotate).
    Done {
        /// The family as it is now; its refresh token is that of its generation.
        family: FamilyRow,
        /// The access token.
        token: TokenRow,
    },
    /// A late request: the same successor, with another access token.
    Again {
        /// The family as it is now.
        family: FamilyRow,
        /// The access token.
        token: TokenRow,
    },
    /// No such family or generation.
    Unknown,
    /// Its time is over.
    Expired,
    /// It was revoked before.
    Revoked,
    /// It is another client's.
    OtherClient,
    /// It asks for another resource.
    OtherResource,
    /// It asks for scopes that were not granted.
    TooWide,
    /// A late request that asks for something else than the first.
    OtherThanBefore,
    /// An old generation: the family is revoked now.
    Reused,
}

impl Store {
    /// The family with this id, also one that is over.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn family(&self, id: Id) -> Result<Option<FamilyRow>, StoreError> {
        self.read(FindFamily { id }).await
    }

    /// Takes a family on by one generation and keeps the access token, both or neither.
    ///
    /// # Errors
    /// When nothing was changed.
    pub async fn rotate(&self, ask: Rotate) -> Result<Rotated, StoreError> {
        self.write(ask).await
    }

    /// Notes that an access token of a family, issued then, is in use: where it is of the last
    /// rotation, that has arrived, and late requests have ten seconds from then on. Says whether this
    /// was news; nothing is written where it is none.
    ///
    /// # Errors
    /// When nothing was changed.
    pub async fn note_successor_used(&self, family: Id, issued_at: Timestamp) -> Result<bool, StoreError> {
        let known = self.family(family).await?;
        if !known.is_some_and(|family| is_news(&family, issued_at)) {
            return Ok(false);
        }
        self.write(NoteUsed { family, issued_at }).await
    }
}

impl Op for Rotate {
    type Answer = Rotated;

    async fn run<R: Rows>(&self, rows: &mut R) -> Read<Rotated> {
        let Some(mut family) = rows.family(self.family).await?.filter(|family| family.renewable) else {
            return Ok(Rotated::Unknown);
        };
        if family.client != self.client {
            return Ok(Rotated::OtherClient);
        }
        if family.revoked_at.is_some() {
            return Ok(Rotated::Revoked);
        }
        if self.now >= family.expires_at || self.now >= family.idle_expires_at {
            return Ok(Rotated::Expired);
        }
        let age = match family.generation.checked_sub(self.generation) {
            None => return Ok(Rotated::Unknown),
            Some(age) => age,
        };
        if age > 1 || (age == 1 && !self.in_grace(&family, rows.process())) {
            revoke::family(rows, &family, Cause::RefreshReuse, self.now).await?;
            return Ok(Rotated::Reused);
        }
        if self.resource.as_ref().is_some_and(|resource| *resource != family.resource) {
            return Ok(Rotated::OtherResource);
        }
        let asked = self.scopes.as_deref().map(sorted);
        if asked.iter().flatten().any(|scope| !family.scopes.contains(scope)) {
            return Ok(Rotated::TooWide);
        }
        if age == 1 && asked != family.asked {
            return Ok(Rotated::OtherThanBefore);
        }
        let mut scopes = asked.clone().unwrap_or_else(|| family.scopes.clone());
        if let Some(ceiling) = &self.ceiling {
            scopes.retain(|scope| ceiling.contains(scope));
        }
        if age == 0 {
            if self.rotates {
                let Some(next) = family.generation.checked_add(1) else { return Ok(Rotated::Expired) };
                family.generation = next;
                family.rotated_at = Some(self.now);
                family.rotated_by = Some(rows.process());
                family.successor_used = false;
                family.asked = asked;
            }
            let idle = self.now.saturating_add(self.idle).unwrap_or(family.expires_at);
            family.idle_expires_at = idle.min(family.expires_at);
            rows.put_family(&family).await?;
        }
        let token = token::of_family(&self.token, &family, scopes, self.now);
        rows.add_token(&token).await?;
        let token = token.row;
        Ok(if age == 0 { Rotated::Done { family, token } } else { Rotated::Again { family, token } })
    }
}

impl Rotate {
    /// Whether the generation before the current one is still answered.
    fn in_grace(&self, family: &FamilyRow, process: Process) -> bool {
        let grace = if family.successor_used { self.grace.min(USED_GRACE) } else { self.grace };
        // That another process's clock is behind ours or ahead is no reason to revoke.
        let grace = grace.saturating_add(process.leeway(family.rotated_by));
        family.rotated_at.is_some_and(|at| self.now.duration_since(at) < grace)
    }
}

struct FindFamily {
    id: Id,
}

impl Op for FindFamily {
    type Answer = Option<FamilyRow>;
    const FINDS: bool = true;

    async fn run<R: Rows>(&self, rows: &mut R) -> Read<Self::Answer> {
        rows.family(self.id).await
    }
}

/// Whether the use of an access token shows that the last rotation has arrived, and nobody knows yet.
fn is_news(family: &FamilyRow, issued_at: Timestamp) -> bool {
    !family.successor_used && family.rotated_at.is_some_and(|at| at <= issued_at)
}

struct NoteUsed {
    family: Id,
    issued_at: Timestamp,
}

impl Op for NoteUsed {
    type Answer = bool;

    async fn run<R: Rows>(&self, rows: &mut R) -> Read<bool> {
        match rows.family(self.family).await? {
            Some(mut family) if is_news(&family, self.issued_at) => {
                family.successor_used = true;
                rows.put_family(&family).await?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }
}
