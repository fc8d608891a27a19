//! PC128 `path-prefix-escapes`: a condition tests how a path begins and not whether it climbs out again.
//!
//! `docs/../secret` begins with `docs/`. What is compared is the text that the caller sends, and the
//! server follows it; so a test of the beginning needs one of `..` beside it, of the same argument.

use serde_json::Value;

use super::{Check, Example, Page, Subject};
use crate::{
    compile::{argument_path, condition},
    diagnostic::{About, Class, Confidence, Diagnostic, Level},
};

pub(super) struct PathPrefixEscapes;

const ABOUT: About = About {
    code: "PC128",
    name: "path-prefix-escapes",
    class: Class::Security(Level::High),
    summary: "a condition that tests how a path begins, and not for `..` in it",
    help: "test for `..` beside it, as in `!(context.args.path like \"*..*\")`",
};

/// What names of arguments that are paths have in them.
const WORDS: [&str; 10] = ["path", "file", "dir", "folder", "uri", "url", "location", "root", "source", "destination"];

const FILES: &[(&str, &str)] = &[(
    "portcullis.lock",
    "{\"version\": 1, \"servers\": {\"docs\": {\"tools\": {\"write\": {\"inputSchema\": {\"type\": \"object\", \"required\": [\"path\"], \"properties\": {\"path\": {\"type\": \"string\"}}}}}}}}\n",
)];

const PAGE: Page = Page {
    tags: &["CWE-22"],
    confidence: Confidence::Medium,
    ..Page::new(
        "`docs/../secret` begins with `docs/`: the rule reads as a fence, and a caller steps over it",
        Example {
            yaml: "version: 1\ntags: {web: Pages, mail: Letters}\nservers:\n  docs:\n    tags: [web]\n    http: {url: \"https://docs.example.com/mcp\"}\ngrants:\n  - {to: {user: \"*\"}, scopes: [\"tag:web\", \"tag:mail\"]}\nrules:\n  - {id: docs-only, forbid: {tools: [docs/write]}, unless: 'context.args.path like \"docs/*\"'}\n",
            files: FILES,
        },
        Example {
            yaml: "version: 1\ntags: {web: Pages, mail: Letters}\nservers:\n  docs:\n    tags: [web]\n    http: {url: \"https://docs.example.com/mcp\"}\ngrants:\n  - {to: {user: \"*\"}, scopes: [\"tag:web\", \"tag:mail\"]}\nrules:\n  - {id: docs-only, forbid: {tools: [docs/write]}, unless: 'context.args.path like \"docs/*\" && !(context.args.path like \"*..*\")'}\n",
            files: FILES,
        },
    )
};

impl Check for PathPrefixEscapes {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn run(&self, subject: &Subject<'_>, findings: &mut Vec<Diagnostic>) {
        for rule in subject.config.into_iter().flat_map(|config| &config.rules) {
            let conditions: Vec<_> = [&rule.when, &rule.unless].into_iter().flatten().collect();
            let mut tests = Vec::new();
            for text in conditions {
                let mut found = Vec::new();
                if let Some(body) = condition(&text.value) {
                    likes(&body, &mut found);
                }
                tests.extend(found.into_iter().map(|(path, pattern)| (path, pattern, &text.place)));
            }
            let climbs = |pattern: &str| pattern.starts_with('*') && pattern.ends_with('*') && pattern.contains("..");
            for (path, pattern, place) in &tests {
                let guarded = tests.iter().any(|(other, pattern, _)| other == path && climbs(pattern));
                if begins(pattern) && is_path(path, pattern) && !guarded {
                    let message = format!("`{}` may begin as `{pattern}` and have `..` in it", path.join("."));
                    findings.push(Diagnostic { confidence: Confidence::Medium, ..ABOUT.at(place, message) });
                }
            }
        }
    }
}

/// Whether a pattern tests a beginning.
fn begins(pattern: &str) -> bool {
    !pattern.starts_with('*') && pattern.ends_with('*')
}

/// Whether what is tested is likely to be a path.
fn is_path(path: &[String], pattern: &str) -> bool {
    let name = path.last().map(|name| name.to_ascii_lowercase()).unwrap_or_default();
    pattern.contains(['/', '\\']) || WORDS.iter().any(|word| name.contains(word))
}

/// The arguments that an expression compares with patterns.
fn likes(expression: &Value, found: &mut Vec<(Vec<String>, String)>) {
    match expression {
        Value::Object(object) => {
            for (operator, operand) in object.iter().filter(|(operator, _)| *operator != "Value") {
                let left = operand.get("left").filter(|_| operator == "like");
                if let (Some(path), Some(pattern)) = (left.and_then(argument_path), operand.get("pattern")) {
                    found.push((path, written(pattern)));
                } else {
                    likes(operand, found);
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| likes(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// A pattern as it is written.
fn written(pattern: &Value) -> String {
    let parts = pattern.as_array().into_iter().flatten();
    parts.map(|part| part.get("Literal").and_then(Value::as_str).unwrap_or("*")).collect()
}
