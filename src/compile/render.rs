//! How a policy is written down: one layout, so that a reviewer's diff shows meaning and nothing else.

use std::{collections::BTreeSet, fmt::Write};

use super::press::Written;
use crate::{
    diagnostic::Place,
    policy::{Effect, EndpointClass, Verb},
};

/// The parts of a policy that is to be written.
pub(super) struct Draft<'a> {
    pub(super) id: &'a str,
    /// Annotations besides `@id`, in their order.
    pub(super) notes: Vec<(&'a str, String)>,
    pub(super) effect: Effect,
    /// The scope of the principal, as in `principal is Portcullis::User`.
    pub(super) principal: &'a str,
    /// The scope of the resource, as in `resource is Portcullis::Prompt`.
    pub(super) resource: &'a str,
    /// Names of actions; written out and sorted.
    pub(super) actions: Vec<&'a str>,
    /// Joined by `&&`; each is a whole expression.
    pub(super) when: Vec<String>,
    /// Joined by `&&`; each is a whole expression.
    pub(super) unless: Vec<String>,
}

impl Draft<'_> {
    /// The policy, all of which is the compiler's.
    pub(super) fn written(self, place: Option<&Place>) -> Written {
        Written {
            id: self.id.to_owned(),
            text: self.text(),
            place: place.cloned(),
            condition: None,
            needs: None,
            patterns: Vec::new(),
            gives: BTreeSet::new(),
        }
    }

    /// The policy as Cedar.
    pub(super) fn text(mut self) -> String {
        let effect = match self.effect {
            Effect::Permit => "permit",
            Effect::Forbid => "forbid",
        };
        self.actions.sort_unstable();
        let actions: Vec<String> =
            self.actions.iter().map(|action| format!("        Portcullis::Action::{}", string(action))).collect();
        let notes: String = self.notes.iter().map(|(name, value)| format!("@{name}({})\n", string(value))).collect();
        let mut text = format!(
            "@id({})\n{notes}{effect} (\n    {},\n    action in [\n{}\n    ],\n    {}\n)",
            string(self.id),
            self.principal,
            actions.join(",\n"),
            self.resource,
        );
        for (keyword, clauses) in [("when", &self.when), ("unless", &self.unless)] {
            if !clauses.is_empty() {
                // Writing to a string does not fail.
                _ = write!(text, "\n{keyword} {{\n    {}\n}}", clauses.join("\n    && "));
            }
        }
        text.push_str(";\n");
        text
    }
}

/// The actions of some verbs; with calls also those calls whose arguments are `typed`.
pub(super) fn actions<'t>(verbs: impl IntoIterator<Item = Verb>, typed: &[&'t str]) -> Vec<&'t str> {
    let of = |verb: Verb| {
        let typed = if verb == Verb::ToolsCall { typed } else { &[] };
        std::iter::once(verb.action()).chain(typed.iter().copied())
    };
    verbs.into_iter().flat_map(of).collect()
}

/// A Cedar string literal.
pub(super) fn string(value: &str) -> String {
    // Most are names, of which nothing is escaped.
    if value.bytes().all(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\')) {
        return ["\"", value, "\""].concat();
    }
    // Nothing ends at a `'`, and a policy for content is full of them.
    format!("\"{}\"", value.escape_debug().to_string().replace("\\'", "'"))
}

/// A Cedar set of string literals.
pub(super) fn set<'s>(values: impl IntoIterator<Item = &'s str>) -> String {
    let values: Vec<String> = values.into_iter().map(string).collect();
    format!("[{}]", values.join(", "))
}

/// `resource.name == "x"`, or `like` where the pattern has a `*`.
pub(super) fn named(attribute: &str, pattern: &crate::name::Pattern) -> String {
    let operator = if pattern.is_literal() { "==" } else { "like" };
    format!("resource.{attribute} {operator} {}", string(pattern.as_str()))
}

/// `resource.server == Portcullis::Server::"x"`: always first, so that a shard may rest on it.
pub(super) fn pin(server: &crate::name::ServerName) -> String {
    format!("resource.server == Portcullis::Server::{}", string(server.as_str()))
}

/// `[Endpoint, Endpoint].contains(resource)`.
pub(super) fn endpoints(classes: impl IntoIterator<Item = EndpointClass>) -> String {
    let classes: Vec<String> =
        classes.into_iter().map(|class| format!("Portcullis::Endpoint::{}", string(class.as_str()))).collect();
    format!("[{}].contains(resource)", classes.join(", "))
}
