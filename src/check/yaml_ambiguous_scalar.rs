//! PC006 `yaml-ambiguous-scalar`: an unquoted value or key that readers of YAML 1.1 take for something
//! else.
//!
//! What has a finding of its own already, since its key takes something else, is left to that. Our own
//! key `on`, under `headers` and `rates`, is read as it is meant by whoever reads the schema.

use std::collections::BTreeSet;

use super::{Check, Example, Fixable, Page, Subject};
use crate::{
    config::{Node, Value, findings},
    diagnostic::{About, Diagnostic, Place, Safety},
};

pub(super) struct YamlAmbiguousScalar;

const PAGE: Page = Page {
    tags: &["CWE-436"],
    fix: Fixable::Safe,
    ..Page::new(
        "tools for review and templates read YAML 1.1 or 1.2: one file must not mean two things",
        Example::of(
            "version: 1\ntags: {web: Pages}\nservers:\n  docs:\n    tags: [web]\n    stdio: {command: [docs-server], env: {COUNTRY: no, MODE: 0644}}\ngrants: [{to: {user: \"*\"}, scopes: [\"tag:web\"]}]\n",
        ),
        Example::of(
            "version: 1\ntags: {web: Pages}\nservers:\n  docs:\n    tags: [web]\n    stdio: {command: [docs-server], env: {COUNTRY: \"no\", MODE: \"0644\"}}\ngrants: [{to: {user: \"*\"}, scopes: [\"tag:web\"]}]\n",
        ),
    )
};

impl Check for YamlAmbiguousScalar {
    fn about(&self) -> &'static About {
        &findings::AMBIGUOUS_SCALAR
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn run(&self, subject: &Subject<'_>, findings: &mut Vec<Diagnostic>) {
        let Some(tree) = subject.tree else { return };
        let known = findings.iter().filter_map(Diagnostic::place).cloned().collect();
        Walk { known, findings }.node(tree, &mut Vec::new());
    }
}

struct Walk<'a> {
    known: BTreeSet<Place>,
    findings: &'a mut Vec<Diagnostic>,
}

impl Walk<'_> {
    fn node<'n>(&mut self, node: &'n Node, path: &mut Vec<&'n str>) {
        match &node.value {
            Value::Text(text) => self.found("value", text, node.other, &node.place),
            Value::Int(_) | Value::Float(_) => self.number(node),
            Value::Null | Value::Bool(_) | Value::Bad | Value::List(_) | Value::Map(_) => {}
        }
        node.items().iter().for_each(|item| self.node(item, path));
        for entry in node.entries() {
            let ours = entry.key == "on" && matches!(path.first(), Some(&"headers" | &"rates" | &"validation"));
            if !ours {
                self.found("key", &entry.key, entry.other, &entry.place);
            }
            path.push(&entry.key);
            self.node(&entry.value, path);
            path.pop();
        }
    }

    /// What is text here is the same text in quotes.
    fn found(&mut self, what: &str, text: &str, other: Option<&str>, place: &Place) {
        let Some(other) = other.filter(|_| !self.known.contains(place)) else { return };
        let message = format!("the {what} `{text}` is text here, and {other} to readers of YAML 1.1");
        let finding = findings::AMBIGUOUS_SCALAR.at(place, message);
        self.findings.push(finding.enclose(Safety::Safe, "put it in quotes", place, "\"", "\""));
    }

    fn number(&mut self, node: &Node) {
        if node.other.is_some() && !self.known.contains(&node.place) {
            let message = "this is a number here, and text to readers of YAML 1.1";
            let finding = findings::AMBIGUOUS_SCALAR.at(&node.place, message);
            self.findings.push(finding.help("write the number in plain decimal digits"));
        }
    }
}
