//! PC128 `path-prefix-escapes`: how a path begins says little while it may climb out again.

use serde_json::json;

use crate::support::{BASE, examine_with, lines};

fn found(condition: &str) -> Vec<String> {
    let text = || json!({"type": "string"});
    let schema = json!({"required": ["path", "title"], "properties": {"path": text(), "title": text()}});
    let lock = json!({"s0": {"tools": {"read": {"inputSchema": schema}, "write": {}}}});
    let rule = format!("rules:\n  - {{id: r, forbid: {{tools: [s0/read]}}, {condition}}}\n");
    lines(&examine_with(&format!("{BASE}{rule}"), &lock).findings)
}

#[test]
fn t164_it_fires_on_the_line_of_the_rule_and_is_silent_without_cause() {
    for bad in [
        r#"unless: 'context.args.path like "docs/*"'"#,
        r#"when: 'context.args.path like "secret*"'"#,
        r#"unless: 'context.args.title like "a/*"'"#,
        r#"unless: 'context.args.path like "docs/*" && !(context.args.title like "*..*")'"#,
    ] {
        let found = found(bad);
        assert_eq!(found.len(), 1, "{bad}: {found:#?}");
        assert!(found[0].starts_with("11:") && found[0].contains("PC128"), "{found:#?}");
    }
    for good in [
        r#"unless: 'context.args.path like "docs/*" && !(context.args.path like "*..*")'"#,
        r#"unless: 'context.args.path like "docs/*"', when: 'context.args.path like "*..*"'"#,
        r#"when: 'context.args.path like "*.key"'"#,
        r#"when: 'context.args.title like "Draft*"'"#,
        r#"when: 'context.args.path == "docs/*"'"#,
    ] {
        assert_eq!(found(good), Vec::<String>::new(), "{good}");
    }
}

#[test]
fn the_page_fires_and_is_silent() {
    super::page_holds("PC128");
}
