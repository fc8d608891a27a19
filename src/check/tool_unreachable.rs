//! PC111 `tool-unreachable`: a tool, prompt or resource of a reachable server that no caller can use.
//!
//! Each of its scopes can be granted, but nobody can hold them together. What is forbidden was meant to
//! be; of a scope that nobody may be granted PC102 speaks, of a whole server PC110.

use std::collections::BTreeSet;

use super::{Check, Example, Page, Subject};
use crate::{
    config::{Exception, Server},
    diagnostic::{About, Class, Diagnostic},
    name::{ScopeName, ServerName},
    policy::Verb,
    reach::{Access, Reach},
    share,
};

pub(super) struct ToolUnreachable;

const ABOUT: About = About {
    code: "PC111",
    name: "tool-unreachable",
    class: Class::Warning,
    summary: "no caller can hold all that this tool needs",
    help: "grant all of its scopes to one caller, or remove the entry and forbid the tool",
};

const PAGE: Page = Page {
    tags: &[],
    ..Page::new(
        "what nobody can use is either dead weight or an outage that nobody has noticed yet",
        Example::of(
            "version: 1\ntags: {web: Pages, mail: Letters}\nservers:\n  docs:\n    tags: [web]\n    http: {url: \"https://docs.example.com/mcp\"}\n    tools: {send: {tags: [mail]}}\ngrants:\n  - {to: {user: \"*\"}, scopes: [\"tag:web\"]}\n  - {to: {client: bot}, scopes: [\"tag:mail\"]}\n",
        ),
        Example::of(
            "version: 1\ntags: {web: Pages, mail: Letters}\nservers:\n  docs:\n    tags: [web]\n    http: {url: \"https://docs.example.com/mcp\"}\n    tools: {send: {tags: [mail]}}\ngrants:\n  - {to: {user: \"*\"}, scopes: [\"tag:web\"]}\n  - {to: {group: clerks}, scopes: [\"tag:mail\"]}\n",
        ),
    )
};

impl Check for ToolUnreachable {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn run(&self, subject: &Subject<'_>, findings: &mut Vec<Diagnostic>) {
        let Some(reach) = subject.reach.filter(|reach| reach.engine().bundle().oauth()) else { return };
        let grantable = reach.grantable();
        let servers: Vec<_> = reach.config().servers.iter().collect();
        findings.extend(share::out(&servers, 8, |some| {
            some.iter().flat_map(|(name, server)| shut(reach, &grantable, name, server)).collect()
        }));
    }
}

/// What is shut of one server.
fn shut(reach: &Reach<'_>, grantable: &BTreeSet<ScopeName>, name: &ServerName, server: &Server) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    if *reach.access_to(name) != Access::Open {
        return found;
    }
    let groups = [
        (Verb::ToolsCall, &server.tools),
        (Verb::PromptsGet, &server.prompts),
        (Verb::ResourcesRead, &server.resources),
    ];
    for (verb, exceptions) in groups {
        for (pattern, exception) in exceptions {
            let Exception::Tags(tags, place) = exception else { continue };
            if tags.iter().any(|tag| !grantable.contains(&tag.value.scope())) {
                continue;
            }
            let mut fitting = reach.aims(name, verb).filter(|aim| pattern.matches(aim.target.name())).peekable();
            let shut =
                fitting.peek().is_some() && fitting.all(|aim| reach.access(verb, &aim.target) == Access::NotPermitted);
            if shut {
                let message = format!("nobody can use `{name}/{pattern}`: no caller can hold all of its scopes");
                found.push(ABOUT.at(place, message));
            }
        }
    }
    found
}
