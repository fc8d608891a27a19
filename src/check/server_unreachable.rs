//! PC110 `server-unreachable`: a server that no caller can reach.
//!
//! It is started and kept, yet default deny means that no call can arrive. Usually a tag was
//! renamed or a grant forgotten. Who could reach it: a person with everything that `*`, all
//! groups and one user entry give, or a client alone with its own entry.

use std::collections::{BTreeMap, BTreeSet};

use super::{Check, Example, Page, Subject};
use crate::{
    config::{Config, Grantee, Require, Server},
    diagnostic::{About, Class, Diagnostic},
    name::{ClientId, TagName, UserId},
    reach::Reach,
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
        let Some(config) = subject.reach.map(Reach::config) else { return };
        let ceilings = Ceilings::of(config);
        for (name, server) in config.servers.iter().filter(|(_, server)| !server.public) {
            if server.tags.is_empty() {
                let message = format!("nobody can reach the server `{name}`: it has no tags and is not public");
                findings.push(ABOUT.at(&server.place, message));
            } else if config.oauth.enabled.value && !ceilings.open(server) {
                findings.push(unreachable(name.as_str(), server, &ceilings));
            }
        }
    }
}

/// The most that one caller can hold, for every kind of caller that the grants tell apart.
#[derive(Default)]
struct Ceilings {
    /// What everyone and all groups give together.
    shared: BTreeSet<TagName>,
    /// What a person has besides.
    users: BTreeMap<UserId, BTreeSet<TagName>>,
    /// What a client has by itself.
    clients: BTreeMap<ClientId, BTreeSet<TagName>>,
}

impl Ceilings {
    fn of(config: &Config) -> Self {
        let mut ceilings = Self::default();
        for grant in &config.grants {
            let tags = grant.scopes.iter().map(|scope| scope.value.tag());
            match &grant.to {
                Grantee::Everyone | Grantee::Group(_) => ceilings.shared.extend(tags),
                Grantee::User(user) => ceilings.users.entry(user.clone()).or_default().extend(tags),
                Grantee::Client(client) => ceilings.clients.entry(client.clone()).or_default().extend(tags),
            }
        }
        ceilings
    }

    /// Whether some caller can hold what the server needs.
    fn open(&self, server: &Server) -> bool {
        let enough = |holds: &dyn Fn(&TagName) -> bool| match server.require {
            Require::All => server.tags.iter().all(|tag| holds(&tag.value)),
            Require::Any => server.tags.iter().any(|tag| holds(&tag.value)),
        };
        enough(&|tag| self.shared.contains(tag))
            || self.users.values().any(|own| enough(&|tag| own.contains(tag) || self.shared.contains(tag)))
            || self.clients.values().any(|own| enough(&|tag| own.contains(tag)))
    }

    /// Whether any grant gives the tag.
    fn give(&self, tag: &TagName) -> bool {
        self.shared.contains(tag) || self.users.values().chain(self.clients.values()).any(|own| own.contains(tag))
    }
}

fn unreachable(name: &str, server: &Server, ceilings: &Ceilings) -> Diagnostic {
    let missing: Vec<_> = server.tags.iter().filter(|tag| !ceilings.give(&tag.value)).collect();
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
