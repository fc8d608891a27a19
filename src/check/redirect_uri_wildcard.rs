//! PC221 `redirect-uri-wildcard`: a code may be sent to a place that is not exactly known.
//!
//! Reads `oauth.clients.*.redirect_uris`. They are compared whole, loopback ports aside, so there is
//! nothing to weaken by absence (CWE-601, RFC 9700 §4.1.3).

use super::{Check, Page, Subject, page::and, written};
use crate::{
    config::{Node, url::Url},
    diagnostic::{About, Class, Diagnostic, Level},
};

pub(super) struct RedirectUriWildcard;

const ABOUT: About = About {
    code: "PC221",
    name: "redirect-uri-wildcard",
    class: Class::Security(Level::High),
    summary: "a redirect URI that fits more than one place, or one that is not protected",
    help: "write every redirect URI out: they are compared whole, and of loopback ones any port fits",
};

const PAGE: Page = Page {
    tags: &["CWE-601"],
    ..Page::new(
        "a code that reaches a page of somebody else's is a token for them; one forgotten subdomain is enough",
        and!(
            r#"oauth: {clients: {app: {redirect_uris: ["https://*.example.com/cb"]}}}
"#
        ),
        and!(
            r#"oauth: {clients: {app: {redirect_uris: ["https://app.example.com/cb"]}}}
"#
        ),
    )
};

impl Check for RedirectUriWildcard {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn run(&self, subject: &Subject<'_>, findings: &mut Vec<Diagnostic>) {
        let clients = subject.tree.and_then(|tree| tree.at(&["oauth", "clients"])).map(Node::entries);
        for client in clients.unwrap_or_default() {
            let Some(uris) = client.value.get("redirect_uris") else { continue };
            for uri in written::each(uris) {
                let shown = written::shown("redirect_uris", uri);
                let Some(text) = uri.text() else { continue };
                if text.contains('*') {
                    findings.push(ABOUT.at(&uri.place, format!("{shown} fits more than one place")));
                } else if is_clear(text) {
                    let finding =
                        ABOUT.at(&uri.place, format!("a code sent to {shown} crosses the network in the clear"));
                    findings.push(finding.help("write `https://`; only loopback may do without"));
                }
            }
        }
    }
}

/// Whether it is `http` to anything but this machine, or to something that cannot be told.
fn is_clear(uri: &str) -> bool {
    let http = uri.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("http:"));
    http && !Url::parse(uri).is_ok_and(|url| url.is_loopback())
}
