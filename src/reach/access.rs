//! Whether a server, a tool or a scope is within anybody's reach, and if not, why.

use std::collections::BTreeSet;

use super::{Aim, Caller, Letter, Reach, moment};
use crate::{
    name::{ScopeName, ServerName},
    policy::{Answer, Arguments, Asker, Effect, Question, Reason, Target, Verb},
    share,
};

/// Whether anybody may do anything, each with the most that it may be granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// Somebody may.
    Open,
    /// Nobody may, since nothing permits it.
    NotPermitted,
    /// Nobody may, and to somebody who is permitted it is forbidden: by these.
    Forbidden(Vec<Reason>),
}

impl Reach<'_> {
    /// Every kind of caller: those that stand for themselves, and the widest.
    pub fn everybody(&self) -> impl Iterator<Item = &Caller> {
        self.callers().iter().chain(self.widest())
    }

    /// The scopes that somebody may be granted.
    #[must_use]
    pub fn grantable(&self) -> BTreeSet<ScopeName> {
        self.everybody().flat_map(|caller| self.ceiling(caller).iter().cloned()).collect()
    }

    /// Whether a caller with everything that it can hold is allowed at some moment.
    #[must_use]
    pub fn opens(&self, caller: &Caller, verb: Verb, target: &Target) -> bool {
        self.asker_at_most(caller).is_some_and(|asker| self.at_some_moment(asker, verb, target))
    }

    /// Whether a caller with exactly these scopes is allowed at some moment. Cheaper than its letter:
    /// nothing is asked about why not.
    #[must_use]
    pub fn opens_with(&self, caller: &Caller, scopes: &BTreeSet<ScopeName>, verb: Verb, target: &Target) -> bool {
        self.asker(caller, scopes).is_some_and(|asker| self.at_some_moment(&asker, verb, target))
    }

    fn at_some_moment(&self, asker: &Asker, verb: Verb, target: &Target) -> bool {
        let asked = self.on_stage(target, |inventory| {
            let moments = self.moments(verb, target);
            let arguments = Arguments::Best;
            let answers = |moment| self.engine.answers(&Question { asker, verb, target, inventory, moment, arguments });
            let Some((first, others)) = moments.split_first() else { return false };
            match answers(first) {
                Answer::Allowed => true,
                // What no permit holds for is not permitted at another moment either, unless a permit tells
                // moments apart.
                Answer::Unpermitted if !self.permits_by_moment(verb, target) => false,
                Answer::Unpermitted | Answer::Denied => others.iter().any(|moment| answers(moment) == Answer::Allowed),
            }
        });
        asked.unwrap_or_default()
    }

    fn permits_by_moment(&self, verb: Verb, target: &Target) -> bool {
        self.policies(verb, target)
            .filter(|policy| policy.shape.effect == Effect::Permit)
            .any(|policy| moment::FACTS.iter().chain(&["*"]).any(|fact| policy.shape.facts.contains(*fact)))
    }

    /// Whether somebody is allowed at some moment. Whoever can hold all scopes that the policies name is
    /// asked first: most often one question is enough.
    fn anybody_opens(&self, verb: Verb, target: &Target) -> bool {
        let relevant = self.relevant(verb, target);
        let likely = |caller: &&Caller| relevant.is_subset(self.ceiling(caller));
        self.everybody().filter(likely).any(|caller| self.opens(caller, verb, target))
            || self.everybody().filter(|caller| !likely(caller)).any(|caller| self.opens(caller, verb, target))
    }

    /// Whether anybody may do this.
    #[must_use]
    pub fn access(&self, verb: Verb, target: &Target) -> Access {
        if self.anybody_opens(verb, target) {
            return Access::Open;
        }
        let mut reasons: Vec<Reason> = Vec::new();
        for caller in self.callers().iter().skip(1).chain(self.widest()).chain(self.callers().first()) {
            let shut = matches!(self.at_most(caller, verb, target), Letter::Forbidden | Letter::Error);
            // With OAuth on, nobody without a token may do anything: that says nothing of this.
            let counts = caller.who != super::Who::Anonymous || !self.engine.bundle().oauth();
            if shut && counts {
                let decision = self.decision(caller, self.ceiling(caller), verb, target);
                reasons.extend(decision.reasons.iter().filter(|reason| reason.effect == Effect::Forbid).cloned());
                break;
            }
        }
        if reasons.is_empty() { Access::NotPermitted } else { Access::Forbidden(reasons) }
    }

    /// Looks beforehand, for every server, whether anybody may do anything there: most checks ask that, one
    /// server after the other.
    pub(crate) fn look_ahead(&self) {
        let servers: Vec<&ServerName> = self.servers().collect();
        let look = |some: &[&ServerName]| {
            for server in some {
                self.access_to(server);
            }
            Vec::<()>::new()
        };
        share::out(&servers, 8, look);
    }

    /// Whether anybody may do anything on a server but ask what it is.
    pub fn access_to(&self, server: &ServerName) -> &Access {
        let made = || {
            let verbs = [Verb::ToolsCall, Verb::PromptsGet, Verb::ResourcesRead];
            let aims: Vec<(Verb, &Aim)> =
                verbs.into_iter().flat_map(|verb| self.aims(server, verb).map(move |aim| (verb, aim))).collect();
            // One that is open is enough: what is not named is most often open.
            if aims.iter().rev().any(|(verb, aim)| self.anybody_opens(*verb, &aim.target)) {
                return Access::Open;
            }
            let mut shut: Vec<Access> = aims.iter().map(|(verb, aim)| self.access(*verb, &aim.target)).collect();
            let forbidden = shut.iter().position(|access| matches!(access, Access::Forbidden(_)));
            forbidden.map_or(Access::NotPermitted, |nth| shut.swap_remove(nth))
        };
        static NOTHING: Access = Access::NotPermitted;
        self.scene(server).map_or(&NOTHING, |scene| scene.access.get_or_init(made))
    }
}
