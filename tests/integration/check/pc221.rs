//! PC221 `redirect-uri-wildcard`.

use super::{silent, trips};

/// A client with one redirect URI.
fn client(uri: &str) -> String {
    format!("oauth: {{clients: {{app: {{redirect_uris: ['{uri}']}}}}}}")
}

#[test]
fn a_redirect_uri_is_one_place_and_protected() {
    for uri in [
        "https://*.example.com/cb",
        "https://app.example.com/*",
        "http://127.0.0.1:*/cb",
        "http://app.example.com/cb",
        "HTTP://app.example.com/cb",
        "http://localhost.evil.test/cb",
        "http://user@localhost/cb",
    ] {
        trips("PC221", &[(&client(uri), &format!("'{uri}'"))]);
    }
    for uri in [
        "https://app.example.com/cb",
        "http://127.0.0.1/cb",
        "http://localhost:8080/cb",
        "http://[::1]/cb",
        "com.example.app:/cb",
    ] {
        silent("PC221", &[&client(uri)]);
    }
    silent("PC221", &["oauth: {clients: {app: {}}}", "oauth: {clients: {app: {redirect_uris: []}}}"]);
}
