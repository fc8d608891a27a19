//! PC109 `guard-fails-open`: a permit that holds where a fact is absent.
//!
//! `!(context has x) || …` lets through whoever does not bring the fact at all. Looked for in the
//! syntax tree of what gives access: the `when` of a hand-written permit, and the `unless` of a
//! hand-written forbid or of a rule.

use serde_json::Value;

use super::{Check, Example, Page, Subject};
use crate::{
    diagnostic::{About, Class, Diagnostic, Level},
    policy::Effect,
};

pub(super) struct GuardFailsOpen;

const ABOUT: About = About {
    code: "PC109",
    name: "guard-fails-open",
    class: Class::Security(Level::High),
    summary: "access is given where a fact is absent",
    help: "write `context has x && …`: what is absent must not open anything",
};

const PAGE: Page = Page {
    tags: &["CWE-636"],
    ..Page::new(
        "whoever leaves the fact out is let through, which is less work than to bring the right one",
        Example {
            yaml: "version: 1\ntags: {web: Pages}\nservers:\n  docs:\n    tags: [web]\n    http: {url: \"https://docs.example.com/mcp\"}\ngrants:\n  - {to: {user: \"*\"}, scopes: [\"tag:web\"]}\npolicies: [extra.cedar]\n",
            files: &[(
                "extra.cedar",
                "@id(\"ide\")\npermit (principal is Portcullis::User, action in [Portcullis::Action::\"tools/list\", Portcullis::Action::\"tools/call\"], resource)\nwhen { resource.server == Portcullis::Server::\"docs\" && (!(context has client) || context.client == \"ide\") };\n",
            )],
        },
        Example {
            yaml: "version: 1\ntags: {web: Pages}\nservers:\n  docs:\n    tags: [web]\n    http: {url: \"https://docs.example.com/mcp\"}\ngrants:\n  - {to: {user: \"*\"}, scopes: [\"tag:web\"]}\npolicies: [extra.cedar]\n",
            files: &[(
                "extra.cedar",
                "@id(\"ide\")\npermit (principal is Portcullis::User, action in [Portcullis::Action::\"tools/list\", Portcullis::Action::\"tools/call\"], resource)\nwhen { resource.server == Portcullis::Server::\"docs\" && context has client && context.client == \"ide\" };\n",
            )],
        },
    )
};

impl Check for GuardFailsOpen {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn run(&self, subject: &Subject<'_>, findings: &mut Vec<Diagnostic>) {
        let Some(reach) = subject.reach else { return };
        for policy in reach.engine().bundle().policies() {
            // What may be absent is asked for with `has` alone, and nothing the compiler writes does.
            let (Some(place), true) = (policy.place(), policy.text().contains(" has ")) else { continue };
            let Ok(json) = policy.cedar.to_json() else { continue };
            let giving = match policy.shape().effect {
                Effect::Permit => "when",
                Effect::Forbid => "unless",
            };
            let conditions = json.get("conditions").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            let absent = conditions
                .iter()
                .filter(|condition| condition.get("kind").and_then(Value::as_str) == Some(giving))
                .find_map(|condition| condition.get("body").and_then(opens_without));
            if let Some(fact) = absent {
                let message = format!("`{}` gives access where there is no `{fact}`", policy.id());
                findings.push(ABOUT.at(place, message));
            }
        }
    }
}

/// The fact without which an expression that gives access is true: `!(x has a) || …`, or
/// `if x has a then … else true`.
fn opens_without(expression: &Value) -> Option<&str> {
    if let Some(either) = expression.get("||") {
        let sides = ["left", "right"].into_iter().filter_map(|side| either.get(side));
        let absent = sides.clone().find_map(absent);
        return absent.or_else(|| sides.clone().find_map(opens_without));
    }
    if let Some(both) = expression.get("&&") {
        return ["left", "right"].into_iter().filter_map(|side| both.get(side)).find_map(opens_without);
    }
    let branches = expression.get("if-then-else")?;
    let otherwise = branches.get("else")?.get("Value")?.as_bool()?;
    if otherwise { branches.get("if").and_then(present) } else { None }
}

/// The `a` of `!(x has a)`.
fn absent(expression: &Value) -> Option<&str> {
    present(expression.get("!")?.get("arg")?)
}

/// The `a` of `x has a`.
fn present(expression: &Value) -> Option<&str> {
    expression.get("has")?.get("attr")?.as_str()
}
