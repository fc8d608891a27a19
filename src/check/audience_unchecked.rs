//! PC223 `audience-unchecked`: tokens that were made for another service pass for ours.
//!
//! Reads `external` of `oauth.login` (or of `oauth` itself), each of `oauth.issuers`, and
//! `oauth.login: external` as a word. Tokens of our own
//! carry our resource and are compared with it, whatever is written. Another authorization server
//! makes tokens for many services, and only the configuration can say what it calls us: there,
//! absence is a finding as well (RFC 8707, RFC 9068).

use super::{Check, Page, Subject, page::and, written};
use crate::{
    config::Node,
    diagnostic::{About, Class, Diagnostic, Level},
};

pub(super) struct AudienceUnchecked;

const ABOUT: About = About {
    code: "PC223",
    name: "audience-unchecked",
    class: Class::Security(Level::Critical),
    summary: "tokens of another issuer are taken whatever service they were made for",
    help: "add `audience`, the name that its tokens give this gateway, such as `https://mcp.example.com`",
};

const PAGE: Page = Page::new(
    "whoever gets a token for any other service of that issuer could use it here, and every service that sees one could too",
    and!(
        r#"oauth: {login: {external: {issuer: "https://login.example.com"}}}
"#
    ),
    and!(
        r#"oauth: {login: {external: {issuer: "https://login.example.com", audience: "https://mcp.example.com"}}}
"#
    ),
);

/// What an audience may be called.
const AUDIENCE: &[&str] = &["audience", "audiences", "resource"];

impl Check for AudienceUnchecked {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn run(&self, subject: &Subject<'_>, findings: &mut Vec<Diagnostic>) {
        let Some(oauth) = subject.tree.and_then(|tree| tree.get("oauth")) else { return };
        let external = [oauth.get("external"), oauth.at(&["login", "external"])].into_iter().flatten();
        let listed = oauth.get("issuers").map(|issuers| {
            issuers.items().iter().chain(issuers.entries().iter().map(|entry| &entry.value)).collect::<Vec<_>>()
        });
        let issuers: Vec<&Node> = external.chain(listed.unwrap_or_default()).collect();
        if issuers.is_empty()
            && let Some(login) = oauth.get("login").filter(|login| written::is(login, &["external"]))
            && !names_us(oauth)
        {
            findings.push(ABOUT.at(&login.place, "tokens come from elsewhere, and no audience is named"));
        }
        for issuer in issuers {
            let place = &issuer.get("issuer").unwrap_or(issuer).place;
            if let Some(open) = AUDIENCE.iter().filter_map(|key| issuer.get(key)).find(|audience| is_any(audience)) {
                findings.push(ABOUT.at(&open.place, "every audience is taken for ours"));
            } else if !names_us(issuer) {
                let message = "tokens of this issuer are taken whatever service they were made for";
                findings.push(ABOUT.at(place, message));
            }
        }
    }
}

fn names_us(map: &Node) -> bool {
    AUDIENCE.iter().filter_map(|key| map.get(key)).any(|audience| !is_any(audience))
}

/// Whether an audience is none, or every.
fn is_any(audience: &Node) -> bool {
    let each = written::each(audience);
    each.is_empty() || each.iter().any(|one| written::is_off(one) || written::is(one, &["*", "any"]))
}
