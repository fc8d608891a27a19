//! Whether the policies fit the schema: Cedar's strict validation, its warnings of impossible
//! policies taken as errors.

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
    for error in result.validation_errors() {
        let finding = CONDITION.at(&place(error.policy_id()), findings::said(error));
        problems.push(match miette::Diagnostic::help(error) {
            Some(help) => finding.help(help.to_string()),
            None => finding,
        });
    }
    for warning in result.validation_warnings() {
        problems.push(IMPOSSIBLE.at(&place(warning.policy_id()), findings::said(warning)));
    }
    // One mistake is found again in every environment that a policy applies to.
    problems.dedup_by(|a, b| a == b);
    problems
}
