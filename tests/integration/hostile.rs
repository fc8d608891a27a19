//! Bad input: findings, in bounded time and memory, and never a panic.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use portcullis::{check, config};
use proptest::prelude::*;

use crate::support::{checked, codes, golden, human, lines, load, no_env};

/// Runs `check` on bytes in a process of its own that may not have more than a gigabyte.
fn bounded(bytes: &[u8]) -> (i32, String, Duration) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("portcullis.yaml"), bytes).unwrap();
    let begun = Instant::now();
    let output = Command::new("sh")
        .args(["-c", "ulimit -v 1500000; exec \"$0\" check --format json", env!("CARGO_BIN_EXE_portcullis")])
        .current_dir(folder.path())
        .env_remove("PORTCULLIS_CONFIG")
        .env_remove("PORTCULLIS_ENV")
        .output()
        .unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap(), begun.elapsed())
}

#[test]
fn a_hundred_thousand_servers_are_a_finding_in_bounded_time_and_memory() {
    for (server, said) in [
        ("{public: true, http: {url: 'https://a.example.com/mcp'}}", "the file holds more than 500000 values"),
        ("{}", "has neither `http` nor `stdio`"),
        ("~", "has no value"),
    ] {
        let servers: String = (0..100_000).map(|n| format!("  s{n}: {server}\n")).collect();
        let (status, out, took) = bounded(format!("version: 1\nservers:\n{servers}").as_bytes());
        assert!(status == 1 && out.contains(said), "{server}: {status}");
        assert!(took < Duration::from_secs(120), "{server}: {took:?}");
    }
}

#[test]
fn a_bomb_of_aliases_and_of_merge_keys_is_refused_where_it_stands() {
    let bomb: String = (0..40).map(|n| format!("a{}: &b{} [*b{n}, *b{n}, *b{n}, *b{n}]\n", n + 1, n + 1)).collect();
    let (status, out, took) = bounded(format!("version: 1\na0: &b0 [x]\n{bomb}").as_bytes());
    assert!(status == 1 && out.contains("the alias `*b0` is not allowed"), "{status}");
    assert!(took < Duration::from_secs(30), "{took:?}");
    let merged = "version: 1\ntags: {a: A}\nservers:\n  a: &base {public: true, http: {url: 'https://a.example'}}\n  b:\n    <<: *base\n";
    assert_eq!(codes(merged), ["PC007"]);
}

#[test]
fn line_endings_shift_no_finding_and_none_is_printed() {
    let text = "version: 1\r\ntags:\r\n  web: Pages\r\nservers:\r\n  a:\r\n    tags: [wbe]\r\n";
    golden("check", "hostile_crlf", &checked(text));
    let trimmed = |text: &str| checked(text).lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
    let unix = trimmed(&text.replace("\r\n", "\n"));
    assert_eq!(trimmed(text), unix);
    assert_eq!(trimmed(&format!("\u{feff}{}", text.replace("\r\n", "\n"))), unix);
}

#[test]
fn names_that_look_latin_are_findings() {
    golden(
        "check",
        "hostile_look_alikes",
        &checked(
            "version: 1\ntags: {web: Pages, \"w\u{435}b\": Other}\nservers:\n  docs: {tags: [web], http: {url: \"https://docs.example.com/mcp\"}, tools: {\"dele\u{442}e_*\": deny}}\n  g\u{456}thub: {tags: [web], stdio: {command: [cat]}}\ngrants: [{to: {group: \"\u{430}dmins\"}, scopes: [\"tag:web\"]}]\n",
        ),
    );
}

/// What may stand in a mutated file.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z:\\-\\[\\]{}&*!|>'\"\n #%@`?,~<]{0,5}",
        "[\u{200b}\u{202e}\u{feff}\u{456}\u{e9}\u{1f512}\u{301}\r\t\u{85}\u{2028}]{1,3}",
        Just("${X}".to_owned()),
        Just("<<: *a".to_owned()),
        Just("\n---\n".to_owned()),
    ]
}

const GOOD: &str = include_str!("../../examples/quickstart/portcullis.yaml");

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("portcullis.yaml");
        std::fs::write(&path, &bytes).unwrap();
        whole(&config::load(&path, &no_env));
    }

    #[test]
    fn random_changes_of_a_good_file_never_panic(changes in prop::collection::vec((0..4_000_usize, 0..30_usize, piece()), 1..4)) {
        let mut characters: Vec<char> = GOOD.chars().collect();
        for (at, length, put) in changes {
            let at = at.min(characters.len());
            let end = (at + length).min(characters.len());
            characters.splice(at..end, put.chars());
        }
        whole(&load(&characters.into_iter().collect::<String>()));
    }
}

/// Everything that `check` does with it; places lie in their texts.
fn whole(loaded: &config::Loaded) {
    let findings = check::run(loaded);
    for finding in &findings {
        for edit in finding.fixes.iter().flat_map(|fix| &fix.edits) {
            assert!(edit.place.start <= edit.place.end, "{finding}");
        }
    }
    assert!(!human(&findings, loaded).is_empty());
    assert_eq!(findings.is_empty(), lines(&findings).is_empty());
}
