//! PC501 `no-rate-limit`: a listener that other machines reach, and nothing that bounds how often.
//!
//! Reads `listen.address` and `rates`. A listener on loopback has its callers on this machine, so
//! absence there is no finding. No version builds `rates` yet: until then the listener stays on
//! loopback and the proxy in front of it limits, and there is no fix to offer, since the file would
//! be refused for it (CWE-770).

use super::{Check, Page, Subject, written};
use crate::{
    config::Node,
    diagnostic::{About, Class, Diagnostic, Level},
};

pub(super) struct NoRateLimit;

const ABOUT: About = About {
    code: "PC501",
    name: "no-rate-limit",
    class: Class::Security(Level::Medium),
    summary: "other machines reach an endpoint that no rate tier limits",
    help: "listen on a loopback address such as `127.0.0.1:3050`, and let the proxy in front of it limit",
};

const PAGE: Page = Page {
    tags: &["CWE-770"],
    ..Page::new(
        "whoever reaches the listener may guess tokens, and keep servers and their bills busy, as fast as the line allows",
        written::REACHED_BY_OTHERS,
        written::BEHIND_A_PROXY,
    )
};

impl Check for NoRateLimit {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn run(&self, subject: &Subject<'_>, findings: &mut Vec<Diagnostic>) {
        let Some(tree) = subject.tree else { return };
        let Some(address) = written::public_address(tree) else { return };
        let tiers = tree.get("rates").map(Node::entries).unwrap_or_default();
        if tiers.is_empty() {
            let message = format!("other machines reach {} as often as they like", written::shown("address", address));
            findings.push(ABOUT.at(&address.place, message).label("not loopback"));
            return;
        }
        let endpoints: &[&str] = if written::oauth_is_on(tree) { &["mcp", "oauth"] } else { &["mcp"] };
        for endpoint in endpoints {
            let limited = tiers.iter().any(|tier| tier.value.get("on").is_none_or(|on| names(on, endpoint)));
            if let Some(rates) = tree.get("rates").filter(|_| !limited) {
                let finding = ABOUT.at(&rates.place, format!("no tier limits the endpoint `{endpoint}`"));
                findings.push(
                    finding
                        .also(&address.place, "reached by other machines")
                        .help(format!("add a tier with `on: [{endpoint}]`")),
                );
            }
        }
    }
}

fn names(on: &Node, endpoint: &str) -> bool {
    written::each(on).into_iter().any(|name| name.text() == Some(endpoint))
}
