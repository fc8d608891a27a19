//! PC206 `cors-reflect-or-regex`: origins that are matched loosely, or that anybody can have.
//!
//! Reads `cors.origins` (or `allow_origins`) and `cors.reflect`. Origins are compared whole, so an
//! entry that is a pattern shows that more is meant than one origin, and every sandboxed page has the
//! origin `null` (CWE-942, CWE-777). Such an entry is an error besides: it lets in nobody. Absence lets in
//! the gateway's own origin alone, and is no finding.

use super::{Check, Fixable, Page, Subject, cors_wildcard_with_auth::origins, page::and, written};
use crate::{
    config::{Node, url::Url},
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
        "a pattern fits more than the one who wrote it had in mind, such as `https://app.example.com.evil.test`, and every sandboxed page has the origin `null`",
        and!(
            r#"cors: {origins: ['^https://app\.example\.com']}
"#
        ),
        and!(
            r#"cors: {origins: ["https://app.example.com"]}
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
    let finding = ABOUT.at(&origin.place, format!("{shown} is an expression, and origins are compared whole"));
    Some(match meant(&text).filter(|_| !origin.from_env) {
        Some(meant) => finding.fix(Safety::Safe, format!("write `{meant}`"), &origin.place, written::quoted(&meant)),
        None => finding,
    })
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

/// The one origin that an expression fits, where it is written to fit one.
fn meant(text: &str) -> Option<String> {
    let core = text.strip_prefix('^').unwrap_or(text);
    let core = core.strip_suffix('$').filter(|core| !core.ends_with('\\')).unwrap_or(core);
    let plain = core.replace("\\.", ".").replace("\\/", "/").replace("\\-", "-");
    let origin = Url::parse(&plain).ok().filter(|url| url.rest.is_empty())?.origin();
    (origin == plain).then_some(origin)
}
