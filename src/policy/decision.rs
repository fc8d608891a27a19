//! What the engine answers: allow or deny, why, and what would turn it.
//!
//! The reason code is a closed enum shared by run time, audit, `explain` and tests
//! (lint-rules §4.2). *Forbidden*, *not permitted* and *error* stay three different things.

use std::{fmt, sync::Arc};

use serde::Serialize;

use super::consent::Beyond;
use crate::{
    detect::{Detector, Detectors},
    diagnostic::Place,
    mcp::Misfit,
    name::ScopeName,
};

/// Allow or deny.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Some permit holds, no forbid does, nothing errored.
    Allow,
    /// Everything else.
    Deny,
}

/// Why. Permanent words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Because {
    /// Some permit holds and no forbid does.
    Permitted,
    /// No credential where one is needed.
    Unauthenticated,
    /// A credential that is not, or no longer, good.
    TokenInvalid,
    /// A good token for another resource.
    AudienceMismatch,
    /// The caller could get a scope that would turn the decision.
    MissingScope,
    /// A forbid holds whatever the arguments.
    ExplicitForbid,
    /// A forbid holds for these arguments or facts.
    ConditionFailed,
    /// No permit holds, and no scope the caller could get would change that.
    NoMatchingGrant,
    /// No such server.
    UnknownServer,
    /// No such tool, prompt or resource.
    UnknownTool,
    /// Over a limit.
    RateLimited,
    /// The request or its arguments do not fit.
    ValidationFailed,
    /// A policy could not be evaluated.
    PolicyError,
    /// Allowed, but a policy in shadow mode would deny.
    ShadowWouldDeny,
}

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Permitted => "permitted",
            Self::Unauthenticated => "unauthenticated",
            Self::TokenInvalid => "token-invalid",
            Self::AudienceMismatch => "audience-mismatch",
            Self::MissingScope => "missing-scope",
            Self::ExplicitForbid => "explicit-forbid",
            Self::ConditionFailed => "condition-failed",
            Self::NoMatchingGrant => "no-matching-grant",
            Self::UnknownServer => "unknown-server",
            Self::UnknownTool => "unknown-tool",
            Self::RateLimited => "rate-limited",
            Self::ValidationFailed => "validation-failed",
            Self::PolicyError => "policy-error",
            Self::ShadowWouldDeny => "shadow-would-deny",
        })
    }
}

/// The effect of a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// Cedar's `permit`.
    Permit,
    /// Cedar's `forbid`.
    Forbid,
}

/// One policy that determined a decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// Its id, as in `server/files`.
    pub policy: Arc<str>,
    /// Its effect.
    pub effect: Effect,
    /// The line of YAML or Cedar behind it.
    pub place: Option<Place>,
}

/// The engine's answer to one question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// Allow or deny.
    pub verdict: Verdict,
    /// Why.
    pub because: Because,
    /// The policies that determined it, sorted by id.
    pub reasons: Arc<[Reason]>,
    /// The policies that could not be evaluated, with what Cedar said, sorted.
    pub errors: Vec<String>,
    /// The scopes that would turn a denial, sorted; empty where none would.
    pub missing: Vec<ScopeName>,
    /// Where `missing` names some: all that the request needs, sorted, whether held or not. What a
    /// challenge asks for: a client that asks for `missing` alone would lose what it has.
    #[serde(skip)]
    pub needed: Vec<ScopeName>,
    /// What is wrong with the arguments, where that denies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub misfit: Option<Box<Misfit>>,
    /// Where it goes beyond what a person agreed to: what that was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consent: Option<Box<Beyond>>,
}

impl Decision {
    /// A denial that no policy was asked about.
    #[must_use]
    pub fn deny(because: Because) -> Self {
        Self {
            verdict: Verdict::Deny,
            because,
            reasons: Arc::from([]),
            errors: Vec::new(),
            missing: Vec::new(),
            needed: Vec::new(),
            misfit: None,
            consent: None,
        }
    }

    /// The denial of arguments that do not fit.
    #[must_use]
    pub(super) fn unfit(misfit: Misfit) -> Self {
        Self { misfit: Some(Box::new(misfit)), ..Self::deny(Because::ValidationFailed) }
    }

    /// The detectors whose checks determined it: their policies are called `check/WORD…`.
    #[must_use]
    pub fn checks(&self) -> Detectors {
        let word = |reason: &Reason| {
            let of = reason.policy.strip_prefix("check/")?;
            Detector::of_word(of.split('/').next().unwrap_or(of))
        };
        self.reasons.iter().filter_map(word).collect()
    }

    /// Whether it is an allow.
    #[must_use]
    pub fn is_allow(&self) -> bool {
        self.verdict == Verdict::Allow
    }
}
