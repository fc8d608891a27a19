//! Whether the policies fit the schema: Cedar's strict validation, its warnings of impossible
//! policies taken as errors.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, MutexGuard, PoisonError},
};

use cedar_policy::{PolicyId, PolicySet, ValidationMode, ValidationWarning, Validator};

use super::{
    findings::{self, CONDITION, IMPOSSIBLE},
    schema::Known,
};
use crate::{
    diagnostic::{Diagnostic, Place},
    policy::Policy,
    share,
};

/// Molds that are remembered of one schema.
const MOST: usize = 1_000;

/// Everything that strict validation finds. A finding stands at the condition of its policy where
/// `conditions` has it, else at the line behind the policy, else at `whole`.
///
/// Policies are typed one by one. Of those that the compiler wrote, and that differ only in
/// names and tags, one is typed for all, once by each schema: no literal of theirs has a type of its own. What is
/// left of a large set is shared out among the processors.
pub(super) fn problems(
    schema: &Known,
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
    let Shapes { first, rest } = Shapes::of(policies, &fits(schema));
    let untyped = |some: &[&Policy]| untyped(&schema.validator, some, conditions, whole);
    let mut found = share::out(&first, 4, untyped);
    if found.is_empty() {
        let mut fits = fits(schema);
        if fits.len() < MOST {
            fits.extend(first.iter().filter_map(|policy| policy.mold.clone()));
        }
    } else {
        // Something is wrong with a shape, or with others: now each is asked for itself.
        found.extend(share::out(&rest, 4, untyped));
    }
    // One mistake is found again in every environment that a policy applies to.
    let mut known = HashSet::new();
    found.retain(|problem| known.insert((problem.code, problem.place().cloned(), problem.message.clone())));
    problems.append(&mut found);
    problems
}

/// Policies by what their typing rests on.
struct Shapes<'p> {
    /// The first of each shape, and all that the compiler did not draft.
    first: Vec<&'p Policy>,
    /// The others that are not known to fit, which are typed as the first of theirs.
    rest: Vec<&'p Policy>,
}

impl<'p> Shapes<'p> {
    fn of(policies: &[&'p Policy], fits: &HashSet<Arc<str>>) -> Self {
        let mut known = HashSet::new();
        let others = policies.iter().filter(|policy| policy.mold.as_ref().is_none_or(|mold| !fits.contains(mold)));
        let (first, rest) = others.partition(|policy| match &policy.mold {
            Some(mold) => known.insert(mold),
            None => true,
        });
        Self { first, rest }
    }
}

/// The molds that are known to fit a schema.
fn fits(schema: &Known) -> MutexGuard<'_, HashSet<Arc<str>>> {
    schema.fits.lock().unwrap_or_else(PoisonError::into_inner)
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
    let places: HashMap<&str, &Place> =
        policies.iter().filter_map(|policy| Some((policy.id(), policy.place()?))).collect();
    let place = |id: &PolicyId| {
        let id: &str = id.as_ref();
        let written = || places.get(id).map(|place| (*place).clone());
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
    // Look-alikes are the business of a rule of their own, which reads them where they are written.
    let looks = |warning: &ValidationWarning| {
        matches!(
            warning,
            ValidationWarning::MixedScriptString(_)
                | ValidationWarning::BidiCharsInString(_)
                | ValidationWarning::MixedScriptIdentifier(_)
                | ValidationWarning::BidiCharsInIdentifier(_)
                | ValidationWarning::ConfusableIdentifier(_)
        )
    };
    let warnings = result
        .validation_warnings()
        .filter(|warning| !looks(warning))
        .map(|warning| IMPOSSIBLE.at(&place(warning.policy_id()), plain(warning)));
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        compile::{self, press, vocabulary},
        config::load_text,
    };

    /// Of every section that has a say in requests as such, something.
    const FRONT: &str = "oauth: {enabled: true}\ncors: {origins: ['https://a.example', 'https://b.example']}\nrates: {general: {limit: 100, window: 15m, by: address, on: [oauth]}, one: {limit: 5, window: 1m, by: tool, on: [s0/t0, 's0/d*']}}\nheaders: {legacy-xss: true, hsts: true, rules: [{on: [oauth], set: {X-One: one, X-Two: two}}, {remove: [X-Frame-Options]}]}\nvalidation: {sql-injection: deny, exceptions: [{on: [s0], sql-injection: off}, {on: [s0/t0], header-injection: deny}]}\n";

    /// A configuration of many shapes.
    fn yaml(servers: &[(u8, bool, u8, bool)]) -> String {
        let mut text = "version: 1\ntags: {a: A, b: B, c: C}\nservers:\n".to_owned();
        for (nth, (tags, any, tools, public)) in servers.iter().enumerate() {
            let some = |bits: u8| -> Vec<&str> {
                ["a", "b", "c"]
                    .into_iter()
                    .enumerate()
                    .filter(|(bit, _)| bits >> bit & 1 == 1)
                    .map(|(_, tag)| tag)
                    .collect()
            };
            text.push_str(&format!("  s{nth}:\n    public: {public}\n    stdio: {{command: [cat]}}\n"));
            if !some(*tags).is_empty() {
                text.push_str(&format!("    tags: [{}]\n", some(*tags).join(", ")));
            }
            if *any {
                text.push_str("    require: any\n");
            }
            if !some(*tools).is_empty() {
                text.push_str(&format!(
                    "    tools: {{t{nth}: {{tags: [{}]}}, 'd*{nth}': deny}}\n    resources: {{'file:*': deny}}\n",
                    some(*tools).join(", ")
                ));
            }
        }
        text.push_str("grants: [{to: {user: '*'}, scopes: ['tag:a']}, {to: {user: ana}, scopes: ['tag:a', 'tag:b']}, {to: {user: eva}, scopes: ['tag:c', 'tag:b']}, {to: {client: bot}, scopes: ['tag:b']}, {to: {group: staff}, scopes: ['tag:c']}]\n");
        text.push_str(FRONT);
        text
    }

    /// A policy as JSON, without an id that is its only note.
    fn told(policy: &Policy) -> serde_json::Value {
        let mut json = policy.cedar.to_json().unwrap();
        let notes = json.as_object_mut().unwrap().entry("annotations").or_insert(serde_json::json!({}));
        if let Some(notes) = notes.as_object_mut().filter(|notes| notes.len() == 1) {
            notes.remove("id");
        }
        json
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]
        #[test]
        fn one_of_a_shape_is_typed_as_all_of_it(servers in prop::collection::vec((0..8_u8, any::<bool>(), 0..8_u8, any::<bool>()), 1..5)) {
            // With one server that has everything, whatever the others have.
            let servers: Vec<_> = servers.into_iter().chain([(3, false, 4, false)]).collect();
            let config = load_text("f", &yaml(&servers), &|_| None).config.unwrap();
            let mut written = compile::admit::policies(&config);
            written.extend(compile::validation::policies(&config, &Default::default()));
            for (name, server) in &config.servers {
                written.extend(compile::server::policies(name, server, &Default::default()));
            }
            written.extend(config.rates.iter().map(|(name, rate)| compile::rate::policy(name, rate).unwrap()));
            written.extend(compile::grant::policies(&config.grants));
            written.extend(compile::header::policies(&config.headers).unwrap());
            let policies: Vec<Policy> = press::policies(&written).into_iter().map(Result::unwrap).collect();
            let whole = &config.listen.public_url.place;
            let parsed: Vec<Policy> =
                policies.iter().map(|policy| Policy::parse(policy.id(), policy.text(), policy.place().cloned(), None).unwrap()).collect();
            // Made from one parse, each is what its own text says.
            for (policy, parsed) in policies.iter().zip(&parsed) {
                prop_assert!(policy.mold.is_some(), "{}", policy.text());
                prop_assert_eq!(told(parsed), told(policy));
                prop_assert_eq!(parsed.shape(), policy.shape());
            }
            let good = vocabulary();
            // Schemas under which some shapes do not fit.
            for text in [
                good.clone(),
                good.replace("        named: Set<String>,\n", ""),
                good.replace("{ name: String, server", "{ server"),
                good.replace("entity Scope;", "entity Scope enum [\"x\"];"),
                good.replace("enum [\"authorize\"", "enum [\"authorise\""),
                good.replace("oauth: Bool, page: Bool", "oauth: Bool"),
                good.replace("        forwarded: Bool,\n        host_known", "        host_known").replace("origin?: { loopback: Bool", "origin?: { loopback: String"),
            ] {
                let schema = Known::read(&text).unwrap();
                let said = |policies: &[Policy]| {
                    let problems = problems(&schema, &policies.iter().collect::<Vec<_>>(), &HashMap::new(), whole);
                    let mut said: Vec<String> = problems.iter().map(ToString::to_string).collect();
                    said.sort();
                    said
                };
                let one_by_one = said(&parsed);
                prop_assert_eq!(&said(&policies), &one_by_one);
                // What was found to fit is not asked again, and what was not is.
                prop_assert_eq!(&said(&policies), &one_by_one);
                prop_assert_eq!(one_by_one.is_empty(), text == good);
            }
        }
    }
}
