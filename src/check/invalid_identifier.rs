//! PC012 `invalid-identifier`: a name that does not fit its grammar.
//!
//! Where a character of it only looks like one that is allowed, the finding names the character.

use super::{Check, Example, Page};
use crate::{config::findings, diagnostic::About};

pub(super) struct InvalidIdentifier;

const PAGE: Page = Page {
    tags: &[],
    ..Page::new(
        "names become scopes, paths and policies: in a small alphabet no two of them look alike, and none needs quoting",
        Example::of("version: 1\ntags: {\"web pages\": Pages}\n"),
        Example::of("version: 1\ntags: {web-pages: Pages}\n"),
    )
};

impl Check for InvalidIdentifier {
    fn about(&self) -> &'static About {
        &findings::INVALID_IDENTIFIER
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }
}
