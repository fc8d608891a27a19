//! PC505 `no-timeout`.

use super::{mended, silent, trips};

#[test]
fn nothing_takes_for_ever() {
    trips(
        "PC505",
        &[
            ("listen: {limits: {request: 61m}}", "61m"),
            ("listen: {limits: {idle: 0}}", "0"),
            ("servers: {a: {timeout: none, stdio: {command: [cat]}}}", "none"),
            ("servers: {a: {http: {url: \"https://a.example\", connect_timeout: 2h}}}", "2h"),
        ],
    );
    silent(
        "PC505",
        &["listen: {limits: {request: 1h, idle: 75s}}", "servers: {a: {timeout: 30s, stdio: {command: [cat]}}}"],
    );
}

#[test]
fn the_fix_writes_the_default_of_the_key() {
    assert_eq!(mended("PC505", "listen: {limits: {idle: 2h}}"), "listen: {limits: {idle: 75s}}");
    assert_eq!(mended("PC505", "listen: {limits: {request: 2h}}"), "listen: {limits: {request: 60s}}");
}
