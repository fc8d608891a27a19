//! PC902 `suppression-without-reason`: an ignore comment or entry that does not say why.
//!
//! The reason is the review. Without one, nothing is suppressed.

use super::{Check, Example, Page};
use crate::diagnostic::{About, Class, Diagnostic, Place};

pub(super) struct SuppressionWithoutReason;

const ABOUT: About = About {
    code: "PC902",
    name: "suppression-without-reason",
    class: Class::Warning,
    summary: "an ignore comment or entry without a reason, which suppresses nothing",
    help: "say why it is all right, as in `reason=\"vendored wrapper\"`",
};

const PAGE: Page = Page::new(
    "the reason is the review: without one, nobody can tell later whether it still holds",
    Example::of(
        "version: 1\ntags: {web: Pages}\nservers:\n  a:\n    tags: [web]\n    stdio: {command: [npx, -y, some-server]} # portcullis: ignore[unpinned-package]\ngrants: [{to: {user: \"*\"}, scopes: [\"tag:web\"]}]\n",
    ),
    Example::of(
        "version: 1\ntags: {web: Pages}\nservers:\n  a:\n    tags: [web]\n    stdio: {command: [npx, -y, some-server]} # portcullis: ignore[unpinned-package] reason=\"from our own mirror\"\ngrants: [{to: {user: \"*\"}, scopes: [\"tag:web\"]}]\n",
    ),
);

impl Check for SuppressionWithoutReason {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }
}

pub(super) fn find(place: &Place) -> Diagnostic {
    ABOUT.at(place, "this suppression gives no reason, so it suppresses nothing")
}
