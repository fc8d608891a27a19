//! PC214 `header-injection`: a header value of more than one line.
//!
//! Reads the values of own entries. No value is made from what a caller sends, and variables are not
//! substituted under `headers`; what is left is a value that holds a line break, or a NUL, itself. Such an
//! entry is an error besides, and nothing of it is ever sent.

use super::{Check, Page, Subject, fields, page::and};
use crate::diagnostic::{About, Class, Diagnostic, Level};

pub(super) struct HeaderInjection;

const ABOUT: About = About {
    code: "PC214",
    name: "header-injection",
    class: Class::Security(Level::High),
    summary: "a header value of more than one line",
    help: "write one line; a second header is an entry of its own under `set`",
};

const PAGE: Page = Page {
    tags: &["CWE-113"],
    ..Page::new(
        "what stands after a line break is another header, or another answer, to whoever reads it",
        and!(
            r#"headers: [{set: {X-Note: "one\r\nSet-Cookie: session=mine"}}]
"#
        ),
        and!(
            r#"headers: [{set: {X-Note: "one"}}]
"#
        ),
    )
};

impl Check for HeaderInjection {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn run(&self, subject: &Subject<'_>, findings: &mut Vec<Diagnostic>) {
        let Some(tree) = subject.tree else { return };
        for field in fields::entries(tree).into_iter().flat_map(|entry| entry.set) {
            let lines = field.value.text().is_some_and(|text| text.contains(['\r', '\n', '\0']));
            if lines {
                let message = "the value holds a line break or a NUL";
                findings.push(ABOUT.at(&field.value.place, message).label("more than one line"));
            }
        }
    }
}
