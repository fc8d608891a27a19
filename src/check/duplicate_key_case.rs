//! PC003 `duplicate-key-case`: two keys of one map that differ only in their case.

use super::{Check, Example, Page};
use crate::{config::findings, diagnostic::About};

pub(super) struct DuplicateKeyCase;

const PAGE: Page = Page {
    tags: &["CWE-178"],
    ..Page::new(
        "names are compared with their case: of two that look alike, a grant or a rule may name the wrong one",
        Example::of("version: 1\ntags: {web: Pages, Web: Other pages}\n"),
        Example::of("version: 1\ntags: {web: Pages, other: Other pages}\n"),
    )
};

impl Check for DuplicateKeyCase {
    fn about(&self) -> &'static About {
        &findings::DUPLICATE_KEY_CASE
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }
}
