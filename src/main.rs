//! The `portcullis` command.

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use portcullis::cli::check;

/// A policy-as-code security gateway for MCP.
#[derive(Debug, Parser)]
#[command(name = "portcullis", version)]
struct Cli {
    /// The configuration.
    #[arg(long, global = true, env = "PORTCULLIS_CONFIG", default_value = "portcullis.yaml")]
    config: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Check(check::CheckArgs),
}

#[expect(clippy::disallowed_methods, reason = "the command reads the environment for the configuration")]
fn main() -> ExitCode {
    let Cli { config, command } = Cli::parse();
    let env = |name: &str| std::env::var(name).ok();
    let Command::Check(args) = command;
    let colour = std::io::IsTerminal::is_terminal(&std::io::stdout()) && env("NO_COLOR").is_none();
    match check::run(&args, &config, &env, &mut std::io::stdout().lock(), colour) {
        Ok(status) => ExitCode::from(status),
        Err(_) => ExitCode::from(2),
    }
}
