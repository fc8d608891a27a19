//! What was asked of the servers, as the text of a lock: sorted, a line for each value, and no character
//! that hides, so that a reader of the diff sees what a model would.
//!
//! INVARIANT: the same inventory gives the same bytes, and what is read back from them is the same.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{
    Lock,
    inventory::{Inventory, Part},
    said::{Said, sorted},
};
use crate::{name::ServerName, record::quote};

/// Fields that the lock has keys of its own for. The rest of an entry stands under `other`.
const OWN: &[&str] =
    &["annotations", "arguments", "description", "inputSchema", "mimeType", "name", "outputSchema", "title"];

/// The text. Resources that `before` names by hand stay.
#[must_use]
pub fn text(servers: &BTreeMap<ServerName, Inventory>, before: Option<&Lock>) -> String {
    let mut sections = Map::new();
    for (name, inventory) in servers {
        let mut section = Map::new();
        section.insert("digest".into(), inventory.digest().into());
        if let Some(said) = &inventory.instructions {
            section.insert("instructions".into(), said.value().clone());
        }
        for part in Part::ALL {
            let of_it = inventory.entries.iter().filter(|((of, _), _)| *of == part);
            let entries: Map<String, Value> =
                of_it.map(|((_, name), said)| (name.clone(), entry(said, part.kind().key(), part))).collect();
            if !entries.is_empty() {
                section.insert(part.section().into(), entries.into());
            }
        }
        let resources = before.and_then(|lock| lock.server(name)).map(|offered| &offered.resources);
        let resources: Map<String, Value> = resources
            .into_iter()
            .flatten()
            .map(|(uri, resource)| (uri.to_string(), fields(&resource.said, "uri", |_, _| true).into()))
            .collect();
        if !resources.is_empty() {
            section.insert("resources".into(), resources.into());
        }
        sections.insert(name.to_string(), section.into());
    }
    let mut whole = Map::new();
    whole.insert("servers".into(), sections.into());
    whole.insert("version".into(), 1.into());
    let mut out = Vec::new();
    pretty(&whole.into(), 0, &mut out);
    out.push(b'\n');
    String::from_utf8(out).unwrap_or_default()
}

/// An entry as the lock has it: its fields, what is left under `other`, and its digest.
fn entry(said: &Said, key: &str, part: Part) -> Value {
    let mut written = fields(said, key, |field, value| is_own(field, value, part));
    written.insert("digest".into(), said.digest().into());
    written.into()
}

fn fields(said: &Said, key: &str, own: impl Fn(&str, &Value) -> bool) -> Map<String, Value> {
    let mut written = Map::new();
    let mut other = Map::new();
    for (field, value) in said.fields().into_iter().flatten().filter(|(field, _)| *field != key) {
        let section = if own(field, value) { &mut written } else { &mut other };
        section.insert(field.clone(), value.clone());
    }
    if !other.is_empty() {
        written.insert("other".into(), other.into());
    }
    written
}

/// Whether a field has a key of its own in the lock, with a value that may stand there.
fn is_own(field: &str, value: &Value, part: Part) -> bool {
    OWN.contains(&field)
        && match (field, value) {
            ("arguments" | "mimeType" | "name", _) if part == Part::Tool => false,
            ("annotations" | "inputSchema" | "outputSchema", _) if part != Part::Tool => false,
            ("description", value) => value.is_string(),
            ("annotations", Value::Object(said)) => {
                said.iter().all(|(name, value)| value.is_boolean() || !(value.is_null() || name.ends_with("Hint")))
            }
            ("annotations", _) => false,
            (_, value) => !value.is_null(),
        }
}

/// Two spaces a level. How deep it goes is bounded by the reader that made the value.
fn pretty(value: &Value, level: usize, out: &mut Vec<u8>) {
    let line = |level: usize, out: &mut Vec<u8>| {
        out.push(b'\n');
        out.extend(std::iter::repeat_n(b' ', 2 * level));
    };
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => out.extend_from_slice(value.to_string().as_bytes()),
        Value::String(text) => quote(text, out),
        Value::Array(items) if items.is_empty() => out.extend_from_slice(b"[]"),
        Value::Object(fields) if fields.is_empty() => out.extend_from_slice(b"{}"),
        Value::Array(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                line(level + 1, out);
                pretty(item, level + 1, out);
            }
            line(level, out);
            out.push(b']');
        }
        Value::Object(fields) => {
            out.push(b'{');
            for (index, (key, value)) in sorted(fields).into_iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                line(level + 1, out);
                quote(key, out);
                out.extend_from_slice(b": ");
                pretty(value, level + 1, out);
            }
            line(level, out);
            out.push(b'}');
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config;

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            (-1e18..1e18_f64).prop_map(Value::from),
            "(\\PC|[\u{0}-\u{9f}\u{200b}-\u{206f}\u{e0000}-\u{e007f}]|<<|[\"\\\\]){0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 20, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("\\PC{0,6}", inner, 0..4)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    /// An entry under any mixture of our keys and others.
    fn entry() -> impl Strategy<Value = Map<String, Value>> {
        let field =
            prop_oneof![prop::sample::select(OWN).prop_map(str::to_owned), "[a-z_]{1,6}", Just("digest".into())];
        prop::collection::btree_map(field, json(), 0..6).prop_map(|fields| fields.into_iter().collect())
    }

    proptest! {
        #[test]
        fn t179_what_is_read_back_is_what_was_written(
            tool in entry(), prompt in entry(), template in entry(), instructions in prop::option::of("\\PC{0,40}"),
        ) {
            let mut inventory = Inventory {
                instructions: instructions.map(|text| Said::of(text.into())),
                ..Inventory::default()
            };
            for (part, mut fields) in [(Part::Tool, tool), (Part::Prompt, prompt), (Part::Template, template)] {
                fields.insert(part.kind().key().into(), "a".into());
                inventory.entries.insert((part, "a".into()), Said::of(fields.into()));
            }
            let servers = BTreeMap::from([("s".parse().unwrap(), inventory)]);
            let text = text(&servers, None);
            let mut findings = Vec::new();
            let tree = config::tree_of(&"portcullis.lock".into(), &text, &mut findings);
            let lock = tree.and_then(|tree| Lock::read(&tree, &mut findings));
            prop_assert_eq!(findings.iter().map(ToString::to_string).collect::<Vec<_>>(), Vec::<String>::new(), "{}", text);
            let lock = lock.unwrap();
            let read = lock.servers.iter().map(|(name, offered)| (name.clone(), offered.inventory())).collect();
            prop_assert_eq!(&servers, &read, "{}", text);
            prop_assert_eq!(super::text(&read, Some(&lock)), text);
        }
    }
}
