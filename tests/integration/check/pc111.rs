//! PC111 `tool-unreachable`.

use super::{page_holds, seen};

#[test]
fn the_page_fires_and_is_silent() {
    page_holds("PC111");
}

#[test]
fn what_is_forbidden_was_meant_to_be() {
    let text = |tool: &str| {
        format!(
            "version: 1\ntags: {{web: Pages, mail: Letters}}\nservers:\n  docs:\n    tags: [web]\n    http: {{url: \"https://docs.example.com/mcp\"}}\n    tools: {{send: {tool}}}\ngrants:\n  - {{to: {{user: \"*\"}}, scopes: [\"tag:web\"]}}\n  - {{to: {{client: bot}}, scopes: [\"tag:mail\"]}}\n"
        )
    };
    assert_eq!(
        seen(&text("{tags: [mail]}")),
        ["7 PC111 nobody can use `docs/send`: no caller can hold all of its scopes"]
    );
    assert!(seen(&text("deny")).is_empty());
}
