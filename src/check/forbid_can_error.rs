//! PC108 `forbid-can-error`: a condition that can silently fail to hold.
//!
//! The compiler raises it: `in` on a principal or resource is false where an entity is unknown, and a
//! forbid that is false does not forbid. What reads an optional fact without `has` does not fit the
//! schema at all.

use super::{Check, Example, Page};
use crate::{compile::findings, diagnostic::About};

pub(super) struct ForbidCanError;

const PAGE: Page = Page {
    tags: &["CWE-636"],
    ..Page::new(
        "Cedar passes over a policy that cannot be decided, so a forbid that errors or is silently false stops forbidding",
        Example::of(
            "version: 1\ntags: {web: Pages, mail: Letters}\nservers:\n  docs:\n    tags: [web]\n    http: {url: \"https://docs.example.com/mcp\"}\ngrants:\n  - {to: {user: \"*\"}, scopes: [\"tag:web\", \"tag:mail\"]}\nrules:\n  - {id: docs, forbid: {servers: [\"*\"]}, when: 'resource in Portcullis::Server::\"docs\"'}\n",
        ),
        Example::of(
            "version: 1\ntags: {web: Pages, mail: Letters}\nservers:\n  docs:\n    tags: [web]\n    http: {url: \"https://docs.example.com/mcp\"}\ngrants:\n  - {to: {user: \"*\"}, scopes: [\"tag:web\", \"tag:mail\"]}\nrules:\n  - {id: docs, forbid: {servers: [\"*\"]}, when: 'resource.server == Portcullis::Server::\"docs\" && context.tls'}\n",
        ),
    )
};

impl Check for ForbidCanError {
    fn about(&self) -> &'static About {
        &findings::IN_CONDITION
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }
}
