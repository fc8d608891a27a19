//! Refreshes, whole, over HTTP: each connection has a family of its own and always presents the token
//! that it was given last, as a client does.
//!
//! What a person would approve is put straight into the store before it is measured.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use clap::Args;
use jiff::{SignedDuration, Timestamp};
use portcullis::{
    chance,
    id::Id,
    oauth::{Code, OAuthKeys},
    seal::{self, KeySource},
    secret::Secret,
    store::{Approve, Approved, NewGrant, Once, Store},
};
use serde_json::Value;
use tokio::task::JoinSet;

use super::{
    drive::Driven,
    http::{Ready, Target},
    process::Process,
    setting::{KEY, PATIENCE, free_port},
};

/// RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const REDIRECT: &str = "http://127.0.0.1/cb";

/// How to measure.
#[derive(Debug, Args)]
pub(crate) struct RefreshArgs {
    /// The gateway's binary, built with `--release`
    #[arg(default_value = "target/release/portcullis")]
    binary: PathBuf,
    /// Seconds of each turn
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Connections, each with a family of its own
    #[arg(long, value_delimiter = ',', default_value = "1,16,64")]
    connections: Vec<usize>,
    /// Where the store is made: the disk is most of what is measured
    #[arg(long, value_name = "DIR")]
    at: Option<PathBuf>,
}

/// Measures and prints.
pub(crate) fn run(args: &RefreshArgs) -> anyhow::Result<()> {
    let directory = match &args.at {
        Some(at) => tempfile::tempdir_in(at)?,
        None => tempfile::tempdir()?,
    };
    let port = free_port()?;
    std::fs::write(directory.path().join("portcullis.yaml"), yaml(port))?;
    let mut command = Command::new(args.binary.canonicalize()?);
    command.current_dir(directory.path()).env_remove("PORTCULLIS_CONFIG").env("PORTCULLIS_ENCRYPTION_KEY", KEY);
    let gateway = Process::start(command.args(["serve", "--log", "warn"]))?;
    let url = format!("http://127.0.0.1:{port}");
    let target = Target::read(&format!("{url}/oauth/token"), None)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let begun = Instant::now();
        while let Err(error) = target.connect().await {
            ensure!(begun.elapsed() < PATIENCE, "it does not come up: {error:#}");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        for &connections in &args.connections {
            let before = gateway.cpu()?;
            let driven = turn(&target, &url, directory.path(), connections, args.seconds).await?;
            ensure!(driven.errors == 0 && driven.calls > 0, "refreshes failed: {driven}");
            let cpu = gateway.cpu()?.saturating_sub(before);
            println!("{driven}  CPU {:.0} µs", cpu.as_secs_f64() * 1e6 / driven.calls as f64);
        }
        println!("memory {} KiB", gateway.memory()?.now);
        Ok(())
    })
}

/// So many connections, each with tokens of its own, for so long.
async fn turn(target: &Target, url: &str, at: &Path, connections: usize, seconds: f64) -> anyhow::Result<Driven> {
    let codes = codes(url, at, connections).await?;
    let mut workers = Vec::new();
    for code in codes {
        let redeem = format!(
            "grant_type=authorization_code&client_id=desk&code={code}&code_verifier={VERIFIER}&redirect_uri={REDIRECT}"
        );
        let mut connection = target.connect().await?;
        let token = next(connection.answer(&target.form(&redeem)).await?)?;
        workers.push((connection, token));
    }
    let begun = Instant::now();
    let end = begun + Duration::from_secs_f64(seconds.clamp(0.1, 60.0));
    let mut running = JoinSet::new();
    for (mut connection, mut token) in workers {
        let target = target.clone();
        running.spawn(async move {
            let mut times = Vec::new();
            while Instant::now() < end {
                let ask = ask(&target, &token);
                let sent = Instant::now();
                match connection.answer(&ask).await.and_then(next) {
                    Ok(given) => token = given,
                    Err(error) => return (times, Some(format!("{error:#}"))),
                }
                times.push(sent.elapsed());
            }
            (times, None)
        });
    }
    Driven::gathered(connections, running, begun).await
}

fn ask(target: &Target, token: &str) -> Ready {
    target.form(&format!("grant_type=refresh_token&client_id=desk&refresh_token={token}"))
}

/// The refresh token of an answer.
fn next(body: &[u8]) -> anyhow::Result<String> {
    let body: Value = serde_json::from_slice(body)?;
    Ok(body.get("refresh_token").and_then(Value::as_str).context("no refresh token")?.to_owned())
}

/// Codes that the owner approved for `desk`, in a store that a gateway uses.
async fn codes(url: &str, at: &Path, many: usize) -> anyhow::Result<Vec<String>> {
    let path = at.join(".portcullis/portcullis.db");
    let store = Store::open(&path).await?;
    let source = KeySource { configured: None, environment: Some(Secret::new(KEY.to_owned())) };
    let keys = OAuthKeys::of(&seal::open(&store, &path, source).await?);
    let mut codes = Vec::new();
    for _ in 0..many {
        #[expect(clippy::disallowed_methods, reason = "a client of the load harness has no other clock")]
        let now = Timestamp::now();
        let (code, mac) = Code::mint(&keys, chance::bytes()?);
        let approve = Approve {
            once: Once { name: "consent", id: chance::bytes::<16>()?.to_vec(), until: now },
            proof: None,
            grant: NewGrant {
                id: Id::new(now, chance::bytes()?),
                user: "local/owner".parse()?,
                client: "desk".parse()?,
                resource: format!("{url}/mcp"),
                scopes: vec!["tag:echo".parse()?],
                opened: [("tag:echo".parse()?, Default::default())].into(),
                groups: Default::default(),
                remembered: None,
            },
            code: mac,
            redirect_uri: REDIRECT.to_owned(),
            redirect_sent: true,
            challenge: CHALLENGE.to_owned(),
            renewable: true,
            expires_at: now + SignedDuration::from_secs(60),
            now,
        };
        ensure!(matches!(store.approve(approve).await?, Approved::Done { .. }), "not approved");
        codes.push(code.expose().to_owned());
    }
    store.close().await;
    Ok(codes)
}

fn yaml(port: u16) -> String {
    format!(
        "version: 1
listen: {{address: 127.0.0.1:{port}}}
tags: {{echo: Say things again}}
servers:
  echo: {{tags: [echo], http: {{url: 'http://127.0.0.1:9/mcp'}}}}
grants:
  - {{to: {{user: owner}}, scopes: [tag:echo]}}
oauth:
  clients:
    desk: {{redirect_uris: ['{REDIRECT}']}}
"
    )
}
