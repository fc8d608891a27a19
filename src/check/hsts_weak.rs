//! PC209 `hsts-weak`: `Strict-Transport-Security` that protects for a short time, or asks to be preloaded
//! without what the preload list demands.
//!
//! Reads the values of own entries; the preset's is one year, with subdomains. Half a year is the least
//! that protects whoever comes rarely; the preload list asks for a year and for subdomains.

use super::{Check, Fixable, Page, Subject, fields, page::and, written};
use crate::diagnostic::{About, Class, Diagnostic, Level, Safety};

pub(super) struct HstsWeak;

const ABOUT: About = About {
    code: "PC209",
    name: "hsts-weak",
    class: Class::Security(Level::Low),
    summary: "`Strict-Transport-Security` for less than half a year, or preloaded without what that needs",
    help: "write `max-age=31536000; includeSubDomains`, or `hsts: true` instead of the entry",
};

const PAGE: Page = Page {
    fix: Fixable::Safe,
    tags: &["CWE-319"],
    ..Page::new(
        "whoever comes after it has run out comes in the clear once, and that once is enough for somebody on the way",
        and!(
            r#"listen: {public_url: "https://mcp.example.com", tls_proxy: true, trusted_proxies: [10.0.0.0/8]}
headers: [{set: {Strict-Transport-Security: "max-age=3600"}}]
"#
        ),
        and!(
            r#"listen: {public_url: "https://mcp.example.com", tls_proxy: true, trusted_proxies: [10.0.0.0/8]}
headers: [{set: {Strict-Transport-Security: "max-age=31536000; includeSubDomains"}}]
"#
        ),
    )
};

const HALF_A_YEAR: u64 = 15_552_000;
const A_YEAR: u64 = 31_536_000;

impl Check for HstsWeak {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn run(&self, subject: &Subject<'_>, findings: &mut Vec<Diagnostic>) {
        let Some(tree) = subject.tree else { return };
        for (node, value) in fields::values(tree, "strict-transport-security") {
            let Said { max_age, subdomains, preload } = Said::of(&value);
            let problem = match max_age {
                None => "without `max-age` browsers ignore it",
                Some(age) if age < HALF_A_YEAR => "this protects for less than half a year",
                Some(age) if preload && age < A_YEAR => "`preload` needs a `max-age` of a year",
                Some(_) if preload && !subdomains => "`preload` needs `includeSubDomains`",
                Some(_) => continue,
            };
            let age = max_age.unwrap_or_default().max(A_YEAR);
            let subdomains = if subdomains || preload || max_age.is_none_or(|age| age < A_YEAR) {
                "; includeSubDomains"
            } else {
                ""
            };
            let better = format!("max-age={age}{subdomains}{}", if preload { "; preload" } else { "" });
            let finding = ABOUT.at(&node.place, problem);
            findings.push(finding.fix(
                Safety::Safe,
                format!("write `{better}`"),
                &node.place,
                written::quoted(&better),
            ));
        }
    }
}

/// What a value says.
struct Said {
    max_age: Option<u64>,
    subdomains: bool,
    preload: bool,
}

impl Said {
    fn of(value: &str) -> Self {
        let mut said = Self { max_age: None, subdomains: false, preload: false };
        for directive in value.split(';').map(|directive| directive.trim().to_ascii_lowercase()) {
            match directive.split_once('=').map(|(name, value)| (name.trim(), value.trim())) {
                Some(("max-age", age)) => said.max_age = age.trim_matches('"').parse().ok(),
                Some(_) => {}
                None => {
                    said.subdomains |= directive == "includesubdomains";
                    said.preload |= directive == "preload";
                }
            }
        }
        said
    }
}
