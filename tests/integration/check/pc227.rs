//! PC227 `tls-proxy-unnamed`.

use super::{silent, trips};

#[test]
fn sm21_sm30_a_proxy_that_ends_tls_is_named() {
    trips(
        "PC227",
        &[
            ("listen: {public_url: \"https://a.example\", tls_proxy: true}", "true"),
            ("listen: {public_url: \"https://a.example\", tls_proxy: true, trusted_proxies: []}", "true"),
        ],
    );
    silent(
        "PC227",
        &[
            "listen: {address: \"127.0.0.1:3050\"}",
            "listen: {tls_proxy: false}",
            "listen: {public_url: \"https://a.example\", tls_proxy: true, trusted_proxies: [10.0.0.1]}",
            "listen: {public_url: \"https://a.example\", tls: {certificate: a.pem, private_key: b.pem}}",
        ],
    );
}
