//! Whether the policies fit the schema: Cedar's strict validation, its warnings of impossible
//! policies taken as errors.

use std::{
    collections::{HashMap, HashSet},
    num::NonZeroUsize,
};

use cedar_policy::{PolicyId, PolicySet, Schema, ValidationMode, Validator};

use super::findings::{self, CONDITION, IMPOSSIBLE};
use crate::{
    diagnostic::{Diagnostic, Place},
    policy::Policy,
};

/// Policies that one thread takes at a time; fewer are not worth a thread.
const BATCH: usize = 64;

/// Everything that strict validation finds. A finding stands at the condition of its policy where
/// `conditions` has it, else at the line behind the policy, else at `whole`.
///
/// Policies are typed one by one, so large sets are shared out among the processors.
pub(super) fn problems(
    schema: &Schema,
    policies: &[&Policy],
    conditions: &HashMap<String, Place>,
    whole: &Place,
) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    let mut ids = HashSet::new();
    for policy in policies {
        if !ids.insert(policy.id()) {
            let place = policy.place().unwrap_or(whole);
            let problem = format!("the id `{}` is taken twice", policy.id());
            problems.push(findings::NAMELESS.at(place, problem).help("give each its own id"));
        }
    }
    let validator = Validator::new(schema.clone());
    let workers = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let batch = policies.len().div_ceil(workers).max(BATCH);
    let found: Vec<Diagnostic> = std::thread::scope(|scope| {
        let workers: Vec<_> =
            policies.chunks(batch).map(|some| scope.spawn(|| untyped(&validator, some, conditions, whole))).collect();
        // A worker that fell has not said yes: its policies are not let through.
        let fell = |_| vec![CONDITION.at(whole, "the policies could not be validated")];
        workers.into_iter().flat_map(|worker| worker.join().unwrap_or_else(fell)).collect()
    });
    // One mistake is found again in every environment that a policy applies to.
    for problem in found {
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }
    problems
}

/// What is wrong with some policies.
fn untyped(
    validator: &Validator,
    policies: &[&Policy],
    conditions: &HashMap<String, Place>,
    whole: &Place,
) -> Vec<Diagnostic> {
    let mut set = PolicySet::new();
    for policy in policies {
        // An id that is taken twice was found before.
        _ = set.add(policy.cedar.clone());
    }
    let result = validator.validate_with_level(&set, ValidationMode::Strict, 1);
    let place = |id: &PolicyId| {
        let id: &str = id.as_ref();
        let written = || policies.iter().find(|policy| policy.id() == id).and_then(|policy| policy.place().cloned());
        conditions.get(id).cloned().or_else(written).unwrap_or_else(|| whole.clone())
    };
    let errors = result.validation_errors().map(|error| {
        let finding = CONDITION.at(&place(error.policy_id()), plain(error));
        // Cedar's guesses at names are of little help; ours lists them all.
        let help = miette::Diagnostic::help(error).map(|help| help.to_string());
        match help.filter(|help| !help.starts_with("did you mean")) {
            Some(help) => finding.help(help),
            None => finding,
        }
    });
    let warnings =
        result.validation_warnings().map(|warning| IMPOSSIBLE.at(&place(warning.policy_id()), plain(warning)));
    errors.chain(warnings).collect()
}

/// What Cedar says, without what our place says better and without the one environment of many.
fn plain(said: &dyn std::fmt::Display) -> String {
    let text = findings::said(said);
    let text = text
        .strip_prefix("for policy `")
        .and_then(|rest| rest.split_once("`, "))
        .map_or(text.as_str(), |(_, rest)| rest);
    match text.split_once(" in context for Portcullis::Action::") {
        Some((before, rest)) => match rest.strip_prefix('"').and_then(|rest| rest.split_once('"')) {
            Some((_, after)) => format!("{before} in `context`{after}"),
            None => text.to_owned(),
        },
        None => text.to_owned(),
    }
}
