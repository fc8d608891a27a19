//! What goes back: an upstream's bytes untouched, unless its era asks for a field.
//!
//! Everything is `private`: what is listed and read depends on who asks (sheet `mcp.md` §1.4). The
//! lifetime is 0 until upstreams' own hints are relayed.

use serde_json::{Value, json};

use crate::mcp::{Era, Kind, Object, Version};

/// Our name and version, as MCP's `Implementation`.
pub(crate) fn server_info() -> Value {
    json!({ "name": "portcullis", "title": "Portcullis", "version": env!("CARGO_PKG_VERSION") })
}

/// A result of an upstream, as the caller's era has it. `cacheable` for the results that must say how
/// long they hold (CA-01).
pub(crate) fn finish(result: &str, era: Era, cacheable: bool) -> String {
    match era {
        Era::Legacy => result.to_owned(),
        Era::Modern => {
            let object = Object::read(result).unwrap_or_default();
            let mut added = String::new();
            if object.get("resultType").is_none() {
                added.push_str("\"resultType\":\"complete\",");
            }
            if cacheable && object.get("cacheScope").is_none() && object.get("ttlMs").is_none() {
                added.push_str("\"ttlMs\":0,\"cacheScope\":\"private\",");
            }
            let rest = result.trim_start().strip_prefix('{').unwrap_or("}");
            if rest.trim_start().starts_with('}') {
                _ = added.pop();
            }
            format!("{{{added}{rest}")
        }
    }
}

/// A list of ours.
pub(crate) fn list(kind: Kind, entries: &[u8], era: Era) -> Vec<u8> {
    let mut out = Vec::with_capacity(entries.len() + 96);
    out.push(b'{');
    if era == Era::Modern {
        out.extend_from_slice(br#""resultType":"complete","ttlMs":0,"cacheScope":"private","#);
    }
    out.push(b'"');
    out.extend_from_slice(kind.field().as_bytes());
    out.extend_from_slice(b"\":[");
    out.extend_from_slice(entries);
    out.extend_from_slice(b"]}");
    out
}

/// The answer to `initialize`.
pub(crate) fn initialized(version: Version, capabilities: &Value, instructions: Option<&str>) -> Vec<u8> {
    let mut result =
        json!({ "protocolVersion": version.as_str(), "capabilities": capabilities, "serverInfo": server_info() });
    if let (Some(result), Some(instructions)) = (result.as_object_mut(), instructions) {
        result.insert("instructions".into(), instructions.into());
    }
    result.to_string().into_bytes()
}

/// The answer to `server/discover`. Legacy versions are offered through `initialize` only.
pub(crate) fn discovered(capabilities: &Value, instructions: Option<&str>) -> Vec<u8> {
    let mut result = json!({
        "resultType": "complete",
        "supportedVersions": [Version::V2026_07_28.as_str()],
        "capabilities": capabilities,
        "ttlMs": 0,
        "cacheScope": "private",
        "_meta": { "io.modelcontextprotocol/serverInfo": server_info() },
    });
    if let (Some(result), Some(instructions)) = (result.as_object_mut(), instructions) {
        result.insert("instructions".into(), instructions.into());
    }
    result.to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cg03_fields_are_added_and_the_other_bytes_kept() {
        let raw = r#"{ "content" : [ ] }"#;
        assert_eq!(finish(raw, Era::Legacy, false), raw);
        assert_eq!(finish(raw, Era::Modern, false), r#"{"resultType":"complete", "content" : [ ] }"#);
        assert_eq!(finish("{}", Era::Modern, false), r#"{"resultType":"complete"}"#);
        assert_eq!(finish("{}", Era::Modern, true), r#"{"resultType":"complete","ttlMs":0,"cacheScope":"private"}"#);
        assert_eq!(finish(r#"{"resultType":"complete"}"#, Era::Modern, false), r#"{"resultType":"complete"}"#);
    }
}
