//! PC001 `yaml-syntax`: the file cannot be read as one plain YAML document.
//!
//! Raised where the file is read, by either of the two readers and where they do not agree.

use super::{Check, Example, Page};
use crate::{config::findings, diagnostic::About};

pub(super) struct YamlSyntax;

const PAGE: Page = Page {
    tags: &["CWE-436"],
    ..Page::new(
        "a file that cannot be read decides nothing, and one that two readers read differently may mean one thing to the reviewer and another to the gateway",
        Example::of("version: 1\ntags: {web: [Pages\n"),
        Example::of("version: 1\ntags: {web: Pages}\n"),
    )
};

impl Check for YamlSyntax {
    fn about(&self) -> &'static About {
        &findings::YAML_SYNTAX
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }
}
