//! PC202 `public-bind-no-tls`.

use super::{silent, trips};

#[test]
fn an_address_that_others_reach_needs_tls_or_a_word_about_it() {
    trips(
        "PC202",
        &[
            ("listen: {address: 0.0.0.0:3050}", "0.0.0.0:3050"),
            ("listen: {address: \"[::]:3050\", public_url: \"https://mcp.example.com\"}", "\"[::]:3050\""),
            ("listen: {address: 10.0.0.5:80, tls_proxy: false}", "10.0.0.5:80"),
            ("listen: {address: 10.0.0.5:80, tls: false}", "10.0.0.5:80"),
            ("listen: {address: 0.0.0.0:3050}\noauth: {enabled: false}", "0.0.0.0:3050"),
        ],
    );
    silent(
        "PC202",
        &[
            "listen: {address: 0.0.0.0:443, tls: {certificate: cert.pem, private_key: key.pem}}",
            "listen: {address: 0.0.0.0:3050, tls_proxy: true}",
            "listen: {address: 0.0.0.0:3050, behind_tls_proxy: true}",
            "listen: {address: 127.0.0.1:3050, public_url: \"https://mcp.example.com\"}",
            "listen: {address: \"[::1]:3050\"}",
            "listen: {address: nowhere}",
            "listen: {}",
            "tags: {}",
        ],
    );
}
