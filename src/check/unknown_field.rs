//! PC004 `unknown-field`: a key that does not exist, or that this version does not build.
//!
//! A key that is near to just one that is not there yet is renamed by `--fix`.

use super::{Check, Example, Fixable, Page};
use crate::{config::findings, diagnostic::About};

pub(super) struct UnknownField;

const PAGE: Page = Page {
    tags: &["CWE-1188"],
    fix: Fixable::Safe,
    ..Page::new(
        "a mistyped key would be off without a word, and what it was to guard would be open",
        Example::of(
            "version: 1\ntags: {web: Pages}\nservers:\n  docs:\n    tag: [web]\n    http: {url: \"https://docs.example.com/mcp\"}\ngrants: [{to: {user: \"*\"}, scopes: [\"tag:web\"]}]\n",
        ),
        Example::of(
            "version: 1\ntags: {web: Pages}\nservers:\n  docs:\n    tags: [web]\n    http: {url: \"https://docs.example.com/mcp\"}\ngrants: [{to: {user: \"*\"}, scopes: [\"tag:web\"]}]\n",
        ),
    )
};

impl Check for UnknownField {
    fn about(&self) -> &'static About {
        &findings::UNKNOWN_FIELD
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }
}
