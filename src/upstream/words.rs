//! A request in the words of its upstream's era, and what its answer means there.
//!
//! SPEC: MCP basic, "_meta"; MCP 2026-07-28, patterns, "MRTR"; CL-12, PX-07, PX-09, PX-13, TR-40.

use super::{Outgoing, Reply, Trouble, hearing::declares};
use crate::mcp::{Method, Object, Version};

/// The parameters for a legacy upstream: the caller's own `_meta` members and our progress token.
pub(super) fn legacy(outgoing: &Outgoing) -> Vec<u8> {
    let token = outgoing.side.as_ref().map(|side| side.token.to_string());
    let mut meta = Meta::new(&outgoing.manner.meta);
    if let Some(token) = token {
        meta.add("progressToken", &[token.as_bytes()]);
    }
    with_meta(&outgoing.params, &meta.0)
}

/// The parameters for a modern upstream: all that it is to know goes with them.
pub(super) fn modern(outgoing: &Outgoing) -> Vec<u8> {
    let Outgoing { method: _, params, manner, side, timeout: _ } = outgoing;
    let mut meta = Meta::new(&manner.meta);
    meta.add("io.modelcontextprotocol/protocolVersion", &[b"\"", MODERN.as_bytes(), b"\""]);
    let client = if manner.client_info.is_empty() { US.as_bytes() } else { &*manner.client_info };
    meta.add("io.modelcontextprotocol/clientInfo", &[client]);
    let capabilities = if manner.capabilities.is_empty() { b"{}" } else { &*manner.capabilities };
    meta.add("io.modelcontextprotocol/clientCapabilities", &[capabilities]);
    if let Some(level) = manner.log_level {
        meta.add("io.modelcontextprotocol/logLevel", &[b"\"", level.as_str().as_bytes(), b"\""]);
    }
    if let Some(side) = side {
        meta.add("progressToken", &[side.token.to_string().as_bytes()]);
    }
    with_meta(params, &meta.0)
}

/// The version that modern requests name.
pub(super) const MODERN: &str = Version::V2026_07_28.as_str();

/// What we say that we are where the caller does not say what it is.
pub(super) const US: &str = concat!(r#"{"name":"portcullis","version":""#, env!("CARGO_PKG_VERSION"), r#""}"#);

/// What the answer of a modern upstream is: a result without `resultType` is complete, one of an
/// unknown type is none.
pub(super) fn meaning(outgoing: &Outgoing, reply: Reply) -> Result<Reply, Trouble> {
    let Reply::Result(result) = reply else { return Ok(reply) };
    let fields = std::str::from_utf8(&result).ok().and_then(|text| Object::read(text).ok()).ok_or(Trouble::Garbage)?;
    let Some(kind) = fields.get("resultType") else { return Ok(Reply::Result(result)) };
    match kind.get() {
        "\"complete\"" => Ok(Reply::Result(result)),
        "\"input_required\"" => {
            may_require_input(outgoing, &fields)?;
            Ok(Reply::InputRequired(result))
        }
        _ => Err(Trouble::Garbage),
    }
}

/// Whether a request may be answered with questions, and these are such as its caller can be asked.
fn may_require_input(outgoing: &Outgoing, fields: &Object<'_>) -> Result<(), Trouble> {
    if !matches!(outgoing.method, Method::ToolsCall | Method::PromptsGet | Method::ResourcesRead) {
        return Err(Trouble::Garbage);
    }
    let state = fields.text("requestState");
    let Some(asked) = fields.get("inputRequests") else { return state.map(drop).ok_or(Trouble::Garbage) };
    let asked = Object::read(asked.get()).map_err(|_| Trouble::Garbage)?;
    for (_, question) in asked.fields() {
        let question = Object::read(question.get()).map_err(|_| Trouble::Garbage)?;
        let method = question.text("method").and_then(|method| Method::from_text(&method)).ok_or(Trouble::Garbage)?;
        if !declares(&outgoing.manner.capabilities, method) {
            return Err(Trouble::Undeclared);
        }
    }
    Ok(())
}

/// The members of a `_meta`, with commas between them.
struct Meta(Vec<u8>);

impl Meta {
    fn new(members: &[u8]) -> Self {
        Self(members.to_vec())
    }

    /// One more; `key` needs no escapes and `value` is JSON in parts.
    fn add(&mut self, key: &str, value: &[&[u8]]) {
        if !self.0.is_empty() {
            self.0.push(b',');
        }
        self.0.push(b'"');
        self.0.extend_from_slice(key.as_bytes());
        self.0.extend_from_slice(b"\":");
        value.iter().for_each(|part| self.0.extend_from_slice(part));
    }
}

/// An object of parameters with a `_meta` of these members, where there are any.
fn with_meta(params: &[u8], members: &[u8]) -> Vec<u8> {
    let Some(open) = params.strip_suffix(b"}").or_else(|| params.is_empty().then_some(b"{".as_slice())) else {
        return params.to_vec();
    };
    if members.is_empty() {
        return params.to_vec();
    }
    let mut out = Vec::with_capacity(params.len() + members.len() + 16);
    out.extend_from_slice(open);
    if open.contains(&b':') {
        out.push(b',');
    }
    out.extend_from_slice(br#""_meta":{"#);
    out.extend_from_slice(members);
    out.extend_from_slice(b"}}");
    out
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::{
        mcp::LogLevel,
        upstream::{Manner, Side},
    };

    fn outgoing(params: &'static str) -> Outgoing {
        Outgoing {
            method: Method::ToolsCall,
            params: Bytes::from_static(params.as_bytes()),
            manner: Manner::default(),
            side: None,
            timeout: std::time::Duration::from_secs(1),
        }
    }

    #[test]
    fn px07_meta_goes_last_and_only_where_there_is_any() {
        let written =
            |params: &str, members: &str| String::from_utf8(with_meta(params.as_bytes(), members.as_bytes())).unwrap();
        assert_eq!(written("", ""), "");
        assert_eq!(written("", "\"a\":1"), r#"{"_meta":{"a":1}}"#);
        assert_eq!(written("{}", "\"a\":1"), r#"{"_meta":{"a":1}}"#);
        assert_eq!(written(r#"{"name":"x"}"#, "\"a\":1,\"b\":2"), r#"{"name":"x","_meta":{"a":1,"b":2}}"#);
        assert_eq!(legacy(&outgoing(r#"{"name":"x"}"#)), br#"{"name":"x"}"#);
    }

    #[test]
    fn px09_a_modern_upstream_is_told_what_the_caller_can_do_and_no_more() {
        let bare = String::from_utf8(modern(&outgoing(""))).unwrap();
        assert_eq!(
            bare,
            format!(
                r#"{{"_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{US},"io.modelcontextprotocol/clientCapabilities":{{}}}}}}"#
            )
        );
        let (side, _heard) = Side::open(1);
        let token = side.token;
        let manner = Manner {
            meta: Bytes::from_static(b"\"traceparent\":\"00\""),
            capabilities: Bytes::from_static(br#"{"roots":{}}"#),
            client_info: Bytes::from_static(br#"{"name":"c"}"#),
            log_level: Some(LogLevel::Info),
            owner: None,
        };
        let full = Outgoing { manner, side: Some(side), ..outgoing(r#"{"name":"x"}"#) };
        let full: serde_json::Value = serde_json::from_slice(&modern(&full)).unwrap();
        assert_eq!(
            full["_meta"],
            serde_json::json!({
                "traceparent": "00",
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientInfo": {"name": "c"},
                "io.modelcontextprotocol/clientCapabilities": {"roots": {}},
                "io.modelcontextprotocol/logLevel": "info",
                "progressToken": token,
            })
        );
    }

    #[test]
    fn cl12_px13_a_result_is_complete_or_asks_for_what_may_be_asked() {
        let means = |method, capabilities: &'static str, result: &'static str| {
            let mut outgoing = outgoing("{}");
            outgoing.method = method;
            outgoing.manner.capabilities = Bytes::from_static(capabilities.as_bytes());
            meaning(&outgoing, Reply::Result(Bytes::from_static(result.as_bytes())))
        };
        let call = Method::ToolsCall;
        for complete in ["{}", r#"{"resultType":"complete"}"#] {
            assert!(matches!(means(call, "", complete), Ok(Reply::Result(_))), "{complete}");
        }
        let roots = r#"{"resultType":"input_required","inputRequests":{"a":{"method":"roots/list"}}}"#;
        let state = r#"{"resultType":"input_required","requestState":"s"}"#;
        assert!(matches!(means(call, r#"{"roots":{}}"#, roots), Ok(Reply::InputRequired(_))));
        assert!(matches!(means(Method::PromptsGet, "", state), Ok(Reply::InputRequired(_))));
        assert_eq!(means(call, r#"{"sampling":{}}"#, roots), Err(Trouble::Undeclared));
        assert_eq!(means(call, "", roots), Err(Trouble::Undeclared));
        for (method, bad) in [
            (Method::ToolsList, state),
            (call, r#"{"resultType":"weird"}"#),
            (call, r#"{"resultType":7}"#),
            (call, r#"{"resultType":"input_required"}"#),
            (call, r#"{"resultType":"input_required","requestState":7}"#),
            (call, r#"{"resultType":"input_required","inputRequests":[]}"#),
            (call, r#"{"resultType":"input_required","inputRequests":{"a":{"method":"tools/call","x":1}}}"#),
            (call, r#"{"resultType":"input_required","inputRequests":{"a":{"method":"x"}}}"#),
        ] {
            assert!(means(method, r#"{"roots":{}}"#, bad).is_err(), "{bad}");
        }
    }
}
