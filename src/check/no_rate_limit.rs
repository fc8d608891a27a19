//! PC501 `no-rate-limit`: a listener that other machines reach, and nothing that bounds how often.
//!
//! Reads `listen.address` and `rates`. A listener on loopback has its callers on this machine, so
//! absence there is no finding. Of the tiers those count that limit whoever comes, before anything is
//! known of them: by address, and under no condition. Any other lets tokens be guessed as fast as the
//! line allows (CWE-770).

use std::collections::BTreeSet;

use super::{Check, Fixable, Page, Subject, page::and, written};
use crate::{
    config::Node,
    diagnostic::{About, Class, Diagnostic, Level, Place, Safety},
    policy::EndpointClass,
};

pub(super) struct NoRateLimit;

const ABOUT: About = About {
    code: "PC501",
    name: "no-rate-limit",
    class: Class::Security(Level::Medium),
    summary: "other machines reach an endpoint that no rate tier limits by address",
    help: "add a tier with `by: address` under `rates`, or listen on a loopback address such as `127.0.0.1:3050`",
};

const PAGE: Page = Page {
    tags: &["CWE-770"],
    fix: Fixable::Unsafe,
    ..Page::new(
        "whoever reaches the listener may guess tokens, and keep servers and their bills busy, as fast as the line allows",
        and!(
            r#"listen: {address: "0.0.0.0:3050", public_url: "https://mcp.example.com", tls_proxy: true, trusted_proxies: [10.0.0.0/8]}
oauth: {login: owner}
"#
        ),
        and!(
            r#"rates: {general: {limit: 600, window: 1m, by: address}}
listen: {address: "0.0.0.0:3050", public_url: "https://mcp.example.com", tls_proxy: true, trusted_proxies: [10.0.0.0/8]}
oauth: {login: owner}
"#
        ),
    )
};

/// What an address may do where nothing is said: ten requests a second for a minute.
const TIER: &str = "rates: {general: {limit: 600, window: 1m, by: address}}\n";

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
        let rates = tree.get("rates");
        let tiers = rates.map(Node::entries).unwrap_or_default();
        if tiers.is_empty() {
            let message = format!("other machines reach {} as often as they like", written::shown("address", address));
            let finding = ABOUT.at(&address.place, message).label("not loopback");
            findings.push(match before_listen(tree).filter(|_| rates.is_none()) {
                Some(place) => finding.fix(Safety::Unsafe, "let each address ask 600 times a minute", &place, TIER),
                None => finding,
            });
            return;
        }
        let limited: BTreeSet<EndpointClass> = tiers.iter().flat_map(|tier| limited(&tier.value)).collect();
        let open = EndpointClass::ALL.into_iter().filter(|class| match class {
            EndpointClass::Mcp => true,
            class => class.is_oauth() && written::oauth_is_on(tree),
        });
        let open: Vec<&str> = open.filter(|class| !limited.contains(class)).map(EndpointClass::as_str).collect();
        if let Some(rates) = rates.filter(|_| !open.is_empty()) {
            let finding = ABOUT.at(&rates.place, format!("no tier limits `{}` by address", open.join("`, `")));
            let help = format!("add a tier with `by: address` and `on: [{}]`, and without `when`", open.join(", "));
            findings.push(finding.also(&address.place, "reached by other machines").help(help));
        }
    }
}

/// The endpoints at which a tier limits whoever comes.
fn limited(tier: &Node) -> Vec<EndpointClass> {
    let by_address = tier.get("by").is_none_or(|by| by.text() == Some("address"));
    if !by_address || tier.get("when").is_some() {
        return Vec::new();
    }
    let Some(on) = tier.get("on") else { return EndpointClass::ALL.to_vec() };
    let words = written::each(on).into_iter().filter_map(Node::text);
    let classes: Vec<_> = words.map(EndpointClass::of_word).collect();
    // With a server or a tool among them it is counted late, once it is known who asks.
    if classes.iter().any(Option::is_none) { Vec::new() } else { classes.into_iter().flatten().flatten().collect() }
}

/// The beginning of the line of `listen`, where it is one.
fn before_listen(tree: &Node) -> Option<Place> {
    let listen = tree.entries().iter().find(|entry| entry.key == "listen").filter(|entry| entry.place.column == 1)?;
    Some(Place { end: listen.place.start, ..listen.place.clone() })
}
