//! PC509 `check-never-runs`: what is said of a detector, or asked of its findings, comes to nothing.
//!
//! Three shapes: an exception of `validation` for tools that the pinned inventory does not have; one for
//! servers or tools of a detector that looks at path, query and header fields alone; and a condition
//! that asks `context.findings` for a word that no detector says. Of servers that there are not, PC107
//! speaks.

use serde_json::Value;

use super::{Check, Page, Subject, page::and};
use crate::{
    compile,
    config::{Exempt, Scope},
    detect::Detector,
    diagnostic::{About, Class, Diagnostic, Placed, nearest},
    lock::Lock,
    name::ToolName,
};

pub(super) struct CheckNeverRuns;

const ABOUT: About = About {
    code: "PC509",
    name: "check-never-runs",
    class: Class::Error,
    summary: "something is said of a detector, or asked of it, that never comes about",
    help: "mend the name, or remove it",
};

const PAGE: Page = Page::new(
    "a check that never runs looks like one that does",
    and!(
        r#"rules:
  - {forbid: {servers: ["*"]}, when: 'context.findings.contains("sql")'}
"#
    ),
    and!(
        r#"rules:
  - {forbid: {servers: ["*"]}, when: 'context.findings.contains("sql-injection")'}
"#
    ),
);

impl Check for CheckNeverRuns {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn run(&self, subject: &Subject<'_>, findings: &mut Vec<Diagnostic>) {
        let Some(config) = subject.config else { return };
        for exempt in &config.validation.exceptions {
            findings.extend(unseen(exempt));
            if let Some(lock) = subject.lock {
                findings.extend(exempt.on.iter().filter_map(|scope| unknown(scope, lock)));
            }
        }
        let rules = config.rules.iter().flat_map(|rule| [&rule.when, &rule.unless]);
        for condition in rules.flatten() {
            findings.extend(asked(condition));
        }
    }
}

/// A detector that is named for what it does not look at.
fn unseen(exempt: &Exempt) -> Option<Diagnostic> {
    let endpoints = |scope: &Placed<Scope>| matches!(scope.value, Scope::Endpoints(..));
    // `all` says it of every detector, and this one along with them.
    let alone = exempt.modes.values().map(|mode| &mode.place).collect::<std::collections::BTreeSet<_>>().len() > 1;
    let mode = exempt.modes.get(&Detector::InvalidUtf8)?;
    if exempt.on.iter().any(endpoints) || !alone && exempt.modes.len() > 1 {
        return None;
    }
    let message = "`invalid-utf8` is looked for in path, query and header fields alone";
    Some(ABOUT.at(&mode.place, message).help("remove it here: a body that is no UTF-8 is refused in any case"))
}

/// Tools that are not offered.
fn unknown(scope: &Placed<Scope>, lock: &Lock) -> Option<Diagnostic> {
    let Scope::Tool(server, pattern) = &scope.value else { return None };
    let offered = lock.server(server)?;
    let names: Vec<&str> = offered.tools.keys().map(ToolName::as_str).collect();
    if names.iter().any(|name| pattern.matches(name)) {
        return None;
    }
    let finding = ABOUT.at(&scope.place, format!("`{pattern}` fits no tool of `{server}` in portcullis.lock"));
    Some(match nearest(pattern.as_str(), names.iter().copied()) {
        Some(near) => finding.label(format!("did you mean `{server}/{near}`?")),
        None => finding,
    })
}

/// Words that a condition asks the findings for, and no detector says.
fn asked(condition: &Placed<String>) -> Vec<Diagnostic> {
    let mut words = Vec::new();
    if let Some(body) = compile::condition(&condition.value) {
        read(&body, &mut words);
    }
    let unknown = words.into_iter().filter(|word| Detector::of_word(word).is_none());
    let known = || Detector::ALL.iter().map(|detector| detector.word());
    unknown
        .map(|word| {
            let finding = ABOUT.at(&condition.place, format!("no detector finds `{word}`"));
            let finding = match nearest(&word, known()) {
                Some(near) => finding.label(format!("did you mean `{near}`?")),
                None => finding,
            };
            let list: Vec<String> = known().map(|word| format!("`{word}`")).collect();
            finding.help(format!("ask for one of {}", list.join(", ")))
        })
        .collect()
}

/// The texts that `context.findings` is asked for.
fn read(body: &Value, words: &mut Vec<String>) {
    match body {
        Value::Object(object) => {
            for (operator, operands) in object {
                if matches!(operator.as_str(), "contains" | "containsAll" | "containsAny")
                    && operands.get("left").is_some_and(is_findings)
                    && let Some(right) = operands.get("right")
                {
                    texts(right, words);
                }
                read(operands, words);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| read(item, words)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn is_findings(expression: &Value) -> bool {
    let attribute = expression.get(".");
    attribute.and_then(|it| it.get("attr")).and_then(Value::as_str) == Some("findings")
        && attribute.and_then(|it| it.get("left")?.get("Var")).and_then(Value::as_str) == Some("context")
}

fn texts(literal: &Value, words: &mut Vec<String>) {
    if let Some(text) = literal.get("Value").and_then(Value::as_str) {
        words.push(text.to_owned());
    }
    for item in literal.get("Set").and_then(Value::as_array).into_iter().flatten() {
        texts(item, words);
    }
}
