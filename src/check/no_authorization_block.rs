//! PC114 `no-authorization-block`: callers need a token, and nobody may be granted anything.
//!
//! A missing block must not look like a permissive one: without `grants` no token opens any server that is
//! not `public`. It speaks instead of PC110 and PC102 of each server and tool.

use super::{Check, Example, Page, Subject};
use crate::{
    config::Server,
    diagnostic::{About, Class, Diagnostic, Level},
};

pub(super) struct NoAuthorizationBlock;

const ABOUT: About = About {
    code: "PC114",
    name: "no-authorization-block",
    class: Class::Security(Level::High),
    summary: "callers need a token, and there are no grants",
    help: "say under `grants` who may be granted which scopes",
};

const PAGE: Page = Page {
    tags: &["CWE-862"],
    ..Page::new(
        "without grants every server is closed to everybody; whoever takes that for open will open too much in mending it",
        Example::of(
            "version: 1\ntags: {web: Pages}\nservers:\n  docs:\n    tags: [web]\n    http: {url: \"https://docs.example.com/mcp\"}\n",
        ),
        Example::of(
            "version: 1\ntags: {web: Pages}\nservers:\n  docs:\n    tags: [web]\n    http: {url: \"https://docs.example.com/mcp\"}\ngrants:\n  - {to: {user: \"*\"}, scopes: [\"tag:web\"]}\n",
        ),
    )
};

impl Check for NoAuthorizationBlock {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn run(&self, subject: &Subject<'_>, findings: &mut Vec<Diagnostic>) {
        let (Some(config), Some(tree)) = (subject.config, subject.tree) else { return };
        let closed = |server: &Server| !server.public && !server.tags.is_empty();
        let Some(server) = config.servers.values().find(|server| closed(server)) else { return };
        // A grant that could not be read has its finding.
        let written = tree.get("grants").is_some_and(|grants| !grants.items().is_empty());
        if config.oauth.enabled.value && config.grants.is_empty() && !written {
            let place = tree.get("grants").map_or(&server.place, |grants| &grants.place);
            let message = "nobody may be granted anything, so no token opens a server";
            findings.push(ABOUT.at(place, message).label(if tree.get("grants").is_some() {
                ""
            } else {
                "closed to everybody"
            }));
        }
    }
}
