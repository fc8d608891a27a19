//! Whether the policies fit the schema: Cedar's strict validation, its warnings of impossible
//! policies taken as errors.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::{PolicySet, Schema, ValidationMode, Validator};

use super::findings::{self, CONDITION, IMPOSSIBLE};
use crate::{
    diagnostic::{Diagnostic, Place},
    policy::Policy,
};

/// Everything that strict validation finds, at the lines behind the policies.
pub(super) fn problems<'p>(
    schema: &Schema,
    policies: impl Iterator<Item = &'p Policy> + Clone,
    whole: &Place,
) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    let mut set = PolicySet::new();
    for policy in policies.clone() {
        if set.add(policy.cedar.clone()).is_err() {
            let place = policy.place().unwrap_or(whole);
            problems.push(
                findings::NAMELESS
                    .at(place, format!("the id `{}` is taken twice", policy.id()))
                    .help("give each its own id"),
            );
        }
    }
    let result = Validator::new(schema.clone()).validate_with_level(&set, ValidationMode::Strict, 1);
    let place = |id: &cedar_policy::PolicyId| {
        let id: &str = id.as_ref();
        policies
            .clone()
            .find(|policy| policy.id() == id)
            .and_then(|policy| policy.place().cloned())
            .unwrap_or_else(|| whole.clone())
    };
    // One mistake is found again for every action that a policy names, in no order.
    let mut mistakes: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
    for error in result.validation_errors() {
        let (said, action) = apart(&findings::said(error), error.policy_id().as_ref());
        let help = miette::Diagnostic::help(error).map(|help| help.to_string());
        mistakes.entry((place(error.policy_id()), said, help)).or_default().extend(action);
    }
    for ((place, (before, after), help), actions) in mistakes {
        let actions = match (actions.first(), actions.len()) {
            (None, _) => String::new(),
            (Some(action), 1) => format!(" for `{action}`"),
            (Some(action), 2) => format!(" for `{action}` and another action"),
            (Some(action), count) => format!(" for `{action}` and {} other actions", count - 1),
        };
        let finding = CONDITION.at(&place, format!("{before}{actions}{after}"));
        problems.push(match help {
            Some(help) => finding.help(help),
            None => finding,
        });
    }
    for warning in result.validation_warnings() {
        problems.push(IMPOSSIBLE.at(&place(warning.policy_id()), findings::said(warning)));
    }
    problems.dedup_by(|a, b| a == b);
    problems
}

/// What Cedar says, without the policy that the place shows; before and after the action that it
/// names, and the action.
fn apart(said: &str, policy: &str) -> ((String, String), Option<String>) {
    let said = said.strip_prefix(&format!("for policy `{policy}`, ")).unwrap_or(said);
    let parts = said
        .split_once(" for Portcullis::Action::\"")
        .and_then(|(before, rest)| rest.split_once('"').map(|(action, after)| (before, action, after)));
    match parts {
        Some((before, action, after)) => ((before.to_owned(), after.to_owned()), Some(action.to_owned())),
        None => ((said.to_owned(), String::new()), None),
    }
}
