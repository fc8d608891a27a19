//! PC206 `cors-reflect-or-regex`: origins that are matched loosely, or that anybody can have.
//!
//! Reads `cors.origins` (or `allow_origins`) and `cors.reflect`. Origins are compared whole, so an
//! entry that is a pattern shows that more is meant than one origin: an expression that is not
//! anchored also fits `https://example.com.evil.test`, and every sandboxed page has the origin `null`
//! (CWE-942, CWE-777). Absence lets in the gateway's own origin alone, and is no finding.

use super::{Check, Fixable, Page, Subject, cors_wildcard_with_auth::origins, page::and, written};
use crate::{
    config::Node,
    diagnostic::{About, Class, Diagnostic, Level, Safety},
};

pub(super) struct CorsReflectOrRegex;

const ABOUT: About = About {
    code: "PC206",
    name: "cors-reflect-or-regex",
    class: Class::Security(Level::High),
    summary: "an origin that is matched loosely, reflected, or `null`",
    help: "write each origin out, as in `https://app.example.com`: origins are compared whole",
};

const PAGE: Page = Page {
    fix: Fixable::Safe,
    tags: &["CWE-942", "CWE-777"],
    ..Page::new(
        "a pattern that is not anchored also fits an attacker's origin, such as `https://app.example.com.evil.test`, and every sandboxed page has the origin `null`",
        and!(
            r#"cors: {origins: ['https://app\.example\.com']}
"#
        ),
        and!(
            r#"cors: {origins: ['^https://app\.example\.com$']}
"#
        ),
    )
};

impl Check for CorsReflectOrRegex {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn run(&self, subject: &Subject<'_>, findings: &mut Vec<Diagnostic>) {
        let Some(tree) = subject.tree else { return };
        if let Some(reflect) = tree.at(&["cors", "reflect"]).filter(|reflect| written::is_on(reflect)) {
            let finding = ABOUT.at(&reflect.place, "whatever origin asks is let in");
            findings.push(finding.help("remove the key, and list the origins under `cors.origins`"));
        }
        findings.extend(origins(tree).into_iter().filter_map(judged));
    }
}

fn judged(origin: &Node) -> Option<Diagnostic> {
    let text = origin.scalar()?;
    let shown = written::shown("origin", origin);
    if matches!(text.to_ascii_lowercase().as_str(), "" | "null") {
        let finding = ABOUT.at(&origin.place, "the origin `null` is let in, which every sandboxed page has");
        return Some(finding.help("remove it; a page without an origin of its own cannot be told from another"));
    }
    if text == "*" {
        return None;
    }
    if is_glob(&text) {
        return Some(ABOUT.at(&origin.place, format!("{shown} fits more than one origin")));
    }
    if !is_expression(&text) {
        return None;
    }
    let anchored = anchored(&text);
    if anchored == text {
        return fits_any_host(&text).then(|| ABOUT.at(&origin.place, "the expression fits every host"));
    }
    let message = "the expression also fits origins that only hold what is meant";
    let finding = ABOUT.at(&origin.place, message).label("not anchored");
    if origin.from_env {
        return Some(finding);
    }
    let text = format!("'{}'", anchored.replace('\'', "''"));
    Some(finding.fix(Safety::Safe, "anchor the expression at both ends", &origin.place, text))
}

/// Whether it has a `*` for any characters and is no expression besides.
fn is_glob(text: &str) -> bool {
    text.contains('*') && !text.contains(".*") && !text.contains(EXPRESSION)
}

/// What no origin holds. Brackets may be an IPv6 address.
const EXPRESSION: [char; 8] = ['\\', '^', '$', '(', '|', '+', '?', '{'];

fn is_expression(text: &str) -> bool {
    text.contains(EXPRESSION) || text.contains(".*")
}

/// The expression, so that it fits whole origins only.
fn anchored(text: &str) -> String {
    let core = text.strip_prefix('^').unwrap_or(text);
    let core = core.strip_suffix('$').filter(|core| !core.ends_with('\\')).unwrap_or(core);
    let mut depth = 0_i32;
    let branches = core.chars().any(|c| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        c == '|' && depth <= 0
    });
    if branches { format!("^(?:{core})$") } else { format!("^{core}$") }
}

/// Whether nothing of the host is said.
fn fits_any_host(text: &str) -> bool {
    let host = text.split_once("://").map_or_else(|| text.trim_start_matches('^'), |(_, host)| host);
    host.starts_with(".*") || host.starts_with(".+")
}
