//! What can be said of a policy without asking it: which actions, which server, which facts.
//!
//! Read from Cedar's own JSON form of what it evaluates (the same for compiled and hand-written ones), so
//! that sharding rests on what the policy *is* and not on what its author claims. Everything that is
//! not recognised is taken at its widest: no pin, every fact.

use std::collections::BTreeSet;

use serde_json::Value;

use super::decision::Effect;
use crate::name::ServerName;

/// What can be said of a policy without asking it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// Permit or forbid.
    pub effect: Effect,
    /// The entity type its scope asks of the principal, if it asks one.
    pub principal: Option<String>,
    /// How its scope names actions.
    pub actions: Actions,
    /// The server it is about, if its condition begins with `resource.server == …`.
    pub pin: Option<ServerName>,
    /// The attributes of `context` it may read.
    pub facts: BTreeSet<String>,
    /// Whether it reads anything of the resource but its server, or its scope names one.
    pub reads_name: bool,
    /// Whether it asks anything of the principal.
    pub reads_principal: bool,
    /// Whether `in` stands anywhere but in its action scope.
    pub uses_in: bool,
    /// Whether it begins with `context.filtered`, and so says nothing of an unfiltered request.
    pub filtered_only: bool,
    /// Whether it begins with `context.findings.contains("…")`, be it behind its pin, and so says nothing
    /// where nothing was found.
    pub found_only: bool,
}

/// How a policy's scope names actions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actions {
    /// Not at all.
    Any,
    /// `action == X`
    Exactly(String),
    /// `action in X`, `action in [X, Y]`
    In(Vec<String>),
}

impl Actions {
    /// Whether a scope takes in an action, or the group that it is in.
    pub(super) fn takes(&self, action: &str, group: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exactly(one) => one == action,
            Self::In(many) => many.iter().any(|named| named == action || named == group),
        }
    }
}

impl Shape {
    /// Reads the shape off a policy.
    ///
    /// # Errors
    /// When Cedar cannot give the policy's JSON form, in words.
    pub fn of(policy: &cedar_policy::Policy) -> Result<Self, String> {
        let json = evaluated(policy).to_json().map_err(|error| error.to_string())?;
        let effect = match policy.effect() {
            cedar_policy::Effect::Permit => Effect::Permit,
            cedar_policy::Effect::Forbid => Effect::Forbid,
        };
        let mut shape = Self {
            effect,
            principal: principal(&json),
            actions: actions(&json),
            pin: None,
            facts: BTreeSet::new(),
            reads_name: names_one_resource(&json),
            reads_principal: json.get("principal").and_then(|scope| scope.get("op")).and_then(Value::as_str)
                != Some("All"),
            uses_in: scope_uses_in(&json, "principal") || scope_uses_in(&json, "resource"),
            filtered_only: false,
            found_only: false,
        };
        let conditions = json.get("conditions").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        for (nth, condition) in conditions.iter().enumerate() {
            let Some(body) = condition.get("body") else { continue };
            shape.read(body);
            // Only what stands first is evaluated whatever the request: a pin behind a conjunct that can
            // error would hide that error from every other server.
            if nth == 0 && condition.get("kind").and_then(Value::as_str) == Some("when") {
                let first = first_conjunct(body);
                shape.pin = pin(first);
                shape.filtered_only = fact(first) == Some("filtered");
                // A pin never errors, so what stands behind it is as good as first.
                let conjuncts = [Some(first), second_conjunct(body).filter(|_| shape.pin.is_some())];
                shape.found_only = conjuncts.into_iter().flatten().any(asks_for_a_finding);
            }
        }
        Ok(shape)
    }

    /// Whether it may read this attribute of the context.
    #[must_use]
    pub fn reads(&self, fact: &str) -> bool {
        self.facts.contains(fact) || self.facts.contains("*")
    }

    fn read(&mut self, expression: &Value) {
        match expression {
            Value::Object(object) => {
                for (operator, operand) in object {
                    match operator.as_str() {
                        "." | "has" => self.read_attribute(expression, operand),
                        "in" => self.uses_in = true,
                        // `is … in …` carries an `in` operand of its own.
                        "is" if operand.get("in").is_some() => self.uses_in = true,
                        // The whole context or resource, compared or handed on: everything may be read.
                        "Var" if operand == "context" => {
                            self.facts.insert("*".into());
                        }
                        "Var" if operand == "resource" => self.reads_name = true,
                        "Var" if operand == "principal" => self.reads_principal = true,
                        _ => {}
                    }
                    // A literal is data, and the variable under an attribute has been accounted for.
                    if operator != "Value" && !matches!(operator.as_str(), "." | "has") {
                        self.read(operand);
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.read(item)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn read_attribute(&mut self, whole: &Value, operand: &Value) {
        let left = operand.get("left").unwrap_or(&Value::Null);
        let attribute = operand.get("attr").and_then(Value::as_str).unwrap_or("*");
        match left.get("Var").and_then(Value::as_str) {
            Some("context") => {
                self.facts.insert(attribute.to_owned());
            }
            Some("resource") if attribute != "server" => self.reads_name = true,
            Some(_) => {}
            None => {
                debug_assert!(whole.is_object());
                self.read(left);
            }
        }
    }
}

/// A policy as Cedar evaluates it, without the text that it was read from: whoever takes it apart does not
/// have it read a second time.
pub(crate) fn evaluated<T: Clone>(policy: &cedar_policy::Policy) -> cedar_policy::Policy
where
    cedar_policy::Policy: AsRef<T> + From<T>,
{
    policy.as_ref().clone().into()
}

fn scope_uses_in(policy: &Value, part: &str) -> bool {
    policy
        .get(part)
        .is_some_and(|scope| scope.get("op").and_then(Value::as_str) == Some("in") || scope.get("in").is_some())
}

/// Whether the scope is about one resource: it tells things of one server apart, as their names do.
fn names_one_resource(policy: &Value) -> bool {
    let Some(scope) = policy.get("resource") else { return true };
    match scope.get("op").and_then(Value::as_str) {
        Some("All") => false,
        Some("is") => scope.get("in").is_some(),
        Some(_) | None => true,
    }
}

fn principal(policy: &Value) -> Option<String> {
    let scope = policy.get("principal")?;
    let kind = match scope.get("op").and_then(Value::as_str)? {
        "is" => scope.get("entity_type").and_then(Value::as_str)?,
        "==" => scope.get("entity").and_then(|entity| entity.get("type")).and_then(Value::as_str)?,
        _ => return None,
    };
    Some(kind.strip_prefix("Portcullis::").unwrap_or(kind).to_owned())
}

fn actions(policy: &Value) -> Actions {
    let id = |entity: &Value| entity.get("id").and_then(Value::as_str).map(str::to_owned);
    let Some(scope) = policy.get("action") else { return Actions::Any };
    match scope.get("op").and_then(Value::as_str) {
        Some("==") => scope.get("entity").and_then(id).map_or(Actions::Any, Actions::Exactly),
        Some("in") => match (scope.get("entity").and_then(id), scope.get("entities").and_then(Value::as_array)) {
            (Some(one), _) => Actions::In(vec![one]),
            (None, Some(many)) => Actions::In(many.iter().filter_map(id).collect()),
            (None, None) => Actions::Any,
        },
        _ => Actions::Any,
    }
}

/// The `a` of `a && b && c`.
fn first_conjunct(mut expression: &Value) -> &Value {
    while let Some(left) = expression.get("&&").and_then(|and| and.get("left")) {
        expression = left;
    }
    expression
}

/// The `b` of `a && b && c`.
fn second_conjunct(mut expression: &Value) -> Option<&Value> {
    loop {
        let and = expression.get("&&")?;
        let (left, right) = (and.get("left")?, and.get("right")?);
        if left.get("&&").is_none() {
            return Some(right);
        }
        expression = left;
    }
}

/// `context.findings.contains("…")`
fn asks_for_a_finding(conjunct: &Value) -> bool {
    let Some(contains) = conjunct.get("contains") else { return false };
    contains.get("left").and_then(fact) == Some("findings")
        && contains.get("right").and_then(|right| right.get("Value")).is_some_and(Value::is_string)
}

/// The server of `resource.server == Portcullis::Server::"name"`.
fn pin(conjunct: &Value) -> Option<ServerName> {
    let equal = conjunct.get("==")?;
    let (left, right) = (equal.get("left")?, equal.get("right")?);
    [(left, right), (right, left)].into_iter().find_map(|(attribute, literal)| {
        let attribute = attribute.get(".")?;
        let of_resource = attribute.get("left")?.get("Var")?.as_str()? == "resource";
        let server = attribute.get("attr")?.as_str()? == "server";
        let entity = literal.get("Value")?.get("__entity")?;
        let is_server = entity.get("type")?.as_str()? == "Portcullis::Server";
        if of_resource && server && is_server { entity.get("id")?.as_str()?.parse().ok() } else { None }
    })
}

/// The attribute of a bare `context.attribute`.
fn fact(expression: &Value) -> Option<&str> {
    let attribute = expression.get(".")?;
    if attribute.get("left")?.get("Var")?.as_str()? == "context" { attribute.get("attr")?.as_str() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(text: &str) -> Shape {
        Shape::of(&cedar_policy::Policy::parse(None, text).unwrap()).unwrap()
    }

    #[test]
    fn the_pin_is_seen_on_either_side_and_only_where_it_stands_first() {
        let pinned = shape(
            r#"permit(principal, action, resource) when { Portcullis::Server::"a" == resource.server && context.oauth };"#,
        );
        assert_eq!(pinned.pin.unwrap().as_str(), "a");
        let late = shape(
            r#"forbid(principal, action, resource) when { 1 + context.n > 2 && resource.server == Portcullis::Server::"a" };"#,
        );
        assert_eq!(late.pin, None);
        let either = shape(
            r#"forbid(principal, action, resource) when { resource.server == Portcullis::Server::"a" || context.oauth };"#,
        );
        assert_eq!(either.pin, None);
        let unless =
            shape(r#"forbid(principal, action, resource) unless { resource.server == Portcullis::Server::"a" };"#);
        assert_eq!(unless.pin, None);
    }

    #[test]
    fn facts_are_found_wherever_they_are_read() {
        let reads = shape(
            r#"forbid(principal, action, resource) when { context has client && context.client == "x" } unless { [context.named].contains(context.scopes) };"#,
        );
        assert_eq!(reads.facts.into_iter().collect::<Vec<_>>(), ["client", "named", "scopes"]);
        assert!(shape("forbid(principal, action, resource) when { [context].contains(context) };").facts.contains("*"));
    }

    #[test]
    fn a_policy_that_begins_with_filtered_is_known_as_such() {
        assert!(shape("forbid(principal, action, resource) when { context.filtered && context.oauth };").filtered_only);
        assert!(
            !shape("forbid(principal, action, resource) when { context.oauth && context.filtered };").filtered_only
        );
        assert!(!shape("forbid(principal, action, resource) unless { context.filtered };").filtered_only);
    }

    #[test]
    fn i3_a_scope_that_names_one_resource_tells_names_apart() {
        for text in [
            r#"forbid(principal, action, resource == Portcullis::Tool::"shop/owned");"#,
            r#"permit(principal, action, resource in Portcullis::Server::"shop");"#,
            r#"permit(principal, action, resource is Portcullis::Tool in Portcullis::Server::"shop");"#,
            r#"forbid(principal, action, resource) when { resource == Portcullis::Tool::"shop/owned" };"#,
        ] {
            assert!(shape(text).reads_name, "{text}");
        }
        for text in ["forbid(principal, action, resource);", "forbid(principal, action, resource is Portcullis::Tool);"]
        {
            assert!(!shape(text).reads_name, "{text}");
        }
    }

    #[test]
    fn a_policy_that_begins_with_a_finding_is_known_as_such() {
        let found =
            |condition: &str| shape(&format!("forbid(principal, action, resource) when {{ {condition} }};")).found_only;
        assert!(found(r#"context.findings.contains("a")"#));
        assert!(found(r#"context.findings.contains("a") && context.oauth"#));
        assert!(found(
            r#"resource.server == Portcullis::Server::"s" && context.findings.contains("a") && context.oauth"#
        ));
        for other in [
            r#"!context.findings.contains("a")"#,
            r#"context.oauth && context.findings.contains("a")"#,
            r#"context.oauth && context.findings.contains("a") && context.filtered"#,
            r#"context.findings.contains("a") || context.oauth"#,
            r#"context.findings.containsAll(["a"])"#,
            r#"context.scopes.contains("a")"#,
            r#"context.findings.contains(context.client)"#,
            r#"resource.server == Portcullis::Server::"s" && context.oauth && context.findings.contains("a")"#,
        ] {
            assert!(!found(other), "{other}");
        }
        assert!(!shape(r#"forbid(principal, action, resource) unless { context.findings.contains("a") };"#).found_only);
    }

    #[test]
    fn in_is_seen_in_scope_and_condition() {
        assert!(shape(r#"forbid(principal in Portcullis::User::"g", action, resource);"#).uses_in);
        assert!(shape(r#"forbid(principal, action, resource) when { resource in Portcullis::Server::"s" };"#).uses_in);
        assert!(!shape(r#"forbid(principal, action in Portcullis::Action::"use", resource);"#).uses_in);
    }
}
