//! PC509 `check-never-runs`.

use super::{silent, trips};

const SERVERS: &str = "version: 1\ntags: {a: A}\nservers: {files: {tags: [a], stdio: {command: [cat]}}}\n";

#[test]
fn a_condition_asks_for_what_detectors_find() {
    let rule = |when: &str| format!("{SERVERS}rules:\n  - {{forbid: {{servers: ['*']}}, when: '{when}'}}\n");
    for when in [
        r#"context.findings.contains("sql")"#,
        r#"context.tls && context.findings.containsAny(["null-byte", "nul"])"#,
        r#"!context.findings.containsAll(["SQL-injection"])"#,
    ] {
        trips("PC509", &[(&rule(when), &format!("'{when}'"))]);
    }
    silent("PC509", &[&rule(r#"context.findings.contains("sql-injection") && context.scopes.contains("x")"#)]);
}

#[test]
fn sm37_what_a_body_cannot_have_is_not_looked_for_there() {
    let with = |exception: &str| format!("{SERVERS}validation: {{exceptions: [{{{exception}}}]}}\n");
    trips("PC509", &[(&with("on: [files], invalid-utf8: report"), "report")]);
    trips("PC509", &[(&with("on: [files/x, \"*\"], invalid-utf8: deny, null-byte: deny"), "deny")]);
    silent("PC509", &[&with("on: [files, token], invalid-utf8: report"), &with("on: [files], all: report")]);
}
