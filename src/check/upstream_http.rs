//! PC301 `upstream-http`: a server on another machine that is spoken to without TLS.
//!
//! Whoever is on the way reads and changes the calls, and the credentials with them (CWE-319).

use super::{Check, Example, Fixable, Page, Subject};
use crate::{
    config::{Transport, url::Url},
    diagnostic::{About, Class, Diagnostic, Level},
};

pub(super) struct UpstreamHttp;

const ABOUT: About = About {
    code: "PC301",
    name: "upstream-http",
    class: Class::Security(Level::High),
    summary: "a server on another machine is spoken to without TLS",
    help: "write `https://`; only loopback may do without",
};

const PAGE: Page = Page {
    tags: &["CWE-319"],
    fix: Fixable::Unsafe,
    ..Page::new(
        "whoever is on the way reads and changes the calls, and the credentials with them",
        Example::of(
            "version: 1\ntags: {web: Pages}\nservers:\n  a:\n    tags: [web]\n    http: {url: \"http://docs.example.com/mcp\"}\ngrants: [{to: {user: \"*\"}, scopes: [\"tag:web\"]}]\n",
        ),
        Example::of(
            "version: 1\ntags: {web: Pages}\nservers:\n  a:\n    tags: [web]\n    http: {url: \"https://docs.example.com/mcp\"}\ngrants: [{to: {user: \"*\"}, scopes: [\"tag:web\"]}]\n",
        ),
    )
};

impl Check for UpstreamHttp {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn run(&self, subject: &Subject<'_>, findings: &mut Vec<Diagnostic>) {
        for (name, server) in subject.servers() {
            let Transport::Http(http) = &server.transport else { continue };
            if Url::parse(&http.url.value).is_ok_and(|url| url.scheme == "http" && !url.is_loopback()) {
                let message = format!("calls to the server `{name}` cross the network unencrypted");
                findings.push(ABOUT.at(&http.url.place, message));
            }
        }
    }
}
