//! PC211 `csp-missing-directive`.

use super::{mended, silent, trips};

fn set(value: &str) -> String {
    format!("headers: [{{set: {{content-security-policy: {value}}}}}]")
}

#[test]
fn what_does_not_fall_back_is_written() {
    for value in ["\"default-src 'none'\"", "\"object-src 'none'; base-uri 'none'\"", "upgrade-insecure-requests"] {
        trips("PC211", &[(&set(value), value)]);
    }
    for value in [
        "\"default-src 'none'; base-uri 'none'; frame-ancestors 'none'\"",
        "\"object-src 'none'; base-uri 'self'; frame-ancestors https://a.example\"",
    ] {
        silent("PC211", &[&set(value)]);
    }
}

#[test]
fn the_fix_adds_what_is_missing() {
    for (bad, good) in [
        ("\"img-src 'self';\"", "\"img-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'\""),
        ("\"default-src 'none'; base-uri 'self'\"", "\"default-src 'none'; base-uri 'self'; frame-ancestors 'none'\""),
    ] {
        assert_eq!(mended("PC211", &set(bad)), set(good));
    }
}
