//! PC206 `cors-reflect-or-regex`.

use super::{mended, silent, trips};

#[test]
fn origins_are_written_out() {
    trips(
        "PC206",
        &[
            (r"cors: {origins: ['example\.com']}", r"'example\.com'"),
            (r"cors: {origins: ['^https://example\.com$']}", r"'^https://example\.com$'"),
            (r"cors: {origins: ['^https://example\.com']}", r"'^https://example\.com'"),
            ("cors: {origins: [\"null\"]}", "\"null\""),
            ("cors: {origins: [null]}", "null"),
            ("cors: {origins: [\"https://*.example.com\"]}", "\"https://*.example.com\""),
            ("cors: {origins: ['^https?://.*$']}", "'^https?://.*$'"),
            ("cors: {origins: ['^.*$']}", "'^.*$'"),
            ("cors: {reflect: true}", "true"),
        ],
    );
    silent(
        "PC206",
        &[
            "cors: {origins: [\"https://app.example.com\", \"http://[::1]:5173\"]}",
            "cors: {origins: [\"*\"]}",
            "cors: {reflect: false}",
            "cors:\n  origins:\n",
        ],
    );
}

#[test]
fn the_fix_writes_the_one_origin_that_is_meant() {
    for (bad, good) in [
        (r"'https://a\.example'", "\"https://a.example\""),
        (r"'^https://a\.example$'", "\"https://a.example\""),
        (r"'^https:\/\/a-b\.example:8443$'", "\"https://a-b.example:8443\""),
        // Of more than one, or of a path, nobody knows which.
        (r"'^https://(a|b)\.example$'", r"'^https://(a|b)\.example$'"),
        (r"'^https://a\.example/.*$'", r"'^https://a\.example/.*$'"),
        (r"'a\.example'", r"'a\.example'"),
    ] {
        let text = |origin: &str| format!("cors: {{origins: [{origin}]}}");
        assert_eq!(mended("PC206", &text(bad)), text(good), "{bad}");
    }
}

/// What is meant by nobody is let in by nobody: it is an error besides.
#[test]
fn sm22_an_origin_that_is_none_is_an_error() {
    for origin in [r"'^https://example\.com$'", "\"null\"", "\"https://*.example.com\"", "\"\""] {
        let found = crate::support::codes(&format!("version: 1\ncors: {{origins: [{origin}]}}\n"));
        assert!(found.contains(&"PC005"), "{origin}: {found:?}");
    }
}
