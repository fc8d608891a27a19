//! `portcullis check`: reads the configuration and says what is wrong with it.
//!
//! The order of a run: mend, read, look, judge, compare with the baseline, print.
//!
//! SPEC: `requirements/lint-rules.md` §3.

mod baseline;
mod fix;
mod select;
mod write;

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};
use jiff::civil::Date;

pub use baseline::BaselineArgs;
pub use fix::{FixArgs, Which};
pub use select::{FailOn, SelectArgs};

use super::report::{self, Checked};
use crate::{
    check,
    config::{self, Wanted},
};

/// Check the configuration, and say what is wrong with it and where.
#[derive(Debug, Default, Args)]
#[command(
    after_help = "Suggestions, warnings and security findings below `medium` are shown, but do not fail: see\n--fail-on. Every flag can be set by a variable, as PORTCULLIS_CHECK_FAIL_ON for --fail-on.\n\nExamples:\n  portcullis check\n  portcullis check --env all\n  portcullis check --fix\n  portcullis check --fail-on=warning --baseline portcullis-baseline.json\n  portcullis check --format json | jq -r '.findings[].code'\n  portcullis check --list-rules\n\nExit status: 0 good, 1 findings, 2 the configuration cannot be read, 3 nothing to check."
)]
pub struct CheckArgs {
    /// The configuration, instead of --config; `-` is stdin
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// What to call the configuration that comes from stdin
    #[arg(long, value_name = "FILE", env = "PORTCULLIS_CHECK_STDIN_FILENAME", hide_env = true)]
    pub stdin_filename: Option<PathBuf>,
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
    #[arg(long, env = "PORTCULLIS_CHECK_ALLOW_MISSING_ENV", hide_env = true)]
    pub allow_missing_env: bool,
    /// Say what is looked for, and read nothing
    #[arg(long)]
    pub list_rules: bool,
    /// Which rules run
    #[command(flatten)]
    pub select: SelectArgs,
    /// What is known already
    #[command(flatten)]
    pub baseline: BaselineArgs,
    /// What is mended
    #[command(flatten)]
    pub fix: FixArgs,
}

/// How findings are printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Beside their source lines.
    #[default]
    Human,
    /// One JSON object.
    Json,
}

/// Checks the configuration that is wanted, on a day. The exit status: 0 good, 1 findings, 2
/// unreadable, 3 nothing to check.
///
/// # Errors
/// When something besides the configuration cannot be read or written.
pub fn run(
    args: &CheckArgs,
    wanted: &Wanted,
    env: &dyn Fn(&str) -> Option<String>,
    today: Date,
    out: &mut dyn Write,
    colour: bool,
) -> anyhow::Result<u8> {
    let CheckArgs { file, stdin_filename, format, allow_missing_env, list_rules, select, baseline, fix } = args;
    if *list_rules {
        rules(*format, out)?;
        return Ok(0);
    }
    let mut wanted = Wanted { allow_missing: *allow_missing_env, ..wanted.clone() };
    wanted.path = file.clone().unwrap_or(wanted.path);
    if wanted.path == Path::new("-") {
        let bytes = config::read_stream(&mut io::stdin().lock())?;
        if bytes.is_empty() {
            report::talk("nothing to check: stdin is empty");
            return Ok(3);
        }
        wanted.path = stdin_filename.clone().unwrap_or_else(|| "<stdin>".into());
        wanted.bytes = Some(bytes);
    }
    let asked = select.asked(today);
    let refused = match fix.run(&wanted, env, &asked, out)? {
        Some(fix::Done::Printed(status)) => return Ok(status),
        Some(fix::Done::Mended { refused }) => refused,
        None => false,
    };
    let progress = report::Progress::of(&format!("checking {}", wanted.path.display()));
    let loaded = config::load_wanted(&wanted, env);
    if select.show_effective {
        select::show(&loaded.lint, &asked, *format, out)?;
        return Ok(0);
    }
    let examined = check::examine(&loaded);
    drop(progress);
    let judged = check::judge(&loaded, &examined, &asked);
    let (judged, stale) = baseline.apply(judged, &loaded, &examined, &wanted.path)?;
    let checked = loaded.whole().map(Checked::of);
    match format {
        Format::Human => report::human(out, &judged.findings, &loaded.sources, checked, colour)?,
        Format::Json => report::json(out, &judged.findings, checked)?,
    }
    let fails = judged.findings.iter().any(|finding| select.fail_on.fails(finding));
    let stale = baseline.strict_baseline && !stale.is_empty();
    Ok(if !loaded.readable { 2 } else { u8::from(fails || refused || stale) })
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
