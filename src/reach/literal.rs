//! What the text of a policy names: the callers, scopes and values that it can tell apart.
//!
//! Read from Cedar's own JSON form, as [`crate::policy::Shape`] is. What is named and never compared
//! only makes a question more.

use std::{collections::BTreeSet, net::IpAddr};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::{
    name::{ClientId, GroupId, ScopeName, UserId},
    policy::{Needs, Policy, Standing},
};

/// What the text of a policy names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Literals {
    /// Every string.
    pub(super) strings: BTreeSet<String>,
    /// People, as entities.
    pub(super) users: BTreeSet<UserId>,
    /// Clients, as entities or compared with `context.client`.
    pub(super) clients: BTreeSet<ClientId>,
    /// Groups.
    pub(super) groups: BTreeSet<GroupId>,
    /// Scopes, as entities or as texts.
    pub(super) scopes: BTreeSet<ScopeName>,
    /// Whom it asks for.
    pub(super) asks_for: AsksFor,
}

/// Whom a policy asks for: it holds for nobody else.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct AsksFor {
    /// The one caller of its head, as type and id.
    principal: Option<(String, String)>,
    /// A group that its condition cannot do without.
    group: Option<String>,
}

impl AsksFor {
    /// Whether somebody is among those it may hold for.
    pub(super) fn takes_in(&self, somebody: &Standing) -> bool {
        let Standing { principal, groups, client: _, scopes: _, named: _ } = somebody;
        let one = |(kind, id): &(String, String)| principal.id() == Some(id) && principal.kind() == kind.to_lowercase();
        let member = |group: &String| groups.iter().any(|of| of.as_str() == group);
        self.principal.as_ref().is_none_or(one) && self.group.as_ref().is_none_or(member)
    }

    fn of(policy: &Value) -> Self {
        let conditions = policy.get("conditions").and_then(Value::as_array).into_iter().flatten();
        let when = conditions.filter(|condition| condition.get("kind") == Some(&"when".into()));
        let groups = when.filter_map(|condition| condition.get("body")).flat_map(conjuncts).filter_map(|one| {
            let of = one.get("contains")?;
            let text = of.get("right")?.get("Value")?.as_str()?;
            (of.get("left")? == &json!({ ".": { "left": { "Var": "context" }, "attr": "groups" } })).then_some(text)
        });
        Self {
            principal: policy.get("principal").and_then(|scope| scope.get("entity")).and_then(entity),
            group: groups.map(str::to_owned).next(),
        }
    }
}

/// The parts of a condition that must all hold.
fn conjuncts(body: &Value) -> Vec<&Value> {
    match body.get("&&").and_then(|and| Some((and.get("left")?, and.get("right")?))) {
        Some((left, right)) => conjuncts(left).into_iter().chain(conjuncts(right)).collect(),
        None => vec![body],
    }
}

impl Literals {
    /// Reads them off a policy.
    pub(super) fn of(policy: &Policy) -> Self {
        let mut found = Self::default();
        let facts = &policy.shape.facts;
        match &policy.needs {
            // What the compiler wrote of scopes alone, it told.
            Some(Needs::All(scopes) | Needs::Any(scopes)) => found.scopes.clone_from(scopes),
            None if says_nothing_of_callers(policy) => {}
            None => {
                let Ok(json) = policy.cedar.to_json() else { return found };
                found.asks_for = AsksFor::of(&json);
                found.read(&json);
                // What is compared in no way that is known may be anything that is named.
                let reads = |fact: &str| facts.contains(fact) || facts.contains("*");
                if reads("client") && found.clients.is_empty() {
                    found.clients = found.strings.iter().filter_map(|text| text.parse().ok()).collect();
                }
                if reads("groups") && found.groups.is_empty() {
                    found.groups = found.strings.iter().filter_map(|text| text.parse().ok()).collect();
                }
                if reads("scopes") {
                    found.scopes.extend(found.strings.iter().filter_map(|text| text.parse::<ScopeName>().ok()));
                }
            }
        }
        found
    }

    fn read(&mut self, json: &Value) {
        match json {
            Value::Object(object) => {
                if let Some((kind, id)) = entity(json) {
                    match kind.as_str() {
                        "User" => self.users.extend(id.parse::<UserId>().ok()),
                        "Client" => self.clients.extend(id.parse::<ClientId>().ok()),
                        "Scope" => self.scopes.extend(id.parse::<ScopeName>().ok()),
                        _ => {}
                    }
                    return;
                }
                for (key, value) in object {
                    self.compared(value);
                    match (key.as_str(), value) {
                        // The names of attributes and the notes above a policy are not compared.
                        ("attr" | "annotations" | "op" | "entity_type" | "kind" | "Var", _) => {}
                        (_, Value::String(text)) => {
                            self.strings.insert(text.clone());
                        }
                        _ => self.read(value),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| match item {
                Value::String(text) => {
                    self.strings.insert(text.clone());
                }
                _ => self.read(item),
            }),
            Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// What `context.client` and `context.groups` are compared with by an operator of two sides.
    fn compared(&mut self, operands: &Value) {
        let (Some(left), Some(right)) = (operands.get("left"), operands.get("right")) else { return };
        for (fact, other) in [(left, right), (right, left)] {
            let mut named = Self::default();
            match fact.get(".").filter(|of| of.get("left").and_then(|of| of.get("Var")) == Some(&"context".into())) {
                Some(of) if of.get("attr") == Some(&"client".into()) => {
                    named.read(other);
                    self.clients.extend(named.strings.iter().filter_map(|text| text.parse::<ClientId>().ok()));
                }
                Some(of) if of.get("attr") == Some(&"groups".into()) => {
                    named.read(other);
                    self.groups.extend(named.strings.iter().filter_map(|text| text.parse::<GroupId>().ok()));
                }
                Some(_) | None => {}
            }
        }
    }

    /// The addresses that `ip("…")` names, of a range its first.
    pub(super) fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.strings.iter().filter_map(|text| text.split('/').next()?.parse().ok())
    }

    /// The instants that `datetime("…")` names.
    pub(super) fn instants(&self) -> impl Iterator<Item = Timestamp> {
        self.strings.iter().filter_map(|text| {
            let day = || format!("{text}T00:00:00Z").parse().ok();
            text.parse().ok().or_else(day)
        })
    }

    /// The spans that `duration("…")` names.
    pub(super) fn spans(&self) -> impl Iterator<Item = SignedDuration> {
        self.strings.iter().filter_map(|text| text.parse().ok())
    }
}

/// Whether there is no need to read what such a policy names: it tells names apart by its patterns,
/// and nothing else.
fn says_nothing_of_callers(policy: &Policy) -> bool {
    let names = policy.shape.reads_name && policy.patterns.is_empty();
    let callers = ["Portcullis::User::", "Portcullis::Client::"].iter().any(|kind| policy.text.contains(kind));
    policy.shape.facts.is_empty() && !policy.verbs.is_empty() && !names && !callers
}

/// The type and id of an entity, in any of the forms that the JSON has for one.
fn entity(json: &Value) -> Option<(String, String)> {
    let entity = json.get("__entity").unwrap_or(json);
    let kind = entity.get("type")?.as_str()?;
    let id = entity.get("id")?.as_str()?;
    Some((kind.strip_prefix("Portcullis::").unwrap_or(kind).to_owned(), id.to_owned()))
}
