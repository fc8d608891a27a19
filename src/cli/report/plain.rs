//! Findings in sentences, one fact a line, without drawings: for screen readers and braille.

use std::io::{self, Write};

use super::{Look, Report, State, count::closing, escape::visible, human::fix};
use crate::diagnostic::{Diagnostic, Label};

/// Writes every finding, and what it comes to.
pub(super) fn plain(out: &mut dyn Write, report: &Report<'_>, look: &Look) -> io::Result<()> {
    let number = report.findings.len();
    if number > 0 {
        for stage in &report.stages {
            let how = match stage.state {
                State::Ok => "ok",
                State::Warned => "has warnings",
                State::Failed => "failed",
                State::Waits => "waits for the stages before it",
            };
            writeln!(out, "Stage {}: {how}.", stage.name)?;
        }
        writeln!(out)?;
    }
    for (index, finding) in report.findings.iter().enumerate() {
        writeln!(out, "Finding {} of {number}: {} {}, {}.", index + 1, finding.code, finding.name, finding.class)?;
        writeln!(out, "Message: {}.", visible(&finding.message))?;
        told(out, finding, report)?;
        if let Some(help) = &finding.help {
            writeln!(out, "Help: {}.", visible(help))?;
        }
        if let Some(fix) = fix(finding) {
            writeln!(out, "Fix: {}.", visible(&fix))?;
        }
        if let Some(url) = look.links.printed(finding.code) {
            writeln!(out, "See: {url}")?;
        }
        writeln!(out)?;
    }
    closing(report).iter().try_for_each(|line| writeln!(out, "{line}"))
}

fn told(out: &mut dyn Write, finding: &Diagnostic, report: &Report<'_>) -> io::Result<()> {
    for (index, Label { place, text }) in finding.labels.iter().enumerate() {
        let word = if index == 0 { "Place" } else { "Also" };
        let file = visible(&place.file);
        let what = if text.is_empty() { String::new() } else { format!(", {}", visible(text)) };
        writeln!(out, "{word}: {file}, line {}, column {}{what}.", place.line, place.column)?;
        let line = report.texts.get(&*place.file).and_then(|text| line_at(text, place.start));
        if let Some(line) = line.filter(|line| !line.is_empty()) {
            writeln!(out, "Line {}: {}", place.line, visible(line))?;
        }
    }
    Ok(())
}

/// The line that a byte stands in, without what it is indented by.
fn line_at(text: &str, at: usize) -> Option<&str> {
    let start = text.get(..at)?.rfind('\n').map_or(0, |at| at + 1);
    text.get(start..)?.lines().next().map(str::trim)
}
