//! A message written: bytes put together, values never read again.
//!
//! INVARIANT: what is written is one line; a value that came with line breaks between its tokens
//! loses them (a break inside a JSON string is an escape, never a byte).

use super::{id::Id, method::Method};

/// A request of ours, whose ids are numbers.
#[must_use]
pub fn request(id: u64, method: Method, params: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(params.len() + 96);
    out.extend_from_slice(br#"{"jsonrpc":"2.0","id":"#);
    out.extend_from_slice(id.to_string().as_bytes());
    method_and_params(&mut out, method, params);
    out
}

/// A notification.
#[must_use]
pub fn notification(method: Method, params: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(params.len() + 80);
    out.extend_from_slice(br#"{"jsonrpc":"2.0""#);
    method_and_params(&mut out, method, params);
    out
}

/// The answer that something was done.
#[must_use]
pub fn result(id: &Id, result: &[u8]) -> Vec<u8> {
    answer(Some(id), b"\"result\":", result)
}

/// The answer that something was not done, `error` being the whole error object.
#[must_use]
pub fn error(id: Option<&Id>, error: &[u8]) -> Vec<u8> {
    answer(id, b"\"error\":", error)
}

/// An error object.
#[must_use]
pub fn error_object(code: i32, message: &str, data: Option<&serde_json::Value>) -> Vec<u8> {
    let mut object = serde_json::json!({"code": code, "message": message});
    if let (Some(data), Some(object)) = (data, object.as_object_mut()) {
        object.insert("data".into(), data.clone());
    }
    object.to_string().into_bytes()
}

fn method_and_params(out: &mut Vec<u8>, method: Method, params: &[u8]) {
    out.extend_from_slice(br#","method":""#);
    out.extend_from_slice(method.as_str().as_bytes());
    out.push(b'"');
    if !params.is_empty() {
        out.extend_from_slice(br#","params":"#);
        one_line(out, params);
    }
    out.push(b'}');
}

fn answer(id: Option<&Id>, key: &[u8], value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len() + 64);
    out.extend_from_slice(br#"{"jsonrpc":"2.0","id":"#);
    match id {
        Some(id) => id.write(&mut out),
        None => out.extend_from_slice(b"null"),
    }
    out.push(b',');
    out.extend_from_slice(key);
    one_line(&mut out, value);
    out.push(b'}');
    out
}

/// Appends a JSON value without the line breaks between its tokens.
pub(crate) fn one_line(out: &mut Vec<u8>, json: &[u8]) {
    let from = out.len();
    out.extend_from_slice(json);
    if json.iter().any(|b| matches!(b, b'\n' | b'\r')) {
        let mut at = 0;
        out.retain(|b| {
            at += 1;
            at <= from || !matches!(b, b'\n' | b'\r')
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_one_line_with_their_values_untouched() {
        assert_eq!(
            request(7, Method::ToolsCall, b"{\"name\":\n \"a\\n\"}"),
            br#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name": "a\n"}}"#
        );
        assert_eq!(
            notification(Method::Initialized, b""),
            br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#
        );
        assert_eq!(result(&Id::Text("a\"".into()), b"{}"), br#"{"jsonrpc":"2.0","id":"a\"","result":{}}"#);
        assert_eq!(
            error(None, &error_object(-32600, "no", None)),
            br#"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"no"}}"#
        );
    }
}
