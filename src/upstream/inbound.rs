//! What a message from an upstream is to us.

use bytes::Bytes;

use super::Reply;
use crate::mcp::{Id, Kind, Message, Method, Object, Outcome, code, envelope};

/// A message from an upstream.
#[derive(Debug)]
pub(super) enum Inbound {
    /// The answer to the request of ours with this id; `None` where it names none of ours.
    Answer(Option<u64>, Reply),
    /// A notification of progress under a token of ours, with its parameters.
    Progress(u64, Bytes),
    /// These lists changed.
    Changed(&'static [Kind]),
    /// A request of the upstream's.
    Ask(Id, Method),
    /// A request of the upstream's with a method that is not known.
    AskUnknown(Id),
    /// A notification that nobody wants.
    Unwanted,
    /// No message of MCP; the id of the request it seems to answer, where it has one.
    Garbage(Option<u64>),
}

impl Inbound {
    /// Reads one message; what is passed on shares its bytes.
    pub(super) fn read(bytes: &Bytes) -> Self {
        match Message::from_upstream(bytes) {
            Err(error) => Self::Garbage(error.id.as_ref().and_then(ours)),
            Ok(Message::Response(response)) => {
                let reply = match response.outcome {
                    Outcome::Result(raw) => Reply::Result(bytes.slice_ref(raw.get().as_bytes())),
                    Outcome::Error(raw) => Reply::Error(bytes.slice_ref(raw.get().as_bytes())),
                };
                Self::Answer(response.id.as_ref().and_then(ours), reply)
            }
            Ok(Message::Request(request)) => match Method::from_text(&request.method) {
                Some(method) => Self::Ask(request.id, method),
                None => Self::AskUnknown(request.id),
            },
            Ok(Message::Notification(told)) => match Method::from_text(&told.method) {
                Some(Method::Progress) => told
                    .params
                    .and_then(|raw| {
                        let token = Object::read(raw.get()).ok()?.get("progressToken")?.get().parse().ok()?;
                        Some(Self::Progress(token, bytes.slice_ref(raw.get().as_bytes())))
                    })
                    .unwrap_or(Self::Unwanted),
                Some(Method::ToolsListChanged) => Self::Changed(&[Kind::Tools]),
                Some(Method::PromptsListChanged) => Self::Changed(&[Kind::Prompts]),
                Some(Method::ResourcesListChanged) => Self::Changed(&[Kind::Resources, Kind::Templates]),
                Some(_) | None => Self::Unwanted,
            },
        }
    }
}

/// What we answer an upstream's request: that we live, or that we do no such thing.
pub(super) fn answer(id: &Id, method: Option<Method>) -> Vec<u8> {
    if method == Some(Method::Ping) {
        return envelope::result(id, b"{}");
    }
    envelope::error(Some(id), &envelope::error_object(code::METHOD_NOT_FOUND, "the gateway does no such thing", None))
}

fn ours(id: &Id) -> Option<u64> {
    match id {
        Id::Number(number) => u64::try_from(*number).ok(),
        Id::Text(_) => None,
    }
}
