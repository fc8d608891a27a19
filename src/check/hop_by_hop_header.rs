//! PC216 `hop-by-hop-header`: an entry that sets what one connection, or the framing of an answer, says.
//!
//! Reads `set` of own entries. Such a field is never sent from there: whoever reads the answer would
//! take its length, or the connection, for another (RFC 9110 §7.6.1, RFC 9112 §6).

use super::{Check, Fixable, Page, Subject, fields, page::and, written};
use crate::{
    diagnostic::{About, Class, Diagnostic, Safety},
    policy::Unfit,
};

pub(super) struct HopByHopHeader;

const ABOUT: About = About {
    code: "PC216",
    name: "hop-by-hop-header",
    class: Class::Warning,
    summary: "a header that belongs to the connection, or frames the answer",
    help: "remove it: the gateway says it itself, and never sends yours",
};

const PAGE: Page = Page {
    fix: Fixable::Safe,
    tags: &["CWE-444"],
    ..Page::new(
        "two readers of one answer would disagree about where it ends, and the rest of it be taken for the next one",
        and!(
            r#"headers: [{set: {Connection: close, X-Served-By: portcullis}}]
"#
        ),
        and!(
            r#"headers: [{set: {X-Served-By: portcullis}}]
"#
        ),
    )
};

impl Check for HopByHopHeader {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn run(&self, subject: &Subject<'_>, findings: &mut Vec<Diagnostic>) {
        let Some(tree) = subject.tree else { return };
        for entry in fields::entries(tree) {
            let Some(set) = entry.node.get("set") else { continue };
            for field in set.entries().iter().filter(|field| Unfit::of(&field.key) == Some(Unfit::OfTheConnection)) {
                let finding = ABOUT.at(&field.place, format!("`{}` is never sent from here", field.key));
                findings.push(match written::cut(set, &field.key) {
                    Some(place) => finding.fix(Safety::Safe, format!("remove `{}`", field.key), &place, ""),
                    None => finding,
                });
            }
        }
    }
}
