//! The load harness: what the gateway adds to a call, measured on this machine.
//!
//! `load run` starts upstreams and a gateway, drives them with the same calls directly and through the
//! gateway, and prints what both cost. `load upstream` and `load drive` are its two halves, to be used
//! alone; `load refresh` drives the token endpoint. Everything is on 127.0.0.1, and everything ends. See `docs/performance.md`.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "its tables are what it is for")]

mod drive;
mod http;
mod process;
mod refresh;
mod report;
mod run;
mod setting;
mod upstream;

use std::{net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};

use clap::{Parser, Subcommand};

/// Measures what the gateway costs.
#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// A fast MCP server over HTTP: `echo` at `/mcp`, and N tools at `/N`
    Upstream {
        /// Where to listen
        #[arg(default_value = "127.0.0.1:4100")]
        address: SocketAddr,
    },
    /// Call one tool from many connections
    Drive {
        /// Such as `http://127.0.0.1:3050/mcp`
        url: String,
        /// A bearer token
        #[arg(long)]
        token: Option<String>,
        /// The tool, as the endpoint names it
        #[arg(long, default_value = "echo")]
        tool: String,
        /// How many connections are kept busy
        #[arg(long, default_value_t = 16)]
        connections: usize,
        /// For how long
        #[arg(long, default_value_t = 5.0, conflicts_with = "calls")]
        seconds: f64,
        /// How many calls instead
        #[arg(long)]
        calls: Option<usize>,
        /// Whether to speak the version of 2026-07-28
        #[arg(long)]
        modern: bool,
    },
    /// Start everything, measure, print a table
    Run(run::RunArgs),
    /// Refresh tokens over HTTP, each connection its own, and print how many a second
    Refresh(refresh::RefreshArgs),
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Upstream { address } => upstream::serve(address),
        Command::Drive { url, token, tool, connections, seconds, calls, modern } => {
            let until = calls.map_or_else(
                || drive::Until::After(Duration::from_secs_f64(seconds.clamp(0.0, 600.0))),
                drive::Until::Calls,
            );
            http::Target::read(&url, token).and_then(|target| {
                let target = if modern { target } else { target.opened()? };
                let driven = drive::drive(&target, &drive::call(&tool, modern), connections, until)?;
                println!("{driven}");
                Ok(())
            })
        }
        Command::Run(args) => run::run(&args),
        Command::Refresh(args) => refresh::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Where the Node server is that the gateway is compared with.
fn echo_in_node() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/load/echo.mjs")
}
