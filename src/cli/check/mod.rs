//! `portcullis check`: reads the configuration and says what is wrong with it.
//!
//! SPEC: `requirements/lint-rules.md` §3.3 (exit status).

use std::io::{self, Write};

use clap::{Args, ValueEnum};

use super::report::{self, Checked};
use crate::{
    check,
    config::{self, Wanted},
    diagnostic::{Class, Diagnostic, Level},
};

/// Check the configuration, and say what is wrong with it and where.
#[derive(Debug, Args)]
#[command(
    after_help = "Suggestions, warnings and security findings below `medium` are shown, but do not fail.\n\nExamples:\n  portcullis check\n  portcullis check --env all\n  portcullis check --format json | jq -r '.findings[].code'\n  portcullis check --list-rules\n\nExit status: 0 good, 1 findings, 2 the configuration cannot be read."
)]
pub struct CheckArgs {
    /// How findings are printed: human (beside their lines) or json (one object)
    #[arg(
        long,
        value_enum,
        default_value_t = Format::Human,
        env = "PORTCULLIS_CHECK_FORMAT",
        hide_env_values = true,
        hide_possible_values = true
    )]
    pub format: Format,
    /// Only warn of variables that have no value here, and check what stands around them
    #[arg(long)]
    pub allow_missing_env: bool,
    /// Say what is looked for, and read nothing
    #[arg(long)]
    pub list_rules: bool,
}

/// How findings are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Beside their source lines.
    Human,
    /// One JSON object.
    Json,
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
    colour: bool,
) -> io::Result<u8> {
    let CheckArgs { format, allow_missing_env, list_rules } = args;
    if *list_rules {
        rules(*format, out)?;
        return Ok(0);
    }
    let progress = report::Progress::of(&format!("checking {}", wanted.path.display()));
    let wanted = Wanted { allow_missing: *allow_missing_env, ..wanted.clone() };
    let loaded = config::load_wanted(&wanted, env);
    let findings = check::run(&loaded);
    drop(progress);
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

/// Everything that is looked for, by code.
fn rules(format: Format, out: &mut dyn Write) -> io::Result<()> {
    let rules = check::catalogue();
    match format {
        Format::Json => {
            serde_json::to_writer_pretty(&mut *out, &rules).map_err(io::Error::from)?;
            writeln!(out)
        }
        Format::Human => {
            let width = rules.iter().map(|rule| rule.name.len()).max().unwrap_or_default();
            rules.iter().try_for_each(|rule| {
                let class = rule.class.to_string();
                writeln!(out, "{}  {:width$}  {class:17}  {}", rule.code, rule.name, rule.summary)
            })
        }
    }
}
