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

#[test]
fn a_slip_is_mended_where_only_one_tag_is_near() {
    let mended = |tags: &str, scope: &str| {
        let text = format!("version: 1\ntags: {{{tags}}}\ngrants: [{{to: {{user: \"*\"}}, scopes: [{scope}]}}]\n");
        let findings = portcullis::check::run(&crate::support::load(&text));
        let fix = findings[0].fixes.first()?;
        Some(portcullis::check::mend(&text, &fix.edits).unwrap())
    };
    let good = "version: 1\ntags: {prod: P}\ngrants: [{to: {user: \"*\"}, scopes: [\"tag:prod\"]}]\n";
    assert_eq!(mended("prod: P", "tag:prodd").as_deref(), Some(good));
    assert_eq!(mended("prod: P", "'tag:prdo'").as_deref(), Some(good));
    assert_eq!(mended("prod: P, prods: S", "tag:prodd"), None);
    assert_eq!(mended("prod: P", "tag:mail"), None);
}
