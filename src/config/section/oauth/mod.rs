//! `oauth:`: whether callers need a token of ours, and what they are sent to ask for.
//!
//! What concerns the authorization server stands in `server` and the files beside it. Some of its keys are
//! still refused (`document/unbuilt`): each moves into [`OAuthSection`] when something answers by it.

mod client;
mod lifetime;
mod registration;
mod server;

use schemars::JsonSchema;
use serde::Deserialize;

pub use client::{AuthMethod, ConfiguredClient, GrantType};
pub use lifetime::Lifetimes;
pub use registration::{Documents, Redirects, Registration, Trust};
pub use server::{Authorization, Login, ScopeDrift};

use client::ClientSection;
use lifetime::{AccessTokenSection, CodeSection, RefreshTokenSection};
use registration::{DocumentsSection, RegistrationSection};
use server::AuthorizationSection;

use super::failure_delay::{FailureDelay, FailureDelaySection};
use crate::{
    config::{
        document::{Named, TextOr, Written},
        findings,
        resolve::{Resolver, good},
    },
    diagnostic::Placed,
    name::ScopeName,
};

/// Whether callers need a token.
#[derive(Debug, Clone)]
pub struct OAuth {
    /// Off is the local mode: no token, loopback only (design §2 "OAuth off").
    pub enabled: Placed<bool>,
    /// What callers who named no scopes are sent to ask for, sorted; may be empty.
    pub baseline: Vec<Placed<ScopeName>>,
    /// How long failing answers of endpoints that authenticate are held up; nothing for not at all.
    pub failure_delay: Option<FailureDelay>,
    /// What the authorization server does.
    pub authorization: Authorization,
}

/// Whether callers need a token of the gateway.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OAuthSection {
    /// Whether they do. Without tokens the gateway serves this machine alone: address and public
    /// URL must be loopback. Default: `true`.
    enabled: Option<Written<bool>>,
    /// How long access tokens are good.
    access_token: Option<Written<AccessTokenSection>>,
    /// The scopes that challenges and metadata name, and that a request without `scope` asks for: what a
    /// client needs to be of use at all. Default: none, and a person is shown everything that may be granted.
    #[schemars(extend("minItems" = 1, "maxItems" = 50, "uniqueItems" = true))]
    baseline: Option<Written<Vec<Written<String>>>>,
    /// The clients that you know, by their ids.
    clients: Option<Written<Named<ClientSection>>>,
    /// How long authorization codes are good.
    code: Option<Written<CodeSection>>,
    /// Which metadata documents of clients are read, whose ids are then `https` URLs: `open` (default), `off`, or
    /// a map.
    documents: Option<Written<TextOr<DocumentsSection>>>,
    /// How long failing answers of the endpoints that authenticate are held up, at random: a range, a map
    /// of `min` and `max`, or 0 for not at all. Successes are answered at once. Default: `10ms-50ms`.
    failure_delay: Option<Written<FailureDelaySection>>,
    /// How people sign in: `owner` (one person, by a link that `portcullis login` makes) or `users` (accounts
    /// with passwords, made by `portcullis user`). Default: `owner` where only this machine reaches the gateway.
    #[schemars(extend("enum" = ["owner", "users"]))]
    login: Option<Written<String>>,
    /// Whether codes may be sent to schemes that belong to apps, as in `com.example.app:/callback`. Default: `false`.
    private_schemes: Option<Written<bool>>,
    /// How long refresh tokens are good.
    refresh_token: Option<Written<RefreshTokenSection>>,
    /// Who may register themselves: `off`, `loopback` (clients on the person's own machine), `open`, or a map.
    /// Default: `loopback` where only this machine reaches the gateway, else `off`.
    registration: Option<Written<TextOr<RegistrationSection>>>,
    /// What becomes of a grant whose tag comes to open more than it did when the person consented, be it another
    /// server or a tool of a higher risk: `reconsent` (hidden until they consent again; default), `allow`, or
    /// `notify` (allowed, and each use is marked in the audit trail).
    #[schemars(extend("enum" = ["reconsent", "allow", "notify"]))]
    scope_drift: Option<Written<String>>,
}

impl OAuth {
    pub(crate) fn resolve(section: Option<Written<OAuthSection>>, cx: &mut Resolver<'_>) -> Option<Self> {
        let default = Placed::new(true, cx.nowhere());
        let delay = Some(FailureDelay::default());
        let Some(section) = section else {
            let authorization = Authorization::default();
            return Some(Self { enabled: default, baseline: Vec::new(), failure_delay: delay, authorization });
        };
        let OAuthSection {
            enabled,
            access_token,
            baseline,
            clients,
            code,
            documents,
            failure_delay,
            login,
            private_schemes,
            refresh_token,
            registration,
            scope_drift,
        } = section.value?;
        let written = AuthorizationSection {
            access_token,
            clients,
            code,
            documents,
            login,
            private_schemes,
            refresh_token,
            registration,
            scope_drift,
        };
        let authorization = Authorization::resolve(written, cx);
        let failure_delay = match failure_delay {
            Some(written) => written.value.map_or(delay, |FailureDelaySection(delay)| delay),
            None => delay,
        };
        let baseline = match baseline {
            Some(baseline) => self::baseline(baseline, cx)?,
            None => Vec::new(),
        };
        let enabled = match enabled {
            Some(enabled) => enabled.placed()?,
            None => default,
        };
        Some(Self { enabled, baseline, failure_delay, authorization: authorization? })
    }
}

fn baseline(written: Written<Vec<Written<String>>>, cx: &mut Resolver<'_>) -> Option<Vec<Placed<ScopeName>>> {
    let Written { place, value } = written;
    let listed = value?;
    if listed.is_empty() {
        let finding = findings::EMPTY_SELECTOR.at(&place, "`oauth.baseline` is empty, so it names no scope");
        cx.find(finding.help("name at least one scope as in `[tag:web]`, or remove the key"));
        return None;
    }
    if listed.len() > 50 {
        let message = format!("a baseline of {} scopes; a request may name 50", listed.len());
        cx.find(findings::WRONG_TYPE.at(&place, message).help("name the few that a client needs to be of use at all"));
        return None;
    }
    let scopes = good(listed).iter().filter_map(|scope| cx.scope(scope)).collect();
    Some(cx.distinct(scopes))
}
