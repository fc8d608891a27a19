//! What `oauth:` says of the authorization server: who signs in how, which clients there are, and for how long
//! what they get is good.
//!
//! The keys that nothing answers by yet are still refused (`document/unbuilt`). To take one: a field of
//! `OAuthSection` that it hands over to [`AuthorizationSection`].
//!
//! SPEC: design §2, §8; oauth §5.1.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    client::{self, ClientSection, ConfiguredClient},
    lifetime::{AccessTokenSection, CodeSection, Lifetimes, RefreshTokenSection},
    registration::{Documents, DocumentsSection, Registration, RegistrationSection},
};
use crate::{
    config::{
        document::{Named, TextOr, Written},
        findings,
        resolve::Resolver,
    },
    diagnostic::{Place, Placed},
    name::ClientId,
    policy::Later,
};

/// The authorization server.
#[derive(Debug, Clone, Default)]
pub struct Authorization {
    /// How people sign in; nothing means `owner` on loopback, and no start elsewhere.
    pub login: Option<Placed<Login>>,
    /// How long what is issued is good.
    pub lifetimes: Lifetimes,
    /// The clients that the operator knows.
    pub clients: BTreeMap<ClientId, ConfiguredClient>,
    /// Who may register themselves; nothing where the file does not say.
    pub registration: Option<Registration>,
    /// Which metadata documents of clients are read.
    pub documents: Documents,
    /// What becomes of a grant whose tag comes to open more than it did.
    pub scope_drift: ScopeDrift,
    /// Whether codes may be sent to schemes that belong to apps.
    pub private_schemes: bool,
}

impl Authorization {
    /// How people sign in: the owner alone where the file does not say.
    #[must_use]
    pub fn way(&self) -> Login {
        self.login.as_ref().map_or(Login::Owner, |login| login.value)
    }
}

/// How people sign in. To add a way: a variant and its word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Login {
    /// One person, by a link that only they can see.
    Owner,
    /// People with passwords.
    Users,
}

impl Login {
    /// Its word, in the file and in the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Users => "users",
        }
    }
}

/// What becomes of a grant whose tag comes to open more than it did when consent was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ScopeDrift {
    /// What is new stays hidden until the person consents again.
    #[default]
    Reconsent,
    /// It is open at once.
    Allow,
    /// It is open at once, and each use is marked in the audit trail.
    Notify,
}

impl ScopeDrift {
    /// What it means for a request; nothing where what the person was asked about does not matter.
    #[must_use]
    pub const fn later(self) -> Option<Later> {
        match self {
            Self::Reconsent => Some(Later::Denied),
            Self::Notify => Some(Later::Noted),
            Self::Allow => None,
        }
    }
}

/// What `oauth:` says of the authorization server.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AuthorizationSection {
    /// How people sign in: `owner` (one person, by a link that `portcullis login` makes) or `users` (accounts
    /// with passwords). Default: `owner` where only this machine reaches the gateway.
    #[schemars(extend("enum" = ["owner", "users"]))]
    pub(super) login: Option<Written<String>>,
    /// How long access tokens are good.
    pub(super) access_token: Option<Written<AccessTokenSection>>,
    /// How long authorization codes are good.
    pub(super) code: Option<Written<CodeSection>>,
    /// How long refresh tokens are good.
    pub(super) refresh_token: Option<Written<RefreshTokenSection>>,
    /// The clients that you know, by their ids.
    pub(super) clients: Option<Written<Named<ClientSection>>>,
    /// Who may register themselves: `off`, `loopback` (clients on the person's own machine), `open`, or a map.
    /// Default: `loopback` with `login: owner` on loopback, else `off`.
    pub(super) registration: Option<Written<TextOr<RegistrationSection>>>,
    /// Which metadata documents of clients are read: `open` (default), `off`, or a map.
    pub(super) documents: Option<Written<TextOr<DocumentsSection>>>,
    /// What becomes of a grant whose tag comes to open more than it did: `reconsent` (default), `allow` or `notify`.
    #[schemars(extend("enum" = ["reconsent", "allow", "notify"]))]
    pub(super) scope_drift: Option<Written<String>>,
    /// Whether codes may be sent to schemes that belong to apps, as in `com.example.app:/callback`. Default: `false`.
    pub(super) private_schemes: Option<Written<bool>>,
}

impl Authorization {
    pub(super) fn resolve(section: AuthorizationSection, cx: &mut Resolver<'_>) -> Option<Self> {
        let AuthorizationSection {
            login,
            access_token,
            code,
            refresh_token,
            clients,
            registration,
            documents,
            scope_drift,
            private_schemes,
        } = section;
        let login = match login {
            Some(login) => Some(word(login, "login", &LOGINS, cx)),
            None => None,
        };
        let scope_drift = match scope_drift {
            Some(drift) => word(drift, "scope_drift", &DRIFTS, cx).map(|drift| drift.value),
            None => Some(ScopeDrift::default()),
        };
        let private_schemes = private_schemes.and_then(|on| on.value).unwrap_or(false);
        let clients = client::resolve(clients, private_schemes, cx);
        let lifetimes = Lifetimes::resolve(access_token, code, refresh_token, cx);
        let registration = Registration::resolve(registration, cx);
        let documents = Documents::resolve(documents, cx);
        Some(Self {
            login: match login {
                Some(login) => Some(login?),
                None => None,
            },
            lifetimes: lifetimes?,
            clients,
            registration: registration?,
            documents: documents?,
            scope_drift: scope_drift?,
            private_schemes,
        })
    }
}

const LOGINS: [(&str, Login); 2] = [(Login::Owner.as_str(), Login::Owner), (Login::Users.as_str(), Login::Users)];
const DRIFTS: [(&str, ScopeDrift); 3] =
    [("reconsent", ScopeDrift::Reconsent), ("allow", ScopeDrift::Allow), ("notify", ScopeDrift::Notify)];

/// One word of a few.
fn word<T: Copy>(written: Written<String>, key: &str, words: &[(&str, T)], cx: &mut Resolver<'_>) -> Option<Placed<T>> {
    let written = written.placed()?;
    if let Some((_, meant)) = words.iter().find(|(word, _)| *word == written.value) {
        return Some(Placed::new(*meant, written.place));
    }
    let shown = cx.shown(key, &written);
    let all = words.iter().map(|(word, _)| format!("`{word}`")).collect::<Vec<_>>().join(" or ");
    let place: &Place = &written.place;
    cx.find(findings::WRONG_TYPE.at(place, format!("`oauth.{key}` cannot be `{shown}`")).help(format!("write {all}")));
    None
}

#[cfg(test)]
mod tests;
