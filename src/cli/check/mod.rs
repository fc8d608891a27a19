//! `portcullis check`: reads the configuration and says what is wrong with it.
//!
//! The order of a run: mend, read, look, judge, compare with the baseline, print.
//!
//! SPEC: `requirements/lint-rules.md` §3.

mod baseline;
mod fix;
mod output;
mod select;
mod write;

use std::{
    collections::BTreeMap,
    io::{self, Write},
    path::{Path, PathBuf},
};

use clap::Args;
use jiff::civil::Date;

pub use baseline::BaselineArgs;
pub use fix::{FixArgs, Which};
pub use output::{Output, Terminal};
pub use select::{FailOn, SelectArgs};
#[cfg(feature = "serve")]
pub(super) use write::whole;

use super::report::{self, Report};
use crate::{
    check,
    config::{self, Wanted},
    lock::Inventory,
    name::ServerName,
};

/// Check the configuration, and say what is wrong with it and where.
#[derive(Debug, Default, Args)]
#[command(
    after_help = "Suggestions, warnings and security findings below `medium` are shown, but do not fail: see\n--fail-on. Every flag can be set by a variable, as PORTCULLIS_CHECK_FAIL_ON for --fail-on.\n\nExamples:\n  portcullis check\n  portcullis check --env all\n  portcullis check --online\n  portcullis check --fix\n  portcullis check --fail-on=warning --baseline portcullis-baseline.json\n  portcullis check --format json | jq -r '.findings[].code'\n  portcullis check --format sarif > portcullis.sarif\n  portcullis check --explain PC101\n  portcullis check --list-rules\n\nExit status: 0 good, 1 findings, 2 the configuration cannot be read, 3 nothing to check."
)]
pub struct CheckArgs {
    /// The configuration, instead of --config; `-` is stdin
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// What to call the configuration that comes from stdin
    #[arg(long, value_name = "FILE", env = "PORTCULLIS_CHECK_STDIN_FILENAME", hide_env = true)]
    pub stdin_filename: Option<PathBuf>,
    /// What is printed, and how
    #[command(flatten)]
    pub output: Output,
    /// Only warn of variables that have no value here, and check what stands around them
    #[arg(long, env = "PORTCULLIS_CHECK_ALLOW_MISSING_ENV", hide_env = true)]
    pub allow_missing_env: bool,
    /// Ask every server what it offers, and find what differs from portcullis.lock
    #[cfg(feature = "serve")]
    #[arg(long, env = "PORTCULLIS_CHECK_ONLINE", hide_env = true)]
    pub online: bool,
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
    terminal: Terminal,
) -> anyhow::Result<u8> {
    let CheckArgs {
        file,
        stdin_filename,
        output,
        allow_missing_env,
        #[cfg(feature = "serve")]
        online,
        select,
        baseline,
        fix,
    } = args;
    let look = output.look(terminal, env);
    if let Some(status) = output.about_rules(out, &look)? {
        return Ok(status);
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
        select::show(&loaded.lint, &asked, output.format, out)?;
        return Ok(0);
    }
    let live: Live = None;
    #[cfg(feature = "serve")]
    let live = if *online { Some(asked_of(&loaded)?) } else { live };
    let silent = live.as_ref().is_some_and(|(_, silent)| *silent);
    let examined = check::examine_live(&loaded, live.as_ref().map(|(offered, _)| offered));
    drop(progress);
    let judged = check::judge(&loaded, &examined, &asked);
    let (judged, stale) = baseline.apply(judged, &loaded, &examined, &wanted.path)?;
    let mut report = Report::of(&loaded, examined.bundle.as_deref(), &judged.findings, &judged.suppressed);
    report.fail_on = select.fail_on.class();
    output.write(out, &report, &look, env)?;
    let fails = report.fails() && output.counts();
    let stale = baseline.strict_baseline && !stale.is_empty();
    Ok(match fails || refused || stale {
        _ if !loaded.readable => 2,
        true => 1,
        false if silent => 2,
        false => 0,
    })
}

/// What servers were found to offer, where they were asked, and whether one of them was silent.
type Live = Option<(BTreeMap<ServerName, Inventory>, bool)>;

/// Asks the servers; its policies may be wrong all the same.
#[cfg(feature = "serve")]
fn asked_of(loaded: &config::Loaded) -> anyhow::Result<(BTreeMap<ServerName, Inventory>, bool)> {
    let servers = loaded.whole().into_iter().flat_map(|config| &config.servers);
    let found = super::inventory::ask(servers)?;
    for (server, why) in &found.silent {
        report::talk(&format!("`{server}` could not be asked: {why}"));
    }
    Ok((found.offered, !found.silent.is_empty()))
}
