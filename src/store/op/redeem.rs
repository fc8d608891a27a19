//! A code is redeemed: once, by the client that it was made for, at the place that it was sent to.
//!
//! INVARIANT: of many who race, one wins (OA-26); what fails the tests consumes nothing but a try
//! (OA-29); a replay that passes all of them revokes what the code gave (OA-28, T-075).
//! SPEC: OAuth 2.1 §4.1.3, §7.5.2.

use jiff::Timestamp;

use super::{FreshToken, approve::FindCode, approve::sorted, revoke, token};
use crate::{
    id::Id,
    name::{ClientId, ScopeName},
    store::{
        Cause, CodeRow, FamilyRow, GrantRow, Opaque, Store, StoreError, TokenRow,
        rows::{Op, Read, Rows},
    },
};

/// Failed tries after which a code is dead.
const MOST_TRIES: u32 = 5;

/// The family that is to come of a code.
#[derive(Debug, Clone)]
pub struct NewFamily {
    /// Its id.
    pub id: Id,
    /// Random.
    pub nonce: [u8; 16],
    /// It is over when nobody refreshes until then.
    pub idle_expires_at: Timestamp,
    /// It is over then, whatever happens.
    pub expires_at: Timestamp,
}

/// A code that a client presents.
#[derive(Debug, Clone)]
pub struct RedeemCode {
    /// The digest of the code.
    pub mac: [u8; 32],
    /// Who presents it, authenticated as far as that client can be.
    pub client: ClientId,
    /// The redirect URI, where the request names one.
    pub redirect_uri: Option<String>,
    /// The S256 challenge of the verifier that was presented.
    pub challenge: String,
    /// The resource, where the request names one.
    pub resource: Option<String>,
    /// Fewer scopes than the code has, where policies have changed since; nothing for all.
    pub scopes: Option<Vec<ScopeName>>,
    /// What comes of it.
    pub family: NewFamily,
    /// The access token.
    pub token: FreshToken,
    /// The present.
    pub now: Timestamp,
}

/// In what a code and who presents it differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// It is another client's.
    Client,
    /// It was sent to another place.
    RedirectUri,
    /// The verifier is not the challenge's.
    Challenge,
    /// It is for another resource.
    Resource,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "it is taken apart where it is made, once a code")]
pub enum Redeemed {
    /// It is redeemed: the family and the token are kept.
    Done {
        /// The family.
        family: FamilyRow,
        /// The access token.
        token: TokenRow,
    },
    /// No such code, or what it carries was withdrawn.
    Unknown,
    /// Its time is over.
    Expired,
    /// It does not fit, and one try is gone.
    Unfit(Unfit),
    /// It does not fit, it did not too often, or it was redeemed before and does not fit now: it
    /// changes nothing any more.
    Dead,
    /// It was redeemed before and fits: what it gave is revoked now.
    Replayed {
        /// The family that is revoked.
        family: Id,
    },
}

impl Store {
    /// The code with this digest, redeemed and expired ones too: for what policies have to say
    /// before it is redeemed.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn find_code(&self, mac: &[u8; 32]) -> Result<Option<CodeRow>, StoreError> {
        self.read(FindCode { mac: *mac }).await
    }

    /// Redeems a code: the code is used up, its family and its token are kept, all or nothing.
    ///
    /// # Errors
    /// When nothing was changed.
    pub async fn redeem_code(&self, ask: RedeemCode) -> Result<Redeemed, StoreError> {
        self.write(ask).await
    }
}

impl Op for RedeemCode {
    type Answer = Redeemed;

    async fn run<R: Rows>(&self, rows: &mut R) -> Read<Redeemed> {
        let Some(mut code) = rows.code(&self.mac).await? else { return Ok(Redeemed::Unknown) };
        let unfit = self.unfit(&code);
        if let Some(family) = code.family {
            if unfit.is_some() {
                return Ok(Redeemed::Dead);
            }
            if let Some(row) = rows.family(family).await? {
                revoke::family(rows, &row, Cause::CodeReplay, self.now).await?;
            }
            return Ok(Redeemed::Replayed { family });
        }
        let leeway = rows.process().leeway(code.made_by);
        if self.now.saturating_sub(leeway).unwrap_or(self.now) >= code.expires_at {
            return Ok(Redeemed::Expired);
        }
        if code.tries >= MOST_TRIES {
            return Ok(Redeemed::Dead);
        }
        if let Some(unfit) = unfit {
            code.tries += 1;
            rows.put_code(&self.mac, &code).await?;
            return Ok(Redeemed::Unfit(unfit));
        }
        let Some(mut grant) = rows.grant(code.grant).await?.filter(|grant| grant.revoked_at.is_none()) else {
            return Ok(Redeemed::Unknown);
        };
        let family = self.family_of(&code, &grant);
        rows.put_family(&family).await?;
        code.family = Some(family.id);
        rows.put_code(&self.mac, &code).await?;
        grant.used_at = Some(self.now);
        rows.put_grant(&grant).await?;
        let token = token::of_family(&self.token, &family, family.scopes.clone(), self.now);
        rows.add_token(&token).await?;
        Ok(Redeemed::Done { family, token: token.row })
    }
}

impl RedeemCode {
    fn unfit(&self, code: &CodeRow) -> Option<Unfit> {
        let redirect_fits = self.redirect_uri.as_ref().is_none_or(|uri| *uri == code.redirect_uri);
        if self.client != code.client {
            Some(Unfit::Client)
        } else if !redirect_fits {
            Some(Unfit::RedirectUri)
        } else if self.challenge != code.challenge {
            Some(Unfit::Challenge)
        } else if self.resource.as_ref().is_some_and(|resource| *resource != code.resource) {
            Some(Unfit::Resource)
        } else {
            None
        }
    }

    fn family_of(&self, code: &CodeRow, grant: &GrantRow) -> FamilyRow {
        let NewFamily { id, nonce, idle_expires_at, expires_at } = &self.family;
        let scopes = match &self.scopes {
            Some(fewer) => sorted(fewer).into_iter().filter(|scope| code.scopes.contains(scope)).collect(),
            None => code.scopes.clone(),
        };
        FamilyRow {
            id: *id,
            grant: code.grant,
            user: code.user.clone(),
            client: code.client.clone(),
            resource: code.resource.clone(),
            scopes,
            generation: 0,
            nonce: Opaque::new(*nonce),
            asked: None,
            renewable: code.renewable,
            created_at: self.now,
            rotated_at: None,
            rotated_by: None,
            successor_used: false,
            idle_expires_at: *idle_expires_at.min(expires_at),
            expires_at: *expires_at,
            revoked_at: None,
            groups: grant.groups.clone(),
        }
    }
}
