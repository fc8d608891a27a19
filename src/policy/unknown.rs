//! Policies without the facts that are not known: what they must say, and what they may say.
//!
//! In three-valued logic an expression that reads such a fact is *unknown*; `&&`, `||`, `!` and `if`
//! hand that on as Kleene has it. What is left is a policy that reads none of them: the *must* of a
//! policy holds only where the policy holds whatever the facts are, its *may* wherever it could. A list
//! shows what some permit may and no forbid must decide (design §5), so what is callable is listed.
//!
//! INVARIANT: must(p) implies p, and p implies may(p), for every value of the facts.

use serde_json::{Value, json};

use super::clause;

/// What of a policy is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bound {
    /// It holds whatever the facts are.
    Must,
    /// It holds for some.
    May,
}

impl Bound {
    const fn other(self) -> Self {
        match self {
            Self::Must => Self::May,
            Self::May => Self::Must,
        }
    }
}

/// A policy that does not read these facts of `context`. `Ok(None)` where it then never holds.
///
/// # Errors
/// When Cedar cannot give the policy's JSON form or take it back, in words.
pub(crate) fn bounded(
    policy: &cedar_policy::Policy,
    unknown: &[&str],
    bound: Bound,
) -> Result<Option<cedar_policy::Policy>, String> {
    let mut json = policy.to_json().map_err(|error| error.to_string())?;
    let mut kept = Vec::new();
    for condition in json.get("conditions").and_then(Value::as_array).into_iter().flatten() {
        let kind = condition.get("kind").and_then(Value::as_str).unwrap_or_default();
        let Some(body) = condition.get("body") else { continue };
        let when = kind == "when";
        let body = of(body, unknown, if when { bound } else { bound.other() });
        match truth(&body) {
            Some(holds) if holds == when => {}
            Some(_) => return Ok(None),
            None => kept.push(json!({ "kind": kind, "body": body })),
        }
    }
    if let Some(whole) = json.as_object_mut() {
        whole.insert("conditions".into(), Value::Array(kept));
    }
    let policy = cedar_policy::Policy::from_json(Some(policy.id().clone()), json).map_err(|error| error.to_string())?;
    Ok(Some(policy))
}

/// A condition that does not read these facts.
pub(crate) fn of(expression: &Value, unknown: &[&str], bound: Bound) -> Value {
    if !reads(expression, unknown) {
        return expression.clone();
    }
    let operand = |operator: &str, side: &str| expression.get(operator).and_then(|operands| operands.get(side));
    let both = |operator: &str| Some((operand(operator, "left")?, operand(operator, "right")?));
    if let Some((left, right)) = both("&&") {
        return and(of(left, unknown, bound), of(right, unknown, bound));
    }
    if let Some((left, right)) = both("||") {
        return or(of(left, unknown, bound), of(right, unknown, bound));
    }
    if let Some(inner) = operand("!", "arg") {
        return not(of(inner, unknown, bound.other()));
    }
    let parts = ["if", "then", "else"].map(|part| operand("if-then-else", part));
    if let [Some(test), Some(then), Some(other)] = parts {
        // Whichever side is taken must hold where it must be taken, and may where it may.
        let taken = and(of(test, unknown, bound), of(then, unknown, bound));
        let left = and(not(of(test, unknown, bound.other())), of(other, unknown, bound));
        return or(taken, left);
    }
    constant(bound == Bound::May)
}

/// Whether an expression reads one of these facts, or the context as a whole.
fn reads(expression: &Value, unknown: &[&str]) -> bool {
    match expression {
        Value::Object(object) => object.iter().any(|(operator, operand)| {
            let of_context =
                operand.get("left").and_then(|left| left.get("Var")).and_then(Value::as_str) == Some("context");
            match operator.as_str() {
                "Value" => false,
                "Var" => operand == "context",
                "." | "has" if of_context => {
                    operand.get("attr").and_then(Value::as_str).is_none_or(|attribute| unknown.contains(&attribute))
                }
                _ => reads(operand, unknown),
            }
        }),
        Value::Array(items) => items.iter().any(|item| reads(item, unknown)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn constant(value: bool) -> Value {
    json!({ "Value": value })
}

/// An expression as Cedar prints it.
pub(crate) fn text(expression: &Value) -> Result<String, String> {
    let any = json!({ "op": "All" });
    let policy = json!({
        "effect": "permit", "principal": any, "action": any, "resource": any,
        "conditions": [{ "kind": "when", "body": expression }],
    });
    let policy = cedar_policy::Policy::from_json(None, policy).map_err(|error| error.to_string())?;
    Ok(clause::condition(&policy.to_string()))
}

/// The value of a constant.
pub(crate) fn truth(expression: &Value) -> Option<bool> {
    expression.get("Value")?.as_bool()
}

fn and(left: Value, right: Value) -> Value {
    match (truth(&left), truth(&right)) {
        (Some(true), _) => right,
        (_, Some(true)) => left,
        (Some(false), _) | (_, Some(false)) => constant(false),
        (None, None) => json!({ "&&": { "left": left, "right": right } }),
    }
}

fn or(left: Value, right: Value) -> Value {
    match (truth(&left), truth(&right)) {
        (Some(false), _) => right,
        (_, Some(false)) => left,
        (Some(true), _) | (_, Some(true)) => constant(true),
        (None, None) => json!({ "||": { "left": left, "right": right } }),
    }
}

fn not(inner: Value) -> Value {
    match truth(&inner) {
        Some(value) => constant(!value),
        None => json!({ "!": { "arg": inner } }),
    }
}

#[cfg(test)]
mod tests {
    use std::str::FromStr as _;

    use cedar_policy::{
        Authorizer, Context, Decision, Entities, EntityUid, Policy, PolicySet, Request, RestrictedExpression,
    };
    use proptest::prelude::*;

    use super::*;

    fn bounds(condition: &str) -> [String; 2] {
        let policy =
            Policy::parse(None, format!("forbid(principal, action, resource) when {{ {condition} }};")).unwrap();
        [Bound::Must, Bound::May].map(|bound| match bounded(&policy, &["args"], bound).unwrap() {
            None => "never".into(),
            Some(policy) => {
                let text = policy.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
                text.split_once("when { ").map_or("always".into(), |(_, rest)| rest.trim_end_matches(" };").to_owned())
            }
        })
    }

    #[test]
    fn what_reads_nothing_unknown_stays_and_what_does_is_bounded() {
        assert_eq!(bounds("context.a")[0], bounds("context.a")[1]);
        assert_eq!(bounds("context.args.x == 1"), ["never", "always"]);
        assert_eq!(bounds("!(context.args.x == 1)"), ["never", "always"]);
        assert_eq!(bounds("context.args has x && context.args.x == 1"), ["never", "always"]);
        assert_eq!(bounds("context == {a: 1}"), ["never", "always"]);
        let [must, may] = bounds("context.a || context.args.x == 1");
        assert!(must.contains("context.a") || must.contains("(context).a"), "{must}");
        assert_eq!(may, "always");
        let [must, may] = bounds("context.a && context.args.x == 1");
        assert_eq!(must, "never");
        assert!(may.contains('a'), "{may}");
    }

    /// Conditions over two known facts and two unknown ones.
    fn condition() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("context.a".to_owned()),
            Just("context.b".to_owned()),
            Just("true".to_owned()),
            Just("context.args.x".to_owned()),
            Just("context.args.y".to_owned()),
            Just("(context.args.x == context.b)".to_owned()),
        ];
        leaf.prop_recursive(4, 24, 3, |inner| {
            prop_oneof![
                (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} && {b})")),
                (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} || {b})")),
                inner.clone().prop_map(|a| format!("(!{a})")),
                (inner.clone(), inner.clone(), inner).prop_map(|(a, b, c)| format!("(if {a} then {b} else {c})")),
            ]
        })
    }

    fn holds(policy: &Policy, [a, b, x, y]: [bool; 4]) -> bool {
        let flag = RestrictedExpression::new_bool;
        let args = [("x".to_owned(), flag(x)), ("y".to_owned(), flag(y))];
        let facts = [
            ("a".to_owned(), flag(a)),
            ("b".to_owned(), flag(b)),
            ("args".to_owned(), RestrictedExpression::new_record(args).unwrap()),
        ];
        let one = || EntityUid::from_str(r#"T::"t""#).unwrap();
        let request = Request::new(one(), one(), one(), Context::from_pairs(facts).unwrap(), None).unwrap();
        let mut set = PolicySet::new();
        set.add(policy.clone()).unwrap();
        let response = Authorizer::new().is_authorized(&request, &set, &Entities::empty());
        assert_eq!(response.diagnostics().errors().count(), 0);
        response.decision() == Decision::Allow
    }

    proptest! {
        #[test]
        fn must_implies_the_policy_and_the_policy_implies_may(when in condition(), unless in condition()) {
            let policy = Policy::parse(None, format!("permit(principal, action, resource) when {{ {when} }} unless {{ {unless} }};")).unwrap();
            let [must, may] = [Bound::Must, Bound::May].map(|bound| bounded(&policy, &["args"], bound).unwrap());
            for bits in 0..16_u8 {
                let world = [bits & 1 > 0, bits & 2 > 0, bits & 4 > 0, bits & 8 > 0];
                let whole = holds(&policy, world);
                let least = must.as_ref().is_some_and(|must| holds(must, world));
                let most = may.as_ref().is_some_and(|may| holds(may, world));
                prop_assert!(!least || whole, "{policy} {must:?}");
                prop_assert!(!whole || most, "{policy} {may:?}");
                // They do not look at what is not known.
                let other = [world[0], world[1], !world[2], !world[3]];
                prop_assert_eq!(least, must.as_ref().is_some_and(|must| holds(must, other)));
                prop_assert_eq!(most, may.as_ref().is_some_and(|may| holds(may, other)));
            }
        }
    }
}
