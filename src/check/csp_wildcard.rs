//! PC212 `csp-wildcard`: a content security policy with a source that is every host.
//!
//! Reads the values of own entries: `*`, a scheme alone (`https:`), a host that is only a `*` with one, and
//! a plain `http://` source, which whoever is on the way can be.

use super::{Check, Page, Subject, fields, page::and};
use crate::diagnostic::{About, Class, Diagnostic, Level};

pub(super) struct CspWildcard;

const ABOUT: About = About {
    code: "PC212",
    name: "csp-wildcard",
    class: Class::Security(Level::Medium),
    summary: "a content security policy that takes a source from any host",
    help: "name the hosts, as in `https://cdn.example.com`, or write `'self'` or `'none'`",
};

const PAGE: Page = Page {
    tags: &["CWE-942"],
    ..Page::new(
        "the policy lets in what it was written to keep out: anybody has a host of his own",
        and!(
            r#"headers: [{set: {Content-Security-Policy: "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; img-src *"}}]
"#
        ),
        and!(
            r#"headers: [{set: {Content-Security-Policy: "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; img-src 'self'"}}]
"#
        ),
    )
};

impl Check for CspWildcard {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn run(&self, subject: &Subject<'_>, findings: &mut Vec<Diagnostic>) {
        let Some(tree) = subject.tree else { return };
        for (node, value) in fields::values(tree, "content-security-policy") {
            let directives = fields::directives(&value);
            for (name, sources) in &directives {
                // Reports and sandboxes have no sources.
                if matches!(name.as_str(), "report-to" | "report-uri" | "sandbox") {
                    continue;
                }
                let wild = |source: &&String| {
                    matches!(
                        source.as_str(),
                        "*" | "http:" | "https:" | "http://*" | "https://*" | "ws:" | "wss:" | "ftp:"
                    ) || source.starts_with("http://")
                };
                if let Some(source) = sources.iter().find(wild) {
                    findings.push(ABOUT.at(&node.place, format!("`{name}` takes `{source}`")));
                }
            }
        }
    }
}
