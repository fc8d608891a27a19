//! PC125 `stage-unavailable-field`: a condition over a field that its stage has not.

use crate::support::{BASE, lines, load};

const BAD: &str = r#"rules:
  - {id: r, forbid: {tools: [s0/read]}, when: 'context.args.path == "x"'}
"#;
const GOOD: &str = r#"rules:
  - {id: r, forbid: {tools: [s0/read]}, when: 'context.findings.contains("sql-injection")'}
"#;

#[test]
fn it_fires_on_the_line_of_the_rule_and_is_silent_without_cause() {
    let found = lines(&portcullis::check::run(&load(&format!("{BASE}{BAD}"))));
    assert_eq!(found.iter().filter(|line| line.contains("PC125")).count(), 1, "{found:#?}");
    assert!(found[0].starts_with("11:"), "{found:#?}");
    assert_eq!(lines(&portcullis::check::run(&load(&format!("{BASE}{GOOD}")))), Vec::<String>::new());
}

#[test]
fn the_page_fires_and_is_silent() {
    super::page_holds("PC125");
}
