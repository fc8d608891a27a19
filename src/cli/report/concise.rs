//! One line a finding: `file:line:col: class[code] message`.
//!
//! `.github/portcullis-matcher.json` reads these lines.

use std::io::{self, Write};

use super::{Report, count::closing, escape::visible};
use crate::diagnostic::Diagnostic;

/// Writes a line for each finding, and what it comes to.
pub(super) fn concise(out: &mut dyn Write, report: &Report<'_>) -> io::Result<()> {
    report.findings.iter().try_for_each(|finding| writeln!(out, "{}", line(report, finding)))?;
    closing(report).first().map_or(Ok(()), |line| writeln!(out, "{line}"))
}

pub(super) fn line(report: &Report<'_>, finding: &Diagnostic) -> String {
    let place = finding.place().map(|place| format!("{}:{}:{}", report.file(&place.file), place.line, place.column));
    let place = place.unwrap_or_default();
    format!("{}: {}[{}] {}", visible(&place), finding.class, finding.code, visible(&finding.message))
}
