//! What goes back: an upstream's bytes untouched, unless its era asks for a field.
//!
//! What is listed and read depends on who asks, so it is `private` unless it provably is not, and what
//! is said of how long it holds is capped: a result that somebody keeps outlives a change of policy
//! (sheet `mcp.md` §1.4).

use serde_json::{Value, json};

use crate::mcp::{Era, Id, Kind, Object, Version, with_field, with_value};

/// The longest that a list may be kept, in milliseconds.
const LIST_TTL: u64 = 60_000;
/// The longest that what was read may be kept: nothing of it is decided again.
const READ_TTL: u64 = 10_000;
/// The key of our name in the `_meta` of a result (TR-36).
const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";
const US: &str =
    concat!(r#"{"name":"portcullis","title":"Portcullis","version":""#, env!("CARGO_PKG_VERSION"), r#""}"#);

/// Our name and version, as MCP's `Implementation`.
pub(crate) fn server_info() -> Value {
    serde_json::from_str(US).unwrap_or_default()
}

/// How long an answer holds, and for whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hint {
    pub(crate) ttl_ms: u64,
    /// Whether it is the same for everybody.
    pub(crate) public: bool,
}

impl Hint {
    /// What holds for answers made of parts: the least of all (CA-06, sheet `mcp.md` §1.4).
    pub(crate) fn least(parts: impl IntoIterator<Item = Self>) -> Self {
        let least =
            |all: Self, part: Self| Self { ttl_ms: all.ttl_ms.min(part.ttl_ms), public: all.public && part.public };
        parts.into_iter().reduce(least).unwrap_or(Self { ttl_ms: 0, public: false })
    }
}

/// A result of an upstream, as the caller's era has it. `cacheable` for the results that must say how
/// long they hold (CA-01): what is read is for who may read it.
pub(crate) fn finish(result: &str, era: Era, cacheable: bool) -> String {
    if era == Era::Legacy {
        return result.to_owned();
    }
    let object = Object::read(result).unwrap_or_default();
    let mut text = result.to_owned();
    match object.get("_meta").map(|meta| meta.get()) {
        None => text = with_field(&text, "_meta", &format!("{{\"{SERVER_INFO}\":{US}}}")),
        // What a modern server says of itself stays as it is.
        Some(meta) if Object::read(meta).is_ok_and(|meta| meta.get(SERVER_INFO).is_none()) => {
            text = with_value(&text, "_meta", &with_field(meta, SERVER_INFO, US));
        }
        Some(_) => {}
    }
    let incomplete = object.text("resultType").is_some_and(|kind| kind != "complete");
    if cacheable && !incomplete {
        let said = object.get("ttlMs").and_then(|ttl| ttl.get().parse::<u64>().ok());
        let ttl = said.unwrap_or(0).min(READ_TTL).to_string();
        for (key, value) in [("cacheScope", "\"private\""), ("ttlMs", ttl.as_str())] {
            text = match object.get(key) {
                Some(given) if given.get() == value => text,
                Some(_) => with_value(&text, key, value),
                None => with_field(&text, key, value),
            };
        }
    }
    if object.get("resultType").is_none() {
        text = with_field(&text, "resultType", "\"complete\"");
    }
    text
}

/// A list of ours.
pub(crate) fn list(kind: Kind, entries: &[u8], era: Era, hint: Hint, next: Option<&str>) -> Vec<u8> {
    let mut out = Vec::with_capacity(entries.len() + 256);
    out.push(b'{');
    if era == Era::Modern {
        let (ttl, scope) = (hint.ttl_ms.min(LIST_TTL), if hint.public { "public" } else { "private" });
        let said = format!(
            "\"resultType\":\"complete\",\"ttlMs\":{ttl},\"cacheScope\":\"{scope}\",\"_meta\":{{\"{SERVER_INFO}\":{US}}},"
        );
        out.extend_from_slice(said.as_bytes());
    }
    out.push(b'"');
    out.extend_from_slice(kind.field().as_bytes());
    out.extend_from_slice(b"\":[");
    out.extend_from_slice(entries);
    out.push(b']');
    if let Some(next) = next {
        out.extend_from_slice(b",\"nextCursor\":");
        Id::Text(next.into()).write(&mut out);
    }
    out.push(b'}');
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
        "_meta": { SERVER_INFO: server_info() },
    });
    if let (Some(result), Some(instructions)) = (result.as_object_mut(), instructions) {
        result.insert("instructions".into(), instructions.into());
    }
    result.to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    const META: &str = concat!(
        r#""_meta":{"io.modelcontextprotocol/serverInfo":{"name":"portcullis","title":"Portcullis","version":""#,
        env!("CARGO_PKG_VERSION"),
        r#""}}"#
    );

    #[test]
    fn cg03_tr35_tr36_fields_are_added_and_the_other_bytes_kept() {
        let raw = r#"{ "content" : [ ] }"#;
        assert_eq!(finish(raw, Era::Legacy, false), raw);
        assert_eq!(finish(raw, Era::Modern, false), format!(r#"{{"resultType":"complete",{META}, "content" : [ ] }}"#));
        assert_eq!(finish("{}", Era::Modern, false), format!(r#"{{"resultType":"complete",{META}}}"#));
        let theirs = r#"{"resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"x"}}}"#;
        assert_eq!(finish(theirs, Era::Modern, false), theirs);
        let meta = finish(r#"{"a":1.0,"_meta": {"x/y": 1.50}}"#, Era::Modern, false);
        assert!(
            meta.starts_with(r#"{"resultType":"complete","a":1.0,"_meta": {"io.modelcontextprotocol/serverInfo":"#)
        );
        assert!(meta.ends_with(r#","x/y": 1.50}}"#), "{meta}");
    }

    #[test]
    fn ca01_ca06_what_is_read_is_private_and_kept_for_little() {
        let said = |result: &str| {
            let result: Value = serde_json::from_str(&finish(result, Era::Modern, true)).unwrap();
            (result["ttlMs"].as_u64(), result["cacheScope"].as_str().map(str::to_owned))
        };
        let private = |ttl| (Some(ttl), Some("private".to_owned()));
        assert_eq!(said(r#"{"contents":[]}"#), private(0));
        assert_eq!(said(r#"{"contents":[],"ttlMs":5000,"cacheScope":"public"}"#), private(5000));
        assert_eq!(said(r#"{"contents":[],"ttlMs":99999999,"cacheScope":"private"}"#), private(READ_TTL));
        assert_eq!(said(r#"{"contents":[],"ttlMs":-5}"#), private(0));
        // CA-02: what is no result yet says nothing of how long it holds.
        assert_eq!(said(r#"{"resultType":"input_required","inputRequests":{}}"#), (None, None));
    }

    #[test]
    fn a_merge_holds_as_long_as_its_least_part_and_is_public_where_all_are() {
        let hint = |ttl_ms, public| Hint { ttl_ms, public };
        assert_eq!(Hint::least([hint(5, true), hint(3, true)]), hint(3, true));
        assert_eq!(Hint::least([hint(5, true), hint(7, false)]), hint(5, false));
        assert_eq!(Hint::least([]), hint(0, false));
    }
}
