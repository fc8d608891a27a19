//! Which arguments rules read, and their types: from the conditions of `rules:` and what
//! `portcullis.lock` pins of the tools that they name.
//!
//! Such a tool is called by an action of its own, `tools/call:SERVER/TOOL`, whose context has `args`:
//! exactly what some rule reads of them, typed by the tool's own schema. What the schema does not say, or
//! says in more ways than one, cannot be read by a rule, and that is a finding at the rule's condition.
//!
//! SPEC: design §4 "Typed arguments".

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde_json::Value;

use super::findings::ARGUMENTS;
use crate::{
    config::{Rule, Selector},
    diagnostic::{Diagnostic, Place, Placed, nearest},
    lock::Lock,
    name::{Pattern, ServerName, ToolName},
    policy::{Argument, Kind, Record, TYPED},
};

/// How many `$ref` are followed, one after the other.
const MOST_STEPS: usize = 16;

/// The tools of a server, by name.
pub(super) type Tools = BTreeMap<ServerName, BTreeSet<ToolName>>;

/// What rules read.
#[derive(Debug, Default)]
pub(super) struct Typing {
    /// Of which tools, and what of their arguments.
    pub(super) records: BTreeMap<ServerName, BTreeMap<ToolName, Record>>,
    actions: BTreeMap<ServerName, Vec<String>>,
    /// For each rule the tools whose arguments it reads, if it reads any; nothing for one with a problem.
    rules: Vec<Option<Option<Tools>>>,
}

impl Typing {
    /// Reads rules; what cannot be typed goes to `problems`.
    pub(super) fn of(rules: &[Rule], lock: Option<&Lock>, problems: &mut Vec<Diagnostic>) -> Self {
        let mut typing = Self::default();
        for rule in rules {
            let read = typing.rule(rule, lock, problems);
            typing.rules.push(read);
        }
        let action = |server: &ServerName, tool: &ToolName| format!("{TYPED}{server}/{tool}");
        typing.actions = typing
            .records
            .iter()
            .map(|(server, tools)| (server.clone(), tools.keys().map(|tool| action(server, tool)).collect()))
            .collect();
        typing
    }

    /// The tools whose arguments the nth rule reads, if it reads any; nothing where it has a problem.
    pub(super) fn of_rule(&self, nth: usize) -> Option<Option<&Tools>> {
        Some(self.rules.get(nth)?.as_ref()?.as_ref())
    }

    /// The actions of calls with typed arguments: of one server, or of all.
    pub(super) fn actions(&self, server: Option<&ServerName>) -> Vec<&str> {
        let of = |server| self.actions.get(server).into_iter().flatten().map(String::as_str);
        match server {
            Some(server) => of(server).collect(),
            None => self.actions.keys().flat_map(of).collect(),
        }
    }

    fn rule(&mut self, rule: &Rule, lock: Option<&Lock>, problems: &mut Vec<Diagnostic>) -> Option<Option<Tools>> {
        let before = problems.len();
        let mut reads = Vec::new();
        for condition in [&rule.when, &rule.unless].into_iter().flatten() {
            let Some(body) = super::rule::body(&condition.value) else { continue };
            for read in reads_of(&body) {
                match read.path.as_slice() {
                    [] => problems.push(
                        ARGUMENTS
                            .at(&condition.place, "a condition cannot read the arguments as a whole")
                            .help("name each argument that it reads, as in `context.args.path`"),
                    ),
                    _ => reads.push((read, &condition.place)),
                }
            }
        }
        if reads.is_empty() && problems.len() == before {
            return Some(None);
        }
        let place = reads.first().map_or(&rule.place, |(_, place)| *place);
        let tools = tools(rule, lock, place, problems);
        for (read, place) in &reads {
            let mut first: Option<(&ServerName, &ToolName, Kind)> = None;
            for (server, tool, schema) in
                tools.iter().flat_map(|(server, tools)| tools.iter().map(move |(tool, schema)| (server, tool, *schema)))
            {
                let of_server = self.records.entry(ServerName::clone(server)).or_default();
                let record = of_server.entry(ToolName::clone(tool)).or_default();
                let kind = match put(record, schema, schema, &read.path, read.only_whether) {
                    Ok(kind) => kind,
                    Err(wrong) => {
                        problems.push(wrong.at(place, &format!("{server}/{tool}"), &read.path));
                        continue;
                    }
                };
                match &first {
                    Some((other_server, other, known)) if !known.is_like(&kind) => {
                        let name = read.path.join(".");
                        let message = format!(
                            "the argument `{name}` is {kind} of `{server}/{tool}` and {known} of `{other_server}/{other}`"
                        );
                        problems.push(ARGUMENTS.at(place, message).help("write a rule for each of them"));
                    }
                    Some(_) => {}
                    None => first = Some((server, tool, kind)),
                }
            }
        }
        let named = |tools: BTreeMap<&ToolName, &Value>| tools.into_keys().cloned().collect();
        (problems.len() == before)
            .then(|| Some(tools.into_iter().map(|(server, tools)| (server.clone(), named(tools))).collect()))
    }
}

/// The tools that a rule names, patterns resolved, each with its schema.
fn tools<'l>(
    rule: &'l Rule,
    lock: Option<&'l Lock>,
    place: &Place,
    problems: &mut Vec<Diagnostic>,
) -> BTreeMap<&'l ServerName, BTreeMap<&'l ToolName, &'l Value>> {
    let mut found: BTreeMap<&ServerName, BTreeMap<&ToolName, &Value>> = BTreeMap::new();
    let ask = "run `portcullis lock`, which asks the server what arguments its tools have";
    for Placed { value, place: at } in &rule.forbid {
        let Selector::Tool(server, pattern) = value else {
            let message = "`context.args` is there for calls of tools alone, and this names something else";
            problems.push(ARGUMENTS.at(at, message).help("name tools, as in `forbid: {tools: [files/write_file]}`"));
            continue;
        };
        let Some(offered) = lock.and_then(|lock| lock.server(server)) else {
            let message =
                format!("the arguments of `{server}/{pattern}` are not known: portcullis.lock has no `{server}`");
            problems.push(ARGUMENTS.at(place, message).help(ask));
            continue;
        };
        let fitting: Vec<_> = offered.tools.iter().filter(|(name, _)| pattern.matches(name.as_str())).collect();
        if fitting.is_empty() {
            problems.push(unpinned(place, server, pattern, offered.tools.keys()).help(ask));
        }
        for (name, tool) in fitting {
            match &tool.input_schema {
                Some(schema) => {
                    found.entry(server).or_default().insert(name, schema);
                }
                None => {
                    let message = format!("portcullis.lock does not say which arguments `{server}/{name}` has");
                    problems.push(ARGUMENTS.at(place, message).help(ask));
                }
            }
        }
    }
    found
}

fn unpinned<'t>(
    place: &Place,
    server: &ServerName,
    pattern: &Pattern,
    known: impl Iterator<Item = &'t ToolName>,
) -> Diagnostic {
    let message = format!("the arguments of `{server}/{pattern}` are not known: portcullis.lock has no such tool");
    let finding = ARGUMENTS.at(place, message);
    match nearest(pattern.as_str(), known.map(ToolName::as_str)) {
        Some(near) => finding.label(format!("did you mean `{server}/{near}`?")),
        None => finding,
    }
}

/// One argument that a condition reads.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Read {
    /// Its name, and in objects the names within; empty for the arguments as a whole.
    pub(crate) path: Vec<String>,
    /// Whether it is only asked whether it is there.
    pub(crate) only_whether: bool,
}

/// The arguments that an expression reads.
pub(crate) fn reads_of(expression: &Value) -> BTreeSet<Read> {
    fn walk(expression: &Value, found: &mut BTreeSet<Read>) {
        match expression {
            Value::Object(object) => {
                for (operator, operand) in object.iter().filter(|(operator, _)| *operator != "Value") {
                    let path = if matches!(operator.as_str(), "." | "has") { path(expression) } else { None };
                    match path {
                        Some(path) => {
                            found.insert(Read { path, only_whether: operator == "has" });
                        }
                        None => walk(operand, found),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| walk(item, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut found = BTreeSet::new();
    walk(expression, &mut found);
    found
}

/// The `["a", "b"]` of `context.args.a.b`, or of `context.args.a has b`.
pub(crate) fn path(expression: &Value) -> Option<Vec<String>> {
    let mut names = Vec::new();
    let mut left = expression;
    loop {
        let access = left.get(".").or_else(|| left.get("has"))?;
        match access.get("attr")? {
            Value::String(name) => names.push(name.clone()),
            // `has a.b` asks for both.
            Value::Array(several) => {
                names.extend(
                    several.iter().rev().map(|name| name.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()?,
                );
            }
            _ => return None,
        }
        left = access.get("left")?;
        if left.get("Var").and_then(Value::as_str) == Some("context") {
            break;
        }
    }
    (names.pop()? == "args").then(|| {
        names.reverse();
        names
    })
}

/// Why an argument cannot be read.
#[derive(Debug)]
enum Wrong {
    /// The schema has none of this name; these are near.
    Unknown { name: String, near: Option<String> },
    /// It has no one type of ours.
    Untyped(String),
}

impl Wrong {
    fn at(&self, place: &Place, tool: &str, path: &[String]) -> Diagnostic {
        match self {
            Self::Unknown { name, near } => {
                let finding = ARGUMENTS.at(place, format!("`{tool}` has no argument `{name}`"));
                match near {
                    Some(near) => finding.label(format!("did you mean `{near}`?")).help(format!("write `{near}`")),
                    None => finding.help("name an argument that the tool's schema in portcullis.lock has"),
                }
            }
            Self::Untyped(why) => ARGUMENTS
                .at(place, format!("a condition cannot read the argument `{}` of `{tool}`: {why}", path.join(".")))
                .help("read a text, a whole number, a number, true or false, a list of one of these, or what is in an object"),
        }
    }
}

/// Puts what is at a path of an object into its record, and says what it is.
fn put(record: &mut Record, root: &Value, object: &Value, path: &[String], only_whether: bool) -> Result<Kind, Wrong> {
    let object = resolved(root, object)?;
    let Some((name, rest)) = path.split_first() else { return Ok(Kind::Record(Record::default())) };
    let properties = object.get("properties").and_then(Value::as_object);
    let Some(schema) = properties.and_then(|properties| properties.get(name)) else {
        let known = properties.into_iter().flat_map(|properties| properties.keys().map(String::as_str));
        return Err(Wrong::Unknown { name: name.clone(), near: nearest(name, known).map(str::to_owned) });
    };
    let required =
        object.get("required").and_then(Value::as_array).is_some_and(|names| names.iter().any(|one| one == name));
    let kind = kind(root, schema, MOST_STEPS)?;
    let known = record.0.entry(Arc::from(name.as_str())).or_insert_with(|| Argument { kind: kind.clone(), required });
    match (&mut known.kind, rest) {
        (Kind::Record(within), [_, ..]) => put(within, root, inner(root, schema)?, rest, only_whether),
        (Kind::Record(_), []) if !only_whether => {
            Err(Wrong::Untyped("it is an object; read what is in it by name".into()))
        }
        (_, [_, ..]) => Err(Wrong::Untyped(format!("`{name}` is {kind}, with nothing in it by name"))),
        (_, []) => Ok(kind),
    }
}

/// What a schema comes to when its references are followed.
fn resolved<'s>(root: &'s Value, schema: &'s Value) -> Result<&'s Value, Wrong> {
    let mut schema = schema;
    for _ in 0..MOST_STEPS {
        let Some(to) = schema.get("$ref").and_then(Value::as_str) else { return Ok(schema) };
        let pointer = to.strip_prefix('#').filter(|pointer| pointer.is_empty() || pointer.starts_with('/'));
        let target = pointer.and_then(|pointer| root.pointer(pointer));
        schema = target.ok_or_else(|| Wrong::Untyped(format!("its schema refers to `{to}`, which is not followed")))?;
    }
    Err(Wrong::Untyped("its schema refers to itself".into()))
}

/// The schema of an object, found behind what may also be null.
fn inner<'s>(root: &'s Value, schema: &'s Value) -> Result<&'s Value, Wrong> {
    let schema = resolved(root, schema)?;
    if schema.get("properties").is_some() {
        return Ok(schema);
    }
    match choices(schema).as_deref() {
        Some([one]) => resolved(root, one),
        _ => Ok(schema),
    }
}

/// The forms that a schema lists, without null; nothing where it lists none.
fn choices(schema: &Value) -> Option<Vec<&Value>> {
    let listed = ["anyOf", "oneOf", "allOf"].into_iter().find_map(|key| schema.get(key)?.as_array())?;
    Some(listed.iter().filter(|one| one.get("type").and_then(Value::as_str) != Some("null")).collect())
}

/// The one type that a schema says.
fn kind(root: &Value, schema: &Value, steps: usize) -> Result<Kind, Wrong> {
    let Some(steps) = steps.checked_sub(1) else { return Err(Wrong::Untyped("its schema is nested too deep".into())) };
    let schema = resolved(root, schema)?;
    let named: Vec<&str> = match schema.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).filter(|one| *one != "null").collect(),
        _ => Vec::new(),
    };
    match named.as_slice() {
        ["string"] => Ok(Kind::Text),
        ["integer"] => Ok(Kind::Whole),
        ["number"] => Ok(Kind::Decimal),
        ["boolean"] => Ok(Kind::Truth),
        ["object"] => Ok(Kind::Record(Record::default())),
        ["array"] => match schema.get("items").map(|items| kind(root, items, steps)) {
            Some(Ok(Kind::Record(_) | Kind::Set(_))) => Err(Wrong::Untyped("it is a list of objects or lists".into())),
            Some(of) => Ok(Kind::Set(Box::new(of?))),
            None => Err(Wrong::Untyped("it is a list, and its schema does not say of what".into())),
        },
        ["null"] => Err(Wrong::Untyped("it is always null".into())),
        [] => untyped(root, schema, steps),
        several => Err(Wrong::Untyped(format!("it may be {}", several.join(" or ")))),
    }
}

/// The type of a schema that names none.
fn untyped(root: &Value, schema: &Value, steps: usize) -> Result<Kind, Wrong> {
    let values = schema.get("enum").and_then(Value::as_array).cloned();
    let values = values.or_else(|| Some(vec![schema.get("const")?.clone()]));
    let kinds: Vec<Kind> = if let Some(values) = values {
        let of = |value: &Value| match value {
            Value::String(_) => Some(Kind::Text),
            Value::Bool(_) => Some(Kind::Truth),
            Value::Number(number) if number.is_i64() => Some(Kind::Whole),
            Value::Number(_) => Some(Kind::Decimal),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        };
        values.iter().filter(|value| !value.is_null()).map(of).collect::<Option<_>>().unwrap_or_default()
    } else if let Some(choices) = choices(schema) {
        choices.into_iter().map(|one| kind(root, one, steps)).collect::<Result<_, _>>()?
    } else if schema.get("properties").is_some() {
        vec![Kind::Record(Record::default())]
    } else {
        return Err(Wrong::Untyped("its schema does not say which type it has".into()));
    };
    match kinds.split_first() {
        Some((first, others)) if others.iter().all(|other| other == first) => Ok(first.clone()),
        _ => Err(Wrong::Untyped("it may be of several types".into())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_types_of_a_schema_are_found_and_what_has_no_one_type_is_named() {
        let root = json!({
            "$defs": {"mode": {"enum": ["r", "w"]}, "self": {"$ref": "#/$defs/self"}},
            "required": ["text"],
            "properties": {
                "text": {"type": "string"}, "whole": {"type": "integer"}, "number": {"type": "number"},
                "flag": {"type": "boolean"}, "mode": {"$ref": "#/$defs/mode"}, "one": {"const": 3},
                "perhaps": {"anyOf": [{"type": "string"}, {"type": "null"}]}, "maybe": {"type": ["string", "null"]},
                "list": {"type": "array", "items": {"type": "string"}},
                "object": {"type": "object", "required": ["deep"], "properties": {"deep": {"type": "integer"}}},
                "option": {"anyOf": [{"type": "object", "properties": {"deep": {"type": "string"}}}, {"type": "null"}]},
                "several": {"type": ["string", "integer"]}, "any": {}, "nothing": {"type": "null"}, "mixed": {"enum": [1, "a"]},
                "lists": {"type": "array", "items": {"type": "array", "items": {"type": "string"}}}, "bare": {"type": "array"},
                "circle": {"$ref": "#/$defs/self"}, "far": {"$ref": "https://example.com/x"}
            }
        });
        for (path, cedar) in [
            ("text", r#"{ "text": String }"#),
            ("whole", r#"{ "whole"?: Long }"#),
            ("number", r#"{ "number"?: decimal }"#),
            ("flag", r#"{ "flag"?: Bool }"#),
            ("mode", r#"{ "mode"?: String }"#),
            ("one", r#"{ "one"?: Long }"#),
            ("perhaps", r#"{ "perhaps"?: String }"#),
            ("maybe", r#"{ "maybe"?: String }"#),
            ("list", r#"{ "list"?: Set<String> }"#),
            ("object.deep", r#"{ "object"?: { "deep": Long } }"#),
            ("option.deep", r#"{ "option"?: { "deep"?: String } }"#),
            ("object", "it is an object; read what is in it by name"),
            ("several", "it may be string or integer"),
            ("any", "its schema does not say which type it has"),
            ("nothing", "it is always null"),
            ("mixed", "it may be of several types"),
            ("lists", "it is a list of objects or lists"),
            ("bare", "it is a list, and its schema does not say of what"),
            ("circle", "its schema refers to itself"),
            ("far", "its schema refers to `https://example.com/x`, which is not followed"),
            ("text.deep", "`text` is a text, with nothing in it by name"),
            ("txt", "no argument `txt`"),
            ("object.deer", "no argument `deer`"),
        ] {
            let mut record = Record::default();
            let names: Vec<String> = path.split('.').map(str::to_owned).collect();
            let said = match put(&mut record, &root, &root, &names, false) {
                Ok(_) => record.cedar(),
                Err(Wrong::Untyped(why)) => why,
                Err(Wrong::Unknown { name, .. }) => format!("no argument `{name}`"),
            };
            assert_eq!(said, cedar, "{path}");
        }
    }

    #[test]
    fn what_a_condition_reads_is_found_wherever_it_stands() {
        let read = |text: &str| -> Vec<String> {
            let body = crate::compile::rule::body(text).unwrap();
            reads_of(&body)
                .into_iter()
                .map(|read| format!("{}{}", read.path.join("."), if read.only_whether { "?" } else { "" }))
                .collect()
        };
        assert_eq!(read(r#"context.args.path like "docs/*" && !(context.args["a b"] == 1)"#), ["a b", "path"]);
        assert_eq!(read("context.args has x && context.args.x.y > 2"), ["x?", "x.y"]);
        assert_eq!(read("context.args has x.y"), ["x.y?"]);
        assert_eq!(read("[context.args].contains(context.args)"), [""]);
        assert!(read(r#"context.scopes.contains("context.args.x")"#).is_empty());
    }
}
