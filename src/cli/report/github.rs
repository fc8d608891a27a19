//! Annotations of GitHub Actions, and the summary of the job.
//!
//! A step shows ten annotations, so the gravest ten are annotations and the rest is text.

use std::{
    cmp::Reverse,
    fs::OpenOptions,
    io::{self, Write},
};

use super::{
    Links, Report, concise,
    count::closing,
    escape::{data, logged, property},
    markdown,
};
use crate::diagnostic::{Class, Diagnostic, Level};

/// How many annotations a step shows.
const SHOWN: usize = 10;

/// Writes the workflow commands, then the rest and the sum as text.
pub(super) fn github(out: &mut dyn Write, report: &Report<'_>) -> io::Result<()> {
    let mut findings: Vec<&Diagnostic> = report.findings.iter().collect();
    // Stable: of the same class, by place.
    findings.sort_by_key(|finding| Reverse(finding.class));
    for finding in findings.iter().take(SHOWN) {
        writeln!(out, "{}", command(report, finding))?;
    }
    for finding in findings.iter().skip(SHOWN) {
        writeln!(out, "{}", logged(&concise::line(report, finding)))?;
    }
    closing(report).iter().try_for_each(|line| writeln!(out, "{}", logged(line)))
}

fn command(report: &Report<'_>, finding: &Diagnostic) -> String {
    let command = match finding.class {
        Class::Error | Class::Security(Level::Critical | Level::High) => "error",
        Class::Security(Level::Medium | Level::Low) | Class::Warning => "warning",
        Class::Suggestion => "notice",
    };
    let title = property(&format!("{} {} ({})", finding.code, finding.name, finding.class));
    let place = finding.place().map(|place| {
        let spot = report.spot(place);
        let file = property(&report.file(&place.file));
        let columns = format!("col={},endColumn={}", place.column, spot.end_column);
        format!("file={file},line={},endLine={},{columns},", place.line, spot.end_line)
    });
    let help = finding.help.as_deref().map(|help| format!("\nhelp: {help}")).unwrap_or_default();
    let text = data(&format!("{}{help}", finding.message));
    format!("::{command} {}title={title}::{text}", place.unwrap_or_default())
}

/// Adds the report to the summary of the job, which is the file that `GITHUB_STEP_SUMMARY` names.
///
/// # Errors
/// When it cannot be written to.
pub fn summarise(file: &str, report: &Report<'_>, links: &Links) -> io::Result<()> {
    let mut text = Vec::new();
    markdown::markdown(&mut text, report, links)?;
    OpenOptions::new().append(true).create(true).open(file)?.write_all(&text)
}
