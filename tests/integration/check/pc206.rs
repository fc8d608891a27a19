//! PC206 `cors-reflect-or-regex`.

use super::{mended, silent, trips};

#[test]
fn origins_are_written_out() {
    trips(
        "PC206",
        &[
            (r"cors: {origins: ['example\.com']}", r"'example\.com'"),
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
            r"cors: {origins: ['^https://example\.com$']}",
            "cors: {origins: [\"https://app.example.com\", \"http://[::1]:5173\"]}",
            "cors: {origins: [\"*\"]}",
            "cors: {reflect: false}",
            "cors:\n  origins:\n",
        ],
    );
}

#[test]
fn the_fix_anchors_every_branch() {
    for (bad, good) in [
        (r"example\.com", r"^example\.com$"),
        (r"^https://a\.example", r"^https://a\.example$"),
        (r"https://a\.example$", r"^https://a\.example$"),
        (r"^https://a\.example|https://b\.example$", r"^(?:https://a\.example|https://b\.example)$"),
        (r"^https://(a|b)\.example", r"^https://(a|b)\.example$"),
        (r"costs\$", r"^costs\$$"),
    ] {
        let text = |origin: &str| format!("cors: {{origins: ['{origin}']}}");
        assert_eq!(mended("PC206", &text(bad)), text(good), "{bad}");
    }
}
