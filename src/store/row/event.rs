//! Events: what one process did that others must hear of, or that the audit trail must have.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    id::Id,
    name::{ClientId, ScopeName, UserId},
};

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

/// How far a revocation goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// One access token.
    Token(Id),
    /// All tokens that came of one code.
    Family(Id),
    /// All that came of one approval, and the approval.
    Grant(Id),
    /// All that a client has, for persons and for itself.
    Client(ClientId),
    /// All that a person approved, and the person's sign-ins.
    User(UserId),
    /// Everything but sign-ins.
    All,
}

/// Why something was revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// Somebody who may asked for it.
    Asked,
    /// A code was redeemed a second time.
    CodeReplay,
    /// A refresh token was used after its successor.
    RefreshReuse,
    /// A password was set anew.
    PasswordChanged,
    /// An account was disabled.
    AccountDisabled,
    /// A client is no more.
    ClientRemoved,
}

impl Cause {
    /// The audit trail's permanent word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::CodeReplay => "code-replay",
            Self::RefreshReuse => "refresh-reuse",
            Self::PasswordChanged => "password-changed",
            Self::AccountDisabled => "account-disabled",
            Self::ClientRemoved => "client-removed",
        }
    }
}

/// Something that was done.
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
    /// The tokens of one code were revoked.
    FamilyRevoked {
        /// The family's id.
        family: String,
        /// Who approved.
        user: UserId,
        /// Whose they were.
        client: ClientId,
        /// Why.
        cause: Cause,
    },
    /// What a person approved was withdrawn.
    GrantRevoked {
        /// The grant's id.
        grant: String,
        /// Who had approved.
        user: UserId,
        /// For which client.
        client: ClientId,
        /// Why.
        cause: Cause,
    },
    /// All of a client was revoked.
    ClientRevoked {
        /// Which.
        client: ClientId,
        /// Why.
        cause: Cause,
    },
    /// All of a person was revoked.
    UserRevoked {
        /// Who.
        user: UserId,
        /// Why.
        cause: Cause,
    },
    /// A person approved anew: what a scope opened may be another thing than before.
    GrantRenewed {
        /// The grant's id.
        grant: String,
    },
    /// There is a new account.
    AccountAdded {
        /// Whose.
        user: UserId,
    },
    /// An account was disabled.
    AccountDisabled {
        /// Whose.
        user: UserId,
    },
    /// An account that was disabled is let in again.
    AccountEnabled {
        /// Whose.
        user: UserId,
    },
    /// A password was set anew.
    PasswordSet {
        /// Whose.
        user: UserId,
    },
    /// There is a new data key.
    KeyMade {
        /// Its number.
        key: u32,
    },
    /// A data key is no more.
    KeyDropped {
        /// Its number.
        key: u32,
    },
    /// The data keys are wrapped under another master key.
    MasterKeyChanged,
}

impl Event {
    /// What happened, in the audit trail's permanent words.
    #[must_use]
    pub const fn what(&self) -> &'static str {
        match self {
            Self::TokenIssued { .. } => "token-issued",
            Self::TokenRevoked { .. } => "token-revoked",
            Self::AllTokensRevoked { .. } => "all-tokens-revoked",
            Self::FamilyRevoked { .. } => "family-revoked",
            Self::GrantRevoked { .. } => "grant-revoked",
            Self::ClientRevoked { .. } => "client-revoked",
            Self::UserRevoked { .. } => "user-revoked",
            Self::GrantRenewed { .. } => "grant-renewed",
            Self::AccountAdded { .. } => "account-added",
            Self::AccountDisabled { .. } => "account-disabled",
            Self::AccountEnabled { .. } => "account-enabled",
            Self::PasswordSet { .. } => "password-set",
            Self::KeyMade { .. } => "key-made",
            Self::KeyDropped { .. } => "key-dropped",
            Self::MasterKeyChanged => "master-key-changed",
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
            Self::FamilyRevoked { family: id, user, client, cause } => vec![
                ("family", id.clone()),
                ("user", user.to_string()),
                ("client", client.to_string()),
                ("cause", cause.as_str().to_owned()),
            ],
            Self::GrantRevoked { grant: id, user, client, cause } => vec![
                ("grant", id.clone()),
                ("user", user.to_string()),
                ("client", client.to_string()),
                ("cause", cause.as_str().to_owned()),
            ],
            Self::ClientRevoked { client, cause } => {
                vec![("client", client.to_string()), ("cause", cause.as_str().to_owned())]
            }
            Self::UserRevoked { user, cause } => {
                vec![("user", user.to_string()), ("cause", cause.as_str().to_owned())]
            }
            Self::GrantRenewed { grant } => vec![("grant", grant.clone())],
            Self::AccountAdded { user }
            | Self::AccountDisabled { user }
            | Self::AccountEnabled { user }
            | Self::PasswordSet { user } => vec![("user", user.to_string())],
            Self::KeyMade { key } | Self::KeyDropped { key } => vec![("key", key.to_string())],
            Self::MasterKeyChanged => Vec::new(),
        }
    }

    /// Which cached tokens it says something about; an id that does not read reaches all.
    #[must_use]
    pub fn reach(&self) -> Option<Reach> {
        let id = |text: &str, reach: fn(Id) -> Reach| text.parse().map_or(Reach::All, reach);
        match self {
            Self::TokenIssued { .. }
            | Self::AccountAdded { .. }
            | Self::AccountDisabled { .. }
            | Self::AccountEnabled { .. }
            | Self::PasswordSet { .. }
            | Self::KeyMade { .. }
            | Self::KeyDropped { .. }
            | Self::MasterKeyChanged => None,
            Self::TokenRevoked { token } => Some(id(token, Reach::Token)),
            Self::AllTokensRevoked { .. } => Some(Reach::All),
            Self::FamilyRevoked { family, .. } => Some(id(family, Reach::Family)),
            Self::GrantRevoked { grant, .. } => Some(id(grant, Reach::Grant)),
            Self::ClientRevoked { client, .. } => Some(Reach::Client(client.clone())),
            Self::UserRevoked { user, .. } => Some(Reach::User(user.clone())),
            Self::GrantRenewed { .. } => None,
        }
    }

    /// The grant whose tokens are still good, and to be read anew.
    #[must_use]
    pub fn renewed(&self) -> Option<Id> {
        if let Self::GrantRenewed { grant } = self { grant.parse().ok() } else { None }
    }
}
