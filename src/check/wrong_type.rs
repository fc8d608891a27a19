//! PC005 `wrong-type`: a value of the wrong kind, or a key that is missing.
//!
//! Where quotes or brackets alone are missing or too many, `--fix=all` mends them.

use super::{Check, Example, Fixable, Page};
use crate::{config::findings, diagnostic::About};

pub(super) struct WrongType;

const PAGE: Page = Page {
    tags: &[],
    fix: Fixable::Unsafe,
    ..Page::new(
        "what cannot be read as its key takes it is not guessed at: a guess could open what was to be closed",
        Example::of("version: 1\ntags: {web: 1.10}\n"),
        Example::of("version: 1\ntags: {web: \"1.10\"}\n"),
    )
};

impl Check for WrongType {
    fn about(&self) -> &'static About {
        &findings::WRONG_TYPE
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }
}
