//! Which parts of a policy hold for a question, and what they read.
//!
//! A policy is taken apart at the `&&` of its condition, and each part is asked of Cedar by itself,
//! over the same request and the same entities as the question. Nothing is evaluated here.
//!
//! INVARIANT: a policy whose clauses all hold is one that Cedar finds to hold, and the other way round.

use std::{collections::BTreeSet, str::FromStr as _};

use cedar_policy::{
    Authorizer, Effect as CedarEffect, Entities, EvalResult, Expression, PolicyId, PolicySet, PrincipalConstraint,
    Request, ResourceConstraint, eval_expression,
};
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    bundle::Policy,
    engine::{Engine, Question},
};

/// Whether a clause holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Holds {
    /// It does.
    Yes,
    /// It does not.
    No,
    /// It could not be evaluated.
    Error,
    /// That depends on arguments, which are not known.
    Depends,
    /// It could not be evaluated by itself, and Cedar does not look at it: one before it does not hold.
    NotRead,
}

/// Something that a clause reads, and its value for the question.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Fact {
    /// As Cedar calls it, as in `context.scopes`.
    pub name: String,
    /// As Cedar prints it; nothing where there is no such value.
    pub value: Option<String>,
}

/// One part of a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Clause {
    /// As Cedar prints it.
    pub text: String,
    /// Whether it holds.
    pub holds: Holds,
    /// What it reads.
    pub reads: Vec<Fact>,
    /// The texts that it compares with.
    #[serde(skip)]
    pub literals: BTreeSet<String>,
}

impl Engine {
    /// The policies that a question is asked of, sorted by id; none where the server or the target is
    /// not known.
    #[must_use]
    pub fn asked_of(&self, question: &Question<'_>) -> Vec<&Policy> {
        self.shard(question).map_or_else(|_| Vec::new(), |shard| shard.policies(&self.bundle().policies).collect())
    }

    /// The parts of a policy, each asked by itself.
    ///
    /// # Errors
    /// When the question cannot be put to Cedar, or Cedar cannot take the policy apart, in words.
    pub fn clauses(&self, question: &Question<'_>, policy: &Policy) -> Result<Vec<Clause>, String> {
        let asked = Asked {
            request: self.putting(question)?,
            store: &question.inventory.store,
            lacks: self.lacks_arguments(question),
        };
        let mut clauses = Vec::new();
        for part in parts(policy)? {
            let mut clause = asked.clause(part)?;
            if clause.holds == Holds::Error && clauses.iter().any(|before: &Clause| before.holds != Holds::Yes) {
                clause.holds = Holds::NotRead;
            }
            clauses.push(clause);
        }
        Ok(clauses)
    }
}

/// A part of a policy that is yet to be asked.
struct Part {
    /// Its text, where the condition does not say it.
    text: Option<String>,
    policy: Value,
}

/// The scope of the principal and the resource, where there is one, then every condition, cut at its
/// outermost `&&`. The action scope holds for every policy that a question is asked of.
fn parts(policy: &Policy) -> Result<Vec<Part>, String> {
    let whole = policy.cedar.to_json().map_err(|error| error.to_string())?;
    let any = || json!({ "op": "All" });
    let alone = |principal: Value, resource: Value, conditions: Value| json!({ "effect": "permit", "principal": principal, "action": any(), "resource": resource, "conditions": conditions });
    let principal = match policy.cedar.principal_constraint() {
        PrincipalConstraint::Any => None,
        PrincipalConstraint::In(of) => Some(format!("principal in {of}")),
        PrincipalConstraint::Eq(one) => Some(format!("principal == {one}")),
        PrincipalConstraint::Is(kind) => Some(format!("principal is {kind}")),
        PrincipalConstraint::IsIn(kind, of) => Some(format!("principal is {kind} in {of}")),
    };
    let resource = match policy.cedar.resource_constraint() {
        ResourceConstraint::Any => None,
        ResourceConstraint::In(of) => Some(format!("resource in {of}")),
        ResourceConstraint::Eq(one) => Some(format!("resource == {one}")),
        ResourceConstraint::Is(kind) => Some(format!("resource is {kind}")),
        ResourceConstraint::IsIn(kind, of) => Some(format!("resource is {kind} in {of}")),
    };
    let scope = |name: &str| whole.get(name).cloned().unwrap_or_else(any);
    let mut parts = Vec::new();
    parts.extend(principal.map(|text| Part { text: Some(text), policy: alone(scope("principal"), any(), json!([])) }));
    parts.extend(resource.map(|text| Part { text: Some(text), policy: alone(any(), scope("resource"), json!([])) }));
    for condition in whole.get("conditions").and_then(Value::as_array).into_iter().flatten() {
        let Some(body) = condition.get("body") else { continue };
        let when = condition.get("kind").and_then(Value::as_str) == Some("when");
        let bodies = if when { conjuncts(body) } else { vec![body] };
        parts.extend(bodies.into_iter().map(|body| {
            let body = if when { body.clone() } else { json!({ "!": { "arg": body } }) };
            Part { text: None, policy: alone(any(), any(), json!([{ "kind": "when", "body": body }])) }
        }));
    }
    Ok(parts)
}

/// The `a`, `b` and `c` of `a && b && c`. What stands in parentheses on the right stays together: a
/// `has` with what it guards.
fn conjuncts(mut body: &Value) -> Vec<&Value> {
    let mut found = Vec::new();
    while let Some((left, right)) = body.get("&&").and_then(|and| Some((and.get("left")?, and.get("right")?))) {
        found.push(right);
        body = left;
    }
    found.push(body);
    found.reverse();
    found
}

/// A question as Cedar takes it.
struct Asked<'a> {
    request: Request,
    store: &'a Entities,
    /// Whether there are arguments, and they are not known.
    lacks: bool,
}

impl Asked<'_> {
    fn clause(&self, part: Part) -> Result<Clause, String> {
        let Part { text, policy } = part;
        let (mut names, mut literals) = (BTreeSet::new(), BTreeSet::new());
        read(&policy, &mut names, &mut literals);
        names.extend(text.iter().filter_map(|text| text.split(' ').next()).map(str::to_owned));
        let policy = cedar_policy::Policy::from_json(Some(PolicyId::new("clause")), policy)
            .map_err(|error| error.to_string())?;
        debug_assert_eq!(policy.effect(), CedarEffect::Permit);
        let text = text.unwrap_or_else(|| condition(&policy.to_string()));
        let mut set = PolicySet::new();
        set.add(policy).map_err(|error| error.to_string())?;
        let response = Authorizer::new().is_authorized(&self.request, &set, self.store);
        let holds = match response.decision() {
            _ if self.lacks && names.contains("context.args") => Holds::Depends,
            _ if response.diagnostics().errors().next().is_some() => Holds::Error,
            cedar_policy::Decision::Allow => Holds::Yes,
            cedar_policy::Decision::Deny => Holds::No,
        };
        if holds == Holds::Depends {
            names.remove("context.args");
        }
        let reads = names.into_iter().map(|name| Fact { value: self.value(&name), name }).collect();
        Ok(Clause { text, holds, reads, literals })
    }

    fn value(&self, name: &str) -> Option<String> {
        let expression = Expression::from_str(name).ok()?;
        let value: EvalResult = eval_expression(&self.request, self.store, &expression).ok()?;
        Some(value.to_string())
    }
}

/// What an expression reads of its four variables, and the texts that stand in it.
fn read(expression: &Value, names: &mut BTreeSet<String>, literals: &mut BTreeSet<String>) {
    match expression {
        Value::Object(object) => {
            for (operator, operand) in object {
                let of = operand.get("left").and_then(|left| left.get("Var")).and_then(Value::as_str);
                match (operator.as_str(), of, operand.get("attr").and_then(Value::as_str)) {
                    ("." | "has", Some(variable), Some(attribute)) => {
                        names.insert(format!("{variable}.{attribute}"));
                    }
                    ("Var", ..) => names.extend(operand.as_str().map(str::to_owned)),
                    ("Value", ..) => literals.extend(operand.as_str().map(str::to_owned)),
                    _ => read(operand, names, literals),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| read(item, names, literals)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The condition of a policy with one, as Cedar prints it, without parentheses around `context.fact`
/// and the like.
pub(super) fn condition(policy: &str) -> String {
    let inner = policy.split_once('{').and_then(|(_, rest)| rest.rsplit_once('}')).map_or(policy, |(inner, _)| inner);
    let (mut text, mut quoted, mut escaped) = (String::new(), false, false);
    let mut rest = inner.trim();
    while let Some(c) = rest.chars().next() {
        let after = rest.get(c.len_utf8()..).unwrap_or_default();
        // Behind a name they are the parentheses of a call.
        let call = text.ends_with(|before: char| before.is_ascii_alphanumeric() || before == '_');
        let bare = if quoted || c != '(' || call { None } else { attribute(after) };
        if let Some((name, beyond)) = bare {
            text.push_str(name);
            rest = beyond;
            continue;
        }
        (quoted, escaped) = (quoted != (c == '"' && !escaped), quoted && c == '\\' && !escaped);
        text.push(if !quoted && c.is_whitespace() { ' ' } else { c });
        rest = after;
    }
    text
}

/// `context.fact` and what follows its closing parenthesis.
fn attribute(text: &str) -> Option<(&str, &str)> {
    let (name, beyond) = text.split_once(')')?;
    let (variable, attribute) = name.split_once('.')?;
    let plain = attribute.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    (["context", "resource"].contains(&variable) && plain && !attribute.is_empty()).then_some((name, beyond))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_is_cut_at_its_outermost_ands() {
        let policy = Policy::parse(
            "p",
            r#"forbid(principal == Portcullis::User::"a", action, resource)
            when { resource.server == Portcullis::Server::"s" && (context has client && context.client == "(context.x)\") {") }
            unless { context.scopes.contains("tag:a") && !context.filtered };"#,
            None,
            None,
        )
        .unwrap();
        let texts: Vec<String> = parts(&policy)
            .unwrap()
            .into_iter()
            .map(|part| {
                part.text.unwrap_or_else(|| {
                    condition(&cedar_policy::Policy::from_json(None, part.policy).unwrap().to_string())
                })
            })
            .collect();
        assert_eq!(
            texts,
            [
                r#"principal == Portcullis::User::"a""#,
                r#"resource.server == Portcullis::Server::"s""#,
                r#"(context has client) && (context.client == "(context.x)\") {")"#,
                r#"!(context.scopes.contains("tag:a") && (!context.filtered))"#,
            ]
        );
        assert_eq!(
            condition("permit(principal, action, resource) when { (context.a).containsAll(context.b) };"),
            "context.a.containsAll(context.b)"
        );
    }
}
