//! The command line: one file a command; `report` alone writes answers.
//!
//! Exit status: 0 yes, 1 no, 2 could not tell, 3 nothing to check, 4 our bug. stdout is the answer,
//! stderr the talk.

pub mod check;
#[cfg(feature = "serve")]
mod child;
mod compile;
mod completions;
#[cfg(feature = "serve")]
mod connect;
mod demo_server;
mod explain;
mod grouped;
mod init;
#[cfg(feature = "serve")]
mod inventory;
#[cfg(feature = "serve")]
mod keys;
#[cfg(feature = "serve")]
mod lock;
#[cfg(feature = "serve")]
mod login;
mod man;
mod matrix;
pub mod report;
mod schema;
#[cfg(feature = "serve")]
mod serve;
#[cfg(feature = "serve")]
mod start;
mod test;
#[cfg(feature = "serve")]
pub mod token;
#[cfg(feature = "serve")]
mod typed;
#[cfg(feature = "serve")]
mod user;
mod who_can;

use std::{ffi::OsString, io::IsTerminal as _, path::PathBuf, process::ExitCode, sync::Arc};

use anyhow::bail;
use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use jiff::{civil::Date, tz::TimeZone};

pub use compile::cedar as bundle_as_cedar;
use report::{Links, Look, Report, Style};

use crate::{
    check::{self as checks, Asked},
    clock::{Clock as _, SystemClock},
    config::{self, Config, Environments, Loaded, Override, Wanted},
    diagnostic::{Class, Level},
    lock::Lock,
    policy::Bundle,
};

/// A policy-as-code security gateway for MCP.
#[derive(Debug, Parser)]
#[command(
    name = "portcullis",
    version,
    max_term_width = 100,
    after_help = "To begin with:\n  portcullis init\n  portcullis check\n  portcullis serve\n\nExit status: 0 yes, 1 no (findings, denied, failed), 2 could not tell (usage, unreadable),\n3 nothing to check, 4 our bug. Answers go to stdout, all talk to stderr."
)]
struct Cli {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Debug, Clone, Args)]
struct Globals {
    /// The configuration
    #[arg(
        long,
        global = true,
        env = "PORTCULLIS_CONFIG",
        hide_env_values = true,
        default_value = "portcullis.yaml",
        value_name = "FILE",
        help_heading = "Global options"
    )]
    config: PathBuf,
    /// The environment: the file portcullis.NAME.yaml beside portcullis.yaml is laid over it
    #[arg(
        long = "env",
        global = true,
        env = "PORTCULLIS_ENV",
        hide_env_values = true,
        value_name = "NAME",
        help_heading = "Global options",
        long_help = ENVIRONMENT
    )]
    environment: Option<String>,
    /// Colour in findings: auto, always or never
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t = Colour::Auto,
        value_name = "WHEN",
        hide_possible_values = true,
        help_heading = "Global options"
    )]
    color: Colour,
}

const ENVIRONMENT: &str = "The environment: the file portcullis.NAME.yaml is laid over portcullis.yaml beside it. Maps merge; \
     lists and single values are replaced. Nothing can be removed: what some environments are to be without, \
     take out of portcullis.yaml and write into those that have it. `check --env all` checks the file alone and \
     with every environment";

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Colour {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a first configuration with its tests, or make one from an mcp.json
    Init(init::InitArgs),
    /// Say what is wrong with the configuration, and where
    Check(check::CheckArgs),
    /// Print the Cedar policies that the configuration compiles to, each with its line
    Compile(compile::CompileArgs),
    /// Say why a request is allowed or denied, and what would turn it
    Explain(Box<explain::ExplainArgs>),
    /// Show who may use which tool, as a table
    Matrix(matrix::MatrixArgs),
    /// Decide what test files ask, and compare it with what they expect
    Test(test::TestArgs),
    /// Pin what the servers offer, and say what has changed since
    #[cfg(feature = "serve")]
    Lock(lock::LockArgs),
    /// Run the gateway
    #[cfg(feature = "serve")]
    Serve(serve::ServeArgs),
    /// Make a link that signs the owner in, in a browser
    #[cfg(feature = "serve")]
    Login(login::LoginArgs),
    /// Pass MCP between stdin and stdout and a gateway, for clients that start their servers
    #[cfg(feature = "serve")]
    Connect(connect::ConnectArgs),
    /// Issue, list and revoke access tokens
    #[cfg(feature = "serve")]
    #[command(subcommand, after_help = "Exit status: 0 done, 1 no (refused, no such token), 2 could not tell.")]
    Token(token::TokenCommand),
    /// Add, disable and list the people who sign in by a password
    #[cfg(feature = "serve")]
    #[command(subcommand, after_help = "Exit status: 0 done, 1 no (there is one, there is none), 2 could not tell.")]
    User(user::UserCommand),
    /// Show, renew and drop the keys that the store's records are sealed under
    #[cfg(feature = "serve")]
    #[command(
        subcommand,
        after_help = "Exit status: 0 done, 1 no (it stays, another is at it), 2 could not tell, 3 nothing there."
    )]
    Keys(keys::KeysCommand),
    /// Print the schema of the configuration, for editors
    Schema(schema::SchemaArgs),
    /// Print what a shell needs to complete these commands
    Completions(completions::CompletionsArgs),
    /// Print the manual page, or write those of all commands
    Man(man::ManArgs),
    /// Run a small MCP server over stdin and stdout, to try things with
    #[command(after_help = demo_server::kinds())]
    DemoServer {
        /// Which server, and its arguments
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "SERVER")]
        arguments: Vec<OsString>,
    },
    /// Say who may use a tool and with which scopes, or what somebody may use
    WhoCan(who_can::WhoCanArgs),
}

/// Runs the command line.
#[must_use]
pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    #[cfg(feature = "serve")]
    if let [_, command, rest @ ..] = arguments.as_slice()
        && command == "__child"
    {
        return child::run(rest);
    }
    let parsed = command().try_get_matches_from(arguments).and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are answers; the rest is usage.
            let status = if error.use_stderr() { 2 } else { 0 };
            _ = error.print();
            return ExitCode::from(status);
        }
    };
    ours(|| {
        run(cli).unwrap_or_else(|error| {
            report::talk(&format!("error: {}", words(&error)));
            ExitCode::from(2)
        })
    })
}

/// A panic is our bug: its own message is on stderr already.
fn ours(command: impl FnOnce() -> ExitCode) -> ExitCode {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(command)).unwrap_or_else(|_| {
        report::talk("this is a bug of Portcullis: please report it with the lines above");
        ExitCode::from(4)
    })
}

/// An error and its causes, each said once, without the system's numbers.
fn words(error: &anyhow::Error) -> String {
    let mut words = String::new();
    for cause in error.chain().map(ToString::to_string) {
        // Most of our errors end with their cause's own words.
        if words.is_empty() {
            words = cause;
        } else if !words.contains(&cause) {
            words = format!("{words}: {cause}");
        }
    }
    let mut parts = words.split(" (os error ");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once(')').map_or("", |(_, rest)| rest))
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let Cli { globals, command } = cli;
    match command {
        Command::Init(args) => init::run(&args),
        Command::Schema(args) => schema::run(&args),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
        Command::Check(args) => {
            let nothing = args.output.reads_nothing();
            let wanted = if nothing { Wanted::of(&globals.config) } else { globals.wanted_or_all()? };
            let terminal =
                check::Terminal { there: std::io::stdout().is_terminal(), colour: globals.colour_of_stdout() };
            let out = &mut report::Leaving(std::io::stdout().lock());
            let status = check::run(&args, &wanted, &environment, today(), out, terminal)?;
            Ok(ExitCode::from(status))
        }
        Command::Compile(args) => compile::run(&args, &globals),
        Command::Explain(args) => explain::run(&args, &globals),
        Command::Matrix(args) => matrix::run(&args, &globals),
        Command::Test(args) => test::run(&args, &globals),
        #[cfg(feature = "serve")]
        Command::Lock(args) => lock::run(&args, &globals),
        #[cfg(feature = "serve")]
        Command::Serve(args) => serve::run(&args, &globals),
        #[cfg(feature = "serve")]
        Command::Login(args) => login::run(&args, &globals),
        #[cfg(feature = "serve")]
        Command::Connect(args) => connect::run(args),
        #[cfg(feature = "serve")]
        Command::Token(command) => serve::token(&command, &globals),
        #[cfg(feature = "serve")]
        Command::User(command) => user::run(&command, &globals),
        #[cfg(feature = "serve")]
        Command::Keys(command) => keys::run(&command, &globals),
        Command::DemoServer { arguments } => Ok(demo_server::run(&arguments)),
        Command::WhoCan(args) => who_can::run(&args, &globals),
    }
}

impl Globals {
    /// Reads another configuration, in the same environment.
    fn load_at(&self, path: &std::path::Path) -> anyhow::Result<config::Loaded> {
        Ok(config::load_wanted(&Wanted { path: path.to_owned(), ..self.wanted()? }, &environment))
    }

    /// The options by which another command finds a configuration, in the same environment.
    fn options_of(&self, path: &std::path::Path) -> Vec<String> {
        let mut options = Vec::new();
        if path != std::path::Path::new("portcullis.yaml") {
            options.extend(["--config".to_owned(), path.display().to_string()]);
        }
        if let Some(name) = self.environment.as_deref().filter(|name| !name.is_empty()) {
            options.extend(["--env".to_owned(), name.to_owned()]);
        }
        options
    }

    /// The configuration that is meant, in one environment or none.
    fn wanted(&self) -> anyhow::Result<Wanted> {
        let Some(name) = self.environment.as_deref().filter(|name| !name.is_empty()) else {
            return Ok(Wanted::of(&self.config));
        };
        if name == "all" {
            bail!("`--env all` is for `check`: name one environment");
        }
        Ok(Wanted::with(&self.config, name.parse()?))
    }

    /// The same, or all environments.
    fn wanted_or_all(&self) -> anyhow::Result<Wanted> {
        match self.environment.as_deref() {
            Some("all") => Ok(Wanted { environments: Environments::All, ..Wanted::of(&self.config) }),
            _ => self.wanted(),
        }
    }

    /// Reads the configuration. Every command does it here.
    fn load(&self) -> anyhow::Result<Loaded> {
        self.load_with(Vec::new())
    }

    /// Reads the configuration and what is said instead of it.
    fn load_with(&self, overrides: Vec<Override>) -> anyhow::Result<Loaded> {
        Ok(config::load_wanted(&Wanted { overrides, ..self.wanted()? }, &environment))
    }

    /// Tells findings on stderr.
    fn talk_of(&self, report: &Report<'_>) -> anyhow::Result<()> {
        let look = Look { colour: self.colour_of_stderr(), links: Links::default() };
        Ok(report::write(&mut report::Leaving(std::io::stderr().lock()), Style::Human, report, &look)?)
    }

    fn colour_of_stdout(&self) -> bool {
        self.colour(std::io::stdout().is_terminal())
    }

    fn colour_of_stderr(&self) -> bool {
        self.colour(std::io::stderr().is_terminal())
    }

    fn colour(&self, terminal: bool) -> bool {
        match self.color {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => {
                let set = |name| environment(name).is_some_and(|value| !value.is_empty());
                (terminal && !set("NO_COLOR")) || set("FORCE_COLOR") || set("CLICOLOR_FORCE")
            }
        }
    }
}

/// The configuration compiled; where something is wrong with it, stderr says what and what to do
/// `then`, and the exit status is the error: 2 for a file that cannot be read, else 1.
fn compiled(globals: &Globals, then: &str) -> anyhow::Result<Result<(Config, Arc<Bundle>), ExitCode>> {
    Ok(pinned(globals, then)?.map(|(config, bundle, _)| (config, bundle)))
}

/// The same, with what `portcullis.lock` pins.
fn pinned(globals: &Globals, then: &str) -> anyhow::Result<Result<Pinned, ExitCode>> {
    usable(globals, &globals.load()?, then)
}

/// What may be used of a configuration that was read; else what [`compiled`] says.
fn usable(globals: &Globals, loaded: &Loaded, then: &str) -> anyhow::Result<Result<Pinned, ExitCode>> {
    let examined = checks::examine(loaded);
    let judged = checks::judge(loaded, &examined, &Asked::nothing(today()));
    if let (Some(config), Some(bundle)) = (judged.usable(loaded).cloned(), examined.bundle.clone()) {
        return Ok(Ok((config, bundle, examined.lock)));
    }
    let mut findings = judged.findings;
    findings.retain(|finding| finding.class >= Class::Security(Level::Critical));
    globals.talk_of(&Report::of(loaded, examined.bundle.as_deref(), &findings, &judged.suppressed))?;
    if !loaded.readable {
        return Ok(Err(ExitCode::from(2)));
    }
    report::talk(&format!("mend these, then {then} again; `portcullis check` shows all there is to find"));
    Ok(Err(ExitCode::from(1)))
}

/// The day, in UTC: suppressions end on one.
fn today() -> Date {
    TimeZone::UTC.to_datetime(SystemClock.now()).date()
}

/// A configuration, what it compiles to, and what stands pinned beside it.
type Pinned = (Config, Arc<Bundle>, Option<Arc<Lock>>);

#[expect(clippy::disallowed_methods, reason = "commands read the environment for the configuration")]
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The whole command line, for help texts and completions.
#[must_use]
pub fn command() -> clap::Command {
    grouped::command(Cli::command())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_our_bug_and_says_so() {
        assert_eq!(ours(|| panic!("a test of what a panic does")), ExitCode::from(4));
        assert_eq!(ours(|| ExitCode::from(1)), ExitCode::from(1));
    }

    #[test]
    fn a_cause_is_said_once_and_without_numbers() {
        let cause = || std::io::Error::from_raw_os_error(2);
        let told = anyhow::Error::new(cause()).context("reading `a`");
        assert_eq!(words(&told), "reading `a`: No such file or directory");
        let twice = anyhow::Error::new(cause()).context(format!("reading `a`: {}", cause()));
        assert_eq!(words(&twice), "reading `a`: No such file or directory");
        assert_eq!(words(&anyhow::anyhow!("a (os error 2) b (os error 13)")), "a b");
    }
}
