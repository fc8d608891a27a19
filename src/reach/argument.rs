//! Whether there are arguments with which a call is allowed, found by trying those that the policies
//! could tell apart.
//!
//! Where policies only compare single arguments with what they name, these are few and all of them: what
//! is denied with each is denied with any. Where they do more (`like`, sums, one argument with another),
//! nothing is said of what was not found.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::{Caller, Reach};
use crate::{
    compile::argument_path,
    policy::{Argument, Arguments, Kind, Question, Record, Target, Verb},
};

/// The most arguments that are tried.
const MOST: usize = 256;
/// The most items of a list of which every choice is tried.
const MOST_ITEMS: usize = 5;

impl Reach<'_> {
    /// Whether the policies allow a caller, with everything that it can hold, to call this with some
    /// arguments at some moment. Nothing where that is not known, or they read no arguments.
    pub(crate) fn callable(&self, caller: &Caller, target: &Target) -> Option<bool> {
        let record = self.engine.arguments_of(target)?;
        let verb = Verb::ToolsCall;
        let mut tests = Tests { named: BTreeMap::new(), whole: true };
        for policy in self.policies(verb, target).filter(|policy| policy.shape().reads("args")) {
            let Ok(json) = policy.cedar.to_json() else { return None };
            for condition in json.get("conditions").and_then(Value::as_array).into_iter().flatten() {
                tests.read(condition.get("body").unwrap_or(&Value::Null));
            }
        }
        let tried = tests.records(record, &mut Vec::new());
        let asker = self.asker_at_most(caller)?;
        let found = self.on_stage(target, |inventory| {
            let moments = self.moments(verb, target);
            tried.iter().filter_map(|arguments| serde_json::value::to_raw_value(arguments).ok()).any(|arguments| {
                let arguments = Arguments::Given(Some(&arguments));
                let asks = |moment| Question { asker, verb, target, inventory, moment, arguments };
                moments.iter().any(|moment| self.engine.permits(&asks(moment)))
            })
        })?;
        (found || tests.whole).then_some(found)
    }
}

/// What policies compare arguments with.
struct Tests {
    /// By argument.
    named: BTreeMap<Vec<String>, BTreeSet<String>>,
    /// Whether they do nothing else with them.
    whole: bool,
}

impl Tests {
    /// Reads an expression that is true or false.
    fn read(&mut self, expression: &Value) {
        let Some((operator, operand)) = expression.as_object().and_then(|object| object.iter().next()) else { return };
        let sides = || ["left", "right", "arg", "if", "then", "else"].into_iter().filter_map(|side| operand.get(side));
        match operator.as_str() {
            "&&" | "||" | "!" | "if-then-else" => sides().for_each(|side| self.read(side)),
            "Value" | "has" => {}
            "." if argument_path(expression).is_some() => {}
            "==" | "!=" | "<" | "<=" | ">" | ">=" | "contains" => self.compared(operand),
            "like" => self.sampled(operand),
            _ => self.whole &= !reads(operand),
        }
    }

    /// An argument and a literal.
    fn compared(&mut self, operand: &Value) {
        let (Some(left), Some(right)) = (operand.get("left"), operand.get("right")) else { return };
        let found = [(left, right), (right, left)]
            .into_iter()
            .find_map(|(argument, literal)| Some((argument_path(argument)?, literal.get("Value")?)));
        match found {
            Some((path, literal)) => {
                self.named.entry(path).or_default().insert(literal.to_string());
            }
            None => self.whole &= !reads(operand),
        }
    }

    /// An argument and a pattern: one text that fits it.
    fn sampled(&mut self, operand: &Value) {
        let path = operand.get("left").and_then(argument_path);
        self.whole &= !reads(operand);
        let parts = operand.get("pattern").and_then(Value::as_array).into_iter().flatten();
        let text: String = parts.map(|part| part.get("Literal").and_then(Value::as_str).unwrap_or("x")).collect();
        if let Some(path) = path {
            self.named.entry(path).or_default().insert(Value::from(text).to_string());
        }
    }

    /// Arguments that tell the tests apart; `path` is where they stand.
    fn records(&mut self, record: &Record, path: &mut Vec<String>) -> Vec<Value> {
        let mut made = vec![Map::new()];
        for (name, Argument { kind, required }) in &record.0 {
            path.push(name.to_string());
            let mut values: Vec<Option<Value>> = self.values(kind, path).into_iter().map(Some).collect();
            values.extend((!required).then_some(None));
            path.pop();
            let longer = made.iter().flat_map(|object| {
                values.iter().map(move |value| {
                    let mut object = object.clone();
                    object.extend(value.clone().map(|value| (name.to_string(), value)));
                    object
                })
            });
            let mut longer: Vec<_> = longer.take(MOST + 1).collect();
            self.whole &= longer.len() <= MOST;
            longer.truncate(MOST);
            made = longer;
        }
        made.into_iter().map(Value::Object).collect()
    }

    fn values(&mut self, kind: &Kind, path: &mut Vec<String>) -> Vec<Value> {
        let literals = self.named.get(path.as_slice()).into_iter().flatten();
        let named: Vec<Value> = literals.filter_map(|text| serde_json::from_str(text).ok()).collect();
        match kind {
            Kind::Text => named.into_iter().chain([json!("zq-no-such-text")]).collect(),
            Kind::Whole => {
                let numbers = named.iter().filter_map(Value::as_i64);
                let beside = numbers.flat_map(|number| [number.saturating_sub(1), number, number.saturating_add(1)]);
                beside.chain([0]).collect::<BTreeSet<_>>().into_iter().map(Value::from).collect()
            }
            Kind::Decimal => {
                self.whole = false;
                vec![json!(0.0), json!(1.0)]
            }
            Kind::Truth => vec![json!(true), json!(false)],
            Kind::Set(_) => {
                self.whole &= named.len() <= MOST_ITEMS;
                let some = named.iter().take(MOST_ITEMS);
                let mut lists = vec![Vec::new()];
                for item in some {
                    let with: Vec<Vec<Value>> =
                        lists.iter().map(|list| list.iter().cloned().chain([item.clone()]).collect()).collect();
                    lists.extend(with);
                }
                lists.into_iter().map(Value::from).collect()
            }
            Kind::Record(record) => self.records(record, path),
        }
    }
}

/// Whether an expression reads an argument.
fn reads(expression: &Value) -> bool {
    argument_path(expression).is_some()
        || match expression {
            Value::Object(object) => object.values().any(reads),
            Value::Array(items) => items.iter().any(reads),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
        }
}
