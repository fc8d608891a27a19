//! From the pruned tree to written forms, every problem with the place of the very value.
//!
//! A deserializer of our own over the tree, since the one of the YAML crate stops at the first
//! problem and knows no places. Unknown keys are found and skipped; a value of the wrong kind is
//! found and leaves its [`super::Written`] empty; the rest is read on.

use std::{cell::RefCell, fmt};

use serde::{
    Deserialize,
    de::{
        self, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor,
        value::{StrDeserializer, U32Deserializer, UsizeDeserializer},
    },
    forward_to_deserialize_any,
};

use super::{
    node::{Entry, Node, Value},
    path::{Path, Step},
    unbuilt,
    written::{JSON, LIST_OR, TEXT_OR, WRITTEN, Written},
};
use crate::{
    config::findings,
    diagnostic::{Diagnostic, Place, Safety, nearest, slip_of},
};

/// Reads the whole tree into the written form `T`; what is wrong goes to `findings`.
pub(super) fn read<'de, T: Deserialize<'de>>(root: &'de Node, findings: &mut Vec<Diagnostic>) -> Option<T> {
    let found = RefCell::new(Vec::new());
    let reader = Reader { node: root, path: Path { parent: None, step: Step::Root }, findings: &found };
    let written = Written::<T>::deserialize(reader);
    findings.append(&mut found.into_inner());
    written.ok()?.value
}

/// Why a value could not be read.
#[derive(Debug)]
pub(super) enum Error {
    /// There is a finding already.
    Reported,
    /// A key that must be there is not.
    Missing(&'static str),
    /// What the value would have to be, what to do, and how it may be mended.
    Other(String, Option<String>, Option<Mend>),
}

/// How a value of the wrong kind becomes one of the right kind, if that is what was meant.
#[derive(Debug, Clone, Copy)]
pub(super) enum Mend {
    /// Put into quotes.
    Quote,
    /// Put into brackets.
    Enclose,
    /// Written so.
    Write(&'static str),
}

impl Mend {
    fn of(self, finding: Diagnostic, place: &Place) -> Diagnostic {
        match self {
            Self::Quote => finding.enclose(Safety::Unsafe, "put the value in quotes", place, "\"", "\""),
            Self::Enclose => finding.enclose(Safety::Unsafe, "put the value in brackets", place, "[", "]"),
            Self::Write(text) => finding.fix(Safety::Unsafe, format!("write `{text}`"), place, text),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reported => f.write_str("has a finding"),
            Self::Missing(key) => write!(f, "lacks the key `{key}`"),
            Self::Other(message, ..) => f.write_str(message),
        }
    }
}

impl std::error::Error for Error {}

impl de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::Other(message.to_string(), None, None)
    }

    fn missing_field(field: &'static str) -> Self {
        Self::Missing(field)
    }
}

#[derive(Clone, Copy)]
struct Reader<'de, 'p> {
    node: &'de Node,
    path: Path<'p>,
    findings: &'p RefCell<Vec<Diagnostic>>,
}

impl Reader<'_, '_> {
    fn has_merge(&self) -> bool {
        matches!(&self.node.value, Value::Map(entries) if entries.iter().any(Entry::is_merge))
    }

    fn report(&self, error: Error) {
        let subject = self.path.shown();
        let finding = match error {
            Error::Reported => return,
            Error::Missing(_) if self.has_merge() => return,
            Error::Missing("version") => {
                findings::UNSUPPORTED_VERSION.at(&self.node.place, "the key `version` is missing")
            }
            Error::Missing(key) => findings::WRONG_TYPE
                .at(&self.node.place, format!("{subject} lacks the key `{key}`"))
                .help(format!("add `{key}`")),
            Error::Other(message, ..) if self.path.is_version() => {
                findings::UNSUPPORTED_VERSION.at(&self.node.place, format!("{subject} {message}"))
            }
            Error::Other(message, help, mend) => {
                let finding = findings::WRONG_TYPE.at(&self.node.place, format!("{subject} {message}"));
                // Without a help of its own, the message says all there is to do.
                let finding = Diagnostic { help, ..finding };
                match mend {
                    Some(mend) => mend.of(finding, &self.node.place),
                    None => finding,
                }
            }
        };
        self.findings.borrow_mut().push(finding);
    }

    fn mismatch(&self, wanted: &str) -> Error {
        let help = match &self.node.value {
            Value::Bad => return Error::Reported,
            Value::Null => {
                let help = "give it a value, or remove the key";
                return Error::Other("has no value".into(), Some(help.into()), None);
            }
            Value::Bool(_) | Value::Int(_) | Value::Float(_) if wanted == "text" => {
                Some("put the value in quotes".into())
            }
            Value::Text(_) if wanted == "a list" => Some("put the value in brackets, as in `[one, another]`".into()),
            Value::Map(_) if wanted == "a list" => Some("begin each entry with `- `".into()),
            Value::List(_) if wanted == "a map" => Some("write `KEY: VALUE` lines that do not begin with `- `".into()),
            _ => None,
        };
        let message = format!("must be {wanted}, not {}", self.node.shown(self.path.key()));
        Error::Other(message, help, self.mend(wanted))
    }

    /// What makes of the value one of the kind wanted, where it is plain what that would be.
    fn mend(&self, wanted: &str) -> Option<Mend> {
        match (&self.node.value, wanted) {
            (_, _) if self.node.from_env => None,
            (Value::Bool(_) | Value::Int(_) | Value::Float(_), "text" | "text or a map") => Some(Mend::Quote),
            (Value::Text(text), "a list") => {
                let word = |c: char| c.is_alphanumeric() || "-_./*".contains(c);
                (!text.is_empty() && text.chars().all(word)).then_some(Mend::Enclose)
            }
            (Value::Text(text), "`true` or `false`") => match text.to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" => Some(Mend::Write("true")),
                "false" | "no" | "off" => Some(Mend::Write("false")),
                _ => None,
            },
            _ => None,
        }
    }

    /// The keys of a section that it knows; the others become findings.
    fn known_entries(&self, section: &str, fields: &'static [&'static str], entries: &[Entry]) -> Vec<bool> {
        let known: Vec<bool> = entries.iter().map(|entry| fields.contains(&entry.key.as_str())).collect();
        for (entry, _) in entries.iter().zip(&known).filter(|(entry, known)| !**known && !entry.is_merge()) {
            self.findings.borrow_mut().push(self.unknown(section, fields, entry));
        }
        known
    }

    fn unknown(&self, section: &str, fields: &'static [&'static str], entry: &Entry) -> Diagnostic {
        let key = entry.key.escape_debug().to_string();
        let full = match self.path.step {
            Step::Root => key.clone(),
            Step::Key(_) | Step::Item(_) => format!("{}.{key}", self.path),
        };
        if unbuilt::is_known(section, &entry.key) {
            return findings::UNKNOWN_FIELD
                .at(&entry.place, format!("`{full}` is not supported yet"))
                .label("known, but not built in this version")
                .help(format!("remove `{key}`: this version would not do what it says, so it refuses it"));
        }
        let message = match self.path.step {
            Step::Root => format!("unknown key `{key}`"),
            Step::Key(_) | Step::Item(_) => format!("unknown key `{key}` in {}", self.path.shown()),
        };
        let list = fields.iter().map(|field| format!("`{field}`")).collect::<Vec<_>>().join(", ");
        let finding = findings::UNKNOWN_FIELD.at(&entry.place, message);
        match nearest(&entry.key, fields.iter().copied()) {
            Some(near) => {
                let finding = finding
                    .label(format!("did you mean `{near}`?"))
                    .help(format!("write `{near}`; the keys here are {list}"));
                let free = |field: &&str| self.node.get(field).is_none();
                match slip_of(&entry.key, fields.iter().copied()).filter(free) {
                    Some(meant) => finding.fix(Safety::Safe, format!("write `{meant}`"), &entry.place, meant),
                    None => finding,
                }
            }
            None => finding.help(format!("the keys here are {list}")),
        }
    }
}

impl<'de> Deserializer<'de> for Reader<'de, '_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.node.value {
            Value::Null => Err(self.mismatch("a value")),
            Value::Bad => Err(Error::Reported),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Int(value) => match u64::try_from(*value) {
                Ok(value) => visitor.visit_u64(value),
                Err(_) => visitor.visit_i128(*value),
            },
            Value::Float(value) => visitor.visit_f64(*value),
            Value::Text(text) => visitor.visit_str(text),
            Value::List(_) => self.deserialize_seq(visitor),
            Value::Map(_) => self.deserialize_map(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.node.value {
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Text(text) if self.node.from_env && text == "true" => visitor.visit_bool(true),
            Value::Text(text) if self.node.from_env && text == "false" => visitor.visit_bool(false),
            _ => Err(self.mismatch("`true` or `false`")),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.node.value {
            Value::Text(text) => visitor.visit_str(text),
            _ => Err(self.mismatch("text")),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Error> {
        match (name, &self.node.value) {
            (WRITTEN, _) => visitor.visit_seq(PlaceThenValue { reader: self, place: &self.node.place, next: 0 }),
            (JSON, _) => visitor.visit_string(self.node.json().to_string()),
            (TEXT_OR, Value::Text(text)) => visitor.visit_str(text),
            (TEXT_OR, Value::Map(_)) => visitor.visit_newtype_struct(self),
            (TEXT_OR, _) => Err(self.mismatch("text or a map")),
            (LIST_OR, Value::List(_)) => self.deserialize_seq(visitor),
            (LIST_OR, Value::Map(_)) => visitor.visit_newtype_struct(self),
            (LIST_OR, _) => Err(self.mismatch("a list or a map")),
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.node.value {
            Value::List(items) => visitor.visit_seq(Items { items, next: 0, reader: self }),
            _ => Err(self.mismatch("a list")),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.node.value {
            Value::Map(entries) => visitor.visit_map(Entries {
                entries: entries.iter().filter(|entry| !entry.is_merge()).collect(),
                next: 0,
                reader: self,
            }),
            _ => Err(self.mismatch("a map")),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match &self.node.value {
            Value::Map(entries) => {
                let known = self.known_entries(name, fields, entries);
                let entries = entries.iter().zip(known).filter(|(_, known)| *known).map(|(entry, _)| entry).collect();
                let section = visitor.visit_map(Entries { entries, next: 0, reader: self })?;
                // What a merge key was to bring is missing: the section says less than was meant.
                let whole = matches!(self.path.step, Step::Root) || !self.has_merge();
                if whole { Ok(section) } else { Err(Error::Reported) }
            }
            _ => Err(self.mismatch("a map")),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match &self.node.value {
            Value::Text(text) if variants.contains(&text.as_str()) => {
                visitor.visit_enum(IntoDeserializer::<Error>::into_deserializer(text.as_str()))
            }
            _ => {
                let list = variants.iter().map(|variant| format!("`{variant}`")).collect::<Vec<_>>().join(" or ");
                Err(self.mismatch(&list))
            }
        }
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct
        identifier ignored_any
    }
}

/// What a [`Written`] asks for: its place, part by part, then its value.
struct PlaceThenValue<'de, 'p> {
    reader: Reader<'de, 'p>,
    place: &'de Place,
    next: u8,
}

impl<'de> SeqAccess<'de> for PlaceThenValue<'de, '_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        let part = self.next;
        self.next += 1;
        if part < PLACE_PARTS {
            return place_part(self.place, part, seed).map(Some);
        }
        match seed.deserialize(self.reader) {
            Ok(value) => Ok(Some(value)),
            Err(error) => {
                self.reader.report(error);
                Err(Error::Reported)
            }
        }
    }
}

/// The same for a key.
struct PlaceThenKey<'de> {
    entry: &'de Entry,
    next: u8,
}

impl<'de> SeqAccess<'de> for PlaceThenKey<'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        let part = self.next;
        self.next += 1;
        if part < PLACE_PARTS {
            return place_part(&self.entry.place, part, seed).map(Some);
        }
        seed.deserialize(StrDeserializer::new(&self.entry.key)).map(Some)
    }
}

/// File, line, column, start and end.
const PLACE_PARTS: u8 = 5;

fn place_part<'de, T: DeserializeSeed<'de>>(place: &Place, part: u8, seed: T) -> Result<T::Value, Error> {
    match part {
        0 => seed.deserialize(StrDeserializer::new(&place.file)),
        1 => seed.deserialize(U32Deserializer::new(place.line)),
        2 => seed.deserialize(U32Deserializer::new(place.column)),
        3 => seed.deserialize(UsizeDeserializer::new(place.start)),
        _ => seed.deserialize(UsizeDeserializer::new(place.end)),
    }
}

struct Items<'de, 'p> {
    items: &'de [Node],
    next: usize,
    reader: Reader<'de, 'p>,
}

impl<'de> SeqAccess<'de> for Items<'de, '_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        let Some(node) = self.items.get(self.next) else { return Ok(None) };
        let path = Path { parent: Some(&self.reader.path), step: Step::Item(self.next) };
        self.next += 1;
        seed.deserialize(Reader { node, path, findings: self.reader.findings }).map(Some)
    }
}

struct Entries<'de, 'p> {
    entries: Vec<&'de Entry>,
    next: usize,
    reader: Reader<'de, 'p>,
}

impl<'de> MapAccess<'de> for Entries<'de, '_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let Some(entry) = self.entries.get(self.next) else { return Ok(None) };
        seed.deserialize(KeyReader { entry }).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let Some(entry) = self.entries.get(self.next) else { return Err(Error::Reported) };
        self.next += 1;
        let path = Path { parent: Some(&self.reader.path), step: Step::Key(&entry.key) };
        seed.deserialize(Reader { node: &entry.value, path, findings: self.reader.findings })
    }
}

/// A key: text, with its place for who asks.
struct KeyReader<'de> {
    entry: &'de Entry,
}

impl<'de> Deserializer<'de> for KeyReader<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_str(&self.entry.key)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Error> {
        if name != WRITTEN {
            return visitor.visit_newtype_struct(self);
        }
        visitor.visit_seq(PlaceThenKey { entry: self.entry, next: 0 })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        seq tuple tuple_struct map struct enum identifier ignored_any
    }
}
