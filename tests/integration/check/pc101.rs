//! PC101 `unknown-tag`.

use super::with_server;
use crate::support::{checked, codes, golden};

#[test]
fn a_tag_that_is_not_declared() {
    golden(
        "check",
        "pc101_a_tag_that_is_not_declared",
        &checked(&with_server("tags: [wbe]\n    http: {url: \"https://a.example/mcp\"}")),
    );
}

#[test]
fn a_scope_and_the_tags_of_a_tool_as_well() {
    let text = "version: 1\ntags: {web: Pages}\ngrants: [{to: {user: \"*\"}, scopes: [tag:web, tag:prodd]}]\n";
    assert_eq!(codes(text), ["PC101"]);
    let server = "tags: [web]\n    http: {url: \"https://a.example/mcp\"}\n    tools: {x: {tags: [mail]}}";
    assert_eq!(codes(&with_server(server)), ["PC101"]);
}

#[test]
fn declared_tags_are_no_finding() {
    assert!(codes(&with_server("tags: [web]\n    http: {url: \"https://a.example/mcp\"}")).is_empty());
}
