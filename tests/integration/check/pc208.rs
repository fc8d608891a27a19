//! PC208 `hsts-without-tls`.

use super::{mended, silent, trips};

const OWN: &str = "headers: [{set: {Strict-Transport-Security: \"max-age=31536000\"}, when: context.tls}]";

#[test]
fn sm21_hsts_is_for_those_who_come_by_tls() {
    trips(
        "PC208",
        &[
            ("headers: {hsts: true}", "true"),
            (OWN, "Strict-Transport-Security"),
            // Nobody is trusted to say that a proxy ended TLS.
            ("listen: {public_url: \"https://a.example\", tls_proxy: true}\nheaders: {hsts: true}", "true"),
        ],
    );
    let tls = "listen: {public_url: \"https://a.example\", tls: {certificate: a.pem, private_key: b.pem}}";
    let proxy = "listen: {public_url: \"https://a.example\", tls_proxy: true, trusted_proxies: [10.0.0.1]}";
    silent(
        "PC208",
        &[
            "headers: {}",
            "headers: {hsts: false}",
            "headers: {preset: none}",
            &format!("{tls}\nheaders: {{hsts: true}}"),
            &format!("{proxy}\nheaders: {{hsts: true}}"),
            &format!("{proxy}\n{OWN}"),
        ],
    );
}

#[test]
fn the_fix_removes_it_where_something_is_left() {
    for (bad, good) in [
        ("headers: {preset: strict, hsts: true}", "headers: {preset: strict}"),
        ("headers: {hsts: true}", "headers: {hsts: true}"),
    ] {
        assert_eq!(mended("PC208", bad), good, "{bad}");
    }
}
