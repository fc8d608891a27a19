//! PC401 `plaintext-secret`.

use portcullis::{check, config};

use super::{mended, trips, with_server};
use crate::support::{checked, codes, golden};

const SECRET: &str = "ghp_0123456789abcdefABCDEF0123456789abcd";

#[test]
fn secrets_in_variables_arguments_and_other_sections_are_masked() {
    let variable = with_server("tags: [web]\n    stdio: {command: [server], env: {API_TOKEN: k3J9xQ2mZ8vB7nL4}}");
    golden("check", "pc401_a_variable", &checked(&variable));
    let argument = with_server("tags: [web]\n    stdio: {command: [server, --token=k3J9xQ2mZ8vB7nL4]}");
    golden("check", "pc401_an_argument", &checked(&argument));
    let master = "version: 1\nencryption: {key: correct horse battery staple}\n";
    golden("check", "pc401_the_master_key", &checked(master));
    trips(
        "PC401",
        &[
            ("oauth: {clients: {ci-bot: {secret: k3J9xQ2mZ8vB7nL4}}}", "k3J9xQ2mZ8vB7nL4"),
            (&format!("store: {{postgres: {{password: {SECRET}}}}}"), SECRET),
        ],
    );
}

#[test]
fn the_fix_names_a_variable_after_what_it_is_for() {
    let client = |secret: &str| format!("oauth: {{clients: {{ci-bot: {{secret: {secret}}}}}}}");
    assert_eq!(mended("PC401", &client(SECRET)), client("{env: OAUTH_CLIENTS_CI_BOT_SECRET}"));
    let key = |key: &str| format!("encryption: {{key: {key}}}");
    assert_eq!(mended("PC401", &key(SECRET)), key("{env: PORTCULLIS_ENCRYPTION_KEY}"));
    let child = |key: &str| format!("servers: {{3d: {{stdio: {{command: [x], env: {{KEY: {key}}}}}}}}}");
    assert_eq!(mended("PC401", &child(SECRET)), child("{env: _3D_KEY}"));
    // An argument can be no reference.
    let argument = format!("servers: {{a: {{stdio: {{command: [x, {SECRET}]}}}}}}");
    assert_eq!(mended("PC401", &argument), argument);
}

#[test]
fn no_finding_of_any_kind_prints_a_secret() {
    for text in [
        format!("version: 1\nservers: {{a: {{http: {{url: 1, headers: {{Authorization: Bearer {SECRET}}}}}}}}}\n"),
        format!("version: 1\nservers: {{a: {{http: {{url: \"https://a.example\", token: {SECRET}}}}}}}\n"),
        format!("version: 1\ntoken: {SECRET}\ntoken: [{SECRET}\n"),
        format!("version: 1\nencryption: {{key: {SECRET}, algorithm: {SECRET}}}\n"),
        format!("version: 1\nencryption: {{key: {{env: {SECRET}}}}}\n"),
        format!("version: 1\nserver:\n  - {SECRET}: {SECRET}\n    {SECRET}: x\n"),
        format!("version: 1\nlisten: {{address: {SECRET}}}\n"),
        format!("version: 1\naudit: {{file: \"${{X:-{SECRET}}}\", x: 1}}\n"),
        format!("{SECRET}: 1\nversion: {SECRET}\n"),
        format!("version: 1\ntags: {{a: A, {SECRET}{SECRET}{SECRET}: b}}\n"),
    ] {
        let loaded = config::load_text("f", &text, &|_| None);
        let findings = check::run(&loaded);
        assert!(!findings.is_empty(), "{text}");
        let shown = format!("{findings:?}{}", checked(&text));
        assert!(!shown.contains(&SECRET[4..]), "{shown}");
    }
}

#[test]
fn what_came_from_the_environment_is_neither_found_nor_printed() {
    let text = with_server("tags: [web]\n    http: {url: \"https://a.example\", headers: {X-Key: \"${KEY}\"}}");
    let env = |name: &str| (name == "KEY").then(|| SECRET.to_owned());
    assert_eq!(check::run(&config::load_text("f", &text, &env)), []);
    for text in [
        "listen: {address: \"${KEY}\"}",
        "encryption: {key: {env: \"${KEY}\"}}",
        "oauth: \"${KEY}\"",
        "listen: {limits: {body: \"${KEY}\"}}",
    ] {
        let findings = check::run(&config::load_text("f", &format!("version: 1\n{text}\n"), &env));
        assert!(!findings.is_empty() && !format!("{findings:?}").contains(SECRET), "{findings:?}");
    }
}

#[test]
fn references_and_plain_words_pass() {
    for server in [
        "tags: [web]\n    http: {url: \"https://a.example\", headers: {X-Key: {env: KEY}, X-Token-Kind: opaque}}",
        "tags: [web]\n    stdio: {command: [server, --token-file, /run/secrets/token-of-the-server], env: {LANG: C}}",
    ] {
        assert!(codes(&with_server(server)).is_empty(), "{server}");
    }
}
