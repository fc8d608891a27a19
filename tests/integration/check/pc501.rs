//! PC501 `no-rate-limit`.

use super::{silent, trips};

#[test]
fn what_others_reach_is_limited() {
    trips(
        "PC501",
        &[
            ("listen: {address: 0.0.0.0:3050, tls_proxy: true}", "0.0.0.0:3050"),
            ("listen: {address: 0.0.0.0:3050}\nrates: {}", "0.0.0.0:3050"),
        ],
    );
    silent(
        "PC501",
        &[
            "listen: {address: 127.0.0.1:3050}",
            "listen: {address: 0.0.0.0:3050}\nrates: {all: {limit: 100, window: 1m, by: address}}",
            "listen: {address: 0.0.0.0:3050}\nrates: {all: {limit: 100, window: 1m, by: address, on: [mcp, oauth]}}",
            "oauth: {enabled: false}\nlisten: {address: 0.0.0.0:1}\nrates: {a: {limit: 1, window: 1m, on: [mcp]}}",
            "listen: {address: 0.0.0.0:3050}\nrates: {a: {limit: 1, window: 1m, on: [oauth]}, b: {limit: 1, window: 1m, on: [mcp]}}",
        ],
    );
}

#[test]
fn every_endpoint_is_before_anybody_is_known() {
    for rates in [
        "{a: {limit: 1, window: 1m, by: address, on: [mcp]}}",
        "{a: {limit: 1, window: 1m, by: address, on: [oauth]}}",
        "{a: {limit: 1, window: 1m, by: user}}",
        "{a: {limit: 1, window: 1m, when: context.tls}}",
        "{a: {limit: 1, window: 1m, on: [oauth, mcp, files]}}",
        "{a: {limit: 1, window: 1m, on: [oauth]}, b: {limit: 1, window: 1m, by: client, on: [mcp]}}",
    ] {
        trips("PC501", &[(&format!("listen: {{address: 0.0.0.0:3050}}\nrates: {rates}"), rates)]);
    }
}
