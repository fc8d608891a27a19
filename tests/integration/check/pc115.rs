//! PC115 `policy-always-allows`: a hand-written policy that says more than can be reviewed.

use crate::support::written;

const BAD: &str = r#"@id("x")
permit (principal, action, resource);
"#;
const GOOD: &str = r#"@id("x")
forbid (principal, action in Portcullis::Action::"use", resource);
"#;

#[test]
fn it_fires_on_the_line_of_the_policy_and_is_silent_without_cause() {
    let found = written(BAD);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].starts_with("PC115:1 "), "{found:#?}");
    assert_eq!(written(GOOD), Vec::<String>::new());
}

#[test]
fn the_page_fires_and_is_silent() {
    super::page_holds("PC115");
}
