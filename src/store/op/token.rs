//! Access tokens: kept, found, listed.

use jiff::Timestamp;

use crate::{
    id::Id,
    name::ScopeName,
    store::{
        Event, FamilyRow, FoundToken, NewToken, Store, StoreError, TokenRow,
        rows::{Mac, Op, Read, Rows},
    },
};

/// A token that is minted and whose row the store is to fill in from what it comes of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FreshToken {
    /// Its keyed digest.
    pub mac: [u8; 32],
    /// Its public name.
    pub id: Id,
    /// Until when it is good.
    pub expires_at: Timestamp,
}

impl Store {
    /// Keeps a new token and leaves an event, both or neither: for tokens that a command issues and
    /// a running gateway is to record.
    ///
    /// # Errors
    /// When nothing was kept.
    pub async fn issue_token(&self, token: &NewToken) -> Result<(), StoreError> {
        self.write(AddToken { token: token.clone(), told: true }).await
    }

    /// Keeps a new token without an event: for tokens that the gateway itself issues and records.
    ///
    /// # Errors
    /// When nothing was kept.
    pub async fn grant_token(&self, token: NewToken) -> Result<(), StoreError> {
        self.write(AddToken { token, told: false }).await
    }

    /// The token with this digest, expired and revoked ones too.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn find_token(&self, mac: &[u8; 32]) -> Result<Option<FoundToken>, StoreError> {
        self.read(FindToken { mac: *mac }).await
    }

    /// The token with this id, expired and revoked ones too.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn token(&self, id: Id) -> Result<Option<TokenRow>, StoreError> {
        self.read(TokenById { id }).await
    }

    /// Every token not yet swept, newest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn list_tokens(&self) -> Result<Vec<TokenRow>, StoreError> {
        self.read(ListTokens).await
    }
}

/// The token of a family, with some of the family's scopes.
pub(super) fn of_family(fresh: &FreshToken, family: &FamilyRow, scopes: Vec<ScopeName>, now: Timestamp) -> NewToken {
    NewToken {
        mac: fresh.mac,
        row: TokenRow {
            id: fresh.id,
            principal: family.principal(),
            client: Some(family.client.clone()),
            scopes,
            resource: family.resource.clone(),
            family: Some(family.id),
            grant: Some(family.grant),
            issued_at: now,
            // No token outlives what it comes of.
            expires_at: fresh.expires_at.min(family.expires_at),
            revoked_at: None,
        },
    }
}

struct AddToken {
    token: NewToken,
    told: bool,
}

impl Op for AddToken {
    type Answer = ();

    async fn run<R: Rows>(&self, rows: &mut R) -> Read<()> {
        rows.add_token(&self.token).await?;
        if !self.told {
            return Ok(());
        }
        let TokenRow { id, principal, client, scopes, resource, issued_at, expires_at, .. } = &self.token.row;
        let event = Event::TokenIssued {
            token: id.to_string(),
            principal: principal.to_string(),
            client: client.clone(),
            scopes: scopes.clone(),
            resource: resource.clone(),
            expires_at: expires_at.to_string(),
        };
        rows.leave(*issued_at, &event).await
    }
}

struct FindToken {
    mac: Mac,
}

impl Op for FindToken {
    type Answer = Option<FoundToken>;
    const FINDS: bool = true;

    async fn run<R: Rows>(&self, rows: &mut R) -> Read<Self::Answer> {
        rows.token(&self.mac).await
    }
}

struct TokenById {
    id: Id,
}

impl Op for TokenById {
    type Answer = Option<TokenRow>;
    const FINDS: bool = true;

    async fn run<R: Rows>(&self, rows: &mut R) -> Read<Self::Answer> {
        rows.token_by_id(self.id).await
    }
}

struct ListTokens;

impl Op for ListTokens {
    type Answer = Vec<TokenRow>;

    async fn run<R: Rows>(&self, rows: &mut R) -> Read<Self::Answer> {
        rows.tokens().await
    }
}
