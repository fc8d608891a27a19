//! PC220 `consent-disabled`.

use super::{silent, trips};

#[test]
fn a_person_is_asked_for_every_client() {
    trips(
        "PC220",
        &[
            ("oauth: {consent: never}", "never"),
            ("oauth: {clients: {app: {consent: false, secret: {env: S}}}}", "false"),
            ("oauth: {consent: skip, clients: {app: {consent: true}}}", "skip"),
        ],
    );
    silent("PC220", &["oauth: {consent: true}", "oauth: {clients: {app: {consent: always}}}", "oauth: {}"]);
}
