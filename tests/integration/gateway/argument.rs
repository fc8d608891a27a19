//! Calls that are refused for their arguments, and what is said and written of it.

use serde_json::json;

use super::DEMO;
use crate::support::running::{Running, holds};

const RULE: &str = r#"rules:
  - id: writes-stay-in-docs
    forbid: {tools: [notes/write_note]}
    unless: context.args.name like "docs-*" && !(context.args.name like "*..*")
"#;

/// The lock of these tests holds of one tool what they are about; what else there is has not drifted.
fn yaml() -> String {
    let demo = DEMO.replace("    tags: [notes]\n", "    tags: [notes]\n    drift: allow\n");
    format!("{demo}{RULE}")
}

fn gateway() -> Running {
    let text = || json!({"type": "string"});
    let schema = json!({"type": "object", "required": ["name", "text"], "additionalProperties": false, "properties": {"name": text(), "text": text()}});
    let lock = json!({"version": 1, "servers": {"notes": {"tools": {"write_note": {"inputSchema": schema}}}}});
    Running::start_with(&yaml(), &[("portcullis.lock", &lock.to_string())])
}

#[test]
fn t146_t160_what_a_rule_forbids_of_arguments_never_arrives_and_the_trail_names_the_rule() {
    let gateway = gateway();
    let line = yaml().lines().position(|line| line.contains("- id: writes-stay-in-docs")).unwrap() + 1;
    let token = gateway.token("tag:notes,tag:write", &[]);
    assert!(gateway.tools("/mcp/notes", Some(&token_for(&gateway))).contains(&"write_note".to_owned()));
    for name in ["../x", "docs-../x", "x"] {
        let refused = gateway.call("/mcp", Some(&token), "notes__write_note", json!({"name": name, "text": "hunter2"}));
        assert_eq!((refused.status, refused.code()), (200, -31001), "{name}: {refused:?}");
        assert_eq!(refused.json()["error"]["data"]["because"], "condition-failed");
        let record = gateway.last_decision();
        assert_eq!(record["decision"]["because"], "condition-failed");
        assert_eq!(record["decision"]["determining"][0]["policy"], "rule/writes-stay-in-docs");
        assert_eq!(record["decision"]["determining"][0]["place"]["line"], line);
    }
    let written = gateway.call("/mcp", Some(&token), "notes__write_note", json!({"name": "docs-a", "text": "Good."}));
    assert_eq!(written.json()["result"]["isError"], json!(false), "{written:?}");
    assert_eq!(std::fs::read_to_string(gateway.path("notes/docs-a.md")).unwrap().trim_end(), "Good.");
    assert_eq!(gateway.last_decision()["decision"]["verdict"], "allow");
    assert_eq!(std::fs::read_dir(gateway.path("notes")).unwrap().count(), 1);
    // T-146: an allow is kept of no argument but its own.
    let again = gateway.call("/mcp", Some(&token), "notes__write_note", json!({"name": "docs-a/../x", "text": "Bad."}));
    assert_eq!(again.code(), -31001, "{again:?}");
}

fn token_for(gateway: &Running) -> String {
    let resource = format!("http://{}/mcp/notes", gateway.address());
    gateway.token("tag:notes,tag:write", &["--resource", &resource])
}

#[test]
fn px24_arguments_that_do_not_fit_are_refused_by_place_and_no_value_is_told_or_kept() {
    let gateway = gateway();
    let token = gateway.token("tag:notes,tag:write", &[]);
    for (arguments, said) in [
        (json!({"name": 7, "text": "hunter2"}), r#"the argument "/name" does not fit: expected a text"#),
        (json!({"text": "hunter2"}), "the arguments do not fit: expected also `name`"),
        (
            json!({"name": "docs-a", "text": ["hunter2"]}),
            r#"the argument "/text" does not fit: expected the type string"#,
        ),
        (
            json!({"name": "docs-a", "text": "x", "more": "hunter2"}),
            r#"the argument "/more" does not fit: expected no argument of that name"#,
        ),
    ] {
        let refused = gateway.call("/mcp", Some(&token), "notes__write_note", arguments.clone());
        assert_eq!((refused.status, refused.code()), (200, -31001), "{arguments}: {refused:?}");
        assert_eq!(refused.json()["error"]["message"], said);
        assert_eq!(refused.json()["error"]["data"]["because"], "validation-failed");
        assert!(!refused.body.contains("hunter2"));
        assert_eq!(gateway.last_decision()["decision"]["because"], "validation-failed");
    }
    // Whoever may not call it learns nothing of what it expects.
    let reader = gateway.token("tag:notes", &[]);
    let refused = gateway.call("/mcp", Some(&reader), "notes__write_note", json!({"text": "hunter2"}));
    assert_eq!(refused.status, 403, "{refused:?}");
    assert!(!refused.body.contains("name"));
    assert!(!holds(&gateway.path(".portcullis/audit.ndjson"), "hunter2"));
    // What is not pinned is not held against anything.
    assert_eq!(gateway.call("/mcp", Some(&token), "notes__list_notes", json!({})).code(), 0);
}
