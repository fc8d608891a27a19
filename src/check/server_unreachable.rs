//! PC110 `server-unreachable`: a server that no caller can reach.
//!
//! It is started and kept, yet default deny means that no call can arrive. Usually a tag was
//! renamed or a grant forgotten. Who could reach it: a person with everything that `*`, all
//! groups and one user entry give, or a client alone with its own entry.

use std::collections::{BTreeMap, BTreeSet};

use super::{Check, Subject};
use crate::{
    config::{Config, Grantee, Require, Server},
    diagnostic::{About, Class, Diagnostic},
    name::TagName,
};

pub(super) struct ServerUnreachable;

const ABOUT: About = About {
    code: "PC110",
    name: "server-unreachable",
    class: Class::Error,
    summary: "no caller can reach this server",
    help: "tag it with a tag that some grant gives, mark it `public: true`, or remove it",
};

impl Check for ServerUnreachable {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn run(&self, subject: &Subject<'_>, findings: &mut Vec<Diagnostic>) {
        let config = subject.config;
        let ceilings = ceilings(config);
        for (name, server) in config.servers.iter().filter(|(_, server)| !server.public) {
            if server.tags.is_empty() {
                let message = format!("nobody can reach the server `{name}`: it has no tags and is not public");
                findings.push(ABOUT.at(&server.place, message));
            } else if config.oauth.enabled.value && !ceilings.iter().any(|ceiling| opens(ceiling, server)) {
                findings.push(unreachable(name.as_str(), server, &ceilings));
            }
        }
    }
}

fn opens(ceiling: &BTreeSet<TagName>, server: &Server) -> bool {
    match server.require {
        Require::All => server.tags.iter().all(|tag| ceiling.contains(&tag.value)),
        Require::Any => server.tags.iter().any(|tag| ceiling.contains(&tag.value)),
    }
}

/// The most that one caller can hold, for every kind of caller that the grants tell apart.
fn ceilings(config: &Config) -> Vec<BTreeSet<TagName>> {
    let mut shared = BTreeSet::new();
    let mut users = BTreeMap::<_, BTreeSet<TagName>>::new();
    let mut clients = BTreeMap::<_, BTreeSet<TagName>>::new();
    for grant in &config.grants {
        let tags = grant.scopes.iter().map(|scope| scope.value.tag());
        match &grant.to {
            Grantee::Everyone | Grantee::Group(_) => shared.extend(tags),
            Grantee::User(user) => users.entry(user).or_default().extend(tags),
            Grantee::Client(client) => clients.entry(client).or_default().extend(tags),
        }
    }
    let persons = users.into_values().map(|own| own.union(&shared).cloned().collect());
    let mut all: Vec<BTreeSet<TagName>> = persons.chain(clients.into_values()).collect();
    all.push(shared);
    all
}

fn unreachable(name: &str, server: &Server, ceilings: &[BTreeSet<TagName>]) -> Diagnostic {
    let missing: Vec<_> =
        server.tags.iter().filter(|tag| !ceilings.iter().any(|ceiling| ceiling.contains(&tag.value))).collect();
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
