//! PC223 `audience-unchecked`.

use super::{silent, trips};

#[test]
fn tokens_of_another_issuer_must_be_for_us() {
    let issuer = "issuer: \"https://login.example.com\"";
    let at = "\"https://login.example.com\"";
    for text in [
        format!("oauth: {{external: {{{issuer}}}}}"),
        format!("oauth: {{issuers: [{{{issuer}}}]}}"),
        format!("oauth: {{issuers: {{corp: {{{issuer}}}}}}}"),
        format!("oauth: {{login: {{external: {{{issuer}}}}}, audience: x}}"),
    ] {
        trips("PC223", &[(&text, at)]);
        silent("PC223", &[&text.replace(issuer, &format!("{issuer}, audience: \"https://mcp.example.com\""))]);
        trips("PC223", &[(&text.replace(issuer, &format!("{issuer}, audience: \"*\"")), "\"*\"")]);
        trips("PC223", &[(&text.replace(issuer, &format!("{issuer}, audience: []")), "[]")]);
    }
    trips("PC223", &[("oauth: {login: external}", "external")]);
    silent(
        "PC223",
        &["oauth: {login: external, resource: \"https://mcp.example.com\"}", "oauth: {login: owner}", "oauth: {}"],
    );
}
