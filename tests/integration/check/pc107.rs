//! PC107 `forbid-never-denies`.

use super::with_server;
use crate::support::{checked, codes, golden};

const SERVER: &str = "tags: [web]\n    http: {url: \"https://a.example/mcp\"}";

#[test]
fn a_rule_about_a_server_that_does_not_exist() {
    let text = format!("{}rules: [{{forbid: {{tools: [files/write_file]}}}}]\n", with_server(SERVER));
    golden("check", "pc107_a_rule_about_a_server_that_does_not_exist", &checked(&text));
}

#[test]
fn a_rule_about_one_that_does() {
    let rules = "rules: [{forbid: {tools: [a/write_file], servers: [\"*\"], prompts: [\"a/*\"]}, when: context.tls}]\n";
    assert!(codes(&format!("{}{rules}", with_server(SERVER))).is_empty());
}

#[test]
fn the_page_fires_and_is_silent() {
    super::page_holds("PC107");
}

#[test]
fn a_selector_that_fits_nothing_that_is_pinned() {
    let rule = "rules: [{forbid: {tools: [a/wipe, \"a/read*\"]}, when: context.tls}]\n";
    let lock = r#"{"version": 1, "servers": {"a": {"tools": {"read_file": {}, "wipe_all": {}}}}}"#;
    assert_eq!(
        super::with_files(&format!("{}{rule}", with_server(SERVER)), &[("portcullis.lock", lock)]),
        ["8 PC107 `a/wipe` fits no tool of `a` in portcullis.lock, so it forbids nothing"]
    );
}
