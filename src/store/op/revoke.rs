//! Revocation: a token, what came of a code, an approval, all of a client or a person, everything.
//!
//! Marks and event are one transaction, so that every process hears of each (OA-86).

use jiff::Timestamp;

use crate::{
    id::Id,
    store::{
        Cause, Event, FamilyRow, Reach, Revocation, Store, StoreError, Touched,
        rows::{Op, Read, Rows},
    },
};

impl Store {
    /// Revokes one token and leaves an event, both or neither. A second time changes nothing.
    ///
    /// # Errors
    /// When nothing was changed.
    pub async fn revoke_token(&self, id: Id, now: Timestamp) -> Result<Revocation, StoreError> {
        self.write(RevokeToken { id, now }).await
    }

    /// Revokes every token that is still good and all that would give new ones, leaves one event,
    /// and says how many tokens they were.
    ///
    /// # Errors
    /// When nothing was changed.
    pub async fn revoke_all(&self, now: Timestamp) -> Result<u64, StoreError> {
        Ok(self.revoke(Reach::All, Cause::Asked, now).await?.tokens)
    }

    /// Revokes all within `reach` and leaves an event, both or neither; says what it touched. What
    /// is not there or was revoked before leaves no event, except where the reach is everything.
    ///
    /// # Errors
    /// When nothing was changed.
    pub async fn revoke(&self, reach: Reach, cause: Cause, now: Timestamp) -> Result<Touched, StoreError> {
        self.write(Revoke { reach, cause, now }).await
    }
}

struct RevokeToken {
    id: Id,
    now: Timestamp,
}

impl Op for RevokeToken {
    type Answer = Revocation;

    async fn run<R: Rows>(&self, rows: &mut R) -> Read<Revocation> {
        let touched = Revoke { reach: Reach::Token(self.id), cause: Cause::Asked, now: self.now }.run(rows).await?;
        if touched.tokens > 0 {
            return Ok(Revocation::Done);
        }
        let known = rows.token_by_id(self.id).await?.is_some();
        Ok(if known { Revocation::Before } else { Revocation::Unknown })
    }
}

struct Revoke {
    reach: Reach,
    cause: Cause,
    now: Timestamp,
}

impl Op for Revoke {
    type Answer = Touched;

    async fn run<R: Rows>(&self, rows: &mut R) -> Read<Touched> {
        all(rows, &self.reach, self.cause, self.now).await
    }
}

/// Within another operation.
pub(super) async fn all<R: Rows>(rows: &mut R, reach: &Reach, cause: Cause, now: Timestamp) -> Read<Touched> {
    let touched = rows.mark_revoked(reach, now).await?;
    let mut ended = 0;
    if let Reach::User(user) = reach {
        ended = rows.remove_sign_ins(user).await?;
    }
    if touched == Touched::default() && ended == 0 && *reach != Reach::All {
        return Ok(touched);
    }
    let event = match reach {
        Reach::Token(id) => Event::TokenRevoked { token: id.to_string() },
        Reach::Family(id) => match rows.family(*id).await? {
            Some(FamilyRow { user, client, .. }) => {
                Event::FamilyRevoked { family: id.to_string(), user, client, cause }
            }
            None => return Ok(touched),
        },
        Reach::Grant(id) => match rows.grant(*id).await? {
            Some(grant) => Event::GrantRevoked { grant: id.to_string(), user: grant.user, client: grant.client, cause },
            None => return Ok(touched),
        },
        Reach::Client(client) => Event::ClientRevoked { client: client.clone(), cause },
        Reach::User(user) => Event::UserRevoked { user: user.clone(), cause },
        Reach::All => Event::AllTokensRevoked { count: touched.tokens },
    };
    rows.leave(now, &event).await?;
    Ok(touched)
}

/// A family, within another operation.
pub(super) async fn family<R: Rows>(rows: &mut R, family: &FamilyRow, cause: Cause, now: Timestamp) -> Read<()> {
    all(rows, &Reach::Family(family.id), cause, now).await.map(drop)
}
