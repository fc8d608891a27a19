//! PC302 `upstream-tls-unverified`.

use super::{silent, trips};

#[test]
fn certificates_are_verified() {
    let http = |rest: &str| format!("servers: {{a: {{http: {{url: \"https://a.example\", {rest}}}}}}}");
    for (rest, at) in [
        ("insecure_skip_verify: true", "true"),
        ("insecure: yes", "yes"),
        ("verify: false", "false"),
        ("tls: {verify: off, ca: ca.pem}", "off"),
        ("tls: {insecure_skip_verify: true}", "true"),
    ] {
        trips("PC302", &[(&http(rest), at)]);
    }
    for rest in ["insecure_skip_verify: false", "verify: true", "tls: {ca: ca.pem}", "allow_private: true"] {
        silent("PC302", &[&http(rest)]);
    }
}

#[test]
fn a_child_is_not_told_to_skip_it_either() {
    let stdio = |env: &str| format!("servers: {{a: {{stdio: {{command: [node, server.js], env: {{{env}}}}}}}}}");
    trips(
        "PC302",
        &[
            (&stdio("NODE_TLS_REJECT_UNAUTHORIZED: \"0\""), "\"0\""),
            (&stdio("LANG: C, PYTHONHTTPSVERIFY: \"0\""), "\"0\""),
        ],
    );
    silent("PC302", &[&stdio("NODE_TLS_REJECT_UNAUTHORIZED: \"1\"")]);
}
