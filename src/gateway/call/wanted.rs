//! A result of the modern era that is none yet: what it wants to know first, and the state it gives.
//!
//! SPEC: MCP 2026-07-28, multi round-trip requests; PX-13, PX-17.

use bytes::Bytes;

use crate::mcp::{Id, Method, Object};

/// Questions in one result.
const MOST: usize = 32;

/// What a result wants.
#[derive(Debug)]
pub(super) struct Wanted {
    /// By keys of the server's, in its order.
    pub(super) questions: Vec<Wish>,
    /// Its state, to come back with the answers.
    pub(super) state: Option<String>,
}

/// One thing that a result wants to know.
#[derive(Debug)]
pub(super) struct Wish {
    pub(super) key: String,
    pub(super) method: Method,
    /// An object, or nothing.
    pub(super) params: Bytes,
}

impl Wanted {
    /// Reads a result; nothing where it is not what the protocol says.
    pub(super) fn read(result: &Bytes) -> Option<Self> {
        let object = Object::read(std::str::from_utf8(result).ok()?).ok()?;
        let state = match object.get("requestState").filter(|state| state.get() != "null") {
            Some(_) => Some(object.text("requestState")?.into_owned()),
            None => None,
        };
        let mut questions = Vec::new();
        if let Some(requests) = object.get("inputRequests").filter(|requests| requests.get() != "null") {
            for (key, request) in Object::read(requests.get()).ok()?.fields() {
                let request = Object::read(request.get()).ok()?;
                let method = Method::from_text(&request.text("method")?)?;
                let params =
                    request.get("params").map_or_else(Bytes::new, |raw| result.slice_ref(raw.get().as_bytes()));
                questions.push(Wish { key: key.to_owned(), method, params });
            }
        }
        let sound = questions.len() <= MOST && (state.is_some() || !questions.is_empty());
        sound.then_some(Self { questions, state })
    }

    /// A result of ours that wants one thing.
    pub(super) fn write(key: &str, method: Method, params: &[u8], state: &str) -> Vec<u8> {
        let mut out = br#"{"resultType":"input_required","inputRequests":{"#.to_vec();
        Id::Text(key.into()).write(&mut out);
        out.extend_from_slice(br#":{"method":"#);
        Id::Text(method.as_str().into()).write(&mut out);
        if !params.is_empty() {
            out.extend_from_slice(br#","params":"#);
            out.extend_from_slice(params);
        }
        out.extend_from_slice(br#"}},"requestState":"#);
        Id::Text(state.into()).write(&mut out);
        out.push(b'}');
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn px13_px17_a_result_wants_something_or_is_none() {
        let read = |text: &'static str| Wanted::read(&Bytes::from_static(text.as_bytes()));
        let wanted = read(
            r#"{"inputRequests":{"b":{"method":"roots/list"},"a":{"method":"elicitation/create","params":{"x": 1}}}}"#,
        )
        .unwrap();
        let keys: Vec<_> =
            wanted.questions.iter().map(|wish| (wish.key.as_str(), wish.method, &wish.params[..])).collect();
        assert_eq!(keys, [("b", Method::RootsList, &b""[..]), ("a", Method::ElicitationCreate, br#"{"x": 1}"#)]);
        assert_eq!(read(r#"{"requestState":"s"}"#).unwrap().state.unwrap(), "s");
        for bad in [
            "{}",
            "[]",
            r#"{"requestState":7}"#,
            r#"{"inputRequests":{}}"#,
            r#"{"inputRequests":{"a":{"method":"x"}}}"#,
            r#"{"inputRequests":{"a":{},"a":{}}}"#,
        ] {
            assert!(read(bad).is_none(), "{bad}");
        }
        let ours = Bytes::from(Wanted::write("k", Method::RootsList, b"", "s"));
        let back = Wanted::read(&ours).unwrap();
        assert_eq!((back.questions[0].key.as_str(), back.state.as_deref()), ("k", Some("s")));
    }
}
