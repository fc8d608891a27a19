//! What a denial looks like from outside: its HTTP status and its JSON-RPC code.
//!
//! One table for the gateway, which sends it, and for `portcullis test`, which promises it.
//!
//! SPEC: design §9. To add a denial: a variant, then follow the compiler.

use std::collections::BTreeSet;

use super::{
    decision::Because,
    engine::Engine,
    question::{Standing, Target},
};
use crate::{mcp::code, name::ScopeName, principal::Principal};

/// What a caller is told instead of why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denial {
    /// There is no credential.
    Unauthenticated,
    /// The credential is not good here.
    BadToken,
    /// The token lacks scopes that its holder could get.
    InsufficientScope,
    /// The query names what the token cannot have.
    BadQuery,
    /// There is no such endpoint.
    NoEndpoint,
    /// There is no such thing, or none that the caller may know of.
    Unknown,
    /// The caller may know of it, and may not do this.
    Forbidden,
    /// A rate tier has no room.
    RateLimited,
    /// A policy could not be evaluated.
    PolicyError,
}

impl Denial {
    /// What becomes of a denied decision. What is `listed` may be known of; all else is as if it were
    /// not there.
    #[must_use]
    pub const fn of(because: Because, listed: bool) -> Self {
        match because {
            Because::Unauthenticated => Self::Unauthenticated,
            Because::TokenInvalid | Because::AudienceMismatch => Self::BadToken,
            Because::MissingScope => Self::InsufficientScope,
            Because::PolicyError => Self::PolicyError,
            Because::RateLimited => Self::RateLimited,
            Because::UnknownServer | Because::UnknownTool => Self::Unknown,
            Because::Permitted
            | Because::ExplicitForbid
            | Because::ConditionFailed
            | Because::NoMatchingGrant
            | Because::ValidationFailed
            | Because::ShadowWouldDeny => {
                if listed {
                    Self::Forbidden
                } else {
                    Self::Unknown
                }
            }
        }
    }

    /// The HTTP status. Errors of the protocol travel as ordinary answers.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Unauthenticated | Self::BadToken => 401,
            Self::InsufficientScope => 403,
            Self::BadQuery => 400,
            Self::NoEndpoint => 404,
            Self::RateLimited => 429,
            Self::Unknown | Self::Forbidden | Self::PolicyError => 200,
        }
    }

    /// The JSON-RPC code.
    #[must_use]
    pub const fn code(self) -> i32 {
        match self {
            Self::Unauthenticated | Self::BadToken | Self::InsufficientScope => code::REFUSED,
            Self::BadQuery | Self::NoEndpoint => code::INVALID_REQUEST,
            Self::Unknown => code::INVALID_PARAMS,
            Self::Forbidden => code::FORBIDDEN,
            Self::RateLimited => code::RATE_LIMITED,
            Self::PolicyError => code::INTERNAL,
        }
    }
}

impl Engine {
    /// Whether somebody of this standing gets as far as the policies: the gateway wants a token before
    /// anything else, then a server that there is, then tags that the token has.
    ///
    /// # Errors
    /// What they are told instead.
    pub fn admits(&self, standing: &Standing, target: &Target) -> Result<(), Denial> {
        if self.bundle().oauth() && standing.principal == Principal::Anonymous {
            return Err(Denial::Unauthenticated);
        }
        if matches!(target, Target::Server(server) if !self.bundle().servers().contains(server)) {
            return Err(Denial::NoEndpoint);
        }
        self.may_name(standing)
    }

    /// Somebody who asks through a view, naming tags, or both. What both filters keep is what has every
    /// tag in both, so the filter is what they have in common.
    ///
    /// Where anything is named that is not granted, all of it stays named: that is denied
    /// ([`may_name`](Self::may_name), and a guard rail), and never falls back to what is left of it.
    #[must_use]
    pub fn narrowed(
        &self,
        standing: Standing,
        view: Option<&BTreeSet<ScopeName>>,
        named: Option<&BTreeSet<ScopeName>>,
    ) -> Standing {
        let named = match (view, named) {
            (None, None) => None,
            (Some(one), None) | (None, Some(one)) => Some(one.clone()),
            (Some(view), Some(named)) => {
                let granted = self.granted(&standing);
                let all = view.is_subset(granted) && named.is_subset(granted);
                Some(if all { view & named } else { view | named })
            }
        };
        Standing { named, ..standing }
    }

    /// The scopes that somebody has: with OAuth off, every one.
    fn granted<'s>(&'s self, standing: &'s Standing) -> &'s BTreeSet<ScopeName> {
        if self.bundle().oauth() { &standing.scopes } else { self.bundle().scopes() }
    }

    /// Whether all tags that a request names, by `?tags=` or by its view, are granted.
    ///
    /// # Errors
    /// What the caller is told: to get a token that has them, or that there is none.
    pub fn may_name(&self, standing: &Standing) -> Result<(), Denial> {
        let (oauth, granted) = (self.bundle().oauth(), self.granted(standing));
        let missing: Vec<&ScopeName> =
            standing.named.iter().flatten().filter(|scope| !granted.contains(*scope)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let may = |scope: &&ScopeName| {
            self.may_grant(&standing.principal, standing.client.as_ref(), &standing.groups, scope).is_allow()
        };
        Err(if oauth && missing.iter().all(may) { Denial::InsufficientScope } else { Denial::BadQuery })
    }
}
