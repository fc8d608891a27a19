//! PC210 `csp-unsafe-inline`: a content security policy that lets inline script, or `eval`, run.
//!
//! Reads the values of own entries. Of script, `script-src-elem`, `script-src-attr` and `script-src` say
//! what runs, and `default-src` where there is no `script-src`. With a nonce or a hash browsers ignore
//! `'unsafe-inline'`; nothing takes `'unsafe-eval'` back.

use super::{Check, Page, Subject, fields, page::and};
use crate::diagnostic::{About, Class, Diagnostic, Level};

pub(super) struct CspUnsafeInline;

const ABOUT: About = About {
    code: "PC210",
    name: "csp-unsafe-inline",
    class: Class::Security(Level::Medium),
    summary: "a content security policy that lets inline script or `eval` run",
    help: "move the script into a file of its own, or name it by `'nonce-…'` or `'sha256-…'`",
};

const PAGE: Page = Page {
    tags: &["CWE-79"],
    ..Page::new(
        "script that somebody gets into a page of ours, the consent page first, can approve grants in the name of whoever reads it",
        and!(
            r#"headers: [{set: {Content-Security-Policy: "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; script-src 'unsafe-inline'"}}]
"#
        ),
        and!(
            r#"headers: [{set: {Content-Security-Policy: "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; script-src 'self'"}}]
"#
        ),
    )
};

impl Check for CspUnsafeInline {
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
            let has_script = directives.iter().any(|(name, _)| name == "script-src");
            for (name, sources) in &directives {
                let of_script = matches!(name.as_str(), "script-src" | "script-src-attr" | "script-src-elem");
                if !of_script && (name != "default-src" || has_script) {
                    continue;
                }
                let named = sources.iter().any(|source| source.starts_with("'nonce-") || source.starts_with("'sha"));
                let open = |source: &&String| match source.as_str() {
                    "'unsafe-inline'" => !named,
                    "'unsafe-eval'" => true,
                    _ => false,
                };
                if let Some(source) = sources.iter().find(open) {
                    findings.push(ABOUT.at(&node.place, format!("`{name}` has `{source}`")));
                }
            }
        }
    }
}
