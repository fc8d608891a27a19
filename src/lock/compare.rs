//! Where what a server offers differs from what was pinned: new, changed, gone.
//!
//! Pure: the gateway asks it once for each list, `lock --check` and `check --online` for a whole server.

use std::sync::Arc;

use serde_json::Value;

use super::{
    Offered,
    inventory::{Inventory, Part},
    said::{Said, sorted},
};

/// What of a server is another than was pinned.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// What it tells every model.
    Instructions,
    /// One entry, by name.
    Entry(Part, String),
}

impl Subject {
    /// The word for what it is.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Instructions => "instructions",
            Self::Entry(part, _) => part.word(),
        }
    }

    /// Its name, where it has one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Instructions => None,
            Self::Entry(_, name) => Some(name),
        }
    }
}

/// How it is another. Permanent words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// It was not pinned.
    Added,
    /// It is not what was pinned.
    Changed,
    /// It is pinned and no longer offered.
    Removed,
}

impl How {
    /// The word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Changed => "changed",
            Self::Removed => "removed",
        }
    }
}

/// One difference between what was pinned and what is offered.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Of what.
    pub subject: Subject,
    /// How.
    pub how: How,
    /// What was pinned, if anything was.
    pub pinned: Option<Arc<Said>>,
    /// What is offered, if anything is.
    pub seen: Option<Arc<Said>>,
}

impl Change {
    /// The difference between two sayings, if there is one.
    fn between(subject: Subject, pinned: Option<&Arc<Said>>, seen: Option<Arc<Said>>) -> Option<Self> {
        let how = match (pinned, &seen) {
            (None, None) => return None,
            (Some(pinned), Some(seen)) if pinned.digest() == seen.digest() => return None,
            (Some(_), Some(_)) => How::Changed,
            (None, Some(_)) => How::Added,
            (Some(_), None) => How::Removed,
        };
        Some(Self { subject, how, pinned: pinned.cloned(), seen })
    }

    /// What differs inside, where both are there.
    #[must_use]
    pub fn differences(&self) -> Vec<Difference> {
        let mut found = Vec::new();
        if let (Some(pinned), Some(seen)) = (&self.pinned, &self.seen) {
            differences("", Some(pinned.value()), Some(seen.value()), &mut found);
        }
        found
    }

    /// The fields that differ, in words, each once.
    #[must_use]
    pub fn fields(&self) -> Vec<String> {
        let mut fields: Vec<String> = self.differences().iter().filter_map(Difference::field).collect();
        fields.dedup();
        fields
    }
}

/// Two values at one place of an entry.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// The place, a JSON pointer.
    pub at: String,
    /// What was pinned there, if anything was.
    pub pinned: Option<Value>,
    /// What is there, if anything is.
    pub seen: Option<Value>,
}

impl Difference {
    /// The field of the entry that it is in, in words.
    #[must_use]
    pub fn field(&self) -> Option<String> {
        let field = self.at.strip_prefix('/')?.split('/').next()?;
        Some(match field {
            "inputSchema" => "input schema".into(),
            "outputSchema" => "output schema".into(),
            "mimeType" => "media type".into(),
            plain if plain.len() <= 40 && plain.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') => plain.into(),
            // Its server may call it anything.
            _ => "another field".into(),
        })
    }
}

/// The difference of one entry from what its server had pinned, if there is one.
#[must_use]
pub fn entry(pinned: Option<&Offered>, part: Part, name: &str, seen: Said) -> Option<Change> {
    let known = pinned.and_then(|pinned| pinned.entry(part, name));
    Change::between(Subject::Entry(part, name.to_owned()), known.map(|(said, _)| said), Some(Arc::new(seen)))
}

/// The difference of a server's instructions from what it had pinned, if there is one.
#[must_use]
pub fn instructions(pinned: Option<&Offered>, seen: Option<&str>) -> Option<Change> {
    let known = pinned.and_then(|pinned| pinned.instructions_said.as_ref());
    if known.and_then(|said| said.value().as_str()) == seen {
        return None;
    }
    Change::between(Subject::Instructions, known, seen.map(|text| Arc::new(Said::of(text.into()))))
}

/// Every difference of a server from what it had pinned, sorted.
#[must_use]
pub fn server(pinned: Option<&Offered>, seen: &Inventory) -> Vec<Change> {
    let Inventory { instructions, entries } = seen;
    let said = instructions.as_ref().and_then(|said| said.value().as_str());
    let mut changes: Vec<Change> = self::instructions(pinned, said).into_iter().collect();
    changes.extend(entries.iter().filter_map(|((part, name), said)| entry(pinned, *part, name, said.clone())));
    if let Some(pinned) = pinned {
        let gone = pinned.entries().filter(|(part, name, ..)| !entries.contains_key(&(*part, (*name).to_owned())));
        changes.extend(gone.filter_map(|(part, name, said, _)| {
            Change::between(Subject::Entry(part, name.to_owned()), Some(said), None)
        }));
    }
    changes.sort_by(|a, b| a.subject.cmp(&b.subject));
    changes
}

/// Lists are compared as a whole where they differ in length, for who is to say what moved.
fn differences(at: &str, pinned: Option<&Value>, seen: Option<&Value>, found: &mut Vec<Difference>) {
    match (pinned, seen) {
        (Some(pinned), Some(seen)) if pinned == seen => {}
        (Some(Value::Object(pinned)), Some(Value::Object(seen))) => {
            let mut keys: Vec<&String> = sorted(pinned).into_iter().chain(sorted(seen)).map(|(key, _)| key).collect();
            keys.sort_unstable();
            keys.dedup();
            for key in keys {
                let step = key.replace('~', "~0").replace('/', "~1");
                differences(&format!("{at}/{step}"), pinned.get(key), seen.get(key), found);
            }
        }
        (Some(Value::Array(pinned)), Some(Value::Array(seen))) if pinned.len() == seen.len() => {
            for (index, (pinned, seen)) in pinned.iter().zip(seen).enumerate() {
                differences(&format!("{at}/{index}"), Some(pinned), Some(seen), found);
            }
        }
        (None, None) => {}
        (pinned, seen) => {
            found.push(Difference { at: at.to_owned(), pinned: pinned.cloned(), seen: seen.cloned() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(pinned: &str, seen: &str) -> Change {
        let said = |json| Arc::new(Said::read(json).unwrap());
        let subject = Subject::Entry(Part::Tool, "a".into());
        Change::between(subject, Some(&said(pinned)), Some(said(seen))).unwrap()
    }

    #[test]
    fn what_differs_is_named_by_its_field_and_its_place() {
        let change = changed(
            r#"{"description":"x","inputSchema":{"properties":{"a/b":{"type":"string"},"c":{}},"required":["c"]}}"#,
            r#"{"annotations":{},"description":"x!","inputSchema":{"properties":{"a/b":{"type":"object"}},"required":["d"]}}"#,
        );
        assert_eq!(change.fields(), ["annotations", "description", "input schema"]);
        let places: Vec<String> = change.differences().into_iter().map(|one| one.at).collect();
        assert_eq!(
            places,
            [
                "/annotations",
                "/description",
                "/inputSchema/properties/a~1b/type",
                "/inputSchema/properties/c",
                "/inputSchema/required/0"
            ]
        );
    }
}
