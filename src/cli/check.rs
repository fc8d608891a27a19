//! `portcullis check`: reads the configuration and says what is wrong with it.
//!
//! SPEC: `requirements/lint-rules.md` §3.3 (exit status).

use std::{
    io::{self, Write},
    path::Path,
};

use clap::{Args, ValueEnum};

use super::report::{self, Checked};
use crate::{
    check, config,
    diagnostic::{Class, Diagnostic, Level},
};

/// Check the configuration, and say what is wrong with it and where.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// How findings are printed.
    #[arg(long, value_enum, default_value_t = Format::Human, env = "PORTCULLIS_CHECK_FORMAT")]
    pub format: Format,
}

/// How findings are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Beside their source lines.
    Human,
    /// One JSON object.
    Json,
}

/// Checks the configuration at `path`. The exit status: 0 good, 1 findings, 2 unreadable.
///
/// # Errors
/// When `out` cannot be written to.
pub fn run(
    args: &CheckArgs,
    path: &Path,
    env: &dyn Fn(&str) -> Option<String>,
    out: &mut dyn Write,
    colour: bool,
) -> io::Result<u8> {
    let CheckArgs { format } = args;
    let loaded = config::load(path, env);
    let findings = check::run(&loaded);
    let checked = loaded.config.as_ref().map(Checked::of);
    match format {
        Format::Human => report::human(out, &findings, &loaded.sources, checked, colour)?,
        Format::Json => report::json(out, &findings, checked)?,
    }
    Ok(if !loaded.readable { 2 } else { u8::from(findings.iter().any(fails)) })
}

/// Whether a finding alone makes the answer no.
fn fails(finding: &Diagnostic) -> bool {
    finding.class >= Class::Security(Level::Medium)
}
