//! PC204 `admin-default-credential`.

use super::{silent, trips};

#[test]
fn what_is_tried_first_is_no_credential() {
    trips(
        "PC204",
        &[
            ("admin: {auth: none}", "none"),
            ("admin: {auth: false}", "false"),
            ("admin: {token: \"\"}", "\"\""),
            ("admin: {password: admin}", "admin"),
            ("admin: {user: admin, password: hunter2}", "hunter2"),
            ("admin: {operators: {ana: {token: 12345678}}}", "12345678"),
        ],
    );
    silent(
        "PC204",
        &[
            "admin: {}",
            "admin: {address: 127.0.0.1:3051}",
            "admin: {token: {env: ADMIN_TOKEN}}",
            "admin: {token_file: admin}",
            "admin: {auth: mtls}",
            "admin: {token: correct horse battery staple}",
        ],
    );
}
