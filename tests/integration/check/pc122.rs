//! PC122 `list-call-mismatch`: something could be callable and hidden.

use crate::support::written;

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
fn the_page_fires_and_is_silent() {
    super::page_holds("PC122");
}
