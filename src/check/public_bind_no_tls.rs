//! PC202 `public-bind-no-tls`: other machines reach the gateway, and nothing says that TLS protects the way.
//!
//! Reads `listen.address`, `listen.tls` and `listen.tls_proxy` (by name also `behind_tls_proxy`, which
//! others call it). The default address is loopback, so absence is no finding. Whether tokens are needed
//! makes no difference: without TLS they can be read on the way (CWE-319, OAuth 2.1 §1.5). `serve`
//! refuses such a listener whatever is said of this rule.

use super::{Check, Page, Subject, written};
use crate::diagnostic::{About, Class, Diagnostic, Level};

pub(super) struct PublicBindNoTls;

const ABOUT: About = About {
    code: "PC202",
    name: "public-bind-no-tls",
    class: Class::Security(Level::High),
    summary: "other machines reach the listener without TLS",
    help: "end TLS here with `listen.tls`, write `tls_proxy: true` where a proxy ends it, or listen on a loopback address",
};

const PAGE: Page = Page {
    tags: &["CWE-319"],
    ..Page::new(
        "tokens and calls cross the network in the clear: whoever is on the way reads and changes them",
        written::REACHED_BY_OTHERS,
        written::BEHIND_A_PROXY,
    )
};

impl Check for PublicBindNoTls {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn run(&self, subject: &Subject<'_>, findings: &mut Vec<Diagnostic>) {
        let Some(tree) = subject.tree else { return };
        let Some(address) = written::public_address(tree) else { return };
        let own = tree.at(&["listen", "tls"]).is_some_and(|tls| !written::is_off(tls));
        let proxy = |key| tree.at(&["listen", key]).is_some_and(written::is_on);
        if !own && !proxy("tls_proxy") && !proxy("behind_tls_proxy") {
            let message = format!("other machines reach {} without TLS", written::shown("address", address));
            findings.push(ABOUT.at(&address.place, message).label("not loopback"));
        }
    }
}
