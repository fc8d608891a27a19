//! PC222 `pkce-not-s256`.

use super::{mended, silent, trips};

#[test]
fn s256_is_required_of_every_client() {
    trips(
        "PC222",
        &[
            ("oauth: {pkce: false}", "false"),
            ("oauth: {pkce: plain}", "plain"),
            ("oauth: {pkce: [S256, plain]}", "plain"),
            ("oauth: {pkce: {required: false}}", "false"),
            ("oauth: {pkce: {required: true, methods: [plain, S256]}}", "plain"),
            ("oauth: {clients: {app: {pkce: optional}}}", "optional"),
        ],
    );
    silent(
        "PC222",
        &["oauth: {}", "oauth: {pkce: S256}", "oauth: {pkce: required}", "oauth: {pkce: {methods: [S256]}}"],
    );
}

#[test]
fn the_fix_takes_the_key_out_and_leaves_the_rest_as_it_is() {
    for (bad, good) in [
        ("oauth: {pkce: plain, enabled: true}", "oauth: {enabled: true}"),
        ("oauth: {enabled: true, pkce: [S256, plain], login: owner}", "oauth: {enabled: true, login: owner}"),
        ("oauth: {login: \"übrig\", pkce: plain} # é", "oauth: {login: \"übrig\"} # é"),
        (
            "oauth:\n  enabled: true # on\n  pkce: plain # old\n  login: owner\n",
            "oauth:\n  enabled: true # on\n # old\n  login: owner\n",
        ),
        ("oauth:\n  pkce: plain\n  enabled: true\n", "oauth:\n  \n  enabled: true\n"),
        ("oauth:\n  enabled: true\n  pkce:\n    - plain\n", "oauth:\n  enabled: true\n\n"),
        ("oauth: {\n  enabled: true,\n  pkce: plain\n}", "oauth: {\n  enabled: true,\n\n}"),
        // What would be left empty, or with a comma too many, is left to its author.
        ("oauth: {pkce: plain}", "oauth: {pkce: plain}"),
        (
            "oauth: {\n  enabled: true,\n  pkce: plain,\n  login: owner}",
            "oauth: {\n  enabled: true,\n  pkce: plain,\n  login: owner}",
        ),
    ] {
        assert_eq!(mended("PC222", bad), good);
    }
}
