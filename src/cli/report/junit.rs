//! Tests as JUnit's XML, which continuous integration reads: a `testsuite` a file, a `testcase` a case.
//!
//! No times are given: a decision takes microseconds, and the same tests give the same bytes.
//!
//! SPEC: none is official; `tests/fixtures/junit.xsd` holds what Jenkins and GitLab agree on.

use std::fmt::Write as _;

use super::{suite::details, xml};
use crate::suite::{Outcome, Ran};

/// All suites as one document.
pub(in crate::cli) fn tests(ran: &[Ran]) -> String {
    let counts: Vec<(usize, usize, usize)> = ran.iter().map(Ran::counts).collect();
    let tests: usize = ran.iter().map(|suite| suite.cases.len()).sum();
    let failed: usize = counts.iter().map(|(_, failed, _)| failed).sum();
    let skipped: usize = counts.iter().map(|(_, _, skipped)| skipped).sum();
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    // Writing to a string does not fail.
    _ = writeln!(
        out,
        "<testsuites name=\"portcullis test\" tests=\"{tests}\" failures=\"{failed}\" errors=\"0\" skipped=\"{skipped}\">"
    );
    for (suite, (_, failed, skipped)) in ran.iter().zip(counts) {
        _ = writeln!(
            out,
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{failed}\" errors=\"0\" skipped=\"{skipped}\" file=\"{}\">",
            xml::text(&suite.suite),
            suite.cases.len(),
            xml::text(&suite.file),
        );
        for case in &suite.cases {
            let name = if case.name.is_empty() { &case.test } else { &case.name };
            _ = write!(
                out,
                "    <testcase classname=\"{}\" name=\"{}\" file=\"{}\" line=\"{}\"",
                xml::text(&format!("{}.{}", suite.suite, case.test)),
                xml::text(name),
                xml::text(&case.place.file),
                case.place.line,
            );
            match &case.outcome {
                Outcome::Passed => out.push_str("/>\n"),
                Outcome::Skipped(reason) => {
                    _ = writeln!(out, ">\n      <skipped message=\"{}\"/>\n    </testcase>", xml::text(reason));
                }
                Outcome::Failed(failure) => {
                    let first = failure.differs.first().map(String::as_str).unwrap_or_default();
                    let _ = writeln!(
                        out,
                        ">\n      <failure type=\"decision\" message=\"{}\">{}</failure>\n    </testcase>",
                        xml::text(first),
                        xml::text(&details(failure).join("\n")),
                    );
                }
            }
        }
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}
