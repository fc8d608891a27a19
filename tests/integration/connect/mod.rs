//! `portcullis connect`: a real bridge before a real gateway, and before servers that misbehave.

/// Before a real gateway.
mod gateway;
/// Sessions, streams and broken connections, before a server that does as a test says.
mod server;
/// Signing in.
mod sign_in;
/// What does not start.
mod start;

use serde_json::{Value, json};

/// A legacy client's first words.
pub(crate) fn initialize(id: Value) -> Value {
    let about = json!({"name": "portcullis-tests", "version": "1"});
    json!({
        "jsonrpc": "2.0", "id": id, "method": "initialize",
        "params": {"protocolVersion": "2025-06-18", "capabilities": {"roots": {}}, "clientInfo": about},
    })
}

pub(crate) fn initialized() -> Value {
    json!({"jsonrpc": "2.0", "method": "notifications/initialized"})
}

/// A legacy request.
pub(crate) fn legacy(id: impl Into<Value>, method: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id.into(), "method": method, "params": params})
}

/// A modern request.
pub(crate) fn modern(id: impl Into<Value>, method: &str, mut params: Value) -> Value {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    legacy(id, method, params)
}

/// The names of the tools that an answer lists.
pub(crate) fn tools(answer: &Value) -> Vec<&str> {
    let tools = answer["result"]["tools"].as_array().unwrap_or_else(|| panic!("{answer}"));
    tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect()
}

/// What an error says.
pub(crate) fn words(answer: &Value) -> &str {
    answer["error"]["message"].as_str().unwrap_or_else(|| panic!("{answer}"))
}
