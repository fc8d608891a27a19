//! `portcullis connect`: a gateway for clients that speak over stdin and stdout alone.

use std::{
    io,
    os::fd::AsFd,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use clap::Args;
use tokio::{
    fs::File,
    signal::unix::{SignalKind, signal},
};

use super::environment;
use crate::{
    bridge::{self, Browser, Ended, Endpoint, Manner, SignIn, Token},
    telemetry::{self, Format},
};

/// What to connect to.
#[derive(Debug, Args)]
#[command(
    after_help = "For clients that start their servers and speak MCP with them over stdin and stdout.\nIn such a client's configuration:\n\n  {\"mcpServers\": {\"gate\": {\n    \"command\": \"portcullis\", \"args\": [\"connect\", \"http://127.0.0.1:3050/mcp\"]\n  }}}\n\nA gateway that wants a token gets one by you signing in: a browser is opened, and the page's address is\non stderr, too. The tokens are kept in $XDG_DATA_HOME/portcullis (~/.local/share/portcullis; on macOS\n~/Library/Application Support/portcullis), for you alone, and renewed. portcullis.yaml is not read.\n\nWhere nobody can sign in, --token-file names a file with what `portcullis token issue` printed, which\nnobody else may read (chmod 600). It is read again when the token is refused.\n\nExamples:\n  portcullis connect https://mcp.example.com/mcp/files\n  portcullis connect --logout https://mcp.example.com/mcp/files\n  (umask 077; portcullis token issue --scopes tag:files --ttl 30d > ~/.portcullis-token)\n  portcullis connect https://mcp.example.com/mcp/files --token-file ~/.portcullis-token\n\nExit status: 0 its input ended, it was told to stop, or nothing is kept any more; 1 the tokens are kept no more, but\nthe gateway could not be told; 2 it could not start."
)]
pub(super) struct ConnectArgs {
    /// The URL of the gateway's /mcp, or of /mcp/SERVER; https, unless it is this machine
    #[arg(value_name = "URL")]
    url: String,
    /// The file that holds the token; without it you sign in if the gateway wants a token
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// The client id to sign in with, where the gateway registers none by itself
    #[arg(long, value_name = "ID", conflicts_with = "token_file")]
    client_id: Option<String>,
    /// Open no browser; the address of the page is on stderr in any case
    #[arg(long, conflicts_with = "token_file")]
    no_browser: bool,
    /// Give back and delete the tokens that are kept for this URL, and do nothing else
    #[arg(long, conflicts_with_all = ["token_file", "client_id", "no_browser"])]
    logout: bool,
    /// What goes to the log on stderr: error, warn, info, debug or trace
    #[arg(long, default_value = "info", env = "PORTCULLIS_LOG", hide_env_values = true, value_name = "LEVEL")]
    log: tracing::Level,
}

pub(super) fn run(args: ConnectArgs) -> anyhow::Result<ExitCode> {
    let ConnectArgs { url, token_file, client_id, no_browser, logout, log } = args;
    let endpoint = Arc::new(Endpoint::parse(&url)?);
    // Whoever reads it is a person who looks into the client's log.
    let token = match token_file {
        Some(file) => Some(Token::file(file)?),
        None => None,
    };
    telemetry::start(Format::Human, log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let sign_in = || {
        let browser = if no_browser { Browser::none() } else { Browser::of(environment("BROWSER").as_deref()) };
        let data = data();
        SignIn::new(endpoint.clone(), Manner { client: client_id, browser, data: data.as_deref() })
    };
    let done = runtime.block_on(async {
        if logout {
            return end(&sign_in(), &endpoint).await;
        }
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let told = async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        let (input, output) = (descriptor(std::io::stdin())?, descriptor(std::io::stdout())?);
        let token = token.unwrap_or_else(|| Token::SignIn(sign_in()));
        bridge::run(endpoint.clone(), token, input, output, told).await;
        Ok(ExitCode::SUCCESS)
    });
    // A read of stdin that is under way ends with the process, not before.
    runtime.shutdown_background();
    done
}

/// Ends what was granted for a URL.
#[expect(clippy::print_stderr, reason = "it is said to the person who runs the command, whatever is logged")]
async fn end(sign_in: &SignIn, endpoint: &Endpoint) -> anyhow::Result<ExitCode> {
    let url = endpoint.shown();
    match sign_in.end().await {
        Ok(Ended::Nothing) => eprintln!("nothing is kept for `{url}`"),
        Ok(Ended::Whole) => eprintln!("the tokens for `{url}` are given back and deleted"),
        Ok(Ended::Here(why)) => {
            eprintln!(
                "the tokens for `{url}` are deleted here, but they could not be given back, and end by themselves: {why}"
            );
            return Ok(ExitCode::FAILURE);
        }
        Err(error) => return Err(error.into()),
    }
    Ok(ExitCode::SUCCESS)
}

/// The system's directory for a user's data, and ours in it.
fn data() -> Option<PathBuf> {
    let named = |name| environment(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = |below: &str| named("HOME").map(|home| home.join(below));
    let system = if cfg!(target_os = "macos") { "Library/Application Support" } else { ".local/share" };
    named("XDG_DATA_HOME").or_else(|| home(system)).map(|data: PathBuf| Path::join(&data, "portcullis"))
}

/// A standard stream without the buffer and the lock of the library's own.
fn descriptor(stream: impl AsFd) -> io::Result<File> {
    let owned = stream.as_fd().try_clone_to_owned()?;
    Ok(File::from_std(std::fs::File::from(owned)))
}
