//! Findings for programs: one JSON object, the shape of design §7.

use std::io::{self, Write};

use serde::Serialize;

use super::{Checked, Summary};
use crate::diagnostic::Diagnostic;

/// Writes every finding and the summary as one JSON object and a line feed.
///
/// # Errors
/// When `out` cannot be written to.
pub fn json(out: &mut dyn Write, findings: &[Diagnostic], checked: Option<Checked>) -> io::Result<()> {
    #[derive(Serialize)]
    struct Report<'a> {
        findings: &'a [Diagnostic],
        summary: Summary,
        checked: Option<Checked>,
    }

    let report = Report { findings, summary: Summary::of(findings), checked };
    serde_json::to_writer_pretty(&mut *out, &report).map_err(io::Error::other)?;
    writeln!(out)
}
