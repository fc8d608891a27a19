//! What a client said: whether it wants an answer, and which header fields go with it.
//!
//! A request of the modern era names its version itself; everything else is of the legacy era, whose
//! header fields are the session's.
//!
//! SPEC: MCP 2026-07-28, transports, "Standard request headers"; TR-14, TR-21, TR-22, CL-08.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::value::RawValue;

use super::parameters::Parameters;
use crate::mcp::{Era, Id, Message, Meta, Method, Object, ParseError, header};

/// A message of the client's.
#[derive(Debug)]
pub(super) struct Spoken {
    /// Its very bytes.
    pub(super) body: Bytes,
    /// What it wants.
    pub(super) kind: Kind,
    /// The header fields that it asks for, in the modern era.
    pub(super) modern: Option<HeaderMap>,
}

/// What a message wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// An answer with this id. The method where it is one that we know.
    Request(Id, Option<Method>),
    /// That this request be given up, where it says which.
    Cancelled(Option<Id>),
    /// To be heard. The method where it is one that we know.
    Notification(Option<Method>),
    /// To be an answer.
    Response,
}

impl Spoken {
    /// Reads a line.
    pub(super) fn read(line: Bytes, parameters: &Parameters) -> Result<Self, ParseError> {
        let (kind, modern) = match Message::from_caller(&line)? {
            Message::Request(request) => {
                let modern = modern(&request.method, request.params, parameters);
                (Kind::Request(request.id, Method::from_text(&request.method)), modern)
            }
            Message::Notification(notification) => {
                let method = Method::from_text(&notification.method);
                let kind = match method {
                    Some(Method::Cancelled) => Kind::Cancelled(cancelled(notification.params)),
                    method => Kind::Notification(method),
                };
                (kind, modern(&notification.method, notification.params, parameters))
            }
            Message::Response(_) => (Kind::Response, None),
        };
        Ok(Self { body: line, kind, modern })
    }

    /// The era that it is of.
    pub(super) const fn era(&self) -> Era {
        if self.modern.is_some() { Era::Modern } else { Era::Legacy }
    }

    /// The method, where it is a request of one that we know.
    pub(super) const fn asks(&self) -> Option<Method> {
        match &self.kind {
            Kind::Request(_, method) => *method,
            Kind::Cancelled(_) | Kind::Notification(_) | Kind::Response => None,
        }
    }
}

fn modern(method: &str, params: Option<&RawValue>, parameters: &Parameters) -> Option<HeaderMap> {
    let params = Object::read(params?.get()).ok()?;
    let meta = Meta::read(params.get("_meta")?).ok()?;
    let version = meta.protocol_version()?;
    let name = match Method::from_text(method) {
        Some(Method::ToolsCall | Method::PromptsGet) => params.text("name"),
        Some(Method::ResourcesRead) => params.text("uri"),
        _ if method.starts_with("tasks/") => params.text("taskId"),
        _ => None,
    };
    let mut headers = HeaderMap::new();
    let mut put = |field: &'static str, text: &str| {
        if let Ok(value) = HeaderValue::try_from(&*header::encode(text)) {
            headers.insert(HeaderName::from_static(field), value);
        }
    };
    put(header::PROTOCOL_VERSION, &version);
    put(header::METHOD, method);
    if let Some(name) = &name {
        put(header::NAME, name);
    }
    if let (Some(Method::ToolsCall), Some(tool)) = (Method::from_text(method), &name) {
        headers.extend(parameters.of_call(tool, params.get("arguments")));
    }
    Some(headers)
}

fn cancelled(params: Option<&RawValue>) -> Option<Id> {
    let params = Object::read(params?.get()).ok()?;
    Id::of(params.get("requestId")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Spoken {
        Spoken::read(Bytes::copy_from_slice(line.as_bytes()), &Parameters::default()).unwrap()
    }

    fn fields(line: &str) -> Vec<(String, String)> {
        let headers = read(line).modern.unwrap();
        let mut fields: Vec<_> =
            headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
        fields.sort();
        fields
    }

    #[test]
    fn tr21_tr22_modern_requests_say_in_their_header_what_they_are() {
        const META: &str = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}"#;
        for (method, params, name) in [
            ("tools/call", r#""name":"echo","#, Some("echo")),
            ("tools/call", r#""name":"caf\u00e9","#, Some("=?base64?Y2Fmw6k=?=")),
            ("tools/call", r#""name":" x","#, Some("=?base64?IHg=?=")),
            ("tools/call", r#""name":"=?base64?eA==?=","#, Some("=?base64?PT9iYXNlNjQ/ZUE9PT89?=")),
            ("prompts/get", r#""name":"p","#, Some("p")),
            ("resources/read", r#""uri":"a://b","name":"no","#, Some("a://b")),
            ("tasks/get", r#""taskId":"7","#, Some("7")),
            ("tools/list", r#""name":"no","#, None),
        ] {
            let line = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{{params}{META}}}}}"#);
            let mut expected = vec![("mcp-method".to_owned(), method.to_owned())];
            expected.extend(name.map(|name| ("mcp-name".to_owned(), name.to_owned())));
            expected.push(("mcp-protocol-version".to_owned(), "2026-07-28".to_owned()));
            assert_eq!(fields(&line), expected, "{line}");
        }
    }

    #[test]
    fn what_names_no_version_is_of_the_legacy_era() {
        for (line, kind) in [
            (
                r#"{"jsonrpc":"2.0","id":"a","method":"initialize","params":{"protocolVersion":"2025-11-25"}}"#,
                Kind::Request(Id::Text("a".into()), Some(Method::Initialize)),
            ),
            (
                r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}"#,
                Kind::Cancelled(Some(Id::Number(7))),
            ),
            (r#"{"jsonrpc":"2.0","method":"notifications/cancelled"}"#, Kind::Cancelled(None)),
            (r#"{"jsonrpc":"2.0","method":"x/y"}"#, Kind::Notification(None)),
            (r#"{"jsonrpc":"2.0","id":1,"result":{}}"#, Kind::Response),
        ] {
            let spoken = read(line);
            assert_eq!((spoken.kind.clone(), spoken.era()), (kind, Era::Legacy), "{line}");
        }
    }
}
