//! `grants:` → the ceilings of the question *grant*.
//!
//! With a person: what the person, their groups and everyone may be granted, and within the client's
//! entry where the client has one. Without a person: the client's entry alone.

use std::collections::{BTreeMap, BTreeSet};

use sha2::Digest;

use super::{
    press::Written,
    render::{Draft, set, string},
};
use crate::{
    config::{Grant, Grantee},
    diagnostic::Place,
    name::{ClientId, ScopeName},
    policy::{Effect, hex},
};

/// The policies of all grants.
pub(super) fn policies(grants: &[Grant]) -> Vec<Written> {
    let mut policies = Vec::new();
    let mut ceilings: BTreeMap<&ClientId, (BTreeSet<&ScopeName>, &Place)> = BTreeMap::new();
    for grant in grants {
        let scopes: BTreeSet<&ScopeName> = grant.scopes.iter().map(|scope| &scope.value).collect();
        let id = id(grant, &scopes);
        let (principal, when) = match &grant.to {
            Grantee::Everyone => ("principal is Portcullis::User".to_owned(), None),
            Grantee::User(user) => (format!("principal == Portcullis::User::{}", string(user.as_str())), None),
            Grantee::Group(group) => (
                "principal is Portcullis::User".to_owned(),
                Some(format!("context.groups.contains({})", string(group.as_str()))),
            ),
            Grantee::Client(client) => {
                ceilings.entry(client).or_insert((BTreeSet::new(), &grant.place)).0.extend(scopes.iter().copied());
                (format!("principal == Portcullis::Client::{}", string(client.as_str())), None)
            }
        };
        let when = when.into_iter().chain([contains(&scopes)]).collect();
        let written = written(&id, Effect::Permit, &principal, when, Vec::new(), &grant.place);
        policies.push(Written { gives: scopes.into_iter().cloned().collect(), ..written });
    }
    for (client, (scopes, place)) in ceilings {
        let id = format!("grant/client/{client}");
        let when = vec![format!("context has client && context.client == {}", string(client.as_str()))];
        let principal = "principal is Portcullis::User";
        policies.push(written(&id, Effect::Forbid, principal, when, vec![contains(&scopes)], place));
    }
    policies
}

fn written(
    id: &str,
    effect: Effect,
    principal: &str,
    when: Vec<String>,
    unless: Vec<String>,
    place: &Place,
) -> Written {
    let resource = "resource";
    Draft { id, notes: Vec::new(), effect, principal, resource, actions: vec!["grant"], when, unless }
        .written(Some(place))
}

/// `[Scope, Scope].contains(resource)`: a list is not allowed in the head of a policy.
fn contains(scopes: &BTreeSet<&ScopeName>) -> String {
    let scopes: Vec<String> =
        scopes.iter().map(|scope| format!("Portcullis::Scope::{}", string(scope.as_str()))).collect();
    format!("[{}].contains(resource)", scopes.join(", "))
}

/// The entry's own id, else one derived from what it says.
fn id(grant: &Grant, scopes: &BTreeSet<&ScopeName>) -> String {
    if let Some(id) = &grant.id {
        return format!("grant/{id}");
    }
    let said = format!("{:?} {}", grant.to, set(scopes.iter().map(|scope| scope.as_str())));
    let digest: String = hex(&sha2::Sha256::digest(said)).chars().take(12).collect();
    format!("grant/{digest}")
}
