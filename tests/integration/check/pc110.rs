//! PC110 `server-unreachable`.

use super::with_server;
use crate::support::{checked, codes, golden};

/// Two tags and what a test says of server and grants.
fn config(server: &str, grants: &str) -> String {
    format!(
        "version: 1\ntags: {{web: Pages, mail: Mail}}\nservers:\n  a: {{http: {{url: \"https://a.example\"}}, {server}}}\ngrants: [{grants}]\n"
    )
}

#[test]
fn a_tag_in_no_grant() {
    golden(
        "check",
        "pc110_a_tag_in_no_grant",
        &checked(&config("tags: [web, mail]", "{to: {user: \"*\"}, scopes: [tag:web]}")),
    );
}

#[test]
fn no_tags_and_not_public() {
    golden("check", "pc110_no_tags_and_not_public", &checked(&with_server("http: {url: \"https://a.example/mcp\"}")));
}

#[test]
fn tags_that_nobody_holds_together() {
    let apart = "{to: {client: x}, scopes: [tag:web]}, {to: {user: ana}, scopes: [tag:mail]}";
    golden("check", "pc110_tags_that_nobody_holds_together", &checked(&config("tags: [web, mail]", apart)));
    assert!(codes(&config("tags: [web, mail], require: any", apart)).is_empty());
    let together = "{to: {group: g}, scopes: [tag:web]}, {to: {user: ana}, scopes: [tag:mail]}";
    assert!(codes(&config("tags: [web, mail]", together)).is_empty());
}

#[test]
fn public_and_local_servers_are_reachable() {
    assert!(codes(&config("public: true", "")).is_empty());
    assert!(codes(&format!("{}oauth: {{enabled: false}}\n", config("tags: [mail]", ""))).is_empty());
}

#[test]
fn the_page_fires_and_is_silent() {
    super::page_holds("PC110");
}
