//! PC217 `header-conflict`: two entries that say different things of one header on the same answers.
//!
//! Reads `headers`. Of two entries the later counts. A later one for fewer endpoints, or with a condition
//! of its own, is an exception and meant; one that covers the earlier leaves of it nothing.

use super::{Check, Page, Subject, fields, page::and};
use crate::diagnostic::{About, Class, Diagnostic};

pub(super) struct HeaderConflict;

const ABOUT: About = About {
    code: "PC217",
    name: "header-conflict",
    class: Class::Warning,
    summary: "a header is set twice, or set and removed, on the same answers",
    help: "keep one of the two, or let the later one be about fewer endpoints",
};

const PAGE: Page = Page::new(
    "of two entries the later counts, and whoever reads only the earlier believes in a header that is not sent",
    and!(
        r#"headers:
  - {set: {Referrer-Policy: no-referrer}}
  - {set: {Referrer-Policy: same-origin}}
"#
    ),
    and!(
        r#"headers:
  - {set: {Referrer-Policy: no-referrer}}
  - {on: [consent], set: {Referrer-Policy: same-origin}}
"#
    ),
);

/// The most entries that are compared with each other.
const MOST: usize = 200;

impl Check for HeaderConflict {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn run(&self, subject: &Subject<'_>, findings: &mut Vec<Diagnostic>) {
        let Some(tree) = subject.tree else { return };
        let entries: Vec<_> = fields::entries(tree).into_iter().take(MOST).collect();
        for (at, entry) in entries.iter().enumerate() {
            for (field, removed) in said(entry) {
                // In one entry: set and removed.
                let within = entry.set.iter().find(|set| removed && set.name == field.name);
                let earlier = entries.iter().take(at).rev().filter(|earlier| entry.buries(earlier));
                let before = earlier.flat_map(said).map(|(field, _)| field).find(|before| before.name == field.name);
                let Some(first) = within.or(before) else { continue };
                let message = format!("`{}` is said twice of the same answers", field.written.escape_debug());
                let finding = ABOUT.at(field.place, message);
                findings.push(finding.label("this counts").also(first.place, "of this, nothing is left"));
            }
        }
    }
}

/// What an entry says of fields, and whether that is to remove them.
fn said<'e, 't>(entry: &'e fields::Entry<'t>) -> impl Iterator<Item = (&'e fields::Field<'t>, bool)> {
    entry.set.iter().map(|field| (field, false)).chain(entry.remove.iter().map(|field| (field, true)))
}
