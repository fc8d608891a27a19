//! PC116 `policy-always-denies`.

use super::{page_holds, seen};

#[test]
fn the_page_fires_and_is_silent() {
    page_holds("PC116");
}

const TWO: &str = r#"version: 1
tags: {web: Pages}
servers:
  a: {tags: [web], http: {url: "https://a.example/mcp"}}
  b: {tags: [web], http: {url: "https://b.example/mcp"}}
grants: [{to: {user: "*"}, scopes: ["tag:web"]}]
rules:
"#;

#[test]
fn one_server_or_all_of_them() {
    let one = format!("{TWO}  - {{id: closed, forbid: {{servers: [a]}}}}\n");
    assert_eq!(seen(&one), ["4 PC116 everything of the server `a` is forbidden to everybody"]);
    let all = format!("{TWO}  - {{id: closed, forbid: {{servers: [\"*\"]}}}}\n");
    assert_eq!(seen(&all), ["8 PC116 everything behind the gateway is forbidden to everybody"]);
    let some = format!(
        "{TWO}  - {{id: closed, forbid: {{servers: [\"*\"]}}, unless: 'context.now.toTime() < duration(\"6h\")'}}\n"
    );
    assert_eq!(seen(&some), Vec::<String>::new());
}

#[test]
fn with_oauth_off_as_well() {
    let text = format!("{TWO}  - {{id: closed, forbid: {{servers: [a]}}}}\noauth: {{enabled: false}}\n");
    assert_eq!(seen(&text), ["4 PC116 everything of the server `a` is forbidden to everybody"]);
}
