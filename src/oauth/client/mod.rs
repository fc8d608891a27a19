//! OAuth clients: who they are, how we know it, and what they may do here.
//!
//! There are three ways to become one, and none gives a privilege: the operator writes it down (`configured`),
//! its own site publishes a document (`document`), or it registers itself (`registration`). What all of them
//! say of themselves but the first is hostile text.
//!
//! To add a way: a variant of [`KnownBy`], then follow the compiler.

mod authenticate;
mod configured;
mod directory;
mod document;
mod door;
mod fetch;
mod guess;
mod kept;
mod known;
mod registration;
mod said;

use std::{collections::BTreeSet, time::Duration};

use jiff::Timestamp;

pub(super) use authenticate::refused;
pub use authenticate::{Presented, authenticate};
pub use configured::{BadSecret, configured};
pub use directory::Directory;
pub use document::{BadDocument, DocumentUrl, read as read_document};
pub use door::{Door, MOST_CLIENTS, MOST_FROM_ONE};
pub use fetch::{FetchError, Fetcher};
pub(crate) use guess::{Guess, Guesses};
pub use known::shown_name;
pub use registration::{Registered, UNUSED_LIFE, USED_LIFE, register};

use super::{key::SecretDigest, redirect::Target};
use crate::{
    config::{AuthMethod, GrantType, Lifetimes, RedirectKind, RedirectUri},
    name::ClientId,
};

/// The longest life of a grant to a client whose identity nothing proves.
const UNPROVEN: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// A client.
#[derive(Debug, Clone)]
pub struct Client {
    /// Its id.
    pub id: ClientId,
    /// What people are told it is called: cleaned and short, and no proof of anything.
    pub name: String,
    /// How we know it.
    pub known_by: KnownBy,
    /// Where codes may be sent.
    pub redirect_uris: Vec<RedirectUri>,
    /// What it may ask tokens for.
    pub grant_types: BTreeSet<GrantType>,
    /// The one way in which it proves who it is.
    pub auth: AuthMethod,
    /// The digest of its secret, where it has one.
    pub secret: Option<SecretDigest>,
    /// Until when it is kept, that instant excluded; nothing for one that stays.
    pub expires_at: Option<Timestamp>,
}

/// How we know a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KnownBy {
    /// The operator wrote it down.
    Configuration,
    /// A site publishes what it is: this host.
    Document(String),
    /// It says so itself.
    Itself,
}

impl Client {
    /// Whether it is still kept.
    #[must_use]
    pub fn is_alive(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|end| now < end)
    }

    /// Whether it may ask tokens for this.
    #[must_use]
    pub fn may(&self, grant: GrantType) -> bool {
        self.grant_types.contains(&grant)
    }

    /// Whether it can keep a secret.
    #[must_use]
    pub const fn is_confidential(&self) -> bool {
        match self.auth {
            AuthMethod::None => false,
            AuthMethod::SecretBasic | AuthMethod::SecretPost => true,
        }
    }

    /// Whether nothing but the person's own machine gets its codes: then who asks cannot be told (AS-25).
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.redirect_uris.iter().all(|uri| uri.kind() != RedirectKind::Https)
    }

    /// Whether anybody on the person's machine could be this client.
    #[must_use]
    pub fn is_unproven(&self) -> bool {
        match self.known_by {
            KnownBy::Itself => true,
            // Its site proves it; where the document was not read again, there are no redirects to look at.
            KnownBy::Document(_) => false,
            KnownBy::Configuration => !self.is_confidential() && self.is_local(),
        }
    }

    /// Whether who gets its answers at a place is sure to be this client: it keeps a secret, or its own site says
    /// what it is; never on the person's own machine (oauth §5.4).
    #[must_use]
    pub fn is_proven(&self, target: &Target) -> bool {
        let https = |uri: &RedirectUri| uri.kind() == RedirectKind::Https;
        if !target.uri().as_ref().is_some_and(https) {
            return false;
        }
        match self.known_by {
            KnownBy::Itself => false,
            KnownBy::Document(_) => {
                let own = |uri: &RedirectUri| https(uri) && origin(uri.as_str()) == origin(self.id.as_str());
                self.redirect_uris.iter().all(own)
            }
            KnownBy::Configuration => self.is_confidential(),
        }
    }

    /// How long a grant to it lasts at most, however often it is refreshed.
    #[must_use]
    pub fn longest(&self, lifetimes: &Lifetimes) -> Duration {
        if self.is_unproven() { lifetimes.refresh_absolute.min(UNPROVEN) } else { lifetimes.refresh_absolute }
    }

    /// Whether an answer may be sent to it without a person looking: not where anybody could have registered it.
    #[must_use]
    pub const fn is_trusted(&self) -> bool {
        match self.known_by {
            KnownBy::Configuration => true,
            KnownBy::Document(_) | KnownBy::Itself => false,
        }
    }
}

/// Scheme, host and port of a URL, as they are written.
fn origin(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once("://")?;
    let host = rest.split(['/', '?', '#']).next()?;
    url.get(..scheme.len() + 3 + host.len())
}

#[cfg(test)]
pub(super) fn public(id: &str, redirect_uris: &[&str]) -> Client {
    Client {
        id: id.parse().unwrap(),
        name: id.into(),
        known_by: KnownBy::Configuration,
        redirect_uris: redirect_uris.iter().map(|uri| RedirectUri::parse(uri, true).unwrap()).collect(),
        grant_types: [GrantType::AuthorizationCode, GrantType::RefreshToken].into(),
        auth: AuthMethod::None,
        secret: None,
        expires_at: None,
    }
}
