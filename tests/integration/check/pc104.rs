//! PC104 `permit-overridden`.

use super::{page_holds, with_files};

#[test]
fn the_page_fires_and_is_silent() {
    page_holds("PC104");
}

const BASE: &str = r#"version: 1
tags: {web: Pages}
servers:
  docs:
    tags: [web]
    http: {url: "https://docs.example.com/mcp"}
grants: [{to: {user: "*"}, scopes: ["tag:web"]}]
rules: [{id: quiet, forbid: {tools: ["docs/send_*"]}}]
policies: [extra.cedar]
"#;

fn permit(condition: &str) -> Vec<String> {
    let cedar = format!(
        "@id(\"open\")\npermit (principal is Portcullis::User, action in [Portcullis::Action::\"tools/list\", Portcullis::Action::\"tools/call\"], resource)\nwhen {{ resource.server == Portcullis::Server::\"docs\" && {condition} }};\n"
    );
    with_files(BASE, &[("extra.cedar", &cedar)])
}

#[test]
fn a_permit_for_what_is_forbidden_is_found_and_one_for_more_is_not() {
    assert_eq!(permit("resource.name like \"send_*\""), ["1 PC104 all that `open` permits is forbidden"]);
    assert!(permit("resource.name like \"s*\"").is_empty());
}
