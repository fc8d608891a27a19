//! The wire before the gateway: what is accepted, what is refused, and who is served meanwhile.

/// Connections and requests in numbers, and callers that are slow.
mod flood;
/// Requests whose length can be read in two ways.
mod framing;
/// HTTP/2.
mod http2;
/// What flags and variables say instead of the file.
mod instead;
/// The socket that systemd passes.
mod passed;
/// Proxies in front of it.
mod proxy;
/// TLS that ends here.
mod tls;

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::running::{Running, request};

/// The demonstration, its listener with more keys.
fn yaml(more: &str) -> String {
    crate::gateway::DEMO
        .replace("listen: {address: '{address}'}", &format!("listen: {{address: '{{address}}', {more}}}"))
}

/// A caller who means well is served within a second, whatever else goes on: the middle one of nine calls.
fn served(gateway: &Running, token: &str) -> Duration {
    let mut times: Vec<Duration> = (0..9)
        .map(|_| {
            let begun = Instant::now();
            let answer = gateway.call("/mcp", Some(token), "time__now", json!({}));
            assert!(answer.status == 200 && answer.json()["result"].is_object(), "{answer:?}");
            begun.elapsed()
        })
        .collect();
    times.sort_unstable();
    assert!(times[4] < Duration::from_secs(1), "{times:?}");
    times[4]
}

/// A call that stands alone: its header fields and its body.
fn call(tool: &str) -> (Vec<(&'static str, String)>, String) {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let fields = [
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "tools/call"),
        ("mcp-name", tool),
    ];
    let fields = fields.map(|(name, value)| (name, value.to_owned())).into();
    (fields, request("tools/call", json!({"name": tool, "arguments": {}, "_meta": meta})).to_string())
}
