//! Tests for programs: JSON, and the Test Anything Protocol.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{full_name, tree::details};
use crate::suite::{Outcome, Ran};

/// One object: every suite, every case, and how many.
pub(in crate::cli) fn json(ran: &[Ran]) -> serde_json::Result<String> {
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    let mut suites = Vec::new();
    for suite in ran {
        let (p, f, s) = suite.counts();
        passed += p;
        failed += f;
        skipped += s;
        let mut cases = Vec::new();
        for case in &suite.cases {
            let mut object = serde_json::Map::new();
            object.insert("test".into(), case.test.as_str().into());
            object.insert("case".into(), case.name.as_str().into());
            object.insert("place".into(), serde_json::to_value(&case.place)?);
            let (outcome, more) = match &case.outcome {
                Outcome::Passed => ("passed", None),
                Outcome::Failed(failure) => ("failed", Some(("failure", serde_json::to_value(failure)?))),
                Outcome::Skipped(reason) => ("skipped", Some(("reason", Value::from(reason.as_str())))),
            };
            object.insert("outcome".into(), outcome.into());
            object.extend(more.map(|(key, value)| (key.to_owned(), value)));
            cases.push(Value::Object(object));
        }
        suites.push(json!({ "suite": suite.suite, "file": &*suite.file, "cases": cases }));
    }
    let summary = json!({ "suites": ran.len(), "passed": passed, "failed": failed, "skipped": skipped });
    Ok(format!("{}\n", serde_json::to_string_pretty(&json!({ "suites": suites, "summary": summary }))?))
}

/// SPEC: TAP 14.
pub(in crate::cli) fn tap(ran: &[Ran]) -> String {
    let cases: usize = ran.iter().map(|suite| suite.cases.len()).sum();
    let mut text = format!("TAP version 14\n1..{cases}\n");
    let mut number = 0;
    for suite in ran {
        for case in &suite.cases {
            number += 1;
            let name = escaped(&format!("{} > {}", suite.suite, full_name(case)));
            // Writing to a string does not fail.
            match &case.outcome {
                Outcome::Passed => _ = writeln!(text, "ok {number} - {name}"),
                Outcome::Skipped(reason) => _ = writeln!(text, "ok {number} - {name} # SKIP {}", escaped(reason)),
                Outcome::Failed(failure) => {
                    _ = writeln!(
                        text,
                        "not ok {number} - {name}\n  ---\n  at: {}\n  message: |",
                        quoted(&case.place.to_string())
                    );
                    for line in details(failure) {
                        _ = writeln!(text, "    {line}");
                    }
                    text.push_str("  ...\n");
                }
            }
        }
    }
    text
}

/// A `#` would begin a directive; a line ends where it ends.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('#', "\\#").replace(['\n', '\r'], " ")
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}
