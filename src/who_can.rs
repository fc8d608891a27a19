//! Who may use something and with which scopes, and what somebody may use.
//!
//! Both ask the engine for the fewest scopes that suffice, and for the most that each caller may be
//! granted. Where not every set of scopes could be tried, the answer says so.
//!
//! SPEC: `requirements/lint-rules.md` §4.7.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::{
    diagnostic::Place,
    name::ScopeName,
    policy::{Effect, Policy, Target, VOLATILE, Verb},
    reach::{Caller, Extent, Letter, Reach},
};

/// Who may use one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WhoCan {
    /// The thing, as `server/name`.
    pub target: String,
    /// The Cedar action.
    pub action: &'static str,
    /// The fewest scopes that suffice, and who may be granted them.
    pub ways: Vec<Way>,
    /// Who may not, and what the answer is with everything that they may be granted.
    pub others: Vec<Other>,
    /// The forbids that hold for some callers or at some moments.
    pub conditions: Vec<Condition>,
    /// Whether every set of scopes was tried.
    pub complete: bool,
}

/// A set of scopes that suffices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Way {
    /// The scopes; none where none is needed.
    pub scopes: Vec<ScopeName>,
    /// Who may be granted them, and is allowed then.
    pub callers: Vec<String>,
}

/// Somebody who may not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Other {
    /// Who.
    pub caller: String,
    /// The answer.
    pub letter: Letter,
    /// What they lack, where scopes would turn the answer.
    pub missing: Vec<ScopeName>,
}

/// A forbid that holds for some.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Condition {
    /// The policy.
    pub policy: String,
    /// Its line.
    pub place: Option<Place>,
}

impl WhoCan {
    /// Whether anybody may.
    #[must_use]
    pub fn anybody(&self) -> bool {
        self.ways.iter().any(|way| !way.callers.is_empty())
    }
}

/// Who may do this to that.
#[must_use]
pub fn who_can(reach: &Reach<'_>, verb: Verb, target: &Target) -> WhoCan {
    let every = reach.engine().bundle().scopes();
    let mut ways: BTreeMap<(usize, BTreeSet<ScopeName>), Vec<String>> = BTreeMap::new();
    let mut others = Vec::new();
    let mut complete = true;
    for caller in reach.callers() {
        let minimal = reach.minimal(caller, verb, target, every);
        complete &= minimal.extent == Extent::Whole;
        let most = reach.ceiling(caller);
        let letter = reach.at_most(caller, verb, target);
        let mut may = false;
        for set in &minimal.sets {
            let callers = ways.entry((set.len(), set.clone())).or_default();
            if set.is_subset(most) {
                may = true;
                let sometimes = reach.letter(caller, set, verb, target) == Letter::Sometimes;
                callers.push(if sometimes { format!("{} (not always)", caller.who) } else { caller.who.to_string() });
            }
        }
        if !may {
            let decision = reach.decision(caller, most, verb, target);
            others.push(Other { caller: caller.who.to_string(), letter, missing: decision.missing });
        }
    }
    WhoCan {
        target: target.to_string(),
        action: verb.action(),
        ways: ways
            .into_iter()
            .map(|((_, scopes), callers)| Way { scopes: scopes.into_iter().collect(), callers })
            .collect(),
        others,
        conditions: reach.policies(verb, target).filter(|policy| is_condition(policy)).map(condition).collect(),
        complete,
    }
}

/// Whether a policy of the author's takes away from some callers, or at some moments.
fn is_condition(policy: &Policy) -> bool {
    let facts = ["client", "groups", "findings", "drifted", "filtered", "args", "*"];
    policy.place().is_some()
        && policy.shape().effect == Effect::Forbid
        && facts.iter().chain(&VOLATILE).any(|fact| policy.needs.is_none() && policy.shape().facts.contains(*fact))
}

fn condition(policy: &Policy) -> Condition {
    Condition { policy: policy.id().to_owned(), place: policy.place().cloned() }
}

/// What somebody may use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Uses {
    /// Who.
    pub caller: String,
    /// The most that may be granted.
    pub at_most: Vec<ScopeName>,
    /// What may be used, by server and name.
    pub uses: Vec<Use>,
    /// How many of the things that are pinned or named may not.
    pub denied: usize,
    /// Whether every set of scopes was tried.
    pub complete: bool,
}

/// One thing that may be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Use {
    /// As `server/name`, with a pattern or `*` for what is not named.
    pub target: String,
    /// `tool`, `prompt` or `resource`.
    pub kind: &'static str,
    /// The fewest scopes that suffice, each set for itself.
    pub with: Vec<Vec<ScopeName>>,
    /// Whether a condition may deny it all the same.
    pub sometimes: bool,
}

/// What a caller may use.
#[must_use]
pub fn uses(reach: &Reach<'_>, caller: &Caller) -> Uses {
    let most = reach.ceiling(caller);
    let kinds = [("tool", Verb::ToolsCall), ("prompt", Verb::PromptsGet), ("resource", Verb::ResourcesRead)];
    let mut found = Uses {
        caller: caller.who.to_string(),
        at_most: most.iter().cloned().collect(),
        uses: Vec::new(),
        denied: 0,
        complete: true,
    };
    for server in reach.servers() {
        for (kind, verb) in kinds {
            for aim in reach.aims(server, verb) {
                let minimal = reach.minimal(caller, verb, &aim.target, most);
                found.complete &= minimal.extent == Extent::Whole;
                if minimal.sets.is_empty() {
                    found.denied += 1;
                    continue;
                }
                found.uses.push(Use {
                    target: format!("{server}/{}", aim.name()),
                    kind,
                    with: minimal.sets.iter().map(|set| set.iter().cloned().collect()).collect(),
                    sometimes: minimal
                        .sets
                        .iter()
                        .any(|set| reach.letter(caller, set, verb, &aim.target) == Letter::Sometimes),
                });
            }
        }
    }
    found
}
