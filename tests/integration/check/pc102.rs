//! PC102 `scope-never-grantable`.

use super::{page_holds, seen};

#[test]
fn the_page_fires_and_is_silent() {
    page_holds("PC102");
}

const BASE: &str = r#"version: 1
tags: {web: Pages, mail: Letters, draft: {description: Drafts, sensitive: true}}
servers:
  docs:
    tags: [web]
    http: {url: "https://docs.example.com/mcp"}
"#;
const GRANTS: &str = "grants: [{to: {user: \"*\"}, scopes: [\"tag:web\"]}]\n";

#[test]
fn it_names_the_tag_and_its_line() {
    assert_eq!(
        seen(&format!("{BASE}    tools: {{send: {{tags: [mail]}}}}\n{GRANTS}")),
        ["7 PC102 `docs/send` needs `tag:mail`, which nobody may be granted"]
    );
}

#[test]
fn a_sensitive_tag_is_withheld_on_purpose() {
    assert!(seen(&format!("{BASE}    tools: {{send: {{tags: [draft]}}}}\n{GRANTS}")).is_empty());
}

#[test]
fn rules_that_ask_for_it_are_found() {
    let rule = "rules: [{id: mails, forbid: {tools: [docs/send]}, unless: 'context.scopes.contains(\"tag:mail\")'}]\n";
    assert_eq!(
        seen(&format!("{BASE}{GRANTS}{rule}")),
        ["8 PC102 the policy `rule/mails` asks for `tag:mail`, which nobody may be granted"]
    );
}

#[test]
fn without_oauth_every_scope_is_held() {
    assert!(seen(&format!("{BASE}    tools: {{send: {{tags: [mail]}}}}\noauth: {{enabled: false}}\n")).is_empty());
}
