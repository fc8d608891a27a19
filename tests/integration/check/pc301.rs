//! PC301 `upstream-http`.

use super::with_server;
use crate::support::{checked, codes, golden};

#[test]
fn another_machine_without_tls() {
    golden(
        "check",
        "pc301_another_machine_without_tls",
        &checked(&with_server("tags: [web]\n    http: {url: \"http://a.example/mcp\"}")),
    );
}

#[test]
fn loopback_and_tls_pass() {
    for url in ["http://127.0.0.1:8080/mcp", "http://localhost/mcp", "http://[::1]:1/", "HTTPS://a.example/mcp"] {
        assert!(codes(&with_server(&format!("tags: [web]\n    http: {{url: \"{url}\"}}"))).is_empty(), "{url}");
    }
}
