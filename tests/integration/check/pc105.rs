//! PC105 `policy-shadowed`.

use super::{page_holds, seen};

#[test]
fn the_page_fires_and_is_silent() {
    page_holds("PC105");
}

/// Grants and rules of one server.
fn config(grants: &str, rules: &str) -> String {
    format!(
        "version: 1\ntags: {{web: Pages, mail: Letters}}\nservers:\n  docs: {{tags: [web], http: {{url: \"https://docs.example.com/mcp\"}}}}\ngrants:\n  - {{to: {{user: \"*\"}}, scopes: [\"tag:web\"]}}\n{grants}rules:\n  - {{id: base, forbid: {{tools: [\"docs/write_*\"]}}}}\n{rules}"
    )
}

#[test]
fn a_narrower_grant_is_found_unless_it_is_a_clients() {
    let found = seen(&config("  - {to: {group: staff}, scopes: [\"tag:web\"]}\n", ""));
    assert_eq!(found, ["7 PC105 this grants nothing that is not granted anyway"]);
    assert!(seen(&config("  - {to: {client: bot}, scopes: [\"tag:web\"]}\n", "")).is_empty());
    assert!(seen(&config("  - {to: {group: staff}, scopes: [\"tag:web\", \"tag:mail\"]}\n", "")).is_empty());
}

#[test]
fn a_narrower_rule_is_found_and_a_wider_one_is_not() {
    let found = seen(&config("", "  - {id: more, forbid: {tools: [\"docs/write_file*\"]}, when: context.tls}\n"));
    assert_eq!(found, ["9 PC105 this forbids nothing that is not forbidden anyway"]);
    assert!(seen(&config("", "  - {id: more, forbid: {tools: [\"docs/*_file\"]}}\n")).is_empty());
}
