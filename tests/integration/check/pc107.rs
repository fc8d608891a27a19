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
    let rules = "rules: [{forbid: {tools: [a/write_file], servers: [\"*\"], prompts: [\"a/*\"]}, when: \"true\"}]\n";
    assert!(codes(&format!("{}{rules}", with_server(SERVER))).is_empty());
}
