//! PC207 `origin-check-missing`.

use super::{mended, silent, trips};

#[test]
fn the_check_of_host_and_origin_stays_on() {
    trips(
        "PC207",
        &[
            ("oauth: {enabled: false}\ncors: {origins: [\"http://localhost:5173\", \"*\"]}", "\"*\""),
            ("listen: {allowed_hosts: [\"*\"]}", "\"*\""),
            ("listen: {allowed_origins: \"*\"}", "\"*\""),
        ],
    );
    silent(
        "PC207",
        &[
            "oauth: {enabled: false}",
            "oauth: {enabled: false}\ncors: {origins: [\"http://localhost:5173\"]}",
            "cors: {origins: [\"*\"]}",
            "listen: {allowed_hosts: [mcp.example.com]}",
        ],
    );
}

#[test]
fn the_fix_leaves_the_default() {
    for (bad, good) in [
        ("oauth: {enabled: false}\ncors: {origins: \"*\"}", "oauth: {enabled: false}\ncors: {origins: []}"),
        (
            "listen:\n  address: 127.0.0.1:1\n  allowed_hosts:\n    - \"*\"\ntags: {}",
            "listen:\n  address: 127.0.0.1:1\n\ntags: {}",
        ),
    ] {
        assert_eq!(mended("PC207", bad), good);
    }
}
