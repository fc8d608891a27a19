//! PC007 `merge-key-ignored`: a YAML merge key `<<`.
//!
//! There is no fix: aliases are refused as well, so that what was to be merged is not known here, and
//! whoever writes it out sees what it opens.

use super::{Check, Example, Page};
use crate::{config::findings, diagnostic::About};

pub(super) struct MergeKeyIgnored;

const PAGE: Page = Page {
    tags: &[],
    ..Page::new(
        "readers that know types do not merge: the keys that were to come with it would be absent, and nobody told",
        Example::of(
            "version: 1\ntags: {web: Pages}\nservers:\n  docs:\n    tags: [web]\n    http: {url: \"https://docs.example.com/mcp\"}\n    <<: {public: true}\ngrants: [{to: {user: \"*\"}, scopes: [\"tag:web\"]}]\n",
        ),
        Example::of(
            "version: 1\ntags: {web: Pages}\nservers:\n  docs:\n    tags: [web]\n    http: {url: \"https://docs.example.com/mcp\"}\n    public: true\ngrants: [{to: {user: \"*\"}, scopes: [\"tag:web\"]}]\n",
        ),
    )
};

impl Check for MergeKeyIgnored {
    fn about(&self) -> &'static About {
        &findings::MERGE_KEY
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }
}
