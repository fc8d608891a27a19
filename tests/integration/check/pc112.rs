//! PC112 `tool-pattern-no-match`.

use super::{page_holds, with_files, with_server};

#[test]
fn the_page_fires_and_is_silent() {
    page_holds("PC112");
}

const LOCK: &str = r#"{"version": 1, "servers": {"a": {"tools": {"delete_page": {}, "read": {}}}}}"#;

#[test]
fn a_slip_is_found_where_the_server_is_pinned() {
    let text = with_server(
        "tags: [web]\n    tools: {delete_pages: deny, \"del*\": deny}\n    http: {url: \"https://a.example/mcp\"}",
    );
    assert_eq!(
        with_files(&text, &[("portcullis.lock", LOCK)]),
        ["6 PC112 `delete_pages` fits no tool of `a` in portcullis.lock"]
    );
    assert!(with_files(&text, &[]).is_empty());
    let other = with_files(&text, &[("portcullis.lock", &LOCK.replace("\"a\"", "\"b\""))]);
    assert!(other.iter().all(|line| line.contains("PC801")), "{other:?}");
}
