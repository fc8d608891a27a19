//! PC201 `public-bind-no-auth`.

use crate::support::{checked, codes, golden, load};

#[test]
fn an_address_that_others_reach_without_tokens() {
    let text = "version: 1\nlisten: {address: \"0.0.0.0:3050\", public_url: \"http://localhost:3050\"}\noauth: {enabled: false}\n";
    assert!(load(text).config.is_none());
    golden("check", "pc201_an_address_that_others_reach_without_tokens", &checked(text));
}

#[test]
fn a_public_url_that_others_reach_without_tokens() {
    let text = "version: 1\nlisten: {public_url: \"https://mcp.example.com\"}\noauth: {enabled: false}\n";
    golden("check", "pc201_a_public_url_that_others_reach_without_tokens", &checked(text));
}

#[test]
fn loopback_or_tokens_are_enough() {
    for text in [
        "oauth: {enabled: false}",
        "listen: {address: \"[::1]:80\"}\noauth: {enabled: false}",
        "listen: {address: \"0.0.0.0:3050\", public_url: \"https://mcp.example.com\"}",
    ] {
        assert!(!codes(&format!("version: 1\n{text}\n")).contains(&"PC201"), "{text}");
    }
}
