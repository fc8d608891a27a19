//! PC903 `suppression-expired`: an ignore comment or entry whose last day has passed.
//!
//! Temporary means temporary: it suppresses nothing any more.

use jiff::civil::Date;

use super::{Check, Example, Page};
use crate::diagnostic::{About, Class, Diagnostic, Place};

pub(super) struct SuppressionExpired;

const ABOUT: About = About {
    code: "PC903",
    name: "suppression-expired",
    class: Class::Warning,
    summary: "an ignore comment or entry whose last day has passed, which suppresses nothing",
    help: "mend what it was for, or look at it again and give it a new day",
};

const PAGE: Page = Page::new(
    "temporary means temporary: what was put off to a day is to be looked at on that day",
    Example::of(
        "version: 1\ntags: {web: Pages}\nservers:\n  a:\n    tags: [web]\n    stdio: {command: [npx, -y, some-server]} # portcullis: ignore[unpinned-package] reason=\"pinned next week\" until=2020-01-31\ngrants: [{to: {user: \"*\"}, scopes: [\"tag:web\"]}]\n",
    ),
    Example::of(
        "version: 1\ntags: {web: Pages}\nservers:\n  a:\n    tags: [web]\n    stdio: {command: [npx, -y, some-server@1.2.3]}\ngrants: [{to: {user: \"*\"}, scopes: [\"tag:web\"]}]\n",
    ),
);

impl Check for SuppressionExpired {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }
}

pub(super) fn find(place: &Place, until: Date) -> Diagnostic {
    ABOUT.at(place, format!("this suppression ended on {until}"))
}
