//! What a person consented to, and what joined their scopes since.
//!
//! A scope means what its tag opens today; a person agreed to what it opened when they were asked. A
//! server that joined later, or tools of a higher risk than it had, are therefore told apart: what the
//! policies allow by scopes is held against what those scopes opened then. What needs no scope is none of
//! this, and what the policies deny stays denied for their reasons.
//!
//! INVARIANT: this only narrows, and lists and calls are narrowed alike: both ask the engine.
//! SPEC: oauth §5.4; OA-82.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use super::decision::{Effect, Reason};
use crate::name::{ScopeName, ServerName};

/// The id under which a decision names consent among its reasons.
pub(crate) const CONSENT: &str = "guard/consent";

/// What a tool may do, by its server's claim. The mildest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Risk {
    /// It only reads.
    Read,
    /// It changes something.
    Write,
    /// It may destroy something.
    Destructive,
}

impl Risk {
    /// Its word in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Destructive => "destructive",
        }
    }
}

impl fmt::Display for Risk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "only reads",
            Self::Write => "changes something",
            Self::Destructive => "may destroy something",
        })
    }
}

/// What a decision goes beyond: what a person agreed to of a server, and what was asked of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beyond {
    /// By scope, the highest risk of the server's tools that the person was asked about. A scope that opened
    /// none of them is not there.
    pub agreed: BTreeMap<ScopeName, Risk>,
    /// The risk of what was asked.
    pub asks: Risk,
}

/// What becomes of what joined later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Later {
    /// It is denied until the person consents again.
    Denied,
    /// It is allowed, and the decision says so.
    Noted,
}

/// What a person consented to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    /// By scope, the servers that it opened, with the highest risk of their tools.
    opened: BTreeMap<ScopeName, BTreeMap<ServerName, Risk>>,
    /// What becomes of all else.
    pub(super) later: Later,
}

impl Consent {
    /// What each scope opened when the person was asked.
    pub fn new(opened: impl IntoIterator<Item = (ScopeName, ServerName, Risk)>, later: Later) -> Self {
        let mut by_scope: BTreeMap<ScopeName, BTreeMap<ServerName, Risk>> = BTreeMap::new();
        for (scope, server, risk) in opened {
            let known = by_scope.entry(scope).or_default().entry(server).or_insert(risk);
            *known = risk.max(*known);
        }
        Self { opened: by_scope, later }
    }

    /// What the person agreed to of this server, and that this risk of it was asked for.
    pub(super) fn beyond(&self, server: &ServerName, asks: Risk) -> Box<Beyond> {
        let of = self.opened.iter().filter_map(|(scope, opened)| Some((scope.clone(), *opened.get(server)?)));
        Box::new(Beyond { agreed: of.collect(), asks })
    }

    /// Whether one of these scopes opened this much of a server.
    pub(super) fn covers(&self, scopes: &BTreeSet<&ScopeName>, server: &ServerName, risk: Risk) -> bool {
        let opened = |scope: &&ScopeName| self.opened.get(*scope)?.get(server).copied();
        scopes.iter().filter_map(opened).any(|highest| risk <= highest)
    }
}

/// Consent as a reason of a decision: what it allows was noted, what it denies was not agreed to.
pub(super) fn reason(effect: Effect) -> Reason {
    Reason { policy: Arc::from(CONSENT), effect, place: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_risk_reads_as_it_is_written() {
        for risk in [Risk::Read, Risk::Write, Risk::Destructive] {
            assert_eq!(serde_json::to_value(risk).unwrap(), risk.as_str());
        }
    }

    #[test]
    fn oa82_a_scope_covers_a_server_up_to_the_risk_that_it_had() {
        let (a, b): (ScopeName, ScopeName) = ("tag:a".parse().unwrap(), "tag:b".parse().unwrap());
        let (old, new): (ServerName, ServerName) = ("old".parse().unwrap(), "new".parse().unwrap());
        let opened = [(a.clone(), old.clone(), Risk::Write), (a.clone(), old.clone(), Risk::Read)];
        let consent = Consent::new(opened, Later::Denied);
        let by = |scopes: &[&ScopeName], server, risk| consent.covers(&scopes.iter().copied().collect(), server, risk);
        assert!(by(&[&a], &old, Risk::Read) && by(&[&a, &b], &old, Risk::Write));
        assert!(!by(&[&a], &old, Risk::Destructive), "a tool of a higher risk");
        assert!(!by(&[&a], &new, Risk::Read), "a server that joined later");
        assert!(!by(&[&b], &old, Risk::Read), "another scope");
        assert!(!by(&[], &old, Risk::Read));
    }
}
