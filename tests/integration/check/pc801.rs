//! PC801 `inventory-drift`, as far as it is known without asking; `cli/lock.rs` has the rest.

use super::{page_holds, with_files, with_server};

#[test]
fn the_page_fires_and_is_silent() {
    page_holds("PC801");
}

/// The findings of the server `a`, of which `more` is said, beside a lock.
fn found(more: &str, lock: Option<&str>) -> Vec<String> {
    let text = with_server(&format!("tags: [web]\n    {more}\n    http: {{url: \"https://a.example/mcp\"}}"));
    let files: Vec<_> = lock.map(|lock| ("portcullis.lock", lock)).into_iter().collect();
    with_files(&text, &files)
}

const OF_ANOTHER: &str = r#"{"version": 1, "servers": {"b": {}}}"#;

#[test]
fn a_server_that_is_not_pinned_beside_others_is_found() {
    let open = "4 PC801 `a` is not in portcullis.lock: what it offers is taken as it comes";
    let closed = "4 PC801 `a` is not in portcullis.lock, and `drift: refuse` lets nothing of it be used";
    assert_eq!(found("", Some(OF_ANOTHER)), [open]);
    assert_eq!(found("drift: warn", Some(OF_ANOTHER)), [open]);
    assert_eq!(found("drift: refuse", Some(OF_ANOTHER)), [closed]);
    assert_eq!(found("drift: refuse", None), [closed]);
    for (more, lock) in [
        ("", None),
        ("drift: warn", None),
        ("drift: allow", Some(OF_ANOTHER)),
        ("", Some(r#"{"version": 1, "servers": {"a": {}}}"#)),
        ("drift: refuse", Some(r#"{"version": 1, "servers": {"a": {}}}"#)),
    ] {
        assert_eq!(found(more, lock), Vec::<String>::new(), "{more} {lock:?}");
    }
}

#[test]
fn drift_is_one_of_three_words() {
    assert!(found("drift: block", None)[0].contains("PC005"), "{:?}", found("drift: block", None));
}
