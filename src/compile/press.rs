//! Policies that differ only in their literals, made from one that is parsed once.
//!
//! What the compiler writes comes in few shapes: one parse of a shape, and the rest is put in by its
//! place. A text that holds anything unusual is parsed as it stands.
//!
//! INVARIANT: what is made is what parsing its text gives; the test of this module holds that.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::{
    diagnostic::Place,
    policy::{Needs, Policy},
};

/// The shapes so far, each as Cedar's JSON form with a mark for every literal.
#[derive(Debug, Default)]
pub(super) struct Press {
    shapes: HashMap<String, Option<Value>>,
}

impl Press {
    /// The policy of a text that the compiler wrote.
    ///
    /// # Errors
    /// What Cedar says of a text that is not one policy.
    pub(super) fn policy(
        &mut self,
        id: &str,
        text: &str,
        place: &Place,
        needs: Option<Needs>,
    ) -> Result<Policy, String> {
        let place = Some(place.clone());
        match self.made(id, text) {
            Some(cedar) => Policy::of(id, text, cedar, place, needs),
            None => Policy::parse(id, text, place, needs),
        }
    }

    fn made(&mut self, id: &str, text: &str) -> Option<cedar_policy::Policy> {
        let (shape, literals) = shape(text)?;
        let parsed = |shape: &String| cedar_policy::Policy::parse(None, shape).ok()?.to_json().ok();
        let known = match self.shapes.get(&shape) {
            Some(known) => known,
            None => {
                let json = parsed(&shape);
                self.shapes.entry(shape).or_insert(json)
            }
        };
        let mut json = known.clone()?;
        fill(&mut json, &literals)?;
        cedar_policy::Policy::from_json(Some(cedar_policy::PolicyId::new(id)), json).ok()
    }
}

/// A text with a mark in the place of each literal, and the literals. Names of actions and of the one
/// `Anonymous` stay: what they are says what the policy is about. Nothing where a literal is escaped.
pub(super) fn shape(text: &str) -> Option<(String, Vec<&str>)> {
    let mut shape = String::with_capacity(text.len());
    let mut literals = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('"') {
        let (literal, after) = after.split_once('"')?;
        if literal.contains('\\') {
            return None;
        }
        shape.push_str(before);
        if before.ends_with("Action::") || before.ends_with("Anonymous::") {
            shape.extend(["\"", literal, "\""]);
        } else {
            shape.push_str(&format!("\"{}\"", mark(literals.len())));
            literals.push(literal);
        }
        rest = after;
    }
    shape.push_str(rest);
    Some((shape, literals))
}

fn mark(nth: usize) -> String {
    format!("@{nth}@")
}

fn marked<'l>(text: &str, literals: &[&'l str]) -> Option<&'l str> {
    let nth: usize = text.strip_prefix('@')?.strip_suffix('@')?.parse().ok()?;
    literals.get(nth).copied()
}

/// Puts the literals in the place of their marks.
fn fill(json: &mut Value, literals: &[&str]) -> Option<()> {
    match json {
        Value::String(text) => {
            if let Some(literal) = marked(text, literals) {
                *text = literal.to_owned();
            }
        }
        Value::Array(items) => items.iter_mut().try_for_each(|item| fill(item, literals))?,
        Value::Object(entries) => {
            for (key, value) in entries {
                if key == "pattern" {
                    *value = pattern(value, literals)?;
                } else {
                    fill(value, literals)?;
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
    Some(())
}

/// The pattern of `like`: each character by itself, `*` for any run of them.
fn pattern(marks: &Value, literals: &[&str]) -> Option<Value> {
    let mark: Option<String> = marks.as_array()?.iter().map(|part| part.get("Literal")?.as_str()).collect();
    let literal = marked(&mark?, literals)?;
    let parts = literal.chars().map(|c| if c == '*' { json!("Wildcard") } else { json!({ "Literal": c }) });
    Some(Value::Array(parts.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXTS: &[&str] = &[
        "@id(\"server/a\")\npermit (principal, action in [Portcullis::Action::\"tools/call\"], resource)\nwhen { resource.server == Portcullis::Server::\"a\" && context.scopes.containsAll([\"tag:x\", \"tag:y\"]) };",
        "@id(\"server/@1@\")\npermit (principal, action in [Portcullis::Action::\"tools/call\"], resource)\nwhen { resource.server == Portcullis::Server::\"@0@\" && context.scopes.containsAll([\"@9@\", \"\"]) };",
        "@id(\"grant/x\")\nforbid (principal == Portcullis::User::\"local/ana\", action in [Portcullis::Action::\"grant\"], resource)\nunless { [Portcullis::Scope::\"tag:a\"].contains(resource) };",
        "@id(\"s\")\nforbid (principal, action, resource) when { resource.name like \"delete_*\" && resource.name == \"@1@\" };",
        "@id(\"s\")\nforbid (principal, action, resource) when { resource.name like \"*\u{e9}*@0@\" };",
    ];

    #[test]
    fn what_is_made_is_what_parsing_gives() {
        let mut press = Press::default();
        for text in TEXTS {
            for _ in 0..2 {
                let made = press.made("p", text).expect(text);
                let parsed = cedar_policy::Policy::parse(Some(cedar_policy::PolicyId::new("p")), text).unwrap();
                assert_eq!(made.to_json().unwrap(), parsed.to_json().unwrap(), "{text}");
                assert_eq!(made.annotation("id"), parsed.annotation("id"));
            }
        }
        assert_eq!(press.shapes.len(), 4);
    }

    #[test]
    fn what_is_unusual_is_parsed_as_it_stands() {
        let text = "@id(\"a\\\"b\")\npermit (principal, action, resource);";
        assert!(shape(text).is_none() && Press::default().made("p", text).is_none());
    }
}
