//! PC211 `csp-missing-directive`: a content security policy that leaves a door open by saying nothing.
//!
//! Reads the values of own entries. `object-src` falls back to `default-src`; `base-uri` and
//! `frame-ancestors` fall back to nothing (CSP Level 3 §6.3, §6.4).

use super::{Check, Fixable, Page, Subject, fields, page::and, written};
use crate::diagnostic::{About, Class, Diagnostic, Level, Safety};

pub(super) struct CspMissingDirective;

const ABOUT: About = About {
    code: "PC211",
    name: "csp-missing-directive",
    class: Class::Security(Level::Low),
    summary: "a content security policy without `object-src`, `base-uri` or `frame-ancestors`",
    help: "add what is missing: `base-uri` and `frame-ancestors` do not fall back to `default-src`",
};

const PAGE: Page = Page {
    fix: Fixable::Safe,
    tags: &["CWE-1021"],
    ..Page::new(
        "what the policy does not name may be anything: a page of ours in a frame of somebody else's, or all its links turned elsewhere by one `<base>`",
        and!(
            r#"headers: [{set: {Content-Security-Policy: "default-src 'none'"}}]
"#
        ),
        and!(
            r#"headers: [{set: {Content-Security-Policy: "default-src 'none'; base-uri 'none'; frame-ancestors 'none'"}}]
"#
        ),
    )
};

impl Check for CspMissingDirective {
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
            let has = |wanted: &str| directives.iter().any(|(name, _)| name == wanted);
            let mut missing = Vec::new();
            if !has("object-src") && !has("default-src") {
                missing.push("object-src");
            }
            missing.extend(["base-uri", "frame-ancestors"].into_iter().filter(|name| !has(name)));
            if missing.is_empty() {
                continue;
            }
            let list: Vec<String> = missing.iter().map(|name| format!("`{name}`")).collect();
            let added: String = missing.iter().map(|name| format!("; {name} 'none'")).collect();
            let better = format!("{}{added}", value.trim_end_matches([';', ' ']));
            let finding = ABOUT.at(&node.place, format!("the policy says nothing of {}", list.join(", ")));
            findings.push(finding.fix(
                Safety::Safe,
                "add what is missing as `'none'`",
                &node.place,
                written::quoted(&better),
            ));
        }
    }
}
