//! PC203 `admin-public`.

use super::{mended, silent, trips};

#[test]
fn other_machines_need_tls_and_a_credential() {
    trips(
        "PC203",
        &[
            ("admin: {address: 10.0.0.5:3051}", "10.0.0.5:3051"),
            ("admin: {address: \":3051\"}", "\":3051\""),
            ("admin: {address: 0.0.0.0:3051, tls: false}", "0.0.0.0:3051"),
            ("admin: {address: 0.0.0.0:3051, tls: {certificate: c.pem}, auth: none}", "0.0.0.0:3051"),
        ],
    );
    silent(
        "PC203",
        &[
            "admin: {address: 127.0.0.1:3051}",
            "admin: {address: 0.0.0.0:3051, tls: {certificate: c.pem}}",
            "admin: {address: unix:/run/portcullis.sock}",
            "admin: {}",
        ],
    );
}

#[test]
fn the_callers_listener_is_no_place_for_it() {
    trips(
        "PC203",
        &[
            ("admin: {address: 127.0.0.1:3050}", "127.0.0.1:3050"),
            ("listen: {address: 127.0.0.1:80}\nadmin: {address: 127.0.0.1:80}", "127.0.0.1:80"),
            ("listen: {address: 0.0.0.0:80}\nadmin: {address: 127.0.0.1:80}", "127.0.0.1:80"),
        ],
    );
    silent("PC203", &["listen: {address: 127.0.0.1:80}\nadmin: {address: 127.0.0.1:3050}"]);
}

#[test]
fn the_fix_keeps_the_port() {
    assert_eq!(mended("PC203", "admin: {address: 0.0.0.0:9000}"), "admin: {address: \"127.0.0.1:9000\"}");
}
