//! PC301 `upstream-http`: a server on another machine that is spoken to without TLS.
//!
//! Whoever is on the way reads and changes the calls, and the credentials with them (CWE-319).

use super::{Check, Fixable, Page, Subject, page::server, written};
use crate::{
    config::{Http, Transport, url::Url},
    diagnostic::{About, Class, Diagnostic, Level, Safety},
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
        server!(r#"    http: {url: "http://docs.example.com/mcp"}"#),
        server!(r#"    http: {url: "https://docs.example.com/mcp"}"#),
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
            let Transport::Http(Http { url, headers: _, allow_private: _, sse: _ }) = &server.transport else {
                continue;
            };
            let Ok(parsed) = Url::parse(&url.value) else { continue };
            if parsed.scheme != "http" || parsed.is_loopback() {
                continue;
            }
            let message = format!("calls to the server `{name}` cross the network unencrypted");
            let finding = ABOUT.at(&url.place, message);
            let from_env = subject.config.is_some_and(|config| config.from_env.contains(&url.place));
            let secure = url.value.get("http".len()..).filter(|_| !from_env);
            findings.push(match secure {
                Some(rest) => {
                    let text = written::quoted(&format!("https{rest}"));
                    finding.fix(Safety::Unsafe, "speak TLS to it", &url.place, text)
                }
                None => finding,
            });
        }
    }
}
