//! PC101 `unknown-tag`: a tag or scope that `tags` does not declare.
//!
//! A name that is near to just one that is declared is mended by `--fix`.

use super::{Check, Example, Fixable, Page};
use crate::{config::findings, diagnostic::About};

pub(super) struct UnknownTag;

const PAGE: Page = Page {
    tags: &[],
    fix: Fixable::Safe,
    ..Page::new(
        "the grant gives nothing today, and may give something by accident on the day that somebody declares the tag",
        Example::of(
            "version: 1\ntags: {web: Pages}\nservers:\n  docs:\n    tags: [wbe]\n    http: {url: \"https://docs.example.com/mcp\"}\ngrants: [{to: {user: \"*\"}, scopes: [\"tag:web\"]}]\n",
        ),
        Example::of(
            "version: 1\ntags: {web: Pages}\nservers:\n  docs:\n    tags: [\"web\"]\n    http: {url: \"https://docs.example.com/mcp\"}\ngrants: [{to: {user: \"*\"}, scopes: [\"tag:web\"]}]\n",
        ),
    )
};

impl Check for UnknownTag {
    fn about(&self) -> &'static About {
        &findings::UNKNOWN_TAG
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }
}
