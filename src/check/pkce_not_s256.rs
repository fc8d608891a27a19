//! PC222 `pkce-not-s256`: a code could be redeemed by whoever sees it.
//!
//! Reads `pkce` under `oauth` and each of `oauth.clients`: a word, a list of methods, or a map with
//! `required` and `methods`. S256 is required of every client and nothing turns it off, so absence is
//! no finding (OAuth 2.1 §7.5, RFC 7636).

use super::{Check, Fixable, Page, Subject, page::and, written};
use crate::{
    config::Node,
    diagnostic::{About, Class, Diagnostic, Level, Safety},
};

pub(super) struct PkceNotS256;

const ABOUT: About = About {
    code: "PC222",
    name: "pkce-not-s256",
    class: Class::Security(Level::High),
    summary: "a code may be redeemed without proof, or by the method `plain`",
    help: "remove the key: S256 is required of every client",
};

const PAGE: Page = Page {
    fix: Fixable::Safe,
    ..Page::new(
        "a code that leaks, by a log or a shared redirect, is worth nothing without its verifier; `plain` sends the verifier along",
        and!(
            r#"oauth: {enabled: true, pkce: optional}
"#
        ),
        and!(
            r#"oauth: {enabled: true}
"#
        ),
    )
};

impl Check for PkceNotS256 {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn run(&self, subject: &Subject<'_>, findings: &mut Vec<Diagnostic>) {
        for map in subject.tree.into_iter().flat_map(written::oauth_and_clients) {
            let Some((pkce, weak)) = map.get("pkce").and_then(|pkce| Some((pkce, weakness(pkce)?))) else { continue };
            let shown = written::shown("pkce", weak);
            let message = match written::is(weak, &["plain"]) {
                true => "with the method `plain` the verifier travels with the request".to_owned(),
                false => format!("`pkce` is {shown}: a code may be redeemed without proof"),
            };
            let finding = ABOUT.at(&weak.place, message);
            findings.push(match written::cut(map, "pkce") {
                Some(place) if pkce.place.start <= weak.place.start => {
                    finding.fix(Safety::Safe, "require S256", &place, "")
                }
                _ => finding,
            });
        }
    }
}

/// What makes it weaker than S256.
fn weakness(pkce: &Node) -> Option<&Node> {
    let required = pkce.get("required").filter(|required| written::is_off(required));
    let methods = pkce.get("methods").map(written::each).unwrap_or_default();
    let words = written::each(pkce);
    required.or_else(|| methods.into_iter().chain(words).find(|word| !written::is(word, &["s256", "required", "true"])))
}
