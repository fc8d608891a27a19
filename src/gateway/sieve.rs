//! Which detectors run over messages, and which of their findings count where.
//!
//! They run while a message is read, before anybody knows whom it is for; what is `off` for its target
//! is taken out again then. Policies are told of the rest only where one of them asks.

use std::{borrow::Cow, collections::BTreeSet};

use super::{Inquiry, call};
use crate::{
    config::Validation,
    detect::{Body, Detectors},
    policy::{Engine, Moment, Target},
    record::Found,
};

/// What a revision says of findings in messages.
#[derive(Debug)]
pub(super) struct Sieve {
    /// What runs.
    over: Detectors,
    /// What counts in a message that is for no server.
    plain: Detectors,
    /// Whether the same counts everywhere.
    alike: bool,
    /// Whether a policy asks.
    asked: bool,
}

impl Sieve {
    pub(super) fn new(validation: &Validation, engine: &Engine) -> Self {
        Self {
            over: validation.runs_over_messages(),
            plain: validation.runs_in(None),
            alike: validation.is_alike_everywhere(),
            asked: engine.reads_findings(),
        }
    }

    /// Listens to a message that is read.
    pub(super) const fn listener(&self) -> Body {
        Body::new(self.over)
    }

    /// What counts of a message that is for nobody yet.
    pub(super) const fn plain(&self, found: Detectors) -> Detectors {
        found.among(self.plain)
    }

    /// What counts of a message that is for this.
    pub(super) fn meant_for(&self, validation: &Validation, found: Detectors, target: &Target) -> Detectors {
        if self.alike || found.is_empty() {
            return self.plain(found);
        }
        found.among(validation.runs_for(target))
    }

    /// What policies are told of it.
    pub(super) fn told(&self, counted: Detectors) -> BTreeSet<String> {
        if self.asked { counted.words() } else { BTreeSet::new() }
    }
}

impl Inquiry<'_> {
    /// What was found in its message, as far as it counts for a target.
    pub(super) fn counted(&self, target: &Target) -> Detectors {
        let revision = self.revision;
        revision.sieve.meant_for(&revision.snapshot.config.validation, self.found, target)
    }

    /// The moment as it is for a target, and what is to be recorded of findings.
    pub(super) fn moment_of(&self, found: &call::Found) -> (Cow<'_, Moment>, Found) {
        let mut moment = found.moment(&self.moment);
        let counted = self.counted(&found.target);
        let told = self.revision.sieve.told(counted);
        if !told.is_empty() {
            moment.to_mut().findings = told;
        }
        (moment, Found { head: self.arrived, message: counted })
    }
}
