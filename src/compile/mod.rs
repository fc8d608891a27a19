//! A configuration's meaning → a bundle.
//!
//! `schema` says what policies may speak of, `argument` which arguments rules read, `server`, `rule`, `grant`,
//! `rate`, `admit`, `validation` and `header` write down what their sections mean (`render` says how), `press` makes
//! policies of that, those of one shape from one parse, `hand_written` takes in the author's own, and `verify` holds
//! all of them against the schema. The same meaning gives the same bytes.

mod admit;
mod argument;
pub(crate) mod findings;
mod grant;
mod hand_written;
pub(crate) mod header;
mod press;
mod rate;
mod render;
mod rule;
mod schema;
mod server;
mod validation;
mod verify;

#[cfg(all(test, feature = "serve"))]
pub(crate) use admit::takes_other_pages;
pub(crate) use argument::path as argument_path;
pub(crate) use rule::body as condition;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use crate::{
    config::Config,
    diagnostic::{Diagnostic, Place},
    lock::Lock,
    name::{ServerName, ToolName},
    policy::{Bundle, Expected, Policy, QuestionKind, VOLATILE},
    share,
};

/// Compiles a configuration, with what `portcullis.lock` pins where there is one.
///
/// # Errors
/// Everything that is wrong with conditions and hand-written policies, at their lines.
pub fn bundle(config: &Config, lock: Option<&Lock>) -> Result<Bundle, Vec<Diagnostic>> {
    let whole = &config.listen.public_url.place;
    let mut problems = Vec::new();
    let typing = argument::Typing::of(&config.rules, lock, &mut problems);
    // The schema that most configurations have is read while their policies are made, and then known.
    let likely = || drop(schema::of(&schema::text(&[], &typing)));
    let (all, conditions) = share::beside(likely, || policies(config, &typing, &mut problems));
    let read: Vec<&str> = VOLATILE.into_iter().filter(|fact| reads(&all, fact)).collect();
    let text = schema::text(&read, &typing);
    let schema = schema::of(&text).map_err(|error| vec![own(error, whole)])?;
    problems.extend(verify::problems(&schema, &all.iter().collect::<Vec<_>>(), &conditions, whole));
    let expected = expected(config, lock, typing, &mut problems);
    if !problems.is_empty() {
        return Err(problems);
    }
    let scopes = config.tags.keys().map(crate::name::TagName::scope).collect();
    let servers = config.servers.keys().cloned().collect();
    let views = config.views.iter().map(|(name, view)| {
        let scopes = view.tags.iter().map(|tag| tag.value.scope()).collect();
        (name.clone(), scopes)
    });
    let bundle =
        Bundle::new((Arc::clone(&schema.schema), text), all, servers, scopes, config.oauth.enabled.value, expected);
    Ok(bundle.with_views(views.collect()))
}

/// Every policy that a configuration means, and the conditions of its authors by the policies they stand in.
fn policies(
    config: &Config,
    typing: &argument::Typing,
    problems: &mut Vec<Diagnostic>,
) -> (Vec<Policy>, HashMap<String, Place>) {
    let whole = &config.listen.public_url.place;
    let mut written = admit::policies(config);
    written.extend(validation::policies(config, typing));
    let servers: Vec<_> = config.servers.iter().collect();
    written.extend(share::out(&servers, 64, |some| {
        some.iter().flat_map(|(name, server)| server::policies(name, server, typing)).collect()
    }));
    for (nth, rule) in config.rules.iter().enumerate() {
        let Some(tools) = typing.of_rule(nth) else { continue };
        match rule::policies(rule, tools, typing) {
            Ok(policies) => written.extend(policies),
            Err(wrong) => problems.extend(wrong),
        }
    }
    for (name, rate) in &config.rates {
        match rate::policy(name, rate) {
            Ok(policy) => written.push(policy),
            Err(wrong) => problems.push(*wrong),
        }
    }
    written.extend(grant::policies(&config.grants));
    match header::policies(&config.headers) {
        Ok(policies) => written.extend(policies),
        Err(wrong) => problems.extend(wrong),
    }
    let mut all = Vec::new();
    match hand_written::shipped() {
        Ok(policies) => all.extend_from_slice(policies),
        Err(error) => problems.push(own(error, whole)),
    }
    for (written, made) in written.iter().zip(press::policies(&written)) {
        match made {
            Ok(policy) => all.push(policy),
            Err(error) => problems.push(own(error, written.place.as_ref().unwrap_or(whole))),
        }
    }
    let conditions = written.into_iter().filter_map(|written| Some((written.id, written.condition?))).collect();
    for file in &config.policies {
        match hand_written::policies(file) {
            Ok(policies) => all.extend(policies),
            Err(wrong) => problems.extend(wrong),
        }
    }
    (all, conditions)
}

/// Words about a policy of ours, or of an author's.
fn own(error: String, place: &Place) -> Diagnostic {
    findings::CONDITION.at(place, error)
}

/// What is expected of the arguments of each tool that is pinned.
fn expected(
    config: &Config,
    lock: Option<&Lock>,
    mut typing: argument::Typing,
    problems: &mut Vec<Diagnostic>,
) -> BTreeMap<ServerName, BTreeMap<ToolName, Arc<Expected>>> {
    let mut found: BTreeMap<ServerName, BTreeMap<ToolName, Arc<Expected>>> = BTreeMap::new();
    let pinned =
        lock.into_iter().flat_map(|lock| &lock.servers).filter(|(server, _)| config.servers.contains_key(*server));
    for (server, name, tool) in
        pinned.flat_map(|(server, offered)| offered.tools.iter().map(move |(name, tool)| (server, name, tool)))
    {
        let facts = typing.records.get_mut(server).and_then(|tools| tools.remove(name));
        match Expected::new(facts, tool.input_schema.as_ref()) {
            Ok(expected) => {
                found.entry(server.clone()).or_default().insert(name.clone(), Arc::new(expected));
            }
            Err(error) => {
                let message = format!("the schema of the arguments of `{server}/{name}` {error}");
                problems.push(findings::SCHEMA.at(&tool.place, message));
            }
        }
    }
    found
}

fn reads(policies: &[Policy], fact: &str) -> bool {
    policies.iter().any(|policy| policy.of == QuestionKind::Use && policy.shape().reads(fact))
}

/// The Cedar schema with every fact there is, for authors and editors.
#[must_use]
pub fn vocabulary() -> String {
    schema::text(&VOLATILE, &argument::Typing::default())
}
