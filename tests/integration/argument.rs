//! Rules over the arguments of a call: typed by `portcullis.lock`, decided, and shown in lists.

use std::collections::BTreeSet;

use portcullis::{
    explain::{Passed, Supposed, explain},
    policy::{Arguments, Because, Decision, Engine, Question, Standing, Target, Verb},
};
use proptest::prelude::*;
use serde_json::{Value, json, value::RawValue};

use crate::support::{engine_with, examine_with, lines, moment, tool, user};

/// A server of files and one of mail; rules follow.
const BASE: &str = "version: 1
tags: {files: Files, mail: Mail}
grants: [{to: {user: '*'}, scopes: ['tag:files', 'tag:mail']}]
servers:
  files:
    tags: [files]
    stdio: {command: [cat]}
  mail:
    tags: [mail]
    stdio: {command: [cat]}
";

fn pinned() -> Value {
    let text = || json!({"type": "string"});
    json!({
        "files": {"tools": {
            "write_file": {"inputSchema": {
                "type": "object", "required": ["path", "content"], "additionalProperties": false,
                "properties": {
                    "path": text(), "content": text(), "mode": {"type": "integer"}, "force": {"type": "boolean"},
                    "size": {"type": "number"}, "tags": {"type": "array", "items": text()},
                    "owner": {"type": "object", "required": ["name"], "properties": {"name": text(), "id": {"type": "integer"}}},
                    "several": {"type": ["string", "integer"]}
                }
            }},
            "write_note": {"inputSchema": {"type": "object", "required": ["path"], "properties": {"path": text()}}},
            "write_line": {"inputSchema": {"type": "object", "properties": {"path": {"type": "integer"}}}},
            "read_file": {"inputSchema": {"type": "object", "required": ["path"], "properties": {"path": text()}}},
            "stat": {}
        }},
        "mail": {"tools": {"send": {"inputSchema": {"type": "object", "required": ["to"], "properties": {"to": text()}}}}}
    })
}

const DOCS: &str = r#"rules:
  - id: writes-stay-in-docs
    forbid: {tools: [files/write_file]}
    unless: context.args.path like "docs/*" && !(context.args.path like "*..*")
"#;

fn engine(rules: &str) -> Engine {
    engine_with(&format!("{BASE}{rules}"), &pinned())
}

fn decide(engine: &Engine, standing: Standing, verb: Verb, target: &Target, arguments: Arguments<'_>) -> Decision {
    let asker = engine.asker(standing).unwrap();
    let inventory = engine.inventory(target.server(), [target.clone()]).unwrap();
    let moment = moment();
    let question = Question { asker: &asker, verb, target, inventory: &inventory, moment: &moment, arguments };
    let decision = engine.decide(&question);
    assert_eq!(decision.is_allow(), engine.allows(&question));
    if matches!(arguments, Arguments::Given(_)) {
        let full = engine.decide_unsharded(&question);
        assert_eq!((decision.verdict, &decision.reasons), (full.verdict, &full.reasons));
        assert_eq!(engine.allow(&question, ()).is_ok(), decision.is_allow());
    } else {
        assert!(engine.allow(&question, ()).is_err(), "nothing is done with arguments that are not known");
    }
    decision
}

fn call(engine: &Engine, name: &str, arguments: &str) -> Decision {
    let raw = RawValue::from_string(arguments.to_owned()).unwrap();
    let standing = user(&["tag:files", "tag:mail"]);
    decide(engine, standing, Verb::ToolsCall, &tool("files", name), Arguments::Given(Some(&raw)))
}

fn listed(engine: &Engine, name: &str) -> bool {
    let standing = user(&["tag:files", "tag:mail"]);
    decide(engine, standing, Verb::ToolsList, &tool("files", name), Arguments::NONE).is_allow()
}

fn findings(rules: &str) -> Vec<String> {
    lines(&examine_with(&format!("{BASE}{rules}"), &pinned()).findings)
}

#[test]
fn a_rule_decides_by_what_a_call_says() {
    let engine = engine(DOCS);
    let says = |path: &str| call(&engine, "write_file", &json!({"path": path, "content": "x"}).to_string());
    assert!(says("docs/a").is_allow());
    for path in ["../x", "docs/../x", "/etc/passwd", "", "doc/s"] {
        let decision = says(path);
        assert_eq!(decision.because, Because::ConditionFailed, "{path}");
        assert_eq!(&*decision.reasons[0].policy, "rule/writes-stay-in-docs");
        assert_eq!(decision.reasons[0].place.as_ref().unwrap().line, 12);
    }
    // Callable for some arguments, and so listed.
    assert!(listed(&engine, "write_file"));
    // What no rule is about is as it was.
    assert!(call(&engine, "read_file", r#"{"path": "/etc/passwd"}"#).is_allow());
}

#[test]
fn t136_what_is_absent_of_another_type_or_not_representable_denies() {
    let rules = r#"rules:
  - {id: r, forbid: {tools: [files/write_file]}, when: 'context.args.path == "x" || (context.args has mode && context.args.mode > 7) || (context.args has size && context.args.size.greaterThan(decimal("1.5"))) || (context.args has tags && context.args.tags.contains("secret")) || (context.args has owner && context.args.owner.name == "root")'}
"#;
    let engine = engine(rules);
    let with = |more: &str| call(&engine, "write_file", &format!(r#"{{"path": "p", "content": "c"{more}}}"#));
    for good in ["", r#", "mode": 7"#, r#", "size": 1.5"#, r#", "tags": ["a"]"#, r#", "owner": {"name": "a", "id": 1}"#]
    {
        assert!(with(good).is_allow(), "{good}");
    }
    for forbidden in
        [r#", "mode": 8"#, r#", "size": 2"#, r#", "tags": ["a", "secret"]"#, r#", "owner": {"name": "root"}"#]
    {
        assert_eq!(with(forbidden).because, Because::ConditionFailed, "{forbidden}");
    }
    for (unfit, pointer) in [
        (r#", "mode": null"#, "/mode"),
        (r#", "mode": 7.0"#, "/mode"),
        (r#", "mode": 9223372036854775808"#, "/mode"),
        (r#", "size": 0.00001"#, "/size"),
        (r#", "size": "1""#, "/size"),
        (r#", "tags": ["a", 1]"#, "/tags/1"),
        (r#", "owner": {}"#, "/owner"),
        (r#", "owner": {"name": 1}"#, "/owner/name"),
        (r#", "path": "q""#, ""),
    ] {
        let decision = with(unfit);
        assert_eq!(decision.because, Because::ValidationFailed, "{unfit}");
        assert_eq!(decision.misfit.unwrap().pointer, pointer, "{unfit}");
    }
    let none = decide(&engine, user(&["tag:files"]), Verb::ToolsCall, &tool("files", "write_file"), Arguments::NONE);
    assert_eq!(none.misfit.unwrap().to_string(), "the arguments do not fit: expected also `path`");
}

#[test]
fn px24_arguments_are_held_against_the_pinned_schema_whether_or_not_a_rule_reads_them() {
    let engine = engine("");
    assert!(call(&engine, "write_file", r#"{"path": "p", "content": "c"}"#).is_allow());
    let decision = call(&engine, "write_file", r#"{"path": "p", "content": "c", "extra": "hunter2"}"#);
    assert_eq!(decision.because, Because::ValidationFailed);
    let said = decision.misfit.unwrap().to_string();
    assert_eq!(said, r#"the argument "/extra" does not fit: expected no argument of that name"#);
    assert!(call(&engine, "write_file", "{}").misfit.is_some());
    // What is not pinned is not held against anything.
    assert!(call(&engine, "stat", r#"{"anything": null}"#).is_allow());
    assert!(call(&engine, "unheard_of", r#"{"anything": null}"#).is_allow());
    let other = decide(&engine, user(&["tag:mail"]), Verb::ToolsCall, &tool("mail", "send"), Arguments::NONE);
    assert_eq!(other.because, Because::ValidationFailed);
}

#[test]
fn who_may_not_call_at_all_is_not_told_what_was_expected() {
    let engine = engine(DOCS);
    let write = tool("files", "write_file");
    for arguments in ["{}", r#"{"path": "docs/a", "content": 1}"#, r#"{"path": "docs/a", "content": "c"}"#] {
        let raw = RawValue::from_string(arguments.to_owned()).unwrap();
        let decision = decide(&engine, user(&[]), Verb::ToolsCall, &write, Arguments::Given(Some(&raw)));
        assert_eq!((decision.because, decision.misfit), (Because::MissingScope, None), "{arguments}");
    }
}

#[test]
fn a_rule_that_cannot_be_typed_is_found_at_its_line() {
    let rule =
        |tools: &str, when: &str| findings(&format!("rules:\n  - {{id: r, forbid: {{{tools}}}, when: '{when}'}}\n"));
    for (tools, when, said) in [
        ("tools: [files/write_file]", "context.args.pth == \"x\"", "PC125 `files/write_file` has no argument `pth`"),
        (
            "tools: [files/write_fil]",
            "context.args.path == \"x\"",
            "PC125 the arguments of `files/write_fil` are not known: portcullis.lock has no such tool",
        ),
        (
            "tools: [files/stat]",
            "context.args.path == \"x\"",
            "PC125 portcullis.lock does not say which arguments `files/stat` has",
        ),
        (
            "servers: [files]",
            "context.args.path == \"x\"",
            "PC125 `context.args` is there for calls of tools alone, and this names something else",
        ),
        (
            "tools: [files/write_file]",
            "context.args == {path: \"x\"}",
            "PC125 a condition cannot read the arguments as a whole",
        ),
        (
            "tools: [files/write_file]",
            "context.args has several",
            "PC125 a condition cannot read the argument `several` of `files/write_file`: it may be string or integer",
        ),
        (
            "tools: [\"files/write_*\"]",
            "context.args.path == \"x\"",
            "PC125 the argument `path` is a whole number of 64 bits of `files/write_line` and a text of `files/write_file`",
        ),
        (
            "tools: [files/write_file]",
            "context.args.mode > 1",
            "PC005 unable to guarantee safety of access to optional attribute `args.mode`",
        ),
        ("tools: [files/write_file]", "context.args.path > 1", "PC005 "),
        ("tools: [files/write_file]", "context.args has size && context.args.size > 1", "PC005 "),
    ] {
        let mut found = rule(tools, when);
        // Of a selector that fits nothing PC107 speaks as well.
        found.retain(|line| !line.contains("PC107"));
        assert_eq!(found.len(), 1, "{when}: {found:#?}");
        assert!(found[0].starts_with("12:") && found[0].contains(said), "{when}: {found:#?}");
    }
}

#[test]
fn without_a_lock_a_rule_over_arguments_says_to_make_one() {
    let loaded = crate::support::load(&format!("{BASE}{DOCS}"));
    let found = portcullis::check::run(&loaded);
    assert_eq!(found.len(), 1, "{:#?}", lines(&found));
    assert_eq!(found[0].code, "PC125");
    assert!(found[0].help.as_ref().unwrap().contains("portcullis lock"));
}

#[test]
fn a_pinned_schema_that_refers_elsewhere_is_found_and_never_followed() {
    let lock = json!({"files": {"tools": {"x": {"inputSchema": {"properties": {"a": {"$ref": "https://example.com/a.json"}}}}}}});
    let examined = examine_with(BASE, &lock);
    assert!(examined.bundle.is_none());
    let found = lines(&examined.findings);
    assert!(found.len() == 1 && found[0].contains("refers to `https://example.com/a.json`"), "{found:#?}");
}

#[test]
fn a_rule_of_several_tools_holds_for_each_and_for_what_it_cannot_read() {
    let engine = engine(
        "rules:\n  - {id: r, forbid: {tools: [files/write_file, 'files/*_note', 'files/r*']}, when: 'context.args.path == \"secret\"'}\n",
    );
    for (name, good, bad) in [
        ("write_file", r#"{"path": "a", "content": "c"}"#, r#"{"path": "secret", "content": "c"}"#),
        ("write_note", r#"{"path": "a"}"#, r#"{"path": "secret"}"#),
        ("read_file", r#"{"path": "a"}"#, r#"{"path": "secret"}"#),
    ] {
        assert!(call(&engine, name, good).is_allow() && listed(&engine, name), "{name}");
        assert_eq!(call(&engine, name, bad).because, Because::ConditionFailed, "{name}");
    }
    // What came to the server since fits a pattern, and nobody knows what its arguments mean.
    let new = call(&engine, "copy_note", r#"{"path": "a"}"#);
    assert_eq!(&*new.reasons[0].policy, "rule/r/unpinned");
    assert!(!new.is_allow() && !listed(&engine, "copy_note"));
    assert!(call(&engine, "write_line", r#"{"path": 1}"#).is_allow());
}

#[test]
fn a_list_hides_what_is_forbidden_whatever_the_arguments() {
    let engine = engine(
        r#"rules:
  - {id: r, forbid: {tools: [files/write_file]}, when: 'context.groups.contains("local/guests") || context.args.path == "x"'}
"#,
    );
    let guest = || Standing { groups: BTreeSet::from(["local/guests".parse().unwrap()]), ..user(&["tag:files"]) };
    let target = tool("files", "write_file");
    assert!(listed(&engine, "write_file"));
    assert!(!decide(&engine, guest(), Verb::ToolsList, &target, Arguments::NONE).is_allow());
    assert!(!decide(&engine, guest(), Verb::ToolsCall, &target, Arguments::Best).is_allow());
    assert!(decide(&engine, user(&["tag:files"]), Verb::ToolsCall, &target, Arguments::Best).is_allow());
    assert!(!decide(&engine, user(&["tag:files"]), Verb::ToolsCall, &target, Arguments::Worst).is_allow());
}

#[test]
fn an_explanation_says_what_depends_on_arguments() {
    let engine = engine(DOCS);
    let scopes = ["tag:files".parse().unwrap()];
    let standing = user(&[]);
    let asked = |args: Option<Value>| {
        let supposed = Supposed::new(
            standing.principal.clone(),
            scopes.clone().into(),
            Verb::ToolsCall,
            tool("files", "write_file"),
        );
        explain(&engine, &Supposed { args, ..supposed }, moment().now).unwrap()
    };
    let gate = |args, name: &str| asked(args).gates.into_iter().find(|gate| gate.gate == name).unwrap();
    let some = asked(None);
    assert!(some.decision.is_allow());
    assert!(gate(None, "policy").why.contains("with some arguments"));
    assert_eq!(gate(None, "validation").passed, Passed::NotDecided);
    let good = json!({"path": "docs/a", "content": "c"});
    assert_eq!(gate(Some(good.clone()), "validation").passed, Passed::Pass);
    assert!(asked(Some(good)).decision.is_allow());
    let bad = asked(Some(json!({"path": "../x", "content": "c"})));
    assert_eq!(bad.decision.because, Because::ConditionFailed);
    let said = bad.determining[0].clauses.last().unwrap();
    assert!(
        said.reads.iter().any(|fact| fact.name == "context.args" && fact.value.as_ref().unwrap().contains("../x")),
        "{said:?}"
    );
    let unfit = json!({"path": 7, "content": "c"});
    assert_eq!(gate(Some(unfit.clone()), "validation").passed, Passed::Fail);
    assert_eq!(gate(Some(unfit.clone()), "policy").passed, Passed::Pass);
    assert_eq!(asked(Some(unfit)).decision.because, Because::ValidationFailed);
}

/// Rules over tools of files, with and without arguments.
fn rule() -> impl Strategy<Value = String> {
    let tools = prop_oneof![
        Just("[files/write_file]"),
        Just("['files/write_n*']"),
        Just("[files/read_file, files/write_file]"),
        Just("['files/*_file']"),
        Just("['files/r*', files/write_note]"),
    ];
    let condition = prop_oneof![
        Just(r#"context.args.path like "docs/*" && !(context.args.path like "*..*")"#),
        Just(r#"context.args.path == "x""#),
        Just(r#"context has client && context.client == "bot" && context.args.path == "docs/a""#),
        Just(r#"context.groups.contains("local/x") || context.args.path == "docs/a""#),
        Just(r#"if context.filtered then context.args.path == "x" else context.groups.contains("local/x")"#),
        Just(r#"context.groups.contains("local/x")"#),
        Just(r#"context.findings.contains("x") || context.args.path like "*a""#),
    ];
    (tools, prop_oneof![Just("when"), Just("unless")], condition)
        .prop_map(|(tools, word, condition)| format!("forbid: {{tools: {tools}}}, {word}: '{condition}'"))
}

fn someone() -> impl Strategy<Value = Standing> {
    let scopes = prop_oneof![3 => Just(vec!["tag:files"]), 1 => Just(Vec::new())];
    (scopes, any::<[bool; 3]>()).prop_map(|(scopes, [bot, grouped, filtered])| Standing {
        client: bot.then(|| "bot".parse().unwrap()),
        groups: grouped.then(|| "local/x".parse().unwrap()).into_iter().collect(),
        named: filtered.then(|| crate::support::scopes(&["tag:files"])),
        ..user(&scopes)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn t148_a_rule_that_names_a_tool_never_turns_a_deny_into_an_allow_and_what_is_callable_is_listed(
        rules in proptest::collection::vec(rule(), 0..3), more in rule(),
        asks in proptest::collection::vec((someone(), 0..4_usize, 0..4_usize), 12),
    ) {
        let written = |rules: &[String]| {
            let lines: String = rules.iter().enumerate().map(|(nth, rule)| format!("  - {{id: r{nth}, {rule}}}\n")).collect();
            engine(&if lines.is_empty() { String::new() } else { format!("rules:\n{lines}") })
        };
        let before = written(&rules);
        let after = written(&[rules.clone(), vec![more.clone()]].concat());
        for (standing, name, path) in asks {
            let target = tool("files", ["write_file", "write_note", "read_file", "copy_file"][name]);
            let mut arguments = json!({"path": (["docs/a", "x", "docs/../x", "a"][path])});
            if name == 0 {
                arguments["content"] = json!("c");
            }
            let raw = serde_json::value::to_raw_value(&arguments).unwrap();
            let ask = |engine: &Engine, verb, arguments| decide(engine, standing.clone(), verb, &target, arguments).is_allow();
            for (verb, arguments) in [
                (Verb::ToolsCall, Arguments::Given(Some(&raw))),
                (Verb::ToolsCall, Arguments::Best),
                (Verb::ToolsCall, Arguments::Worst),
                (Verb::ToolsList, Arguments::NONE),
            ] {
                prop_assert!(ask(&before, verb, arguments) || !ask(&after, verb, arguments), "{rules:?} {more} {arguments:?}");
            }
            for engine in [&before, &after] {
                let [given, best, worst] =
                    [Arguments::Given(Some(&raw)), Arguments::Best, Arguments::Worst].map(|arguments| ask(engine, Verb::ToolsCall, arguments));
                prop_assert!(!given || best, "{arguments}");
                prop_assert!(!worst || given, "{arguments}");
                // Callable implies listed, and what is listed may be callable.
                prop_assert_eq!(ask(engine, Verb::ToolsList, Arguments::NONE), best, "{} {:?} {}", target, rules, more);
            }
        }
    }
}
