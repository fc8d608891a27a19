//! PC503 `rate-tier-inverted`.

use super::{silent, trips};

#[test]
fn a_tier_that_another_one_always_reaches_first() {
    for (text, at) in [
        (
            "all: {limit: 60, window: 1m, by: user, on: [mcp]}, one: {limit: 70, window: 1m, by: user, on: [files]}",
            "70",
        ),
        ("all: {limit: 60, window: 1m, by: user, on: [mcp]}, one: {limit: 60, window: 1s, by: user, on: [mcp]}", "60"),
        (
            "srv: {limit: 60, window: 1m, by: user, on: [files]}, one: {limit: 99, window: 1m, by: user, on: [files/read]}",
            "99",
        ),
        // A count for several keys together, and a tier that is drawn from less often than it could be.
        (
            "s: {limit: 60, window: 1m, by: server, on: [files]}, t: {limit: 60, window: 1m, by: tool, on: [files/read]}",
            "60",
        ),
        ("u: {limit: 60, window: 1m, by: user, on: [mcp]}, t: {limit: 61, window: 1m, by: token, on: [mcp]}", "61"),
        ("a: {limit: 60, window: 1m}, b: {limit: 80, window: 1m, on: [metadata], when: context.tls}", "80"),
        ("a: {limit: 60, window: 1m, on: ['files/write_*']}, b: {limit: 99, window: 1m, on: [files/write_all]}", "99"),
        (
            "a: {limit: 60, window: 1m, burst: 5, by: user, on: [mcp]}, b: {limit: 90, window: 1m, burst: 9, by: user, on: [mcp]}",
            "90",
        ),
        (
            "a: {limit: 60, window: 1m, by: user, on: [mcp]}, b: {limit: 60, window: 1m, burst: 0, by: client, on: [mcp]}",
            "0",
        ),
    ] {
        trips("PC503", &[(&format!("rates: {{{text}}}"), at)]);
    }
}

#[test]
fn less_is_given_where_more_is_meant() {
    let text = "rates: {free: {limit: 600, window: 1m, on: [mcp], when: a}, paid: {limit: 60, window: 1m, on: [mcp], when: b}}";
    trips("PC503", &[(text, "600")]);
    silent("PC503", &[&text.replace("600", "6")]);
}

#[test]
fn tiers_that_bind_pass() {
    for text in [
        // Short and long windows of one endpoint bind each in its own way.
        "a: {limit: 10, window: 1s, by: user, on: [mcp]}, b: {limit: 100, window: 1m, by: user, on: [mcp]}",
        "a: {limit: 60, window: 1m, by: user, on: [mcp]}, b: {limit: 90, window: 1m, by: address, on: [mcp]}",
        "a: {limit: 60, window: 1m, by: user, on: [oauth]}, b: {limit: 90, window: 1m, by: user, on: [mcp]}",
        "a: {limit: 60, window: 1m, by: user, on: [mcp], when: x}, b: {limit: 90, window: 1m, by: user, on: [mcp]}",
        "a: {limit: 60, window: 1m, by: user, on: [mcp]}, b: {limit: 60, window: 1m, by: user, on: [mcp]}",
        "a: {limit: 60, window: 1m, by: user, on: [mcp]}, b: {limit: 58, window: 1m, burst: 5, by: user, on: [mcp]}",
        "u: {limit: 60, window: 1m, by: token, on: [mcp]}, t: {limit: 61, window: 1m, by: user, on: [mcp]}",
        "a: {limit: 60, window: 1m}, b: {limit: 80, window: 1m, penalty: {factor: 2, time: 1m}}",
        "a: {limit: 60, window: 1m, on: [files/write]}, b: {limit: 99, window: 1m, on: ['files/write_*']}",
        "a: {limit: 60, window: 1m, on: [health]}, b: {limit: 99, window: 1m}",
        "a: {limit: many, window: 1m}, b: {limit: 1, window: soon}",
    ] {
        silent("PC503", &[&format!("rates: {{{text}}}")]);
    }
    // The tiers of the design.
    silent(
        "PC503",
        &[
            "rates:\n  general: {limit: 100, window: 15m, by: address, on: [oauth]}\n  sensitive: {limit: 10, window: 15m, by: address, on: [consent, token, register]}\n  calls: {limit: 600, window: 1m, burst: 60, by: user, on: [mcp]}",
        ],
    );
}
