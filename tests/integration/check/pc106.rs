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
