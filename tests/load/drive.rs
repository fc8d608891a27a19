//! Calls from many connections at once, each sending its next call when the last was answered.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use serde::Serialize;
use serde_json::json;
use tokio::task::JoinSet;

use super::http::{Ask, Target};

/// When to end.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Until {
    After(Duration),
    Calls(usize),
}

/// What was measured.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Driven {
    pub(crate) connections: usize,
    pub(crate) calls: usize,
    pub(crate) errors: usize,
    pub(crate) per_second: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    /// What the first error said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) first_error: Option<String>,
}

/// A call of a tool with an argument of a usual length.
pub(crate) fn call(tool: &str, modern: bool) -> Ask {
    let text = "The quick brown fox jumps over the lazy dog, and the gateway writes it down.";
    ask("tools/call", json!({ "name": tool, "arguments": { "text": text, "path": "docs/readme.md" } }), modern)
}

/// The list of tools.
pub(crate) fn list() -> Ask {
    ask("tools/list", json!({}), true)
}

/// Whether somebody is there.
pub(crate) fn ping() -> Ask {
    ask("server/discover", json!({}), true)
}

/// Opens a legacy session.
pub(crate) fn hello() -> Ask {
    let client = json!({ "name": "portcullis-load", "version": "1" });
    ask("initialize", json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client }), false)
}

fn ask(method: &str, mut params: serde_json::Value, modern: bool) -> Ask {
    let version = if modern { "2026-07-28" } else { "2025-11-25" };
    let mut fields = vec![("mcp-protocol-version", version.to_owned())];
    if modern {
        fields.push(("mcp-method", method.to_owned()));
        fields.extend(params.get("name").and_then(|name| name.as_str()).map(|name| ("mcp-name", name.to_owned())));
        if let Some(params) = params.as_object_mut() {
            let meta = json!({ "io.modelcontextprotocol/protocolVersion": version, "io.modelcontextprotocol/clientCapabilities": {} });
            params.insert("_meta".into(), meta);
        }
    }
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string();
    Ask { body, fields }
}

/// Keeps `connections` busy with one ask. Every answer has to be a result.
pub(crate) fn drive(target: &Target, ask: &Ask, connections: usize, until: Until) -> anyhow::Result<Driven> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (request, left) = (Arc::new(target.ready(ask)), Arc::new(AtomicUsize::new(0)));
        let mut open = Vec::new();
        for _ in 0..connections.clamp(1, 1024) {
            open.push(target.connect().await?);
        }
        let begun = Instant::now();
        let end = match until {
            Until::After(time) => {
                left.store(usize::MAX, Ordering::Relaxed);
                begun + time
            }
            Until::Calls(calls) => {
                left.store(calls, Ordering::Relaxed);
                begun + Duration::from_secs(600)
            }
        };
        let mut workers = JoinSet::new();
        for mut connection in open {
            let (request, left) = (Arc::clone(&request), Arc::clone(&left));
            workers.spawn(async move {
                let mut times = Vec::new();
                let mut failed = None;
                while Instant::now() < end
                    && left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
                {
                    let sent = Instant::now();
                    if let Err(error) = connection.ask(&request).await {
                        // What the connection is in now is not known: it ends here.
                        failed = Some(format!("{error:#}"));
                        break;
                    }
                    times.push(sent.elapsed());
                }
                (times, failed)
            });
        }
        Driven::gathered(connections, workers, begun).await
    })
}

impl Driven {
    /// From what each connection did since `begun`: how long each call took, and what it said if it failed.
    ///
    /// # Errors
    /// When one of them was not worked through.
    pub(crate) async fn gathered(
        connections: usize,
        mut workers: JoinSet<(Vec<Duration>, Option<String>)>,
        begun: Instant,
    ) -> anyhow::Result<Self> {
        let (mut times, mut failed) = (Vec::new(), Vec::new());
        while let Some(joined) = workers.join_next().await {
            let (some, error) = joined?;
            times.extend(some);
            failed.extend(error);
        }
        Ok(Self::of(connections, times, failed, begun.elapsed()))
    }

    /// From how long each call took, and what the connections said that failed.
    fn of(connections: usize, mut times: Vec<Duration>, failed: Vec<String>, elapsed: Duration) -> Self {
        times.sort_unstable();
        let calls = times.len();
        let at = |share: usize| {
            times.get((calls * share / 100).min(calls.saturating_sub(1))).map_or(0.0, |time| time.as_secs_f64() * 1e6)
        };
        Self {
            connections,
            calls,
            errors: failed.len(),
            per_second: calls as f64 / elapsed.as_secs_f64(),
            p50_us: at(50),
            p99_us: at(99),
            first_error: failed.into_iter().next(),
        }
    }
}

impl fmt::Display for Driven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { connections, calls, errors, per_second, p50_us, p99_us, first_error } = self;
        write!(
            f,
            "{connections} connections  {calls} calls  {per_second:.0}/s  p50 {p50_us:.0} µs  p99 {p99_us:.0} µs  {errors} errors"
        )?;
        first_error.as_ref().map_or(Ok(()), |error| write!(f, "\n  {error}"))
    }
}
