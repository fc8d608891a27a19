//! Policies taken apart: those that determined a decision, and the permits that nearly held.

use serde::Serialize;

use crate::{
    diagnostic::Place,
    policy::{Clause, Decision, Effect, Engine, Holds, Policy, Question},
};

/// A policy with what of it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Examined {
    /// Its id.
    pub policy: String,
    /// Its effect.
    pub effect: Effect,
    /// The line behind it; guard rails that ship with the product have none.
    pub place: Option<Place>,
    /// How many clauses do not hold.
    pub failing: usize,
    /// Its parts.
    pub clauses: Vec<Clause>,
}

impl Examined {
    fn of(engine: &Engine, question: &Question<'_>, policy: &Policy) -> Result<Self, String> {
        let clauses = engine.clauses(question, policy)?;
        Ok(Self {
            policy: policy.id().to_owned(),
            effect: policy.shape().effect,
            place: policy.place().cloned(),
            failing: clauses.iter().filter(|clause| !matches!(clause.holds, Holds::Yes | Holds::Depends)).count(),
            clauses,
        })
    }
}

/// The policies that determined a decision, and those that could not be evaluated.
pub(super) fn determining(
    engine: &Engine,
    question: &Question<'_>,
    decision: &Decision,
) -> Result<Vec<Examined>, String> {
    let determined = |policy: &&Policy| {
        decision.reasons.iter().any(|reason| &*reason.policy == policy.id())
            || decision.errors.iter().any(|error| error.contains(&format!("`{}`", policy.id())))
    };
    engine
        .asked_of(question)
        .into_iter()
        .filter(determined)
        .map(|policy| Examined::of(engine, question, policy))
        .collect()
}

/// The permits that were asked and do not hold, fewest failing clauses first.
pub(super) fn misses(engine: &Engine, question: &Question<'_>) -> Result<Vec<Examined>, String> {
    let permits = engine.asked_of(question).into_iter().filter(|policy| policy.shape().effect == Effect::Permit);
    let mut misses: Vec<Examined> =
        permits.map(|policy| Examined::of(engine, question, policy)).collect::<Result<_, _>>()?;
    misses.retain(|miss| miss.failing > 0);
    misses.sort_by(|a, b| (a.failing, &a.policy).cmp(&(b.failing, &b.policy)));
    Ok(misses)
}
