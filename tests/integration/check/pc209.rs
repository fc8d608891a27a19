//! PC209 `hsts-weak`.

use super::{mended, silent, trips};

fn set(value: &str) -> String {
    format!("headers: [{{set: {{strict-transport-security: {value}}}}}]")
}

#[test]
fn sm21_half_a_year_is_the_least() {
    for value in [
        "max-age=0",
        "\"max-age=15551999; includeSubDomains\"",
        "includeSubDomains",
        "\"max-age=31535999; includeSubDomains; preload\"",
        "\"max-age=31536000; preload\"",
    ] {
        trips("PC209", &[(&set(value), value)]);
    }
    for value in ["max-age=15552000", "\"max-age=31536000; includeSubDomains; preload\"", "'max-age=\"63072000\"'"] {
        silent("PC209", &[&set(value)]);
    }
    silent("PC209", &["headers: {hsts: true}", "headers: [{set: {X-A: max-age=0}}]"]);
}

#[test]
fn the_fix_keeps_what_was_asked_for() {
    for (bad, good) in [
        ("max-age=60", "\"max-age=31536000; includeSubDomains\""),
        ("\"max-age=63072000; preload\"", "\"max-age=63072000; includeSubDomains; preload\""),
    ] {
        assert_eq!(mended("PC209", &set(bad)), set(good));
    }
}
