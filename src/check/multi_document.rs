//! PC010 `multi-document`: a second YAML document in the file.

use super::{Check, Example, Page};
use crate::{config::findings, diagnostic::About};

pub(super) struct MultiDocument;

const PAGE: Page = Page {
    tags: &[],
    ..Page::new(
        "only the first document would be read, and whoever wrote the second believes that it holds",
        Example::of("version: 1\ntags: {web: Pages}\n---\ntags: {mail: Letters}\n"),
        Example::of("version: 1\ntags: {web: Pages, mail: Letters}\n"),
    )
};

impl Check for MultiDocument {
    fn about(&self) -> &'static About {
        &findings::MULTI_DOCUMENT
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }
}
