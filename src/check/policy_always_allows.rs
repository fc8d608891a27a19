//! PC115 `policy-always-allows`: a policy that allows more than can be reviewed, or policies that
//! together allow everything.
//!
//! The compiler raises it of a hand-written policy that speaks to every question. Here it is raised
//! where whoever has a token may do everything on every server without any scope, though some server
//! is not `public`. The local mode, which asks for no token, is meant to be open.

use std::collections::BTreeSet;

use super::{Check, Example, Page, Subject, permit_overridden::is_written_by_hand};
use crate::{
    compile::findings,
    diagnostic::{About, Diagnostic},
    policy::{Effect, Verb},
    reach::{Letter, Who},
};

pub(super) struct PolicyAlwaysAllows;

const PAGE: Page = Page {
    tags: &["CWE-732"],
    ..Page::new(
        "where everything is allowed, grants and scopes decide nothing, and no review of them finds that",
        Example {
            yaml: "version: 1\ntags: {web: Pages}\nservers:\n  docs:\n    tags: [web]\n    http: {url: \"https://docs.example.com/mcp\"}\ngrants:\n  - {to: {user: \"*\"}, scopes: [\"tag:web\"]}\npolicies: [extra.cedar]\n",
            files: &[(
                "extra.cedar",
                "@id(\"open\")\npermit (principal, action in Portcullis::Action::\"use\", resource);\n",
            )],
        },
        Example {
            yaml: "version: 1\ntags: {web: Pages}\nservers:\n  docs:\n    tags: [web]\n    http: {url: \"https://docs.example.com/mcp\"}\ngrants:\n  - {to: {user: \"*\"}, scopes: [\"tag:web\"]}\npolicies: [extra.cedar]\n",
            files: &[(
                "extra.cedar",
                "@id(\"owner\")\npermit (principal == Portcullis::User::\"local/owner\", action in Portcullis::Action::\"use\", resource);\n",
            )],
        },
    )
};

impl Check for PolicyAlwaysAllows {
    fn about(&self) -> &'static About {
        &findings::OVERREACH
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn run(&self, subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
        let Some(reach) = subject.reach.filter(|reach| reach.engine().bundle().oauth()) else { return };
        let Some(anyone) = reach.callers().iter().find(|caller| caller.who == Who::Everyone) else { return };
        if reach.config().servers.values().all(|server| server.public) {
            return;
        }
        let nothing = BTreeSet::new();
        let verbs = || Verb::ALL.into_iter().filter(|verb| verb.acts());
        let everything = reach.servers().all(|server| {
            verbs().all(|verb| {
                reach.aims(server, verb).all(|aim| reach.letter(anyone, &nothing, verb, &aim.target) == Letter::Allowed)
            })
        });
        if !everything {
            return;
        }
        let permits = reach.engine().bundle().policies().filter(|policy| {
            policy.shape().effect == Effect::Permit && !policy.verbs.is_empty() && is_written_by_hand(policy)
        });
        for place in permits.filter_map(|policy| policy.place()) {
            let message = "with this, whoever has a token may do everything on every server";
            found.push(findings::OVERREACH.at(place, message).help("say in it for whom, and on which server"));
        }
    }
}
