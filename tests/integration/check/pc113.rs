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
