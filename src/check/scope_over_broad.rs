//! PC117 `scope-over-broad`: one scope that by itself opens more than half of the servers.
//!
//! A token that leaks opens all that its scopes open. Gateways of fewer than four servers are too small to
//! have another shape. It asks the engine: a scope opens a server if a caller with it alone may use
//! something there.

use std::collections::{BTreeMap, BTreeSet};

use super::{Check, Example, Page, Subject};
use crate::{
    diagnostic::{About, Class, Diagnostic, Level},
    name::ScopeName,
    policy::Verb,
    reach::Who,
};

pub(super) struct ScopeOverBroad;

const ABOUT: About = About {
    code: "PC117",
    name: "scope-over-broad",
    class: Class::Security(Level::Medium),
    summary: "one scope alone opens more than half of the servers",
    help: "give the servers tags of their own, so that a token can be given less",
};

const PAGE: Page = Page {
    tags: &[],
    ..Page::new(
        "a token opens all that its scopes open, so the reach of one scope is what one leaked token costs",
        Example::of(
            "version: 1\ntags: {web: Pages, mail: Letters}\nservers:\n  s1:\n    tags: [web]\n    http: {url: \"https://s1.example.com/mcp\"}\n  s2:\n    tags: [web]\n    http: {url: \"https://s2.example.com/mcp\"}\n  s3:\n    tags: [web]\n    http: {url: \"https://s3.example.com/mcp\"}\n  s4:\n    tags: [mail]\n    http: {url: \"https://s4.example.com/mcp\"}\ngrants:\n  - {to: {user: \"*\"}, scopes: [\"tag:web\", \"tag:mail\"]}\n",
        ),
        Example::of(
            "version: 1\ntags: {web: Pages, mail: Letters}\nservers:\n  s1:\n    tags: [web]\n    http: {url: \"https://s1.example.com/mcp\"}\n  s2:\n    tags: [web]\n    http: {url: \"https://s2.example.com/mcp\"}\n  s3:\n    tags: [mail]\n    http: {url: \"https://s3.example.com/mcp\"}\n  s4:\n    tags: [mail]\n    http: {url: \"https://s4.example.com/mcp\"}\ngrants:\n  - {to: {user: \"*\"}, scopes: [\"tag:web\", \"tag:mail\"]}\n",
        ),
    )
};

impl Check for ScopeOverBroad {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn run(&self, subject: &Subject<'_>, findings: &mut Vec<Diagnostic>) {
        let Some(reach) = subject.reach.filter(|reach| reach.engine().bundle().oauth()) else { return };
        let servers = reach.servers().count();
        if servers < FEWEST {
            return;
        }
        // Whoever the policies name may be told apart from others; what a scope opens is meant for all.
        let Some(anyone) = reach.callers().iter().find(|caller| caller.who == Who::Everyone) else { return };
        // A scope opens no more than what policies ask it for, and that is had without asking anything.
        let mut asked: BTreeMap<ScopeName, usize> = BTreeMap::new();
        for name in reach.servers() {
            let aims = reach.aims(name, Verb::ToolsCall);
            let here: BTreeSet<ScopeName> = aims.flat_map(|aim| reach.relevant(Verb::ToolsCall, &aim.target)).collect();
            here.into_iter().for_each(|scope| *asked.entry(scope).or_default() += 1);
        }
        let wide = |count: usize| count * 100 > servers * MOST_PERCENT;
        asked.retain(|_, count| wide(*count));
        if asked.is_empty() {
            return;
        }
        let nothing = BTreeSet::new();
        let mut opens: BTreeMap<ScopeName, usize> = BTreeMap::new();
        for name in reach.servers() {
            let mut here: BTreeSet<ScopeName> = BTreeSet::new();
            // What is not named is most often open: what a scope opens there need not be asked of the rest.
            for aim in reach.aims(name, Verb::ToolsCall).collect::<Vec<_>>().into_iter().rev() {
                let opens =
                    |scopes: &BTreeSet<ScopeName>| reach.opens_with(anyone, scopes, Verb::ToolsCall, &aim.target);
                let relevant = reach.relevant(Verb::ToolsCall, &aim.target);
                let new: Vec<ScopeName> =
                    relevant.into_iter().filter(|scope| asked.contains_key(scope) && !here.contains(scope)).collect();
                if !new.is_empty() && !opens(&nothing) {
                    here.extend(new.into_iter().filter(|scope| opens(&BTreeSet::from([scope.clone()]))));
                }
            }
            here.into_iter().for_each(|scope| *opens.entry(scope).or_default() += 1);
        }
        for (scope, count) in opens.into_iter().filter(|(_, count)| wide(*count)) {
            let Some(tag) = reach.config().tags.get(&scope.tag()) else { continue };
            let message = format!("`{scope}` alone opens {count} of {servers} servers");
            findings.push(ABOUT.at(&tag.place, message));
        }
    }
}

/// Gateways with fewer servers are not looked at.
const FEWEST: usize = 4;
/// What one scope may open at most.
const MOST_PERCENT: usize = 50;
