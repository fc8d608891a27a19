//! PC106 `policy-redundant`.

use super::with_server;
use crate::support::{checked, codes, golden};

#[test]
fn a_tag_listed_twice() {
    golden(
        "check",
        "pc106_a_tag_listed_twice",
        &checked(&with_server("tags: [web, web]\n    http: {url: \"https://a.example/mcp\"}")),
    );
}

#[test]
fn the_order_of_a_list_is_no_finding() {
    let text = "version: 1\ntags: {a: A, b: B}\ngrants: [{to: {user: \"*\"}, scopes: [tag:b, tag:a]}]\n";
    assert!(codes(text).is_empty());
}

#[test]
fn the_page_fires_and_is_silent() {
    super::page_holds("PC106");
}

#[test]
fn two_grants_and_two_rules_that_say_the_same() {
    let text = format!(
        "{}rules:\n  - {{id: one, forbid: {{tools: [a/x, a/y]}}, when: context.tls}}\n  - {{id: two, forbid: {{tools: [a/y, a/x]}}, when: context.tls}}\n",
        with_server("tags: [web]\n    http: {url: \"https://a.example/mcp\"}")
    );
    assert_eq!(super::seen(&text), ["10 PC106 this forbids what another rule forbids"]);
}
