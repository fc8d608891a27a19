//! What is written under `headers:`, as the rules about header fields read it: every entry in the order
//! of the file, from a plain list or from `rules` of the map.

use std::collections::BTreeSet;

use super::written;
use crate::{config::Node, diagnostic::Place, policy::EndpointClass};

/// One entry.
pub(super) struct Entry<'t> {
    /// The entry itself.
    pub(super) node: &'t Node,
    /// The classes of endpoints that it is about.
    pub(super) on: BTreeSet<EndpointClass>,
    /// Its condition, where it has one.
    pub(super) when: Option<&'t str>,
    /// What it sets.
    pub(super) set: Vec<Field<'t>>,
    /// What it removes.
    pub(super) remove: Vec<Field<'t>>,
}

/// One field that an entry speaks of.
pub(super) struct Field<'t> {
    /// Its name in lower case.
    pub(super) name: String,
    /// Its name as written.
    pub(super) written: &'t str,
    /// Where its name is written.
    pub(super) place: &'t Place,
    /// Its value; of a removed one the name.
    pub(super) value: &'t Node,
}

impl Entry<'_> {
    /// Whether it is about some answers only, by endpoint or condition.
    pub(super) fn is_partial(&self) -> bool {
        self.when.is_some() || self.on.len() < EndpointClass::ALL.len()
    }

    /// Whether whatever the earlier entry says of a field is lost to this one on the endpoints of both,
    /// without this one being meant as the exception of them.
    pub(super) fn buries(&self, earlier: &Self) -> bool {
        let overlap = self.on.intersection(&earlier.on).next().is_some();
        let narrower = self.on.is_subset(&earlier.on) && self.on != earlier.on;
        overlap && !narrower && (self.when.is_none() || self.when == earlier.when)
    }
}

/// Every entry that is written.
pub(super) fn entries(tree: &Node) -> Vec<Entry<'_>> {
    let Some(headers) = tree.get("headers") else { return Vec::new() };
    let list = headers.get("rules").unwrap_or(headers);
    list.items().iter().map(entry).collect()
}

fn entry(node: &Node) -> Entry<'_> {
    let on: Vec<&Node> = node.get("on").map(written::each).unwrap_or_default();
    let set = node.get("set").map(Node::entries).unwrap_or_default();
    let remove = node.get("remove").map(written::each).unwrap_or_default();
    Entry {
        node,
        on: if on.is_empty() {
            EndpointClass::ALL.into()
        } else {
            on.into_iter().filter_map(Node::text).filter_map(EndpointClass::of_word).flatten().collect()
        },
        when: node.get("when").and_then(Node::text).map(str::trim),
        set: set
            .iter()
            .map(|field| Field {
                name: field.key.to_ascii_lowercase(),
                written: &field.key,
                place: &field.place,
                value: &field.value,
            })
            .collect(),
        remove: remove
            .into_iter()
            .filter_map(|name| {
                let written = name.text()?;
                Some(Field { name: written.to_ascii_lowercase(), written, place: &name.place, value: name })
            })
            .collect(),
    }
}

/// Every value that a field is set to.
pub(super) fn values<'t>(tree: &'t Node, name: &str) -> Vec<(&'t Node, String)> {
    let fields = entries(tree).into_iter().flat_map(|entry| entry.set);
    fields
        .filter(|field| field.name == name)
        .filter_map(|field| Some((field.value, field.value.text()?.to_owned())))
        .collect()
}

/// The directives of a policy for content, each with its sources, in lower case.
pub(super) fn directives(policy: &str) -> Vec<(String, Vec<String>)> {
    let mut seen = BTreeSet::new();
    policy
        .split(';')
        .filter_map(|directive| {
            let mut words = directive.split_ascii_whitespace().map(str::to_ascii_lowercase);
            let name = words.next()?;
            // Of one that is written twice, browsers read the first.
            seen.insert(name.clone()).then(|| (name, words.collect()))
        })
        .collect()
}
