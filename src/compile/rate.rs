//! `rates:` → permits of the question *charge*, one a tier.
//!
//! A tier is charged before the caller is known where that is possible, so that bad tokens cost their
//! sender: where it is counted by address and reads only what is known then. What names a server or a
//! tool is charged after, since on `/mcp` the server stands in the body.
//!
//! SPEC: design §3 *charge*; SM-16, SM-17, SM-18.

use super::{
    press::Written,
    render::{Draft, endpoints, string},
    rule::{condition_problem, enclosed, shape},
};
use crate::{
    config::{Rate, Site},
    diagnostic::Diagnostic,
    name::EntryId,
    policy::{By, Effect, EndpointClass},
};

/// What is known before the caller is.
const EARLY: [&str; 4] = ["address", "now", "oauth", "tls"];

/// The policy of a tier.
pub(super) fn policy(name: &EntryId, rate: &Rate) -> Result<Written, Box<Diagnostic>> {
    let Rate { limit, window, burst, by, on, when, penalty, place } = rate;
    if let Some(problem) = when.as_ref().and_then(condition_problem) {
        return Err(Box::new(problem));
    }
    let mut notes =
        vec![("tier", name.to_string()), ("limit", limit.to_string()), ("window", window.as_secs().to_string())];
    notes.extend(burst.map(|burst| ("burst", burst.to_string())));
    notes.push(("by", by.as_str().to_owned()));
    notes.extend(
        penalty.map(|penalty| ("penalty", format!("{} {} {}", penalty.after, penalty.factor, penalty.time.as_secs()))),
    );
    let mut conditions = vec![sites(on.as_deref().map(|on| on.iter().map(|site| &site.value)))];
    conditions.extend(match by {
        By::Server => Some("context has server".to_owned()),
        By::Tool => Some("context has server && context has tool".to_owned()),
        By::Address | By::Client | By::User | By::Token => None,
    });
    conditions.extend(when.as_ref().map(|when| enclosed(&when.value)));
    let id = format!("rate/{name}");
    let draft = Draft {
        id: &id,
        notes,
        effect: Effect::Permit,
        principal: "principal",
        resource: "resource",
        actions: vec![if is_early(rate) { "charge/address" } else { "charge/caller" }],
        when: conditions,
        unless: Vec::new(),
    };
    let condition = when.as_ref().map(|when| when.place.clone());
    Ok(Written { condition, ..draft.written(Some(place)) })
}

/// Whether a tier can be charged before the caller is known.
fn is_early(rate: &Rate) -> bool {
    let everywhere = |site: &Site| matches!(site, Site::Endpoints(..));
    let reads_early =
        rate.when.as_ref().and_then(|when| shape(&when.value)).is_none_or(|shape| {
            !shape.reads_principal && shape.facts.iter().all(|fact| EARLY.contains(&fact.as_str()))
        });
    rate.by == By::Address && reads_early && rate.on.iter().flatten().all(|site| everywhere(&site.value))
}

/// Where a tier is drawn from, as one condition.
fn sites<'s>(on: Option<impl Iterator<Item = &'s Site>>) -> String {
    let Some(on) = on else {
        return endpoints(EndpointClass::ALL.into_iter().filter(|class| *class != EndpointClass::Health));
    };
    let mut classes = Vec::new();
    let mut places = Vec::new();
    let mcp = |rest: &str| format!("({} && {rest})", endpoints([EndpointClass::Mcp]));
    let server = |server: &str| format!("context has server && context.server == {}", string(server));
    for site in on {
        match site {
            Site::Endpoints(_, of) => classes.extend(of.iter().copied()),
            Site::Server(name) => places.push(mcp(&server(name.as_str()))),
            Site::Tool(name, pattern) => {
                let operator = if pattern.is_literal() { "==" } else { "like" };
                let tool = format!("context has tool && context.tool {operator} {}", string(pattern.as_str()));
                places.push(mcp(&format!("{} && {tool}", server(name.as_str()))));
            }
        }
    }
    classes.sort_unstable();
    classes.dedup();
    let mut alternatives = Vec::new();
    if !classes.is_empty() {
        alternatives.push(endpoints(classes));
    }
    places.sort();
    alternatives.extend(places);
    match alternatives.as_slice() {
        [one] => one.clone(),
        many => format!("({})", many.join(" || ")),
    }
}
