//! PC110 `server-unreachable`: a server that no caller can reach.
//!
//! It is started and kept, yet default deny means that no call can arrive. Usually a tag was renamed or a
//! grant forgotten. It speaks where nothing permits a call; where something is permitted and all of it
//! forbidden PC116 does, and where there are no grants at all PC114.

use std::collections::BTreeSet;

use super::{Check, Example, Page, Subject};
use crate::{
    config::Server,
    diagnostic::{About, Class, Diagnostic},
    name::ScopeName,
    reach::Access,
};

pub(super) struct ServerUnreachable;

const ABOUT: About = About {
    code: "PC110",
    name: "server-unreachable",
    class: Class::Error,
    summary: "no caller can reach this server",
    help: "tag it with a tag that some grant gives, mark it `public: true`, or remove it",
};

const PAGE: Page = Page {
    tags: &[],
    ..Page::new(
        "it is started and kept, yet default deny means that no call can arrive: usually a tag was renamed or a grant forgotten",
        Example::of(
            "version: 1\ntags: {web: Pages, mail: Letters}\nservers:\n  post:\n    tags: [mail]\n    http: {url: \"https://post.example.com/mcp\"}\ngrants: [{to: {user: \"*\"}, scopes: [\"tag:web\"]}]\n",
        ),
        Example::of(
            "version: 1\ntags: {web: Pages, mail: Letters}\nservers:\n  post:\n    tags: [mail]\n    http: {url: \"https://post.example.com/mcp\"}\ngrants: [{to: {user: \"*\"}, scopes: [\"tag:web\", \"tag:mail\"]}]\n",
        ),
    )
};

impl Check for ServerUnreachable {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn run(&self, subject: &Subject<'_>, findings: &mut Vec<Diagnostic>) {
        let Some(reach) = subject.reach else { return };
        let config = reach.config();
        let mut grantable = None;
        for (name, server) in &config.servers {
            if *reach.access_to(name) != Access::NotPermitted {
                continue;
            }
            if server.tags.is_empty() {
                let message = format!("nobody can reach the server `{name}`: it has no tags and is not public");
                findings.push(ABOUT.at(&server.place, message));
            } else if !config.grants.is_empty() {
                let grantable = grantable.get_or_insert_with(|| reach.grantable());
                findings.push(unreachable(name.as_str(), server, grantable));
            }
        }
    }
}

fn unreachable(name: &str, server: &Server, grantable: &BTreeSet<ScopeName>) -> Diagnostic {
    let missing: Vec<_> = server.tags.iter().filter(|tag| !grantable.contains(&tag.value.scope())).collect();
    if missing.is_empty() {
        let message = format!("nobody can reach the server `{name}`: no caller can hold all of its tags at once");
        return ABOUT
            .at(&server.place, message)
            .help("write `require: any`, or grant all of its tags to one of its callers");
    }
    let scopes = missing.iter().map(|tag| format!("`{}`", tag.value.scope())).collect::<Vec<_>>();
    let message = format!("nobody can reach the server `{name}`: no grant gives {}", scopes.join(" or "));
    missing.iter().fold(ABOUT.at(&server.place, message), |finding, tag| finding.also(&tag.place, "in no grant")).help(
        format!("add {} to a grant under `grants`, or tag the server with a tag that is granted", scopes.join(" and ")),
    )
}
