//! PC119 `destructive-by-read-scope`.

use portcullis::{check, config};

use super::{page_holds, with_files, with_server};

#[test]
fn the_page_fires_and_is_silent() {
    page_holds("PC119");
}

/// What is found where a tag of this name opens two tools, of which one may destroy.
fn found(tag: &str, hints: &str) -> Vec<String> {
    let text = with_server("tags: [web]\n    http: {url: \"https://a.example/mcp\"}").replace("web", tag);
    let lock = format!(
        r#"{{"version": 1, "servers": {{"a": {{"tools": {{"drop": {{"annotations": {hints}}}, "read": {{"annotations": {{"readOnlyHint": true}}}}}}}}}}}}"#
    );
    with_files(&text, &[("portcullis.lock", &lock)])
}

#[test]
fn a_tool_that_says_nothing_may_destroy() {
    assert_eq!(found("docs-read", "{}"), ["4 PC119 `tag:docs-read` opens `a/drop`, which may destroy"]);
    assert_eq!(found("docs-read", "{\"destructiveHint\": false}"), Vec::<String>::new());
    assert_eq!(found("docs-read", "{\"readOnlyHint\": true}"), Vec::<String>::new());
    for tag in ["docs", "docs-write", "read-write", "thread"] {
        assert_eq!(found(tag, "{}"), Vec::<String>::new(), "{tag}");
    }
}

#[test]
fn the_fix_denies_it() {
    let folder = tempfile::tempdir().unwrap();
    let lock = r#"{"version": 1, "servers": {"a": {"tools": {"drop": {}}}, "b": {"tools": {"drop": {}}}, "c": {"tools": {"drop": {}, "other": {"annotations": {"readOnlyHint": true}}}}}}"#;
    std::fs::write(folder.path().join("portcullis.lock"), lock).unwrap();
    let file = folder.path().join("portcullis.yaml");
    let text = "version: 1\ntags: {docs-read: D}\nservers:\n  a:\n    tags: [docs-read]\n    stdio: {command: [cat]}\n  b: {tags: [docs-read], stdio: {command: [cat]}}\n  c:\n    tags: [docs-read]\n    stdio: {command: [cat]}\n    tools:\n      other: deny\ngrants: [{to: {user: \"*\"}, scopes: [\"tag:docs-read\"]}]\n";
    std::fs::write(&file, text).unwrap();
    let findings = check::run(&config::load(&file, &|_| None));
    assert_eq!(findings.len(), 3, "{findings:#?}");
    let mut mended = text.to_owned();
    for edit in findings.iter().rev().flat_map(|finding| &finding.fixes[0].edits) {
        mended.replace_range(edit.place.start..edit.place.end, &edit.text);
    }
    assert!(mended.contains("  a:\n    tools: {\"drop\": deny}\n    tags:"), "{mended}");
    assert!(mended.contains("  b: {tools: {\"drop\": deny}, tags:"), "{mended}");
    assert!(mended.contains("      \"drop\": deny\n      other: deny\n"), "{mended}");
    std::fs::write(&file, &mended).unwrap();
    assert_eq!(check::run(&config::load(&file, &|_| None)), []);
}
