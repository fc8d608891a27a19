//! What the store keeps, in our words.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    id::Id,
    name::{ClientId, ScopeName},
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
    /// Since when.
    pub issued_at: Timestamp,
    /// Until when, that instant excluded.
    pub expires_at: Timestamp,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Timestamp>,
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

/// An event and its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// Greater than that of every event before.
    pub seq: i64,
    /// When.
    pub at: Timestamp,
    /// What.
    pub event: Event,
}

/// Something a command did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub enum Event {
    /// A token was issued.
    TokenIssued {
        /// Its id.
        token: String,
        /// Whose, as `user local/ana`.
        principal: String,
        /// Through which client.
        client: Option<ClientId>,
        /// What it grants.
        scopes: Vec<ScopeName>,
        /// Where it is good.
        resource: String,
        /// Until when, RFC 3339.
        expires_at: String,
    },
    /// A token was revoked.
    TokenRevoked {
        /// Its id.
        token: String,
    },
    /// Every token was revoked.
    AllTokensRevoked {
        /// How many were still good.
        count: u64,
    },
}

impl Event {
    /// What happened, in the audit trail's permanent words.
    #[must_use]
    pub fn what(&self) -> &'static str {
        match self {
            Self::TokenIssued { .. } => "token-issued",
            Self::TokenRevoked { .. } => "token-revoked",
            Self::AllTokensRevoked { .. } => "all-tokens-revoked",
        }
    }

    /// The particulars, for the audit trail.
    #[must_use]
    pub fn facts(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::TokenIssued { token, principal, client, scopes, resource, expires_at } => {
                let scopes = scopes.iter().map(ScopeName::as_str).collect::<Vec<_>>().join(" ");
                let client = client.iter().map(|client| ("client", client.as_str().to_owned()));
                [("token", token.clone()), ("principal", principal.clone())]
                    .into_iter()
                    .chain(client)
                    .chain([("scopes", scopes), ("resource", resource.clone()), ("expires_at", expires_at.clone())])
                    .collect()
            }
            Self::TokenRevoked { token } => vec![("token", token.clone())],
            Self::AllTokensRevoked { count } => vec![("count", count.to_string())],
        }
    }
}
