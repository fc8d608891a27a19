//! PC213 `header-rule-overridden`: an entry under which a security header vanishes on some answers only.
//!
//! Reads `remove` of entries that name endpoints or have a condition. Entries extend what is sent
//! elsewhere, so setting a header on one endpoint takes no other away; only `remove` does. Whoever removes
//! one everywhere has decided so, and is not asked.

use super::{Check, Fixable, Page, Subject, fields, page::and, written};
use crate::diagnostic::{About, Class, Diagnostic, Safety};

pub(super) struct HeaderRuleOverridden;

const ABOUT: About = About {
    code: "PC213",
    name: "header-rule-overridden",
    class: Class::Warning,
    summary: "a security header is removed on some endpoints only",
    help: "set it to what these endpoints need instead of removing it",
};

const PAGE: Page = Page {
    fix: Fixable::Unsafe,
    tags: &["CWE-693"],
    ..Page::new(
        "a header that protects everywhere but on one endpoint is missed there by nobody, until somebody looks for such an endpoint",
        and!(
            r#"headers: [{on: [consent], set: {X-Page: consent}, remove: [X-Frame-Options]}]
"#
        ),
        and!(
            r#"headers: [{on: [consent], set: {X-Page: consent}}]
"#
        ),
    )
};

/// Headers by which a browser protects whoever uses it.
const PROTECTING: &[&str] = &[
    "cache-control",
    "content-security-policy",
    "cross-origin-opener-policy",
    "cross-origin-resource-policy",
    "permissions-policy",
    "referrer-policy",
    "strict-transport-security",
    "x-content-type-options",
    "x-frame-options",
];

impl Check for HeaderRuleOverridden {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn run(&self, subject: &Subject<'_>, findings: &mut Vec<Diagnostic>) {
        let Some(tree) = subject.tree else { return };
        for entry in fields::entries(tree).into_iter().filter(fields::Entry::is_partial) {
            let cut = if entry.remove.len() == 1 { written::cut(entry.node, "remove") } else { None };
            for field in entry.remove.iter().filter(|field| PROTECTING.contains(&field.name.as_str())) {
                let message = format!("{} is removed on some answers only", written::shown("header", field.value));
                let finding = ABOUT.at(field.place, message);
                findings.push(match &cut {
                    Some(place) => finding.fix(Safety::Unsafe, "leave it there", place, ""),
                    None => finding,
                });
            }
        }
    }
}
