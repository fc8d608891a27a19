//! PC103 `policy-never-matches`: a condition that can never be true under the schema.
//!
//! The compiler raises it, where Cedar finds a policy impossible.

use super::{Check, Example, Page};
use crate::{compile::findings, diagnostic::About};

pub(super) struct PolicyNeverMatches;

const PAGE: Page = Page {
    tags: &[],
    ..Page::new(
        "a rule that can never apply reads as a protection and is none",
        Example::of(
            "version: 1\ntags: {web: Pages, mail: Letters}\nservers:\n  docs:\n    tags: [web]\n    http: {url: \"https://docs.example.com/mcp\"}\ngrants:\n  - {to: {user: \"*\"}, scopes: [\"tag:web\", \"tag:mail\"]}\nrules:\n  - {id: never, forbid: {servers: [docs]}, when: 'resource.server == Portcullis::Server::\"docs\" && false'}\n",
        ),
        Example::of(
            "version: 1\ntags: {web: Pages, mail: Letters}\nservers:\n  docs:\n    tags: [web]\n    http: {url: \"https://docs.example.com/mcp\"}\ngrants:\n  - {to: {user: \"*\"}, scopes: [\"tag:web\", \"tag:mail\"]}\nrules:\n  - {id: at-night, forbid: {servers: [docs]}, when: 'context.now.toTime() < duration(\"6h\")'}\n",
        ),
    )
};

impl Check for PolicyNeverMatches {
    fn about(&self) -> &'static About {
        &findings::IMPOSSIBLE
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }
}
