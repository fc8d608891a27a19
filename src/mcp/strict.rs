//! Whether a JSON text means one thing to every reader.
//!
//! Readers differ over a key that stands twice, so such a text is refused at every depth; nesting
//! and the count of values are bounded. Keys are compared as they read, not as they are written:
//! `"name"` and `"n\u0061me"` are one key.
//!
//! Whoever wants to know what is said in it [listens](Listener) while it is read, and it need not be
//! read again.
//!
//! INVARIANT: a text that passes has one value for every path, whoever reads it.

use std::{borrow::Cow, cell::Cell, collections::HashSet, fmt};

use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};

/// How deep values may be nested.
pub const MAX_DEPTH: u32 = 126;
/// How many values one text may hold, keys not counted.
pub const MAX_NODES: u32 = 1_000_000;

/// Above this many keys an object's keys are looked up by hash.
const FEW: usize = 24;

/// Why a JSON text is not clear.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Untidy {
    /// Not JSON.
    #[error("not valid JSON")]
    NotJson,
    /// A key stands twice in one object.
    #[error("a key stands twice in one object")]
    DuplicateKey,
    /// Nested beyond [`MAX_DEPTH`].
    #[error("nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// More values than [`MAX_NODES`].
    #[error("more than {MAX_NODES} values")]
    TooMany,
}

/// Checks that `json` is one JSON text without a repeated key, within the bounds.
///
/// # Errors
/// With the first thing that is wrong.
pub fn check(json: &str) -> Result<(), Untidy> {
    check_heard(json, &Nobody)
}

/// Is told what is read. An error may come after part of it was told.
pub trait Listener {
    /// A value, and how many objects and lists it stands in.
    fn value(&self, depth: u32);
    /// A key, and how many objects and lists it stands in.
    fn key(&self, depth: u32, key: &str);
    /// A string that is a value.
    fn text(&self, text: &str);
}

/// Does not listen.
#[derive(Debug, Clone, Copy)]
pub struct Nobody;

impl Listener for Nobody {
    fn value(&self, _: u32) {}

    fn key(&self, _: u32, _: &str) {}

    fn text(&self, _: &str) {}
}

/// Like [`check`], with somebody who listens.
///
/// # Errors
/// With the first thing that is wrong.
pub fn check_heard(json: &str, listener: &impl Listener) -> Result<(), Untidy> {
    let state = State { nodes: Cell::new(0), why: Cell::new(None), listener };
    let mut reader = serde_json::Deserializer::from_str(json);
    let read = Walk { state: &state, depth: 0 }.deserialize(&mut reader).and_then(|()| reader.end());
    read.map_err(|_| state.why.take().unwrap_or(Untidy::NotJson))
}

struct State<'l, L> {
    nodes: Cell<u32>,
    why: Cell<Option<Untidy>>,
    listener: &'l L,
}

impl<L> State<'_, L> {
    fn fail<E: de::Error>(&self, why: Untidy) -> E {
        self.why.set(Some(why));
        E::custom("refused")
    }
}

/// Walks over one value, keeping nothing of it.
struct Walk<'s, L> {
    state: &'s State<'s, L>,
    depth: u32,
}

impl<L> Clone for Walk<'_, L> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<L> Copy for Walk<'_, L> {}

impl<L> Walk<'_, L> {
    fn inner<E: de::Error>(self) -> Result<Self, E> {
        if self.depth >= MAX_DEPTH {
            return Err(self.state.fail(Untidy::TooDeep));
        }
        Ok(Self { state: self.state, depth: self.depth + 1 })
    }
}

impl<'de, L: Listener> DeserializeSeed<'de> for Walk<'_, L> {
    type Value = ();

    fn deserialize<D: de::Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        let nodes = self.state.nodes.get() + 1;
        if nodes > MAX_NODES {
            return Err(self.state.fail(Untidy::TooMany));
        }
        self.state.nodes.set(nodes);
        self.state.listener.value(self.depth);
        from.deserialize_any(self)
    }
}

impl<'de, L: Listener> Visitor<'de> for Walk<'_, L> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.state.listener.text(text);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let inner = self.inner()?;
        while items.next_element_seed(inner)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        let inner = self.inner()?;
        let mut seen = Seen::default();
        while let Some(key) = fields.next_key_seed(Key)? {
            self.state.listener.key(inner.depth, &key);
            if !seen.insert(key) {
                return Err(self.state.fail(Untidy::DuplicateKey));
            }
            fields.next_value_seed(inner)?;
        }
        Ok(())
    }
}

/// The keys of one object so far.
#[derive(Default)]
pub(super) struct Seen<'de> {
    few: Vec<Cow<'de, str>>,
    many: HashSet<Cow<'de, str>>,
}

impl<'de> Seen<'de> {
    /// Whether the key is new.
    pub(super) fn insert(&mut self, key: Cow<'de, str>) -> bool {
        if !self.many.is_empty() {
            return self.many.insert(key);
        }
        if self.few.contains(&key) {
            return false;
        }
        self.few.push(key);
        if self.few.len() > FEW {
            self.many.extend(self.few.drain(..));
        }
        true
    }
}

/// A key, borrowed from the text where it is written without escapes.
pub(super) struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: de::Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t020_duplicate_keys_are_refused_at_every_depth_however_they_are_written() {
        for bad in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"x":{"a":1,"b":2,"a":3}}"#,
            r#"[[[{"a":{"b":[{"c":1,"c":1}]}}]]]"#,
        ] {
            assert_eq!(check(bad), Err(Untidy::DuplicateKey), "{bad}");
        }
        let many: Vec<String> = (0..100).map(|n| format!("\"k{n}\":0")).collect();
        assert_eq!(check(&format!("{{{}}}", many.join(","))), Ok(()));
        assert_eq!(check(&format!("{{{},\"k3\":1}}", many.join(","))), Err(Untidy::DuplicateKey));
        assert_eq!(check(&format!("{{{},\"k99\":1}}", many.join(","))), Err(Untidy::DuplicateKey));
        assert_eq!(check(r#"{"a":{"a":{"a":1}},"A":1}"#), Ok(()));
    }

    #[test]
    fn t200_deep_and_wide_texts_are_refused() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(check(&nested(126)), Ok(()));
        assert_eq!(check(&nested(127)), Err(Untidy::TooDeep));
        assert_eq!(check(&nested(100_000)), Err(Untidy::TooDeep));
        assert_eq!(check(&format!("[{}0]", "0,".repeat(1_000_000))), Err(Untidy::TooMany));
    }

    #[test]
    fn t028_what_is_not_json_is_refused() {
        for bad in ["", "{", "{} {}", "NaN", "// x\n1", "{'a':1}", "[1,]", "{\"a\":1,}", "01", "\"\\ud800\"", "1e999"] {
            assert_eq!(check(bad), Err(Untidy::NotJson), "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn t028_no_text_panics(text in ".{0,200}") {
            let passed = check(&text).is_ok();
            proptest::prop_assert!(!passed || serde_json::from_str::<serde_json::Value>(&text).is_ok());
        }
    }
}
