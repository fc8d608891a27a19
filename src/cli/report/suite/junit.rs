//! Tests as JUnit's XML: a `testsuite` a file, a `testcase` a case. No times: the same tests give the
//! same bytes.

use std::io;

use super::tree::details;
use crate::{
    cli::report::junit::{self, Cause},
    suite::{Case, Outcome, Ran},
};

/// All suites as one document.
pub(in crate::cli) fn junit(ran: &[Ran]) -> io::Result<String> {
    let suites: Vec<junit::Suite> = ran
        .iter()
        .map(|suite| junit::Suite {
            name: suite.suite.clone(),
            cases: suite.cases.iter().map(|case| testcase(&suite.suite, case)).collect(),
        })
        .collect();
    let mut out = Vec::new();
    junit::junit(&mut out, "portcullis test", &suites)?;
    String::from_utf8(out).map_err(io::Error::other)
}

fn testcase(suite: &str, case: &Case) -> junit::Case {
    let outcome = match &case.outcome {
        Outcome::Passed => junit::Outcome::Passed,
        Outcome::Skipped(reason) => junit::Outcome::Skipped(reason.clone()),
        Outcome::Failed(failure) => junit::Outcome::Failed(Cause {
            kind: "decision".into(),
            message: failure.differs.first().cloned().unwrap_or_default(),
            text: format!("{}\n{}", case.place, details(failure).join("\n")),
        }),
    };
    let name = if case.name.is_empty() { &case.test } else { &case.name };
    junit::Case { name: name.clone(), class: format!("{suite}.{}", case.test), took: None, outcome }
}
