//! PC122 `list-call-mismatch`: something could be callable but hidden, or listed but never callable.
//!
//! The compiler raises it of hand-written policies that name an action of listing and not the one of
//! acting, or the other way round.

use super::{Check, Example, Page};
use crate::{compile::findings, diagnostic::About};

pub(super) struct ListCallMismatch;

const PAGE: Page = Page {
    tags: &[],
    ..Page::new(
        "what a caller may call it should see, and what it sees it may call: a list that differs hides an access from its reviewer",
        Example {
            yaml: "version: 1\ntags: {web: Pages, mail: Letters}\nservers:\n  docs:\n    tags: [web]\n    http: {url: \"https://docs.example.com/mcp\"}\ngrants:\n  - {to: {user: \"*\"}, scopes: [\"tag:web\", \"tag:mail\"]}\npolicies: [extra.cedar]\n",
            files: &[(
                "extra.cedar",
                "@id(\"hidden\")\nforbid (principal, action in Portcullis::Action::\"tools/list\", resource)\nwhen { context.filtered };\n",
            )],
        },
        Example {
            yaml: "version: 1\ntags: {web: Pages, mail: Letters}\nservers:\n  docs:\n    tags: [web]\n    http: {url: \"https://docs.example.com/mcp\"}\ngrants:\n  - {to: {user: \"*\"}, scopes: [\"tag:web\", \"tag:mail\"]}\npolicies: [extra.cedar]\n",
            files: &[(
                "extra.cedar",
                "@id(\"hidden\")\nforbid (principal, action in [Portcullis::Action::\"tools/list\", Portcullis::Action::\"tools/call\"], resource)\nwhen { context.filtered };\n",
            )],
        },
    )
};

impl Check for ListCallMismatch {
    fn about(&self) -> &'static About {
        &findings::LIST_CALL
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }
}
