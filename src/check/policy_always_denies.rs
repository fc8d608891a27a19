//! PC116 `policy-always-denies`: everything of a server, or of the whole gateway, is forbidden to everybody.
//!
//! Something is permitted and all of it forbidden again, or a policy errors whoever asks: usually a rule
//! without the condition that was meant. Where nothing is permitted in the first place PC110 speaks.

use super::{Check, Example, Page, Subject};
use crate::{
    diagnostic::{About, Class, Diagnostic},
    reach::Access,
};

pub(super) struct PolicyAlwaysDenies;

const ABOUT: About = About {
    code: "PC116",
    name: "policy-always-denies",
    class: Class::Error,
    summary: "everything is forbidden to everybody",
    help: "give the rule a condition, narrow what it forbids, or remove the server",
};

const PAGE: Page = Page {
    tags: &[],
    ..Page::new(
        "what denies everything is an outage, and the usual mending of an outage is to allow too much",
        Example::of(
            "version: 1\ntags: {web: Pages, mail: Letters}\nservers:\n  docs:\n    tags: [web]\n    http: {url: \"https://docs.example.com/mcp\"}\ngrants:\n  - {to: {user: \"*\"}, scopes: [\"tag:web\", \"tag:mail\"]}\nrules:\n  - {id: no-writes, forbid: {servers: [docs]}}\n",
        ),
        Example::of(
            "version: 1\ntags: {web: Pages, mail: Letters}\nservers:\n  docs:\n    tags: [web]\n    http: {url: \"https://docs.example.com/mcp\"}\ngrants:\n  - {to: {user: \"*\"}, scopes: [\"tag:web\", \"tag:mail\"]}\nrules:\n  - {id: no-writes, forbid: {tools: [\"docs/write_*\"]}}\n",
        ),
    )
};

impl Check for PolicyAlwaysDenies {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn run(&self, subject: &Subject<'_>, findings: &mut Vec<Diagnostic>) {
        let Some(reach) = subject.reach else { return };
        let shut: Vec<_> = reach
            .servers()
            .filter_map(|name| match reach.access_to(name) {
                Access::Forbidden(reasons) => Some((name, reasons)),
                Access::Open | Access::NotPermitted => None,
            })
            .collect();
        let whole = shut.len() > 1 && shut.len() == reach.servers().count();
        if let Some((_, reasons)) = shut.first().filter(|_| whole) {
            let place = reasons.iter().find_map(|reason| reason.place.as_ref());
            let whole = &reach.config().listen.public_url.place;
            let message = "everything behind the gateway is forbidden to everybody";
            findings.push(ABOUT.at(place.unwrap_or(whole), message));
            return;
        }
        for (name, reasons) in shut {
            let Some(server) = reach.config().servers.get(name) else { continue };
            let message = format!("everything of the server `{name}` is forbidden to everybody");
            let places = reasons.iter().filter_map(|reason| reason.place.as_ref());
            let finding = ABOUT.at(&server.place, message);
            findings.push(places.fold(finding, |finding, place| finding.also(place, "forbidden here")));
        }
    }
}
