//! PC104 `permit-overridden`: everything that a grant or a hand-written permit gives is forbidden again.
//!
//! It asks the engine: what the grantee may be granted at most, and every cell that the permit holds
//! for. A server whose own permit is overridden altogether is PC116's.

use std::collections::BTreeSet;

use super::{Check, Example, Page, Subject};
use crate::{
    config::Grantee,
    diagnostic::{About, Class, Diagnostic, Place},
    name::ScopeName,
    policy::{Effect, Policy, Verb},
    reach::{Caller, Reach, Who},
};

pub(super) struct PermitOverridden;

const ABOUT: About = About {
    code: "PC104",
    name: "permit-overridden",
    class: Class::Error,
    summary: "everything that a grant or permit gives is forbidden elsewhere",
    help: "remove one of the two: what is given here never takes effect",
};

const PAGE: Page = Page {
    tags: &[],
    ..Page::new(
        "a permit that never takes effect tells its reader of an access that nobody has",
        Example {
            yaml: "version: 1\ntags: {web: Pages}\nservers:\n  docs:\n    tags: [web]\n    http: {url: \"https://docs.example.com/mcp\"}\ngrants:\n  - {to: {user: \"*\"}, scopes: [\"tag:web\"]}\n  - {to: {client: bot}, scopes: [\"tag:web\"]}\npolicies: [extra.cedar]\n",
            files: &[(
                "extra.cedar",
                "@id(\"no-clients\")\nforbid (principal is Portcullis::Client, action == Portcullis::Action::\"grant\", resource);\n",
            )],
        },
        Example {
            yaml: "version: 1\ntags: {web: Pages}\nservers:\n  docs:\n    tags: [web]\n    http: {url: \"https://docs.example.com/mcp\"}\ngrants:\n  - {to: {user: \"*\"}, scopes: [\"tag:web\"]}\npolicies: [extra.cedar]\n",
            files: &[(
                "extra.cedar",
                "@id(\"no-clients\")\nforbid (principal is Portcullis::Client, action == Portcullis::Action::\"grant\", resource);\n",
            )],
        },
    )
};

impl Check for PermitOverridden {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn run(&self, subject: &Subject<'_>, findings: &mut Vec<Diagnostic>) {
        let Some(reach) = subject.reach.filter(|reach| reach.engine().bundle().oauth()) else { return };
        for grant in &reach.config().grants {
            let Some(caller) = reach.callers().iter().find(|caller| is(&caller.who, &grant.to)) else { continue };
            let most = reach.ceiling(caller);
            if grant.scopes.iter().all(|scope| !most.contains(&scope.value)) {
                let message = format!("nothing of what is granted to {} takes effect", caller.who);
                let by = forbids_of_grants(reach, caller, grant.scopes.first().map(|scope| &scope.value));
                findings.push(also(ABOUT.at(&grant.place, message), &by));
            }
        }
        for policy in reach.engine().bundle().policies() {
            let by_hand = policy.shape().effect == Effect::Permit && is_written_by_hand(policy);
            if let Some(place) = policy.place().filter(|_| by_hand && !policy.verbs.is_empty())
                && let Some(by) = overridden(reach, policy)
            {
                let message = format!("all that `{}` permits is forbidden", policy.id());
                findings.push(also(ABOUT.at(place, message), &by));
            }
        }
    }
}

fn also(finding: Diagnostic, places: &BTreeSet<Place>) -> Diagnostic {
    places.iter().fold(finding, |finding, place| finding.also(place, "forbidden here"))
}

/// Whether a policy stands in a file of `policies:`.
pub(super) fn is_written_by_hand(policy: &Policy) -> bool {
    policy.place().is_some()
        && !["server/", "rule/", "grant/", "guard/"].iter().any(|compiled| policy.id().starts_with(compiled))
}

/// Whether a grant is to callers of this kind.
pub(super) fn is(who: &Who, grantee: &Grantee) -> bool {
    match (who, grantee) {
        (Who::Everyone, Grantee::Everyone) => true,
        (Who::User(who), Grantee::User(user)) => who == user,
        (Who::Group(who), Grantee::Group(group)) => who == group,
        (Who::Client(who), Grantee::Client(client)) => who == client,
        _ => false,
    }
}

fn forbids_of_grants(reach: &Reach<'_>, caller: &Caller, scope: Option<&ScopeName>) -> BTreeSet<Place> {
    let standing = caller.standing();
    let decision = scope
        .map(|scope| reach.engine().may_grant(&standing.principal, standing.client.as_ref(), &standing.groups, scope));
    let reasons = decision.iter().flat_map(|decision| decision.reasons.iter());
    reasons.filter_map(|reason| reason.place.clone()).collect()
}

/// The forbids that stand against every cell that a permit holds for; nothing where some cell is
/// allowed, or it holds for none.
fn overridden(reach: &Reach<'_>, policy: &Policy) -> Option<BTreeSet<Place>> {
    let mut places = BTreeSet::new();
    let mut held = false;
    for server in reach.servers().filter(|server| policy.shape().pin.as_ref().is_none_or(|pin| pin == *server)) {
        for verb in Verb::ALL.into_iter().filter(|verb| policy.verbs.contains(verb)) {
            for aim in reach.aims(server, verb) {
                for caller in reach.everybody() {
                    let most = reach.ceiling(caller);
                    if !reach.holds(policy, (caller, most), verb, &aim.target) {
                        continue;
                    }
                    held = true;
                    if reach.opens(caller, verb, &aim.target) {
                        return None;
                    }
                    let decision = reach.decision(caller, most, verb, &aim.target);
                    places.extend(decision.reasons.iter().filter_map(|reason| reason.place.clone()));
                }
            }
        }
    }
    // A guard rail alone, as against `Anonymous`, has no place.
    (held && !places.is_empty()).then_some(places)
}
