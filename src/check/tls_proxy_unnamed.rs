//! PC227 `tls-proxy-unnamed`: a proxy is said to end TLS, and no peer is believed to be it.
//!
//! Reads `listen.tls_proxy` and `listen.trusted_proxies`. What a proxy says of a request is read only where its
//! address is among `trusted_proxies`: without one nobody is known to come by TLS, and everybody comes from
//! the proxy's own address.

use super::{Check, Page, Subject, page::and, written};
use crate::diagnostic::{About, Class, Diagnostic};

pub(super) struct TlsProxyUnnamed;

const ABOUT: About = About {
    code: "PC227",
    name: "tls-proxy-unnamed",
    class: Class::Warning,
    summary: "a proxy ends TLS, and `listen.trusted_proxies` does not say which",
    help: "add `trusted_proxies` with the addresses of that proxy, as in `[10.0.0.0/8]`",
};

const PAGE: Page = Page::new(
    "nothing that the proxy says is believed: no request counts as one by TLS, `Strict-Transport-Security` is sent to nobody, and all callers share the limits and the records of one address",
    and!(
        r#"listen: {public_url: "https://mcp.example.com", tls_proxy: true}
"#
    ),
    and!(
        r#"listen: {public_url: "https://mcp.example.com", tls_proxy: true, trusted_proxies: [10.0.0.0/8]}
"#
    ),
);

impl Check for TlsProxyUnnamed {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn run(&self, subject: &Subject<'_>, findings: &mut Vec<Diagnostic>) {
        let Some(listen) = subject.tree.and_then(|tree| tree.get("listen")) else { return };
        let Some(proxy) = listen.get("tls_proxy").filter(|proxy| written::is_on(proxy)) else { return };
        if listen.get("trusted_proxies").is_none_or(|list| written::each(list).is_empty()) {
            let message = "a proxy ends TLS, but none is trusted to say so: no request counts as one by TLS";
            findings.push(ABOUT.at(&proxy.place, message));
        }
    }
}
