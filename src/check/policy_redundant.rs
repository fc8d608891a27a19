//! PC106 `policy-redundant`: something said twice, to no effect.
//!
//! Reading the file raises it of values of a list. Here it is raised of two grants that give the same
//! to the same, and of two rules that forbid the same under the same condition.

use std::collections::{BTreeMap, BTreeSet};

use super::{Check, Example, Page, Subject, policy_shadowed::scopes};
use crate::{
    config::findings,
    diagnostic::{About, Diagnostic, Place, Placed},
};

pub(super) struct PolicyRedundant;

const PAGE: Page = Page {
    tags: &[],
    ..Page::new(
        "what is said twice has to be changed twice: one of the two will be forgotten",
        Example::of(
            "version: 1\ntags: {web: Pages}\nservers:\n  docs:\n    tags: [web]\n    http: {url: \"https://docs.example.com/mcp\"}\ngrants:\n  - {to: {user: \"*\"}, scopes: [\"tag:web\"]}\n  - {id: again, to: {user: \"*\"}, scopes: [\"tag:web\"]}\n",
        ),
        Example::of(
            "version: 1\ntags: {web: Pages}\nservers:\n  docs:\n    tags: [web]\n    http: {url: \"https://docs.example.com/mcp\"}\ngrants:\n  - {to: {user: \"*\"}, scopes: [\"tag:web\"]}\n",
        ),
    )
};

impl Check for PolicyRedundant {
    fn about(&self) -> &'static About {
        &findings::POLICY_REDUNDANT
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn run(&self, subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
        let Some(config) = subject.config else { return };
        let mut grants: BTreeMap<_, &Place> = BTreeMap::new();
        for grant in &config.grants {
            if let Some(&first) = grants.get(&(&grant.to, scopes(grant))) {
                let finding = findings::POLICY_REDUNDANT.at(&grant.place, "this grants what another grant gives");
                found.push(finding.also(first, "the same to the same"));
                continue;
            }
            grants.insert((&grant.to, scopes(grant)), &grant.place);
        }
        let mut rules: BTreeMap<_, &Place> = BTreeMap::new();
        for rule in &config.rules {
            let selectors: BTreeSet<_> = rule.forbid.iter().map(|selector| &selector.value).collect();
            let text = |condition: &Option<Placed<String>>| {
                condition.as_ref().map(|condition| condition.value.trim().to_owned())
            };
            let said = (selectors, text(&rule.when), text(&rule.unless));
            if let Some(&first) = rules.get(&said) {
                let finding = findings::POLICY_REDUNDANT.at(&rule.place, "this forbids what another rule forbids");
                found.push(finding.also(first, "the same, under the same condition"));
                continue;
            }
            rules.insert(said, &rule.place);
        }
    }
}
