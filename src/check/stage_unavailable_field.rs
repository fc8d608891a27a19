//! PC125 `stage-unavailable-field`: a condition reads a field that does not exist at its stage.
//!
//! The compiler raises it of `context.args`: where the tool is not pinned in `portcullis.lock`, where its
//! schema has no such argument or no one type for it, and of what is no call of a tool.

use super::{Check, Example, Page};
use crate::{compile::findings, diagnostic::About};

pub(super) struct StageUnavailableField;

const PAGE: Page = Page {
    tags: &[],
    ..Page::new(
        "a condition on what is not there never holds, so the rule would forbid nothing",
        Example::of(
            "version: 1\ntags: {web: Pages, mail: Letters}\nservers:\n  docs:\n    tags: [web]\n    http: {url: \"https://docs.example.com/mcp\"}\ngrants:\n  - {to: {user: \"*\"}, scopes: [\"tag:web\", \"tag:mail\"]}\nrules:\n  - {id: secrets, forbid: {tools: [docs/read]}, when: 'context.args.path == \"secret\"'}\n",
        ),
        Example::of(
            "version: 1\ntags: {web: Pages, mail: Letters}\nservers:\n  docs:\n    tags: [web]\n    http: {url: \"https://docs.example.com/mcp\"}\ngrants:\n  - {to: {user: \"*\"}, scopes: [\"tag:web\", \"tag:mail\"]}\nrules:\n  - {id: secrets, forbid: {tools: [docs/read]}, when: context.findings.contains(\"path-traversal\")}\n",
        ),
    )
};

impl Check for StageUnavailableField {
    fn about(&self) -> &'static About {
        &findings::ARGUMENTS
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }
}
