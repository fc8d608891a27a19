//! The second reader: the whole file read once more by an independent parser, and compared.
//!
//! A file that two parsers read differently may mean one thing to the reviewer's tools and
//! another to the gateway (CWE-436): it is refused.

use super::node::{Node, Value};
use crate::{
    config::findings,
    diagnostic::{Diagnostic, Place},
};

/// The finding that the second reader makes of a file which the first one read without any.
pub(super) fn disagreement(root: &Node, text: &str) -> Option<Diagnostic> {
    // A byte-order mark is no character of the first line, which the second reader takes it for.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let second: serde_yaml::Value = match serde_yaml::from_str(text) {
        Ok(second) => second,
        Err(error) => {
            let place = error.location().map_or_else(
                || root.place.clone(),
                |at| Place {
                    file: root.place.file.clone(),
                    line: u32::try_from(at.line()).unwrap_or(u32::MAX),
                    column: u32::try_from(at.column()).unwrap_or(u32::MAX),
                    start: at.index().min(text.len()),
                    end: at.index().min(text.len()),
                },
            );
            return Some(findings::YAML_SYNTAX.at(&place, "two YAML readers do not agree whether this is YAML").help(
                "write it in a plainer way: quote texts with unusual characters, indent with spaces, one key a line",
            ));
        }
    };
    let place = differs(root, &second, |a, b| a.total_cmp(&b).is_eq() || (a.is_nan() && b.is_nan()))?;
    Some(
        findings::YAML_SYNTAX
            .at(place, "two YAML readers read this value differently")
            .label("ambiguous")
            .help("put the value in quotes if it is text, or write the number in plain decimal digits"),
    )
}

/// The same for a file of JSON, which is YAML as well: its second reader is one of JSON.
pub(super) fn with_json(root: &Node, text: &str) -> Option<Diagnostic> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let second = serde_json::from_str::<serde_json::Value>(text).map_err(|error| (error.line(), error.column()));
    let second = match second {
        Ok(second) => serde_yaml::to_value(second).unwrap_or_default(),
        Err((line, column)) => {
            let start = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum::<usize>();
            let start = (start + column.saturating_sub(1)).min(text.len());
            let place = Place {
                file: root.place.file.clone(),
                line: u32::try_from(line).unwrap_or(u32::MAX),
                column: u32::try_from(column.max(1)).unwrap_or(u32::MAX),
                start,
                end: start,
            };
            return Some(
                findings::YAML_SYNTAX.at(&place, "this is not JSON").help("restore the file, or write it again"),
            );
        }
    };
    // The reader of JSON may miss the nearest fraction by a hair.
    let place = differs(root, &second, |a, b| (a - b).abs() <= a.abs() * 1e-12)?;
    Some(
        findings::YAML_SYNTAX
            .at(place, "two readers read this value differently")
            .label("ambiguous")
            .help("restore the file, or write it again"),
    )
}

/// The first place where the two trees differ.
fn differs<'n>(node: &'n Node, other: &serde_yaml::Value, equal: fn(f64, f64) -> bool) -> Option<&'n Place> {
    use serde_yaml::Value as Second;
    let same = match (&node.value, other) {
        (Value::Null, Second::Null) => true,
        (Value::Bool(a), Second::Bool(b)) => a == b,
        (Value::Text(a), Second::String(b)) => a == b,
        (Value::Int(a), Second::Number(b)) => {
            b.as_u64().map(i128::from).or_else(|| b.as_i64().map(i128::from)) == Some(*a)
        }
        (Value::Float(a), Second::Number(b)) => b.is_f64() && b.as_f64().is_some_and(|b| equal(*a, b)),
        (Value::List(a), Second::Sequence(b)) => {
            if a.len() == b.len() {
                return a.iter().zip(b).find_map(|(a, b)| differs(a, b, equal));
            }
            false
        }
        (Value::Map(a), Second::Mapping(b)) => {
            if a.len() == b.len() {
                return a.iter().find_map(|entry| match b.get(entry.key.as_str()) {
                    Some(value) => differs(&entry.value, value, equal),
                    None => Some(&entry.place),
                });
            }
            false
        }
        _ => false,
    };
    if same { None } else { Some(&node.place) }
}
