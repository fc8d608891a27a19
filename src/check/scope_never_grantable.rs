//! PC102 `scope-never-grantable`: a scope that something needs and nobody may be granted.
//!
//! What waits for it is closed to everybody, and passes every other check. It speaks of the tags of tools,
//! prompts and resources, and of scopes that rules and hand-written policies name; of the tags of a
//! server PC110 speaks, of scopes that can be granted but not together PC111. A tag that is `sensitive`
//! and in no grant is taken to be withheld on purpose.

use super::{Check, Example, Page, Subject};
use crate::{
    config::Exception,
    diagnostic::{About, Class, Confidence, Diagnostic},
    name::ScopeName,
    reach::Access,
};

pub(super) struct ScopeNeverGrantable;

const ABOUT: About = About {
    code: "PC102",
    name: "scope-never-grantable",
    class: Class::Error,
    summary: "something needs a scope that nobody may be granted",
    help: "grant the scope to somebody under `grants`, or mark its tag `sensitive: true` if nobody is to have it yet",
};

const PAGE: Page = Page {
    tags: &[],
    ..Page::new(
        "what waits for a scope that no token can have is closed to everybody, and nothing else says so: a rename can be an outage",
        Example::of(
            "version: 1\ntags: {web: Pages, mail: Letters}\nservers:\n  docs:\n    tags: [web]\n    http: {url: \"https://docs.example.com/mcp\"}\n    tools: {send: {tags: [mail]}}\ngrants:\n  - {to: {user: \"*\"}, scopes: [\"tag:web\"]}\n",
        ),
        Example::of(
            "version: 1\ntags: {web: Pages, mail: Letters}\nservers:\n  docs:\n    tags: [web]\n    http: {url: \"https://docs.example.com/mcp\"}\n    tools: {send: {tags: [mail]}}\ngrants:\n  - {to: {user: \"*\"}, scopes: [\"tag:web\", \"tag:mail\"]}\n",
        ),
    )
};

impl Check for ScopeNeverGrantable {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn run(&self, subject: &Subject<'_>, findings: &mut Vec<Diagnostic>) {
        let Some(reach) = subject.reach.filter(|reach| reach.engine().bundle().oauth()) else { return };
        let config = reach.config();
        if config.grants.is_empty() {
            return; // PC114 speaks.
        }
        let grantable = reach.grantable();
        let withheld = |scope: &ScopeName| {
            let sensitive = config.tags.get(&scope.tag()).is_some_and(|tag| tag.sensitive);
            !grantable.contains(scope) && !sensitive
        };
        for (name, server) in &config.servers {
            // Of a server that nobody reaches PC110 speaks.
            if *reach.access_to(name) == Access::NotPermitted {
                continue;
            }
            let exceptions = server.tools.iter().chain(&server.prompts).chain(&server.resources);
            for (pattern, exception) in exceptions {
                let Exception::Tags(tags, _) = exception else { continue };
                for tag in tags.iter().filter(|tag| withheld(&tag.value.scope())) {
                    let scope = tag.value.scope();
                    let message = format!("`{name}/{pattern}` needs `{scope}`, which nobody may be granted");
                    findings.push(ABOUT.at(&tag.place, message).label("in no grant"));
                }
            }
        }
        for policy in reach.engine().bundle().policies().filter(|policy| policy.needs.is_none()) {
            let Some(place) = policy.place().filter(|_| !policy.verbs.is_empty()) else { continue };
            for scope in reach.scopes_in(policy).filter(|scope| withheld(scope)) {
                let message = format!("the policy `{}` asks for `{scope}`, which nobody may be granted", policy.id());
                findings.push(ABOUT.at(place, message).confidence(Confidence::Medium));
            }
        }
    }
}
