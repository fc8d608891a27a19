//! One thing that a server says of itself, whole, with the digest by which it is known again.
//!
//! Approval covers the whole definition: a field that MCP does not know yet, or `_meta`, reaches a model
//! as much as a description does. What only writes the same thing differently (the order of keys, white
//! space, escapes) is no change.
//!
//! INVARIANT: two things with one digest have the same fields with the same values. Fractions, and whole
//! numbers that no 64 bits hold, are compared as fractions near to them.
//! SPEC: T-179.

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::policy::hex;

/// What was said, and its digest.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    value: Value,
    digest: Box<str>,
}

impl Said {
    /// Takes a value.
    #[must_use]
    pub fn of(mut value: Value) -> Self {
        settle(&mut value);
        let digest = digest(&value).into();
        Self { value, digest }
    }

    /// Reads an entry of a list as its server wrote it. The list was held to be clear JSON before.
    ///
    /// # Errors
    /// When it is no JSON.
    pub fn read(json: &str) -> Result<Self, serde_json::Error> {
        Ok(Self::of(serde_json::from_str(json)?))
    }

    /// `sha256:` and the digest of it.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The value.
    #[must_use]
    pub const fn value(&self) -> &Value {
        &self.value
    }

    /// Its fields; none of what is no object.
    #[must_use]
    pub fn fields(&self) -> Option<&Map<String, Value>> {
        self.value.as_object()
    }
}

/// `sha256:` and the digest of a value: of compact JSON, the keys of every object sorted by their bytes.
pub(super) fn digest(value: &Value) -> String {
    let mut text = String::new();
    canonical(value, &mut text);
    format!("sha256:{}", hex(&Sha256::digest(text)))
}

/// Fractions that are the same when they are written and read again: the reader of JSON may miss one by a
/// hair, and then what was pinned would differ from itself. Such a one becomes its neighbour of fewer
/// digits; where no neighbour will do, the lock that is written does not read back, and is not kept.
fn settle(value: &mut Value) {
    match value {
        Value::Number(number) if number.is_f64() => {
            let read = |text: &str| serde_json::from_str::<serde_json::Number>(text).ok();
            let stays = |number: &serde_json::Number| read(&number.to_string()).as_ref() == Some(number);
            let written = number.as_f64().unwrap_or_default();
            let fewer = (1..17).rev().filter_map(|digits| read(&format!("{written:.digits$e}")));
            if let Some(near) = std::iter::once(number.clone()).chain(fewer).find(stays) {
                *number = near;
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        Value::Array(items) => items.iter_mut().for_each(settle),
        Value::Object(fields) => fields.values_mut().for_each(settle),
    }
}

/// The keys of an object sorted, whatever order its map keeps.
pub(super) fn sorted(fields: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut sorted: Vec<_> = fields.iter().collect();
    sorted.sort_unstable_by_key(|(key, _)| *key);
    sorted
}

/// How deep it goes is bounded by the reader that made it.
fn canonical(value: &Value, out: &mut String) {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => out.push_str(&value.to_string()),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                canonical(item, out);
            }
            out.push(']');
        }
        Value::Object(fields) => {
            out.push('{');
            for (index, (key, value)) in sorted(fields).into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push(':');
                canonical(value, out);
            }
            out.push('}');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest_of(json: &str) -> String {
        Said::read(json).unwrap().digest().to_owned()
    }

    #[test]
    fn t179_how_it_is_written_is_no_change_and_what_is_written_is() {
        let one = digest_of(r#"{"name":"a","inputSchema":{"type":"object","x":[1,2.50]}}"#);
        assert_eq!(one, digest_of(r#" {"inputSchema" : {"x":[1, 2.5],"typ\u0065":"object"}, "name":"a"}"#));
        for other in [
            r#"{"name":"a","inputSchema":{"type":"object","x":[2.5,1]}}"#,
            r#"{"name":"a","inputSchema":{"type":"object","x":[1,"2.5"]}}"#,
            r#"{"name":"a","inputSchema":{"type":"object","x":[1,2.5]},"_meta":{}}"#,
            r#"{"name":"a","inputSchema":{"type":"object","x":[1,2.5,null]}}"#,
            r#"{"name":"a\u200b","inputSchema":{"type":"object","x":[1,2.5]}}"#,
        ] {
            assert_ne!(one, digest_of(other), "{other}");
        }
    }

    #[test]
    fn a_digest_can_be_made_elsewhere() {
        // printf '{"a":1,"b":"\xc3\xa9"}' | sha256sum
        assert_eq!(
            digest_of(r#"{"b":"é","a":1}"#),
            "sha256:09ad9fd2fb648cb2f62141215828ea00a62c299db05d20aa9ade2f527a301cc6"
        );
    }
}
