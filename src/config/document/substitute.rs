//! `${NAME}` and `${NAME:-default}` in values, after parsing.
//!
//! Keys are never substituted, and what decides access never is: the same file is the same
//! policy, whatever the environment. `$${` stands for a plain `${`.
//!
//! INVARIANT: the environment is asked for names that the file holds and for no others.

use std::collections::BTreeSet;

use super::node::{Entry, Node, Value};
use crate::{
    config::findings,
    diagnostic::{Class, Diagnostic, Place},
};

/// Where variables have their values.
pub(crate) struct Variables<'a> {
    /// A variable's value.
    pub(crate) env: &'a dyn Fn(&str) -> Option<String>,
    /// Whether one without a value is only warned of; something stands in for it.
    pub(crate) allow_missing: bool,
}

/// Substitutes in the whole tree. Gives the places of values that the environment went into, and of
/// those that something had to stand in for.
pub(super) fn substitute(
    root: &mut Node,
    variables: &Variables<'_>,
    findings: &mut Vec<Diagnostic>,
) -> (Vec<Place>, BTreeSet<Place>) {
    let mut walk = Walk { variables, findings, touched: Vec::new(), missing: BTreeSet::new() };
    walk.node(root, &mut Vec::new());
    (walk.touched, walk.missing)
}

struct Walk<'a> {
    variables: &'a Variables<'a>,
    findings: &'a mut Vec<Diagnostic>,
    touched: Vec<Place>,
    missing: BTreeSet<Place>,
}

impl<'a> Walk<'a> {
    /// The environment, or where variables are refused a stand-in that is not asked for anything.
    fn lookup(&self, path: &[String]) -> &'a dyn Fn(&str) -> Option<String> {
        if fixed(path) { &always } else { self.variables.env }
    }

    fn node(&mut self, node: &mut Node, path: &mut Vec<String>) {
        match &mut node.value {
            Value::Map(entries) => {
                for Entry { key, place, other: _, value } in entries {
                    if key.contains("${") {
                        let message = format!("`{}` is a key, and keys are never substituted", key.escape_debug());
                        self.findings.push(findings::UNDEFINED_ENV.at(place, message).help("write the name itself"));
                    }
                    path.push(key.clone());
                    self.node(value, path);
                    path.pop();
                }
            }
            Value::List(items) => items.iter_mut().for_each(|item| self.node(item, path)),
            Value::Text(text) if text.contains("${") => {
                match expand(text, path.last().map_or("", String::as_str), self.lookup(path)) {
                    Ok(Expanded { text: expanded, variables, missing }) => {
                        if variables && fixed(path) {
                            let message = "variables are not substituted here: the same file is the same policy";
                            self.findings.push(
                                findings::UNDEFINED_ENV
                                    .at(&node.place, message)
                                    .help("write the value itself; `$${` stands for a plain `${`"),
                            );
                            node.value = Value::Bad;
                            return;
                        }
                        if let Some(problem) = missing {
                            let finding = problem.at(&node.place);
                            if !self.variables.allow_missing {
                                self.findings.push(finding);
                                node.value = Value::Bad;
                                return;
                            }
                            let finding = Diagnostic { class: Class::Warning, ..finding };
                            self.findings.push(finding.label("what stands here is not checked"));
                            self.missing.insert(node.place.clone());
                        }
                        *text = expanded;
                        if variables {
                            node.from_env = true;
                            self.touched.push(node.place.clone());
                        }
                    }
                    Err(problem) => {
                        self.findings.push(problem.at(&node.place));
                        node.value = Value::Bad;
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Text(_) | Value::Bad => {}
        }
    }
}

/// Any value: where variables are refused, whether they are set is no matter.
fn always(_: &str) -> Option<String> {
    Some("-".to_owned())
}

/// What stands in for a variable without a value after `before`, so that what is around it can be
/// read: a URL, a host, or a number, which is a text as well.
fn stand_in(key: &str, before: &str) -> &'static str {
    if before.is_empty() && key.ends_with("url") {
        "https://unset.invalid"
    } else if before.ends_with("://") {
        "unset.invalid"
    } else {
        "1"
    }
}

/// Whether what stands at `path` decides access.
fn fixed(path: &[String]) -> bool {
    let mut keys = path.iter().map(String::as_str);
    match (keys.next(), keys.next(), keys.next()) {
        (
            Some("tags" | "grants" | "rules" | "headers" | "validation" | "invariants" | "policies" | "version"),
            _,
            _,
        ) => true,
        (Some("oauth"), Some("enabled"), _) => true,
        (Some("rates"), Some(_), Some("by" | "on" | "when")) => true,
        (Some("servers"), Some(_), Some(key)) => !matches!(key, "http" | "stdio"),
        _ => false,
    }
}

struct Expanded {
    text: String,
    variables: bool,
    /// The first variable without a value, for which something stands in.
    missing: Option<Problem>,
}

enum Problem {
    Unset(String),
    Empty(String),
    Malformed,
}

impl Problem {
    fn at(self, place: &Place) -> Diagnostic {
        match self {
            Self::Unset(name) => findings::UNDEFINED_ENV
                .at(place, format!("the environment variable `{name}` is not set"))
                .help(format!("set `{name}`, or give a default as in `${{{name}:-default}}`")),
            Self::Empty(name) => findings::UNDEFINED_ENV
                .at(place, format!("the environment variable `{name}` is empty"))
                .help(format!("give `{name}` a value, or write `${{{name}:-}}` if empty is what you mean")),
            Self::Malformed => findings::UNDEFINED_ENV
                .at(place, "`${` does not begin a variable here")
                .help("write `${NAME}` or `${NAME:-default}`; `$${` stands for a plain `${`"),
        }
    }
}

fn expand(text: &str, key: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<Expanded, Problem> {
    let mut out = String::with_capacity(text.len());
    let mut variables = false;
    let mut missing = None;
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        if let Some(literal) = before.strip_suffix('$') {
            out.push_str(literal);
            out.push_str("${");
            rest = after;
            continue;
        }
        out.push_str(before);
        let (inside, after) = after.split_once('}').ok_or(Problem::Malformed)?;
        let (name, default) = match inside.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inside, None),
        };
        if !is_variable(name) {
            return Err(Problem::Malformed);
        }
        variables = true;
        match (env(name), default) {
            (Some(value), _) if !value.is_empty() => out.push_str(&value),
            (_, Some(default)) => out.push_str(default),
            (value, None) => {
                let name = name.to_owned();
                missing.get_or_insert(if value.is_some() { Problem::Empty(name) } else { Problem::Unset(name) });
                let instead = stand_in(key, &out);
                out.push_str(instead);
            }
        }
        rest = after;
    }
    out.push_str(rest);
    Ok(Expanded { text: out, variables, missing })
}

/// Whether `name` is a name that every shell takes for a variable.
pub(crate) fn is_variable(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(text: &str) -> Option<String> {
        let env = |name: &str| match name {
            "HOST" => Some("example.com".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        expand(text, "", &env).ok().filter(|expanded| expanded.missing.is_none()).map(|expanded| expanded.text)
    }

    #[test]
    fn variables_defaults_and_literals() {
        for (text, want) in [
            ("https://${HOST}/mcp", Some("https://example.com/mcp")),
            ("${NONE:-a}${HOST}", Some("aexample.com")),
            ("${NONE:-}", Some("")),
            ("${EMPTY:-x}", Some("x")),
            ("$${HOST}", Some("${HOST}")),
            ("$HOST costs $5", Some("$HOST costs $5")),
            ("${NONE}", None),
            ("${EMPTY}", None),
            ("${HOST", None),
            ("${}", None),
            ("${1A}", None),
        ] {
            assert_eq!(expanded(text).as_deref(), want, "{text}");
        }
    }
}
