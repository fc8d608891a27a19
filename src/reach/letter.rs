//! One cell: what the engine answers one caller with some scopes about one thing.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Arc, PoisonError},
};

use serde::{Serialize, Serializer};

use super::{Caller, Reach, moment};
use crate::{
    name::ScopeName,
    policy::{Arguments, Asker, Because, Decision, Inventory, Moment, Policy, Question, Standing, Target, Verb},
};

/// The answer of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Letter {
    /// `A`: allowed.
    Allowed,
    /// `a`: allowed for some arguments or at some moments, and not at others.
    Sometimes,
    /// `F`: a forbid holds.
    Forbidden,
    /// `.`: nothing permits it.
    NotPermitted,
    /// `!`: a policy cannot be evaluated, which denies.
    Error,
}

impl Letter {
    /// The letter.
    #[must_use]
    pub const fn as_char(self) -> char {
        match self {
            Self::Allowed => 'A',
            Self::Sometimes => 'a',
            Self::Forbidden => 'F',
            Self::NotPermitted => '.',
            Self::Error => '!',
        }
    }

    /// Whether it is allowed at some moment at least.
    #[must_use]
    pub const fn opens(self) -> bool {
        match self {
            Self::Allowed | Self::Sometimes => true,
            Self::Forbidden | Self::NotPermitted | Self::Error => false,
        }
    }

    /// Whether it is denied at some moment at least.
    #[must_use]
    pub const fn shuts(self) -> bool {
        match self {
            Self::Allowed => false,
            Self::Sometimes | Self::Forbidden | Self::NotPermitted | Self::Error => true,
        }
    }
}

impl fmt::Display for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.as_char())
    }
}

impl Serialize for Letter {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl Reach<'_> {
    /// The answer to a caller with exactly these scopes.
    #[must_use]
    pub fn letter(&self, caller: &Caller, scopes: &BTreeSet<ScopeName>, verb: Verb, target: &Target) -> Letter {
        match self.asker(caller, scopes) {
            Some(asker) => self.answer(&asker, verb, target),
            None => Letter::Error,
        }
    }

    /// The answer to a caller with everything that it can hold.
    #[must_use]
    pub fn at_most(&self, caller: &Caller, verb: Verb, target: &Target) -> Letter {
        let class = self.engine.class_at_once(verb, target);
        let key = class.map(|class| (Arc::clone(caller.key()), verb, target.server().clone(), class));
        let known = || self.letters.lock().unwrap_or_else(PoisonError::into_inner).get(key.as_ref()?).copied();
        if let Some(letter) = known() {
            return letter;
        }
        let letter = match self.asker_at_most(caller) {
            Some(asker) => self.answer(asker, verb, target),
            None => Letter::Error,
        };
        if let Some(key) = key {
            self.letters.lock().unwrap_or_else(PoisonError::into_inner).insert(key, letter);
        }
        letter
    }

    /// The whole decision at an uneventful moment, with exactly these scopes.
    #[must_use]
    pub fn decision(&self, caller: &Caller, scopes: &BTreeSet<ScopeName>, verb: Verb, target: &Target) -> Decision {
        let Some(asker) = self.asker(caller, scopes) else { return Decision::deny(Because::PolicyError) };
        self.on_stage(target, |inventory| {
            let moment = moment::uneventful();
            self.engine.decide(&Question {
                asker: &asker,
                verb,
                target,
                inventory,
                moment: &moment,
                arguments: Arguments::Best,
            })
        })
        .unwrap_or_else(|| Decision::deny(Because::UnknownServer))
    }

    /// Whether one policy alone holds for a caller with exactly these scopes, at an uneventful moment.
    pub(crate) fn holds(
        &self,
        policy: &Policy,
        (caller, scopes): (&Caller, &BTreeSet<ScopeName>),
        verb: Verb,
        target: &Target,
    ) -> bool {
        let Some(asker) = self.asker(caller, scopes) else { return false };
        let asked = self.on_stage(target, |inventory| {
            let moment = moment::uneventful();
            self.engine.holds(
                policy,
                &Question { asker: &asker, verb, target, inventory, moment: &moment, arguments: Arguments::Best },
            )
        });
        asked.unwrap_or_default()
    }

    /// The policies that say something of this target, guard rails among them.
    pub(crate) fn policies(&self, verb: Verb, target: &Target) -> impl Iterator<Item = &Policy> {
        let fits = |policy: &&Policy| {
            policy.patterns.is_empty() || policy.patterns.iter().any(|pattern| pattern.matches(target.name()))
        };
        self.engine.policies_of(target.server(), verb).filter(fits)
    }

    /// Every moment at which it is worth to ask.
    pub(super) fn moments(&self, verb: Verb, target: &Target) -> Vec<Moment> {
        moment::moments(self.policies(verb, target).filter_map(|policy| Some((policy, self.literals(policy)?))))
    }

    pub(super) fn answer(&self, asker: &Asker, verb: Verb, target: &Target) -> Letter {
        let letter = self.on_stage(target, |inventory| {
            let moments = self.moments(verb, target);
            let asked = moments.iter().map(|moment| Question {
                asker,
                verb,
                target,
                inventory,
                moment,
                arguments: Arguments::Best,
            });
            let shut: Vec<Question<'_>> = asked.filter(|question| !self.engine.allows(question)).collect();
            let Some(first) = shut.first() else {
                // Where policies read arguments, the worst of them may be denied.
                let typed = self.engine.reads_arguments(verb, target);
                let worst = |moment| Question { asker, verb, target, inventory, moment, arguments: Arguments::Worst };
                let denied = typed && moments.iter().any(|moment| !self.engine.allows(&worst(moment)));
                return if denied { Letter::Sometimes } else { Letter::Allowed };
            };
            if shut.len() < moments.len() {
                let fails = shut.iter().any(|question| !self.engine.decide(question).errors.is_empty());
                return if fails { Letter::Error } else { Letter::Sometimes };
            }
            match self.engine.decide(first).because {
                Because::ExplicitForbid | Because::ConditionFailed | Because::Unauthenticated => Letter::Forbidden,
                Because::PolicyError => Letter::Error,
                Because::Permitted
                | Because::TokenInvalid
                | Because::AudienceMismatch
                | Because::MissingScope
                | Because::NoMatchingGrant
                | Because::UnknownServer
                | Because::UnknownTool
                | Because::RateLimited
                | Because::ValidationFailed
                | Because::ShadowWouldDeny => Letter::NotPermitted,
            }
        });
        letter.unwrap_or(Letter::NotPermitted)
    }

    /// Asks with the inventory of the target's server, and with one made for it where it is unknown.
    pub(super) fn on_stage<T>(&self, target: &Target, ask: impl FnOnce(&Inventory) -> T) -> Option<T> {
        let scene = self.scene(target.server())?;
        if scene.inventory.knows(target) {
            return Some(ask(&scene.inventory));
        }
        let inventory = self.engine.inventory(target.server(), [target.clone()]).ok()?;
        Some(ask(&inventory))
    }

    pub(super) fn asker_at_most<'k>(&self, caller: &'k Caller) -> Option<&'k Asker> {
        let made = || {
            let scopes = BTreeSet::clone(self.ceiling(caller));
            let standing = Standing { scopes, ..caller.standing().clone() };
            self.engine.asker(self.engine.narrowed(standing, self.view.as_ref(), None)).ok().map(Arc::new)
        };
        caller.at_most.get_or_init(made).as_deref()
    }

    pub(super) fn asker(&self, caller: &Caller, scopes: &BTreeSet<ScopeName>) -> Option<Arc<Asker>> {
        let key = (Arc::clone(caller.key()), scopes.clone());
        if let Some(asker) = self.askers.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Some(Arc::clone(asker));
        }
        let standing = Standing { scopes: scopes.clone(), ..caller.standing().clone() };
        let standing = self.engine.narrowed(standing, self.view.as_ref(), None);
        let asker = Arc::new(self.engine.asker(standing).ok()?);
        let mut askers = self.askers.lock().unwrap_or_else(PoisonError::into_inner);
        if askers.len() < MOST_ASKERS {
            askers.insert(key, Arc::clone(&asker));
        }
        Some(asker)
    }
}

/// The most askers that are kept for being asked with again.
const MOST_ASKERS: usize = 10_000;
