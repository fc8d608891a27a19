//! PC008 `unsupported-version`: the file is of another version of the format, or names none.

use super::{Check, Example, Page};
use crate::{config::findings, diagnostic::About};

pub(super) struct UnsupportedVersion;

const PAGE: Page = Page {
    tags: &[],
    ..Page::new(
        "a file of another format may mean something else by the same words",
        Example::of("version: 3\ntags: {web: Pages}\n"),
        Example::of("version: 1\ntags: {web: Pages}\n"),
    )
};

impl Check for UnsupportedVersion {
    fn about(&self) -> &'static About {
        &findings::UNSUPPORTED_VERSION
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }
}
