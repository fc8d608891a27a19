//! PC205 `cors-wildcard-with-auth`.

use super::{silent, trips};

#[test]
fn every_origin_and_credentials_do_not_go_together() {
    trips(
        "PC205",
        &[
            ("cors: {origins: [\"https://app.example.com\", \"*\"]}", "\"*\""),
            ("cors: {origins: \"*\"}", "\"*\""),
            ("cors: {allow_origins: [\"*\"]}", "\"*\""),
            ("oauth: {enabled: false}\ncors: {origins: [\"*\"], credentials: true}", "\"*\""),
        ],
    );
    silent(
        "PC205",
        &[
            "oauth: {enabled: false}\ncors: {origins: [\"*\"]}",
            "cors: {origins: [\"https://app.example.com\"], credentials: true}",
            "cors: {origins: []}",
            "cors: {}",
        ],
    );
}
