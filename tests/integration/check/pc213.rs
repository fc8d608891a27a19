//! PC213 `header-rule-overridden`.

use super::{mended, silent, trips};

#[test]
fn a_protection_does_not_vanish_on_one_endpoint() {
    trips(
        "PC213",
        &[
            ("headers: [{on: [consent], remove: [X-Frame-Options]}]", "X-Frame-Options"),
            ("headers: [{remove: [referrer-policy], when: context.page}]", "referrer-policy"),
            ("headers: {rules: [{on: [mcp], remove: [Cache-Control]}]}", "Cache-Control"),
        ],
    );
    silent(
        "PC213",
        &[
            "headers: [{remove: [X-Frame-Options]}]",
            "headers: [{on: [consent], set: {X-Frame-Options: SAMEORIGIN}}]",
            "headers: [{on: [health], remove: [X-Robots-Tag]}]",
        ],
    );
}

#[test]
fn the_fix_leaves_it_there() {
    let bad = "headers: [{on: [mcp], set: {X-A: b}, remove: [Cache-Control]}]";
    assert_eq!(mended("PC213", bad), "headers: [{on: [mcp], set: {X-A: b}}]");
    // Of two, only one protects.
    let two = "headers: [{on: [mcp], set: {X-A: b}, remove: [Cache-Control, X-B]}]";
    assert_eq!(mended("PC213", two), two);
}
