//! JSON as the clients of MCP write it, comments and trailing commas included, with places.
//!
//! A key that is given twice counts as the clients count it: the last one does.

use std::sync::Arc;

use jsonc_parser::{ParseOptions, ast, common::Ranged as _};

use crate::diagnostic::{Place, Placed};

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) value: Value,
}

/// What JSON can hold. Numbers stay as they are written.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key and its value.
pub(super) type Entry = (Placed<String>, Node);

const OPTIONS: ParseOptions = ParseOptions {
    allow_comments: true,
    allow_loose_object_property_names: false,
    allow_trailing_commas: true,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// Reads a text, or says what is wrong with it and where.
pub(super) fn read(file: &str, text: &str) -> Result<Node, Placed<String>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines = Lines::of(file, text);
    match jsonc_parser::parse_to_ast(text, &jsonc_parser::CollectOptions::default(), &OPTIONS) {
        Ok(parsed) => match parsed.value {
            Some(value) => Ok(lines.node(value)),
            None => Err(Placed::new("the file is empty".into(), lines.place(0, 0))),
        },
        Err(error) => {
            let problem = error.kind().to_string();
            let range = error.range();
            Err(Placed::new(lower(&problem), lines.place(range.start, range.end)))
        }
    }
}

/// A message as ours begin.
fn lower(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_lowercase().chain(characters).collect())
}

/// Where the lines of a text begin.
struct Lines<'t> {
    file: Arc<str>,
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    fn of(file: &str, text: &'t str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { file: file.into(), text, starts }
    }

    fn place(&self, start: usize, end: usize) -> Place {
        let line = self.starts.partition_point(|begin| *begin <= start);
        let begin = self.starts.get(line.saturating_sub(1)).copied().unwrap_or_default();
        let column = self.text.get(begin..start).map_or(0, |before| before.chars().count()) + 1;
        Place {
            file: self.file.clone(),
            line: u32::try_from(line).unwrap_or(u32::MAX),
            column: u32::try_from(column).unwrap_or(u32::MAX),
            start,
            end,
        }
    }

    fn node(&self, value: ast::Value<'_>) -> Node {
        let range = value.range();
        let place = self.place(range.start, range.end);
        let value = match value {
            ast::Value::NullKeyword(_) => Value::Null,
            ast::Value::BooleanLit(word) => Value::Bool(word.value),
            ast::Value::NumberLit(number) => Value::Number(number.value.to_owned()),
            ast::Value::StringLit(text) => Value::Text(text.value.into_owned()),
            ast::Value::Array(list) => Value::List(list.elements.into_iter().map(|item| self.node(item)).collect()),
            ast::Value::Object(object) => {
                let mut entries: Vec<Entry> = Vec::new();
                for ast::ObjectProp { range, name, value } in object.properties {
                    let name = Placed::new(name.into_string(), self.place(range.start, range.end));
                    let node = self.node(value);
                    match entries.iter_mut().find(|(known, _)| known.value == name.value) {
                        Some(entry) => *entry = (name, node),
                        None => entries.push((name, node)),
                    }
                }
                Value::Map(entries)
            }
        };
        Node { place, value }
    }
}

impl Node {
    /// The entries of an object.
    pub(super) fn entries(&self) -> Option<&[Entry]> {
        match &self.value {
            Value::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// What an object holds under a key.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        self.entries()?.iter().find(|(name, _)| name.value == key).map(|(_, node)| node)
    }

    /// The items of a list.
    pub(super) fn items(&self) -> Option<&[Self]> {
        match &self.value {
            Value::List(items) => Some(items),
            _ => None,
        }
    }

    /// A text.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A text, or a number or truth value as a text.
    pub(super) fn scalar(&self) -> Option<String> {
        match &self.value {
            Value::Text(text) | Value::Number(text) => Some(text.clone()),
            Value::Bool(word) => Some(word.to_string()),
            Value::Null | Value::List(_) | Value::Map(_) => None,
        }
    }

    /// Whether the other is the same, wherever it stands.
    pub(super) fn same(&self, other: &Self) -> bool {
        match (&self.value, &other.value) {
            (Value::List(a), Value::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.same(b)),
            (Value::Map(a), Value::Map(b)) => {
                let held = |(name, node): &Entry| b.iter().any(|(other, b)| other.value == name.value && node.same(b));
                a.len() == b.len() && a.iter().all(held)
            }
            (Value::List(_) | Value::Map(_), _) | (_, Value::List(_) | Value::Map(_)) => false,
            _ => self.scalar() == other.scalar() && self.text() == other.text(),
        }
    }

    /// Every text in it.
    pub(super) fn texts(&self, each: &mut dyn FnMut(&str)) {
        match &self.value {
            Value::Text(text) => each(text),
            Value::List(items) => items.iter().for_each(|item| item.texts(each)),
            Value::Map(entries) => entries.iter().for_each(|(_, node)| node.texts(each)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}
