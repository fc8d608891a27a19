//! PC502 `unknown-rate-tier`.

use super::{mended, silent, trips};

const RATES: &str = "rates: {gold: {limit: 600, window: 1m, on: [mcp]}}\n";

#[test]
fn a_tier_that_is_named_is_defined() {
    for text in [
        "servers: {a: {rate: silver, http: {url: \"https://a.example\"}}}",
        "servers: {a: {http: {url: \"https://a.example\"}, tools: {x: {rate: silver}}}}",
        "grants: [{to: {user: \"*\"}, scopes: [], rate: silver}]",
        "views: {front: {rate: silver}}",
    ] {
        trips("PC502", &[(text, "silver"), (&format!("{RATES}{text}"), "silver")]);
        silent("PC502", &[&format!("{RATES}{}", text.replace("silver", "gold"))]);
    }
    silent("PC502", &["servers: {a: {http: {url: \"https://a.example\", headers: {rate: silver}}}}"]);
}

#[test]
fn only_a_near_name_is_put_in_its_place() {
    for (bad, good) in [("glod", "\"gold\""), ("silver", "silver")] {
        let text = |tier: &str| format!("{RATES}views: {{front: {{rate: {tier}}}}}");
        assert_eq!(mended("PC502", &text(bad)), text(good));
    }
}
