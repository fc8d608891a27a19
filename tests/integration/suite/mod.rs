//! `portcullis::suite`: test files read, decided and compared, without the command around them.

/// Broken files: each problem with its place.
mod broken;
/// What is covered.
mod coverage;
/// `limits` and `headers`.
mod front;
/// `never` and `always`.
mod property;
/// Pairs and lists.
mod run;
/// What a test promises is what the gateway sends.
mod served;
/// The files that ship.
mod shipped;

use std::sync::Arc;

use portcullis::{
    check,
    config::{self, Sources},
    lock::Lock,
    reach::Reach,
    suite::{Coverage, Filter, Ground, Outcome, Ran, Seen},
};

use crate::support::bundle;

/// One server that deletes, writes and reads, a rule by time, and people who may write.
pub(super) const CONFIG: &str = "version: 1
tags: {read: Read, write: Write}
servers:
  files:
    tags: [read]
    stdio: {command: [cat]}
    tools:
      write_file: {tags: [write]}
      'delete_*': deny
grants:
  - {to: {user: ana}, scopes: ['tag:read', 'tag:write']}
  - {to: {user: '*'}, scopes: ['tag:read']}
rules:
  - {id: night, forbid: {tools: [files/read_file]}, when: 'context.now < datetime(\"2026-01-01T06:00:00Z\")'}
";

/// What the server offers.
pub(super) const LOCK: &str = r#"{"version": 1, "servers": {"files": {"tools": {
  "read_file": {"annotations": {"readOnlyHint": true}},
  "write_file": {"annotations": {"destructiveHint": false}},
  "delete_file": {},
  "drop_all": {}
}}}}"#;

/// Reads a test file that must be good, and runs it.
pub(super) fn ran(yaml: &str, lock: Option<&str>, suite: &str) -> (Ran, Coverage) {
    ran_with(yaml, lock, suite, "")
}

/// The same, as far as it fits a filter.
pub(super) fn ran_with(yaml: &str, lock: Option<&str>, suite: &str, filter: &str) -> (Ran, Coverage) {
    let config = crate::support::config(yaml);
    let lock = lock.map(|text| pinned(yaml, text));
    let reach = Reach::new(&config, Arc::new(bundle(yaml)), lock.as_deref()).unwrap();
    let mut sources = Sources::default();
    sources.keep("portcullis.yaml".into(), yaml.into());
    let ground = Ground::new(&reach, &sources, Vec::new());
    let mut findings = Vec::new();
    let suite =
        portcullis::suite::read(&"t.test.yaml".into(), suite, &mut findings).unwrap_or_else(|| panic!("{findings:?}"));
    let ran = portcullis::suite::run(&suite, &ground, &filter.parse::<Filter>().unwrap());
    let mut seen = Seen::default();
    seen.merge(&ran.seen);
    let coverage = Coverage::of("portcullis.yaml".into(), &ground, &seen);
    (ran, coverage)
}

/// What a lock beside a configuration pins.
fn pinned(yaml: &str, lock: &str) -> Arc<Lock> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("portcullis.lock"), lock).unwrap();
    let file = folder.path().join("portcullis.yaml");
    std::fs::write(&file, yaml).unwrap();
    check::examine(&config::load(&file, &|_| None)).lock.unwrap()
}

/// What became of each case, in a word each; of a failure its first line.
pub(super) fn outcomes(ran: &Ran) -> Vec<String> {
    let word = |outcome: &Outcome| match outcome {
        Outcome::Passed => "ok".to_owned(),
        Outcome::Failed(failure) => failure.differs.join("; "),
        Outcome::Skipped(reason) => format!("skipped, {reason}"),
    };
    ran.cases.iter().map(|case| format!("{} | {} | {}", case.test, case.name, word(&case.outcome))).collect()
}

/// The findings of a test file, as lines.
pub(super) fn problems(text: &str) -> Vec<String> {
    let mut findings = Vec::new();
    let suite = portcullis::suite::read(&"t.test.yaml".into(), text, &mut findings);
    assert_eq!(suite.is_none(), !findings.is_empty());
    crate::support::lines(&findings)
}

#[test]
fn the_json_schema_is_the_one_in_the_repository() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema/test.schema.json");
    let schema = portcullis::suite::json_schema();
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        std::fs::write(path, format!("{schema:#}\n")).unwrap();
    }
    let kept: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert!(kept == schema, "schema/test.schema.json is out of date: run `INSTA_UPDATE=always cargo test`");
    assert!(!schema.to_string().contains("null"), "{schema:#}");
}
