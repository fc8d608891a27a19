//! What a person had agreed to, as far as it is known: a gate of its own, behind all that policies say.
//!
//! Only a running gateway knows what people were asked about; an audit record says it where a decision went
//! beyond that. Where neither is at hand the gate is open, and never shown as passed.
//!
//! SPEC: oauth §5.4; OA-82.

use super::{Passed, Supposed};
use crate::{
    policy::{Beyond, CONSENT, Consent, Decision, Engine, Later, Target},
    principal::Principal,
};

/// What is known of what the person who asks had agreed to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Agreed {
    /// Nothing.
    #[default]
    Unknown,
    /// It does not matter: `oauth.scope_drift` says so.
    Anything,
    /// This of the server, and what becomes of all else.
    To(Beyond, Later),
}

impl Agreed {
    /// The same, under a configuration that says what becomes of what joined later.
    #[must_use]
    pub fn under(self, later: Option<Later>) -> Self {
        match (self, later) {
            (_, None) => Self::Anything,
            (Self::To(beyond, _), Some(later)) => Self::To(beyond, later),
            (Self::Unknown | Self::Anything, Some(_)) => Self::Unknown,
        }
    }

    pub(super) fn consent(&self, target: &Target) -> Option<Consent> {
        let Self::To(Beyond { agreed, asks: _ }, later) = self else { return None };
        let opened = agreed.iter().map(|(scope, risk)| (scope.clone(), target.server().clone(), *risk));
        Some(Consent::new(opened, *later))
    }
}

/// Whether it was consent alone that denied.
pub(super) fn denied(decision: &Decision) -> bool {
    !decision.is_allow() && decision.reasons.iter().any(|reason| &*reason.policy == CONSENT)
}

/// How a request with this answer fares.
pub(super) fn gate(engine: &Engine, supposed: &Supposed, decision: &Decision) -> (Passed, String) {
    if !engine.bundle().oauth() || !matches!(supposed.principal, Principal::User(_)) {
        return (Passed::Pass, "nobody is asked for consent: no person is behind it".into());
    }
    match (&supposed.agreed, &decision.consent) {
        (_, Some(beyond)) => {
            let passed = if decision.is_allow() { Passed::Odd } else { Passed::Fail };
            (passed, beyond_words(beyond, &supposed.target))
        }
        (Agreed::To(..), None) => (Passed::Pass, "it is no more than the person was asked about".into()),
        (Agreed::Anything, None) => {
            (Passed::Pass, "what joined a tag after consent is open: `oauth.scope_drift`".into())
        }
        (Agreed::Unknown, None) => {
            (Passed::NotDecided, "not decided here: only `serve` knows what the person was asked about".into())
        }
    }
}

/// How a request goes beyond what a person agreed to.
pub(super) fn beyond_words(Beyond { agreed, asks }: &Beyond, target: &Target) -> String {
    let server = target.server();
    match agreed.values().max() {
        None => format!("the person was not asked about `{server}`: it joined their tags later"),
        Some(highest) if highest < asks => {
            format!("the person was asked about a `{server}` that {highest}, and this {asks}")
        }
        Some(_) => format!("the person was asked about `{server}` under {} alone", words(agreed.keys())),
    }
}

/// What would turn a denial by consent alone.
pub(super) fn turn(decision: &Decision) -> String {
    format!(
        "consent again to {}: the client is told to ask for it, and `/grants` shows what joined since",
        words(&decision.missing)
    )
}

fn words<'s>(scopes: impl IntoIterator<Item = &'s crate::name::ScopeName>) -> String {
    scopes.into_iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(" ")
}
