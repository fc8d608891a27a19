//! PC105 `policy-shadowed`: a grant or rule that a broader one holds already.
//!
//! What a grant gives, everybody may be granted anyway, or another grant to the same gives that and
//! more; what a rule forbids, a rule without a condition forbids anyway. Of two that say the same PC106
//! speaks.

use std::collections::BTreeSet;

use super::{Check, Example, Fixable, Page, Subject};
use crate::{
    config::{Grant, Grantee, Rule, Selector},
    diagnostic::{About, Class, Diagnostic},
    name::{Pattern, ScopeName},
};

pub(super) struct PolicyShadowed;

const ABOUT: About = About {
    code: "PC105",
    name: "policy-shadowed",
    class: Class::Warning,
    summary: "a grant or rule says nothing that a broader one does not say",
    help: "remove it, or narrow the broader one if this was meant as a limit",
};

const PAGE: Page = Page {
    fix: Fixable::No,
    tags: &[],
    ..Page::new(
        "the narrow line suggests a limit that does not exist",
        Example::of(
            "version: 1\ntags: {web: Pages, mail: Letters}\nservers:\n  docs:\n    tags: [web]\n    http: {url: \"https://docs.example.com/mcp\"}\ngrants:\n  - {to: {user: \"*\"}, scopes: [\"tag:web\", \"tag:mail\"]}\n  - {to: {user: ana}, scopes: [\"tag:web\"]}\n",
        ),
        Example::of(
            "version: 1\ntags: {web: Pages, mail: Letters}\nservers:\n  docs:\n    tags: [web]\n    http: {url: \"https://docs.example.com/mcp\"}\ngrants:\n  - {to: {user: \"*\"}, scopes: [\"tag:web\"]}\n  - {to: {user: ana}, scopes: [\"tag:mail\"]}\n",
        ),
    )
};

impl Check for PolicyShadowed {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn run(&self, subject: &Subject<'_>, findings: &mut Vec<Diagnostic>) {
        let Some(config) = subject.reach.map(crate::reach::Reach::config) else { return };
        for grant in &config.grants {
            let broader = config.grants.iter().find(|other| holds_more(other, grant));
            if let Some(broader) = broader {
                let message = "this grants nothing that is not granted anyway";
                findings.push(ABOUT.at(&grant.place, message).also(&broader.place, "by this broader grant"));
            }
        }
        for rule in &config.rules {
            let broader = config.rules.iter().find(|other| forbids_more(other, rule));
            if let Some(broader) = broader {
                let message = "this forbids nothing that is not forbidden anyway";
                findings.push(ABOUT.at(&rule.place, message).also(&broader.place, "by this broader rule"));
            }
        }
    }
}

pub(super) fn scopes(grant: &Grant) -> BTreeSet<&ScopeName> {
    grant.scopes.iter().map(|scope| &scope.value).collect()
}

/// Whether one grant gives all that another gives, and not the same to the same.
fn holds_more(broad: &Grant, narrow: &Grant) -> bool {
    let covers = match (&broad.to, &narrow.to) {
        // A client's entry narrows its people besides: it is never idle.
        (_, Grantee::Client(_)) => broad.to == narrow.to,
        (Grantee::Everyone, _) => true,
        _ => broad.to == narrow.to,
    };
    // Most pairs have nothing to do with each other.
    if !covers || std::ptr::eq(broad, narrow) {
        return false;
    }
    let (broad_scopes, narrow_scopes) = (scopes(broad), scopes(narrow));
    let same = broad.to == narrow.to && broad_scopes == narrow_scopes;
    !same && narrow_scopes.is_subset(&broad_scopes)
}

/// Whether one rule forbids, whatever the request, all that another forbids, and not the same.
fn forbids_more(broad: &Rule, narrow: &Rule) -> bool {
    if std::ptr::eq(broad, narrow) || broad.when.is_some() || broad.unless.is_some() {
        return false;
    }
    let within = |narrow: &Rule, broad: &Rule| {
        narrow.forbid.iter().all(|one| broad.forbid.iter().any(|other| covers(&other.value, &one.value)))
    };
    let conditional = narrow.when.is_some() || narrow.unless.is_some();
    within(narrow, broad) && (conditional || !within(broad, narrow))
}

/// Whether all that one selector names, another names.
fn covers(broad: &Selector, narrow: &Selector) -> bool {
    match (broad, narrow) {
        (Selector::Server(None), _) => true,
        (Selector::Server(Some(server)), Selector::Server(Some(of)))
        | (
            Selector::Server(Some(server)),
            Selector::Tool(of, _) | Selector::Prompt(of, _) | Selector::Resource(of, _),
        ) => server == of,
        (Selector::Tool(server, broad), Selector::Tool(of, narrow))
        | (Selector::Prompt(server, broad), Selector::Prompt(of, narrow))
        | (Selector::Resource(server, broad), Selector::Resource(of, narrow)) => server == of && fits(broad, narrow),
        _ => false,
    }
}

/// Whether every name that fits one pattern fits another: certain, where it says so.
fn fits(broad: &Pattern, narrow: &Pattern) -> bool {
    // A `*` stands for any characters, among them one that no pattern holds.
    broad == narrow || broad.matches(&narrow.as_str().replace('*', "\u{1}"))
}
