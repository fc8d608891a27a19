//! PC901 `unused-suppression`: an ignore comment or entry that hides nothing.
//!
//! What it was written for is gone, or it never was where it was meant: either way it would hide the
//! next finding, which nobody has looked at.

use super::{Check, Example, Fixable, Page};
use crate::{
    config::Ignore,
    diagnostic::{About, Class, Diagnostic, Place, Placed, Safety},
};

pub(super) struct UnusedSuppression;

const ABOUT: About = About {
    code: "PC901",
    name: "unused-suppression",
    class: Class::Warning,
    summary: "an ignore comment or entry that suppresses nothing",
    help: "remove it, or put it beside or directly above what it is meant for",
};

const PAGE: Page = Page {
    fix: Fixable::Safe,
    ..Page::new(
        "a suppression that outlives its finding hides the next one, which nobody has looked at",
        Example::of(
            "version: 1\ntags: {web: Pages}\nservers:\n  a:\n    tags: [web]\n    stdio: {command: [npx, -y, some-server@1.2.3]} # portcullis: ignore[unpinned-package] reason=\"ours\"\ngrants: [{to: {user: \"*\"}, scopes: [\"tag:web\"]}]\n",
        ),
        Example::of(
            "version: 1\ntags: {web: Pages}\nservers:\n  a:\n    tags: [web]\n    stdio: {command: [npx, -y, some-server@1.2.3]}\ngrants: [{to: {user: \"*\"}, scopes: [\"tag:web\"]}]\n",
        ),
    )
};

impl Check for UnusedSuppression {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }
}

/// A comment that cannot be read.
pub(super) fn unread(place: &Place, trouble: &str) -> Diagnostic {
    ABOUT
        .at(place, format!("this comment suppresses nothing: {trouble}"))
        .help("write `# portcullis: ignore[RULE] reason=\"why this is all right\"`")
}

/// A comment of whose rules some suppress nothing: `unused` are their numbers, `whole` is what is
/// removed where none does.
pub(super) fn of_comment(
    rules: &[Placed<String>],
    unused: &[usize],
    place: &Place,
    whole: &Place,
    findings: &mut Vec<Diagnostic>,
) {
    if unused.len() == rules.len() {
        let finding = ABOUT.at(place, "this comment suppresses nothing");
        findings.push(finding.fix(Safety::Safe, "remove the comment", whole, ""));
        return;
    }
    for index in unused {
        let Some(rule) = rules.get(*index) else { continue };
        let span = match (index.checked_sub(1).and_then(|before| rules.get(before)), rules.get(index + 1)) {
            (Some(before), _) => Place { start: before.place.end, ..rule.place.clone() },
            (None, Some(after)) => Place { end: after.place.start, ..rule.place.clone() },
            (None, None) => rule.place.clone(),
        };
        let finding = ABOUT.at(&rule.place, format!("nothing of `{}` is suppressed here", rule.value));
        findings.push(finding.fix(Safety::Safe, format!("remove `{}`", rule.value), &span, ""));
    }
}

/// An entry of `lint.ignore`.
pub(super) fn of_entry(ignore: &Ignore) -> Diagnostic {
    let message = format!("nothing of `{}` is suppressed at `{}`", ignore.rule.value, ignore.path.value);
    ABOUT.at(&ignore.place, message).help("remove the entry, or mend its `path`")
}
