//! PC009 `undefined-env`: `${NAME}` without a value, malformed, or where it is not allowed.
//!
//! `check --allow-missing-env` only warns of what has no value; `serve` never does.

use super::{Check, Example, Page};
use crate::{config::findings, diagnostic::About};

pub(super) struct UndefinedEnv;

const PAGE: Page = Page {
    tags: &[],
    ..Page::new(
        "an empty secret or address is worse than no start, and a variable in what decides access would make one file many policies",
        Example::of(
            "version: 1\ntags: {web: Pages}\nservers:\n  docs:\n    tags: [web]\n    http: {url: \"https://${PORTCULLIS_EXAMPLE_HOST}/mcp\"}\ngrants: [{to: {user: \"*\"}, scopes: [\"tag:web\"]}]\n",
        ),
        Example::of(
            "version: 1\ntags: {web: Pages}\nservers:\n  docs:\n    tags: [web]\n    http: {url: \"https://${PORTCULLIS_EXAMPLE_HOST:-docs.example.com}/mcp\"}\ngrants: [{to: {user: \"*\"}, scopes: [\"tag:web\"]}]\n",
        ),
    )
};

impl Check for UndefinedEnv {
    fn about(&self) -> &'static About {
        &findings::UNDEFINED_ENV
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }
}
