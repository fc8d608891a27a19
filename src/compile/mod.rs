//! A configuration's meaning → a bundle.
//!
//! `schema` says what policies may speak of, `server`, `rule` and `grant` turn their sections into
//! policies, `hand_written` takes in the author's own, `render` writes them down, `press` makes those of
//! one shape from one parse, and `verify` holds them against the schema. The same meaning gives the same bytes.

pub(crate) mod findings;
mod grant;
mod hand_written;
mod press;
mod render;
mod rule;
mod schema;
mod server;
mod verify;

use std::collections::{HashMap, HashSet};

use crate::{
    config::Config,
    diagnostic::{Diagnostic, Place},
    policy::{Bundle, Policy, VOLATILE},
};

/// Compiles a configuration.
///
/// # Errors
/// Everything that is wrong with conditions and hand-written policies, at their lines.
pub fn bundle(config: &Config) -> Result<Bundle, Vec<Diagnostic>> {
    let whole = &config.listen.public_url.place;
    let mut problems = Vec::new();
    let mut uses = Vec::new();
    let mut grants = Vec::new();
    let mut conditions = HashMap::new();
    let mut press = press::Press::default();
    let mut drafted = HashSet::new();
    let own = |error: String, place: &Place| findings::CONDITION.at(place, error);
    match hand_written::guard_rails() {
        Ok(policies) => uses.extend(policies),
        Err(error) => problems.push(own(error, whole)),
    }
    for (name, server) in &config.servers {
        match server::policies(name, server, &mut press) {
            Ok(policies) => {
                drafted.extend(policies.iter().map(|policy| policy.id().to_owned()));
                uses.extend(policies);
            }
            Err(error) => problems.push(own(error, &server.place)),
        }
    }
    for rule in &config.rules {
        match rule::policies(rule) {
            Ok(policies) => {
                let written = rule.when.as_ref().or(rule.unless.as_ref());
                conditions.extend(
                    policies.iter().filter_map(|policy| Some((policy.id().to_owned(), written?.place.clone()))),
                );
                uses.extend(policies);
            }
            Err(wrong) => problems.extend(wrong),
        }
    }
    match grant::policies(&config.grants, &mut press) {
        Ok(policies) => {
            drafted.extend(policies.iter().map(|policy| policy.id().to_owned()));
            grants.extend(policies);
        }
        Err(error) => problems.push(own(error, whole)),
    }
    for file in &config.policies {
        match hand_written::policies(file) {
            Ok(written) => {
                uses.extend(written.uses);
                grants.extend(written.grants);
            }
            Err(wrong) => problems.extend(wrong),
        }
    }
    let read: Vec<&str> = VOLATILE.into_iter().filter(|fact| reads(&uses, fact)).collect();
    let text = schema::text(&read);
    let schema = match cedar_policy::Schema::from_cedarschema_str(&text) {
        Ok((schema, _)) => schema,
        Err(error) => return Err(vec![own(error.to_string(), whole)]),
    };
    let all: Vec<&Policy> = uses.iter().chain(&grants).collect();
    problems.extend(verify::problems(&schema, &all, &drafted, &conditions, whole));
    if !problems.is_empty() {
        return Err(problems);
    }
    let scopes = config.tags.keys().map(crate::name::TagName::scope).collect();
    let servers = config.servers.keys().cloned().collect();
    Ok(Bundle::new((schema, text), uses, grants, servers, scopes, config.oauth.enabled.value))
}

fn reads(policies: &[Policy], fact: &str) -> bool {
    policies.iter().any(|policy| policy.shape().facts.contains(fact) || policy.shape().facts.contains("*"))
}

/// The Cedar schema with every fact there is, for authors and editors.
#[must_use]
pub fn vocabulary() -> String {
    schema::text(&VOLATILE)
}
