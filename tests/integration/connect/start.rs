//! What `connect` does not start with, and why; stdout stays empty.

use std::os::unix::fs::PermissionsExt as _;

use crate::{
    cli::{CONFIG, at, run},
    support::bridged::write_token,
};

#[test]
fn az24_a_token_does_not_cross_the_network_unencrypted() {
    for url in ["http://gate.example/mcp", "http://10.0.0.1/mcp", "http://localhost.evil.example/mcp"] {
        let said = run(&at(CONFIG), &["connect", url]);
        assert_eq!((said.status, said.out.as_str()), (2, ""));
        assert!(said.err.starts_with("error: the URL must begin with `https://`"), "{said:?}");
    }
}

#[test]
fn what_is_no_url_is_not_started_with() {
    for (url, words) in [
        ("gate.example", "error: the URL must begin with `https://` or `http://`\n"),
        ("https://me:hunter2@gate.example/mcp", "error: the URL must not hold a user name or password\n"),
        ("https://169.254.169.254/mcp", "error: the URL cannot be used: its address may not be reached from here\n"),
    ] {
        let said = run(&at(CONFIG), &["connect", url]);
        assert_eq!((said.status, said.out.as_str(), said.err.as_str()), (2, "", words));
    }
    assert_eq!(run(&at(CONFIG), &["connect"]).status, 2);
}

#[test]
fn a_token_file_that_cannot_be_used_is_not_started_with() {
    let place = at(CONFIG);
    let refused = |words: &str| {
        let said = run(&place, &["connect", "http://127.0.0.1:1/mcp", "--token-file", "token"]);
        assert_eq!((said.status, said.out.as_str(), said.err.as_str()), (2, "", words));
    };
    refused("error: the token file `token` cannot be read: No such file or directory\n");
    let path = place.path("token");
    write_token(&path, "not a token");
    refused("error: the token file `token` must hold one token and nothing else\n");
    write_token(&path, "pc_at_good");
    for mode in [0o640, 0o604] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        refused("error: the token file `token` may be read by others; run `chmod 600 token`\n");
    }
}

#[test]
fn it_needs_no_configuration_and_ends_with_its_input() {
    let place = at("no configuration at all");
    let said = run(&place, &["connect", "http://127.0.0.1:1/mcp"]);
    assert_eq!((said.status, said.out.as_str(), said.err.as_str()), (0, "", ""));
}
