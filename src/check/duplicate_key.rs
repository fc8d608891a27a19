//! PC002 `duplicate-key`: a key, or the id of an entry, that is written twice.

use super::{Check, Example, Page};
use crate::{config::findings, diagnostic::About};

pub(super) struct DuplicateKey;

const PAGE: Page = Page {
    tags: &["CWE-694"],
    ..Page::new(
        "most readers of YAML keep the last one without a word: a second block far below would replace the one that was reviewed",
        Example::of(
            "version: 1\ntags: {web: Pages}\nservers:\n  docs:\n    tags: [web]\n    http: {url: \"https://docs.example.com/mcp\"}\ngrants: [{to: {user: \"*\"}, scopes: [\"tag:web\"]}]\ntags: {web: Other pages}\n",
        ),
        Example::of(
            "version: 1\ntags: {web: Pages}\nservers:\n  docs:\n    tags: [web]\n    http: {url: \"https://docs.example.com/mcp\"}\ngrants: [{to: {user: \"*\"}, scopes: [\"tag:web\"]}]\n",
        ),
    )
};

impl Check for DuplicateKey {
    fn about(&self) -> &'static About {
        &findings::DUPLICATE_KEY
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }
}
