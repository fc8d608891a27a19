//! PC904 `unknown-rule`: a suppression or a level of a rule that does not exist.
//!
//! A typo must not suppress nothing, or leave a rule as it is, in silence.

use super::{Check, Example, Fixable, Page};
use crate::{
    config::secrecy,
    diagnostic::{About, Class, Diagnostic, Place, Safety},
};

pub(super) struct UnknownRule;

const ABOUT: About = About {
    code: "PC904",
    name: "unknown-rule",
    class: Class::Error,
    summary: "a suppression or a level of a rule that does not exist",
    help: "name a rule by its code or its name; `portcullis check --list-rules` lists them",
};

const PAGE: Page = Page {
    fix: Fixable::Safe,
    ..Page::new(
        "what is mistyped does nothing, and looks as if it did",
        Example::of(
            "version: 1\ntags: {web: Pages}\nservers:\n  a:\n    tags: [web]\n    stdio: {command: [npx, -y, some-server@1.2.3]}\ngrants: [{to: {user: \"*\"}, scopes: [\"tag:web\"]}]\nlint: {levels: {unpined-package: error}}\n",
        ),
        Example::of(
            "version: 1\ntags: {web: Pages}\nservers:\n  a:\n    tags: [web]\n    stdio: {command: [npx, -y, some-server@1.2.3]}\ngrants: [{to: {user: \"*\"}, scopes: [\"tag:web\"]}]\nlint: {levels: {unpinned-package: error}}\n",
        ),
    )
};

impl Check for UnknownRule {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }
}

pub(super) fn find(place: &Place, written: &str, near: Option<&str>) -> Diagnostic {
    let written = secrecy::shown("", written);
    let finding = ABOUT.at(place, format!("there is no rule `{written}`"));
    match near {
        Some(near) => {
            let finding = finding.label(format!("did you mean `{near}`?")).help(format!("write `{near}`"));
            finding.fix(Safety::Safe, format!("write `{near}`"), place, near)
        }
        None => finding,
    }
}
