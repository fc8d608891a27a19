//! The tree of a YAML file: what was written, and where.

use crate::{config::secrecy, diagnostic::Place};

/// One value of the file.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    /// Where it is written.
    pub(crate) place: Place,
    /// What it is.
    pub(crate) value: Value,
    /// Whether environment variables went into it; then it is not to be shown.
    pub(crate) from_env: bool,
    /// What a reader of YAML 1.1 takes it for, where that is something else.
    pub(crate) other: Option<&'static str>,
}

/// What a value is.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    /// Nothing, `~` or `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i128),
    /// A number with a fraction or exponent.
    Float(f64),
    /// Text, quoted or not.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A map, in the order of the file, no key twice.
    Map(Vec<Entry>),
    /// Something that has a finding of its own already.
    Bad,
}

/// The merge key of YAML 1.1. Its entry stays in the tree as [`Value::Bad`]: what would be missing
/// from that map may have been meant to come with it.
pub(super) const MERGE: &str = "<<";

/// One key of a map with its value.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// The key.
    pub(crate) key: String,
    /// Where the key is written.
    pub(crate) place: Place,
    /// What a reader of YAML 1.1 takes the key for, where that is something else.
    pub(crate) other: Option<&'static str>,
    /// Its value.
    pub(crate) value: Node,
}

/// An entry that is written in no file of YAML.
pub(in crate::config) fn entry(key: &str, place: &Place, value: Node) -> Entry {
    Entry { key: key.to_owned(), place: place.clone(), other: None, value }
}

impl Entry {
    /// Whether it is a merge key, which has its finding.
    pub(super) fn is_merge(&self) -> bool {
        self.key == MERGE && matches!(self.value.value, Value::Bad)
    }
}

impl Node {
    /// The value of a key of a map.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        self.entries().iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// The value at the end of keys, each in the map before it.
    pub(crate) fn at(&self, keys: &[&str]) -> Option<&Self> {
        keys.iter().try_fold(self, |node, key| node.get(key))
    }

    /// The entries of a map; none of anything else.
    pub(crate) fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Map(entries) => entries,
            Value::Null
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Float(_)
            | Value::Text(_)
            | Value::List(_)
            | Value::Bad => &[],
        }
    }

    /// The items of a list; none of anything else.
    pub(crate) fn items(&self) -> &[Self] {
        match &self.value {
            Value::List(items) => items,
            Value::Null
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Float(_)
            | Value::Text(_)
            | Value::Map(_)
            | Value::Bad => &[],
        }
    }

    /// The text of a text.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            Value::Null
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Float(_)
            | Value::List(_)
            | Value::Map(_)
            | Value::Bad => None,
        }
    }

    /// What a single value says, as text: of nothing the empty one, of a list or map none.
    pub(crate) fn scalar(&self) -> Option<String> {
        match &self.value {
            Value::Bool(flag) => Some(flag.to_string()),
            Value::Int(number) => Some(number.to_string()),
            Value::Float(number) => Some(number.to_string()),
            Value::Text(text) => Some(text.clone()),
            Value::Null => Some(String::new()),
            Value::List(_) | Value::Map(_) | Value::Bad => None,
        }
    }

    /// The value as JSON; nothing where it has a finding of its own.
    pub(super) fn json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null | Value::Bad => serde_json::Value::Null,
            Value::Bool(value) => (*value).into(),
            Value::Int(value) => match (u64::try_from(*value), i64::try_from(*value)) {
                (Ok(value), _) => value.into(),
                (_, Ok(value)) => value.into(),
                // JSON knows no other whole numbers; the text says it exactly.
                (Err(_), Err(_)) => value.to_string().into(),
            },
            Value::Float(value) => (*value).into(),
            Value::Text(text) => text.as_str().into(),
            Value::List(items) => items.iter().map(Self::json).collect(),
            Value::Map(entries) => entries.iter().map(|entry| (entry.key.clone(), entry.value.json())).collect(),
        }
    }

    /// The value as a message may show it: never a secret, never more than a line.
    pub(crate) fn shown(&self, key: &str) -> String {
        match &self.value {
            Value::Null => "nothing".into(),
            Value::Bool(value) => format!("`{value}`"),
            Value::Int(value) => format!("the number `{value}`"),
            Value::Float(value) => format!("the number `{value}`"),
            Value::Text(_) if self.from_env => "the text of a variable".into(),
            Value::Text(text) => format!("the text `{}`", secrecy::shown(key, text)),
            Value::List(_) => "a list".into(),
            Value::Map(_) => "a map".into(),
            Value::Bad => "something else".into(),
        }
    }
}
