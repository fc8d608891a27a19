//! PC505 `no-timeout`: something may take for ever.
//!
//! Reads `request` and `idle` of `listen.limits`, and `timeout`, `connect_timeout` and `idle_timeout`
//! of a server, its `http` and its `stdio`. What is not written is bounded, so the rule fires on what
//! turns a bound off, or makes it longer than an hour: whoever holds a connection open holds its
//! place among them too (CWE-1088).

use std::time::Duration;

use super::{Check, Fixable, Page, Subject, page::and, written};
use crate::{
    config::{Node, Span},
    diagnostic::{About, Class, Diagnostic, Level, Safety},
};

pub(super) struct NoTimeout;

const ABOUT: About = About {
    code: "PC505",
    name: "no-timeout",
    class: Class::Security(Level::Medium),
    summary: "a request, a connection or a server without a bound in time that protects",
    help: "remove the key, or write a duration such as `60s`",
};

const PAGE: Page = Page {
    fix: Fixable::Safe,
    tags: &["CWE-1088"],
    ..Page::new(
        "a caller or server that never finishes keeps its connection and its memory: enough of them, and nobody else gets in",
        and!(
            r#"listen: {limits: {request: 7d}}
"#
        ),
        and!(
            r#"listen: {limits: {request: 60s}}
"#
        ),
    )
};

/// The longest bound that is one.
const MOST: Duration = Duration::from_secs(3600);

impl Check for NoTimeout {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn run(&self, subject: &Subject<'_>, findings: &mut Vec<Diagnostic>) {
        let Some(tree) = subject.tree else { return };
        let servers = tree.get("servers").map(Node::entries).unwrap_or_default();
        let servers = servers.iter().map(|server| &server.value);
        let ways = servers.clone().filter_map(|server| server.get("http").or_else(|| server.get("stdio")));
        let listener =
            tree.at(&["listen", "limits"]).into_iter().map(|limits| (limits, ["request", "idle"].as_slice()));
        let theirs = servers.chain(ways).map(|map| (map, ["timeout", "connect_timeout", "idle_timeout"].as_slice()));
        for (map, keys) in listener.chain(theirs) {
            for (key, bound) in keys.iter().filter_map(|key| Some((*key, map.get(key)?))) {
                findings.extend(judged(key, bound));
            }
        }
    }
}

fn judged(key: &str, bound: &Node) -> Option<Diagnostic> {
    let long = bound.scalar()?.parse::<Span>().is_ok_and(|Span(span)| span > MOST);
    if !long && !written::is_off(bound) {
        return None;
    }
    let shown = written::shown(key, bound);
    let message = match long {
        true => format!("`{key}` may take {shown}, which bounds nothing"),
        false => format!("`{key}` is unbounded"),
    };
    let usual = if key.starts_with("idle") { "75s" } else { "60s" };
    let finding = ABOUT.at(&bound.place, message);
    Some(finding.fix(Safety::Safe, format!("bound it to `{usual}`"), &bound.place, usual))
}
