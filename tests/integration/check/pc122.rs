//! PC122 `list-call-mismatch`: something could be callable and hidden.

use serde_json::json;

use crate::support::{BASE, examine_with, lines, written};

const BAD: &str = r#"@id("x")
forbid (principal, action in Portcullis::Action::"tools/list", resource);
"#;
const GOOD: &str = r#"@id("x")
forbid (principal, action in [Portcullis::Action::"tools/call", Portcullis::Action::"tools/list"], resource);
"#;

#[test]
fn it_fires_on_the_line_of_the_policy_and_is_silent_without_cause() {
    let found = written(BAD);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].starts_with("PC122:1 "), "{found:#?}");
    assert_eq!(written(GOOD), Vec::<String>::new());
}

#[test]
fn what_no_arguments_open_is_found_where_trying_shows_it() {
    let found = |rules: &str| {
        let properties = json!({"n": {"type": "integer"}, "mode": {"enum": ["r", "w"]}, "deep": {"type": "boolean"}});
        let schema = json!({"required": ["n", "mode"], "properties": properties});
        let lock = json!({"s0": {"tools": {"read": {"inputSchema": schema}, "write": {}}}});
        lines(&examine_with(&format!("{BASE}rules:\n{rules}"), &lock).findings)
    };
    let rule = |id: &str, when: &str| format!("  - {{id: {id}, forbid: {{tools: [s0/read]}}, when: '{when}'}}\n");
    for bad in [
        rule("low", "context.args.n < 5") + &rule("high", "context.args.n >= 5"),
        rule("r", "context.args.mode == \"r\" || context.args.mode != \"r\""),
        rule("there", "context.args has deep") + &rule("not", "!(context.args has deep)"),
    ] {
        let found = found(&bad);
        assert_eq!(found.len(), 1, "{bad}: {found:#?}");
        assert!(found[0].starts_with("11:") && found[0].contains("PC122"), "{found:#?}");
    }
    for good in [
        rule("low", "context.args.n < 5") + &rule("high", "context.args.n > 5"),
        rule("r", "context.args.mode == \"r\""),
        // Nobody can say by trying whether some text fits.
        rule("a", "context.args.mode like \"*a*\"") + &rule("b", "!(context.args.mode like \"*a*\")"),
    ] {
        assert_eq!(found(&good), Vec::<String>::new(), "{good}");
    }
}

#[test]
fn the_page_fires_and_is_silent() {
    super::page_holds("PC122");
}
