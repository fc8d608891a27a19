//! PC504 `no-body-limit`: a body or an answer that may be as large as its sender likes.
//!
//! Reads `listen.limits.body`, and `body` and `answer` of the `limits` of a server. What is not written
//! is limited (4 MiB for a body), so the rule fires on what turns the limit off or makes it so large
//! that it is none: every connection may hold that much memory (CWE-770).

use super::{Check, Fixable, Page, Subject, page::and, written};
use crate::{
    config::{Node, Size},
    diagnostic::{About, Class, Diagnostic, Level, Safety},
};

pub(super) struct NoBodyLimit;

const ABOUT: About = About {
    code: "PC504",
    name: "no-body-limit",
    class: Class::Security(Level::Medium),
    summary: "a body or answer without a limit that protects",
    help: "remove the key, or write a size such as `4MiB`",
};

const PAGE: Page = Page {
    fix: Fixable::Safe,
    tags: &["CWE-770"],
    ..Page::new(
        "each connection may hold as much memory as the limit allows: a few callers, or one server, then take the gateway down",
        and!(
            r#"listen: {limits: {body: 1GiB}}
"#
        ),
        and!(
            r#"listen: {limits: {body: 4MiB}}
"#
        ),
    )
};

/// The largest limit that is one: sixteen times the default.
const MOST: usize = 64 << 20;

impl Check for NoBodyLimit {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn run(&self, subject: &Subject<'_>, findings: &mut Vec<Diagnostic>) {
        let Some(tree) = subject.tree else { return };
        for limits in limits(tree) {
            for limit in ["body", "answer"].into_iter().filter_map(|key| limits.get(key)) {
                let large = limit.scalar().and_then(|text| text.parse::<Size>().ok()).is_some_and(|Size(n)| n > MOST);
                if !large && !written::is_off(limit) {
                    continue;
                }
                let shown = written::shown("body", limit);
                let message = if large { format!("{shown} is no limit that protects") } else { "no limit".to_owned() };
                let finding = ABOUT.at(&limit.place, message);
                findings.push(finding.fix(Safety::Safe, "limit it to `4MiB`", &limit.place, "4MiB"));
            }
        }
    }
}

/// Every map of limits: the listener's, and each server's.
pub(super) fn limits(tree: &Node) -> impl Iterator<Item = &Node> {
    let servers = tree.get("servers").map(Node::entries).unwrap_or_default();
    let servers = servers.iter().map(|server| &server.value);
    let ways = servers.clone().filter_map(|server| server.get("http").or_else(|| server.get("stdio")));
    tree.get("listen").into_iter().chain(servers).chain(ways).filter_map(|map| map.get("limits"))
}
