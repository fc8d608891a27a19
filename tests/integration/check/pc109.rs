//! PC109 `guard-fails-open`.

use super::{page_holds, seen};

#[test]
fn the_page_fires_and_is_silent() {
    page_holds("PC109");
}

#[test]
fn a_rule_that_lets_through_what_is_absent() {
    let text = |unless: &str| {
        format!(
            "version: 1\ntags: {{web: Pages}}\nservers:\n  docs: {{tags: [web], http: {{url: \"https://docs.example.com/mcp\"}}}}\ngrants: [{{to: {{user: \"*\"}}, scopes: [\"tag:web\"]}}]\nrules:\n  - {{id: ide, forbid: {{servers: [docs]}}, unless: '{unless}'}}\n"
        )
    };
    for open in [
        "!(context has client) || (context has client && context.client == \"ide\")",
        "context.tls && (context.filtered || !(context has client))",
        "if context has client then context.client == \"ide\" else true",
    ] {
        assert_eq!(seen(&text(open)), ["7 PC109 `rule/ide` gives access where there is no `client`"], "{open}");
    }
    assert!(seen(&text("context has client && context.client == \"ide\"")).is_empty());
}
