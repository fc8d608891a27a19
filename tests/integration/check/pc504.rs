//! PC504 `no-body-limit`.

use super::{mended, silent, trips};

#[test]
fn bodies_and_answers_are_limited() {
    trips(
        "PC504",
        &[
            ("listen: {limits: {body: 65MiB}}", "65MiB"),
            ("listen: {limits: {body: 0}}", "0"),
            ("listen: {limits: {body: off}}", "off"),
            ("listen: {limits: {body: null}}", "null"),
            ("servers: {a: {http: {url: \"https://a.example\", limits: {answer: unlimited}}}}", "unlimited"),
            ("servers: {a: {limits: {body: 1GiB}, stdio: {command: [cat]}}}", "1GiB"),
        ],
    );
    silent("PC504", &["listen: {limits: {body: 64MiB}}", "listen: {limits: {idle: 75s}}", "listen: {limits: {}}"]);
}

#[test]
fn the_fix_writes_the_default() {
    assert_eq!(mended("PC504", "listen: {limits: {body: 0}}"), "listen: {limits: {body: 4MiB}}");
}
