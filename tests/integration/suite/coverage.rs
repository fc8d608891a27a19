//! What tests cover: policies, scopes, tools and lines (lint-rules §4.5).

use super::{CONFIG, LOCK, ran};

const SUITE: &str = "now: 2026-01-01T12:00:00Z
principals: {ben: {sub: ben, scopes: ['tag:read']}, ana: {sub: ana, scopes: ['tag:read', 'tag:write']}, anon: {anonymous: true}}
requests: {read: {server: files, tool: read_file}, write: {server: files, tool: write_file}}
tests:
  - name: t
    principals: [ben, anon]
    requests: [read, write]
    expect: [{principal: ben, request: read, decision: allow}]
";

#[test]
fn only_what_determined_a_decision_is_covered() {
    let (_, coverage) = ran(CONFIG, Some(LOCK), SUITE);
    let shown = |part: &portcullis::suite::Part| {
        format!("{}/{} without {}", part.covered, part.total, part.uncovered.join(" "))
    };
    assert_eq!(shown(&coverage.policies), "2/4 without rule/night server/files/tool/delete_*");
    assert_eq!(shown(&coverage.scopes), "0/2 without tag:read tag:write");
    assert_eq!(shown(&coverage.tools), "2/4 without files/delete_file files/drop_all");
    assert_eq!(shown(&coverage.lines), "2/4 without portcullis.yaml:9 portcullis.yaml:14");
    assert_eq!(coverage.percent(), 0);
}

#[test]
fn a_scope_is_covered_once_it_was_seen_with_and_without() {
    let (_, coverage) = ran(CONFIG, None, &SUITE.replace("principals: [ben, anon]", "principals: [ben, ana, anon]"));
    assert_eq!(coverage.scopes.uncovered, ["tag:read"]);
    assert_eq!((coverage.tools.total, coverage.tools.percent()), (0, 100));
}

#[test]
fn lcov_says_how_often_each_line_was_behind_a_decision() {
    let (_, coverage) = ran(CONFIG, None, SUITE);
    assert_eq!(
        coverage.lcov(),
        "TN:portcullis\nSF:portcullis.yaml\nDA:4,1\nDA:8,1\nDA:9,0\nDA:14,0\nLF:4\nLH:2\nend_of_record\n"
    );
}
