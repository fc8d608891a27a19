//! PC113 `empty-selector`.

use super::with_server;
use crate::support::{checked, codes, golden};

#[test]
fn empty_lists() {
    golden(
        "check",
        "pc113_empty_lists",
        &checked(&with_server("tags: []\n    stdio: {command: []}\n    tools: {x: {tags: []}}")),
    );
    for text in [
        "grants: [{to: {user: \"*\"}, scopes: []}]",
        "rules: [{forbid: {}}]",
        "rules: [{forbid: {servers: []}}]",
        "policies: [\"no-such-folder/*.cedar\"]",
    ] {
        assert_eq!(codes(&format!("version: 1\n{text}\n")), ["PC113"], "{text}");
    }
}

#[test]
fn an_empty_section_is_no_selector() {
    for key in ["tags: {}", "servers: {}", "grants: []", "rules: []", "policies: []"] {
        assert!(codes(&format!("version: 1\n{key}\n")).is_empty(), "{key}");
    }
}

#[test]
fn a_list_that_may_be_left_out_is_offered_to_be() {
    let server = "version: 1\nservers:\n  a:\n";
    for (wrong, right) in [
        (format!("{server}    tags: []\n    public: true\n    stdio: {{command: [cat]}}\n"), Some(format!("{server}    public: true\n    stdio: {{command: [cat]}}\n"))),
        ("version: 1\nservers: {a: {tags: [], public: true, stdio: {command: [cat]}}}\n".into(), Some("version: 1\nservers: {a: {public: true, stdio: {command: [cat]}}}\n".into())),
        ("version: 1\nservers: {a: {public: true, stdio: {command: [cat]}, tags: []}}\n".into(), Some("version: 1\nservers: {a: {public: true, stdio: {command: [cat]}}}\n".into())),
        ("version: 1\nservers: {a: {public: true, stdio: {command: [cat]}}}\nrules: [{forbid: {tools: [], servers: [a]}}]\n".into(), Some("version: 1\nservers: {a: {public: true, stdio: {command: [cat]}}}\nrules: [{forbid: {servers: [a]}}]\n".into())),
        ("version: 1\nrules: [{forbid: {servers: []}}]\n".into(), None),
        ("version: 1\ngrants: [{to: {user: '*'}, scopes: []}]\n".into(), None),
    ] {
        let findings = portcullis::check::run(&crate::support::load(&wrong));
        let finding = findings.iter().find(|finding| finding.code == "PC113").unwrap();
        let mended = finding.fixes.first().map(|fix| portcullis::check::mend(&wrong, &fix.edits).unwrap());
        assert_eq!(mended, right, "{wrong}");
    }
}
