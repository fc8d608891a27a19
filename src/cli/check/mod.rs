//! `portcullis check`: reads the configuration and says what is wrong with it.
//!
//! SPEC: `requirements/lint-rules.md` §3.3 (exit status).

mod output;

use std::io::{self, Write};

use clap::Args;

pub use output::{Output, Terminal};

use super::report::Report;
use crate::{
    check::{self, Examined},
    config::{self, Wanted},
};

/// Check the configuration, and say what is wrong with it and where.
#[derive(Debug, Args)]
#[command(
    after_help = "Suggestions, warnings and security findings below `medium` are shown, but do not fail.\n\nExamples:\n  portcullis check\n  portcullis check --env all\n  portcullis check --format json | jq -r '.findings[].code'\n  portcullis check --format sarif > portcullis.sarif\n  portcullis check --explain PC101\n  portcullis check --list-rules\n\nExit status: 0 good, 1 findings, 2 the configuration cannot be read."
)]
pub struct CheckArgs {
    /// What is printed, and how.
    #[command(flatten)]
    pub output: Output,
    /// Only warn of variables that have no value here, and check what stands around them
    #[arg(long)]
    pub allow_missing_env: bool,
}

/// Checks the configuration that is wanted. The exit status: 0 good, 1 findings, 2 unreadable.
///
/// # Errors
/// When `out` cannot be written to.
pub fn run(
    args: &CheckArgs,
    wanted: &Wanted,
    env: &dyn Fn(&str) -> Option<String>,
    out: &mut dyn Write,
    terminal: Terminal,
) -> io::Result<u8> {
    let CheckArgs { output, allow_missing_env } = args;
    let look = output.look(terminal, env);
    if let Some(status) = output.about_rules(out, &look)? {
        return Ok(status);
    }
    let wanted = Wanted { allow_missing: *allow_missing_env, ..wanted.clone() };
    let loaded = config::load_wanted(&wanted, env);
    let Examined { findings, bundle } = check::examine(&loaded);
    let report = Report::of(&loaded, bundle.as_deref(), &findings, &[]);
    output.write(out, &report, &look, env)?;
    Ok(if !loaded.readable { 2 } else { u8::from(report.fails()) })
}
