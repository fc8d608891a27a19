//! `portcullis connect`: a gateway for clients that speak over stdin and stdout alone.

use std::{io, os::fd::AsFd, path::PathBuf, process::ExitCode};

use clap::Args;
use tokio::{
    fs::File,
    signal::unix::{SignalKind, signal},
};

use crate::{
    bridge::{self, Endpoint, Token},
    telemetry::{self, Format},
};

/// What to connect to.
#[derive(Debug, Args)]
#[command(
    after_help = "For clients that start their servers and speak MCP with them over stdin and stdout.\nIn such a client's configuration:\n\n  {\"mcpServers\": {\"gate\": {\n    \"command\": \"portcullis\",\n    \"args\": [\"connect\", \"http://127.0.0.1:3050/mcp\", \"--token-file\", \"/home/me/.portcullis-token\"]\n  }}}\n\nThe token file is what `portcullis token issue` printed, and nobody else may read it (chmod 600). It\nis read again when the token is refused: a new token needs no restart. portcullis.yaml is not read.\n\nExamples:\n  (umask 077; portcullis token issue --scopes tag:files --ttl 30d > ~/.portcullis-token)\n  portcullis connect https://mcp.example.com/mcp/files --token-file ~/.portcullis-token\n\nExit status: 0 its input ended or it was told to stop, 2 it could not start."
)]
pub(super) struct ConnectArgs {
    /// The URL of the gateway's /mcp, or of /mcp/SERVER; https, unless it is this machine
    #[arg(value_name = "URL")]
    url: String,
    /// The file that holds the token; without it none is sent
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// What goes to the log on stderr: error, warn, info, debug or trace
    #[arg(long, default_value = "info", env = "PORTCULLIS_LOG", hide_env_values = true, value_name = "LEVEL")]
    log: tracing::Level,
}

pub(super) fn run(args: ConnectArgs) -> anyhow::Result<ExitCode> {
    let ConnectArgs { url, token_file, log } = args;
    let endpoint = Endpoint::parse(&url)?;
    let token = token_file.map_or(Ok(Token::None), Token::file)?;
    // Whoever reads it is a person who looks into the client's log.
    telemetry::start(Format::Human, log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let done = runtime.block_on(async {
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let told = async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        let (input, output) = (descriptor(std::io::stdin())?, descriptor(std::io::stdout())?);
        bridge::run(endpoint, token, input, output, told).await;
        anyhow::Ok(ExitCode::SUCCESS)
    });
    // A read of stdin that is under way ends with the process, not before.
    runtime.shutdown_background();
    done
}

/// A standard stream without the buffer and the lock of the library's own.
fn descriptor(stream: impl AsFd) -> io::Result<File> {
    let owned = stream.as_fd().try_clone_to_owned()?;
    Ok(File::from_std(std::fs::File::from(owned)))
}
