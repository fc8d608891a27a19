//! What is measured: two echo upstreams, one of a thousand tools, and a gateway before them with OAuth
//! on, in a directory that goes away.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use tempfile::TempDir;

use super::{drive, http::Target, process::Process};

/// A raw key: a passphrase would cost its third of a second at each start.
pub(crate) const KEY: &str = "base64:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
/// How long something may take to come up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The upstreams, and what a gateway needs to serve them.
#[derive(Debug)]
pub(crate) struct Setting {
    pub(crate) node: Upstream,
    pub(crate) rust: Upstream,
    binary: PathBuf,
    directory: TempDir,
    port: u16,
    token: String,
}

/// An upstream at its address.
#[derive(Debug)]
pub(crate) struct Upstream {
    pub(crate) process: Process,
    port: u16,
}

/// What a start took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Started {
    /// Until a call of a tool was answered, the upstream's session included.
    pub(crate) call: Duration,
    /// Until a request was answered.
    pub(crate) answer: Duration,
}

impl Setting {
    /// Starts the upstreams, writes the configuration, `more` at its end, and issues a token.
    pub(crate) fn new(binary: &Path, more: &str) -> anyhow::Result<Self> {
        let ourselves = std::env::current_exe()?;
        let start = |command: &mut Command, port: u16| {
            Ok::<_, anyhow::Error>(Upstream { process: Process::start(command)?, port })
        };
        let (a, b, port) = (free_port()?, free_port()?, free_port()?);
        let node = start(Command::new("node").arg(super::echo_in_node()).arg(a.to_string()), a)?;
        let rust = start(Command::new(ourselves).args(["upstream", &format!("127.0.0.1:{b}")]), b)?;
        let directory = tempfile::tempdir()?;
        std::fs::write(directory.path().join("portcullis.yaml"), yaml(port, a, b) + more)?;
        let mut setting = Self { node, rust, binary: binary.to_owned(), directory, port, token: String::new() };
        setting.token = setting.issue()?;
        for upstream in [&setting.node, &setting.rust] {
            upstream.target().answers("echo")?;
        }
        Ok(setting)
    }

    /// Starts a gateway and waits until it has answered.
    pub(crate) fn gateway(&self) -> anyhow::Result<(Process, Started)> {
        let begun = Instant::now();
        let process = Process::start(self.portcullis().args(["serve", "--log", "warn"]))?;
        let target = self.through()?;
        target.answers_to(&drive::ping())?;
        let answer = begun.elapsed();
        target.answers("rust__echo")?;
        Ok((process, Started { answer, call: begun.elapsed() }))
    }

    /// The gateway, which has all servers at one endpoint.
    pub(crate) fn through(&self) -> anyhow::Result<Target> {
        Target::read(&format!("http://127.0.0.1:{}/mcp", self.port), Some(self.token.clone()))
    }

    /// How long `check` takes for a configuration of this many servers.
    pub(crate) fn check(&self, servers: usize) -> anyhow::Result<Duration> {
        let path = self.directory.path().join(format!("{servers}.yaml"));
        if !path.exists() {
            std::fs::write(&path, many_servers(servers))?;
        }
        let begun = Instant::now();
        let done = Command::new(&self.binary).arg("--config").arg(&path).arg("check").output()?;
        let took = begun.elapsed();
        let said = String::from_utf8_lossy(&done.stdout);
        ensure!(
            done.status.code().is_some_and(|status| status < 2),
            "`check` of {servers} servers could not tell: {said}"
        );
        Ok(took)
    }

    fn issue(&self) -> anyhow::Result<String> {
        let done = self.portcullis().args(["token", "issue", "--scopes", "tag:echo", "--ttl", "1h"]).output()?;
        ensure!(done.status.success(), "no token: {}", String::from_utf8_lossy(&done.stderr));
        Ok(String::from_utf8(done.stdout)?.trim().to_owned())
    }

    fn portcullis(&self) -> Command {
        let mut command = Command::new(&self.binary);
        command
            .current_dir(self.directory.path())
            .env_remove("PORTCULLIS_CONFIG")
            .env("PORTCULLIS_ENCRYPTION_KEY", KEY);
        command
    }
}

impl Upstream {
    /// The upstream itself, without a gateway before it.
    pub(crate) fn target(&self) -> Target {
        Target::local(self.port)
    }
}

impl Target {
    /// Waits until a tool answers.
    fn answers(&self, tool: &str) -> anyhow::Result<()> {
        self.answers_to(&drive::call(tool, true))
    }

    fn answers_to(&self, ask: &super::http::Ask) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let request = self.ready(ask);
        let begun = Instant::now();
        runtime.block_on(async {
            loop {
                let outcome = match self.connect().await {
                    Ok(mut connection) => connection.ask(&request).await.map(|_| ()),
                    Err(error) => Err(error),
                };
                match outcome {
                    Ok(()) => return Ok(()),
                    Err(error) if begun.elapsed() > PATIENCE => return Err(error).context("it does not come up"),
                    Err(_) => tokio::time::sleep(Duration::from_micros(200)).await,
                }
            }
        })
    }
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?.local_addr()?.port())
}

fn yaml(port: u16, node: u16, rust: u16) -> String {
    format!(
        "version: 1
listen: {{address: 127.0.0.1:{port}}}
tags: {{echo: Say things again}}
servers:
  node: {{tags: [echo], http: {{url: 'http://127.0.0.1:{node}/mcp'}}}}
  rust: {{tags: [echo], http: {{url: 'http://127.0.0.1:{rust}/mcp'}}}}
  many: {{tags: [echo], http: {{url: 'http://127.0.0.1:{rust}/1000'}}}}
grants:
  - {{to: {{user: owner}}, scopes: [tag:echo]}}
rules:
  - id: nothing-found
    forbid: {{servers: ['*']}}
    when: context.findings.contains(\"path-traversal\")
"
    )
}

fn many_servers(count: usize) -> String {
    let mut tags = String::new();
    let mut servers = String::new();
    let mut scopes = Vec::new();
    for nth in 0..count {
        tags.push_str(&format!("  t{nth}: What server {nth} does\n"));
        servers.push_str(&format!(
            "  s{nth}:\n    tags: [t{nth}]\n    http: {{url: 'https://s{nth}.example.com/mcp'}}\n    tools:\n      'delete_*': deny\n"
        ));
        scopes.push(format!("'tag:t{nth}'"));
    }
    format!(
        "version: 1\ntags:\n{tags}servers:\n{servers}grants:\n  - {{to: {{user: owner}}, scopes: [{}]}}\n",
        scopes.join(", ")
    )
}
