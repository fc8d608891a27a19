//! `check`: findings are the answer, 1; what cannot be read is 2.

use super::{CONFIG, at, run, run_with, says};
use crate::support::root;

/// Twelve mistakes, of which none hides another.
pub(super) const TWELVE: &str = "version: 1
listen: {address: '{address}', limits: {body: much}}
rates: {}
serverz: {}
tags:
  a: A
  a: again
  b c: a name with a blank
  d: ${NOT_SET_ANYWHERE}
servers:
  both: {tags: [a], http: {url: \"https://a.example/mcp\"}, stdio: {command: [cat]}}
  none: {tags: [a]}
  lost: {tags: [x], stdio: {command: [cat]}}
  idle: {tags: [a], stdio: {command: []}}
grants:
  - {to: {user: ana, group: staff}, scopes: ['tag:a']}
  - {to: {user: ana}, scopes: []}
";

#[test]
fn a_good_configuration() {
    says("check_good", &run(&at(CONFIG), &["check"]));
}

#[test]
fn findings_are_no() {
    let place = at(&CONFIG.replace("[portcullis, demo-server, time]", "[npx, -y, some-package]"));
    let said = run(&place, &["check"]);
    says("check_findings", &said);
    assert_eq!(said.status, 1);
}

#[test]
fn a_suggestion_alone_is_yes() {
    let said = run(&at(&CONFIG.replace("['tag:clock']", "['tag:clock', 'tag:clock']")), &["check"]);
    assert!(said.status == 0 && said.out.contains("suggestion[PC106]"), "{said:?}");
}

#[test]
fn what_cannot_be_read_is_neither() {
    let place = at(CONFIG);
    says("check_unreadable", &run(&place, &["check", "--config", "no/such.yaml"]));
    for directory in [".", "/dev/null"] {
        assert_eq!(run(&place, &["check", "--config", directory]).status, 2, "{directory}");
    }
}

#[test]
fn json_is_one_object_with_every_place() {
    let said = run(&at(TWELVE), &["check", "--format", "json"]);
    assert_eq!((said.status, said.err.as_str()), (1, ""));
    let report: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    let findings = report["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 12);
    assert_eq!(report["summary"]["error"], 12);
    for finding in findings {
        for text in ["code", "name", "class", "message"] {
            assert!(finding[text].as_str().is_some_and(|text| !text.is_empty()), "{finding:#}");
        }
        let place = &finding["locations"][0];
        assert!(place["file"] == "portcullis.yaml" && place["line"].as_u64() > Some(0), "{finding:#}");
        assert!(place["column"].as_u64() > Some(0), "{finding:#}");
    }
}

#[test]
fn the_format_may_come_from_the_environment() {
    let said = run_with(&at(CONFIG), &["check"], &[("PORTCULLIS_CHECK_FORMAT", "json")]);
    assert!(said.out.starts_with('{'), "{said:?}");
}

#[test]
fn twelve_mistakes_are_twelve_findings() {
    let said = run(&at(&TWELVE.replace("{address}", "127.0.0.1:3050")), &["check"]);
    says("check_twelve", &said);
    assert_eq!(said.status, 1);
    assert_eq!(said.out.matches("error[PC").count(), 12);
    assert_eq!(said.out.matches("--> portcullis.yaml:").count(), 12);
}

#[test]
fn the_rules_can_be_listed_without_a_configuration() {
    let place = at(CONFIG);
    let arguments = ["check", "--list-rules", "--config", "no/such.yaml"];
    let said = run(&place, &arguments);
    says("check_list_rules", &said);
    let json = run(&place, &[&arguments[..], &["--format", "json"]].concat());
    let rules: Vec<serde_json::Value> = serde_json::from_str(&json.out).unwrap();
    assert_eq!((json.status, rules.len()), (0, portcullis::check::catalogue().len()));
    for (rule, line) in rules.iter().zip(said.out.lines()) {
        assert!(line.starts_with(rule["code"].as_str().unwrap()) && line.ends_with(rule["summary"].as_str().unwrap()));
        assert!(rule["help"].as_str().is_some_and(|help| !help.is_empty()), "{rule:#}");
    }
}

#[test]
fn every_example_is_good() {
    let place = at(CONFIG);
    for entry in std::fs::read_dir(root().join("examples")).unwrap() {
        let file = entry.unwrap().path().join("portcullis.yaml");
        let said = run(&place, &["check", "--config", file.to_str().unwrap()]);
        assert!(said.status == 0 && said.out.starts_with("No findings."), "{}: {said:?}", file.display());
    }
}
