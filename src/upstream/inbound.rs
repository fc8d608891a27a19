//! What a message from an upstream is to us.

use bytes::Bytes;

use super::Reply;
use crate::mcp::{Id, Kind, Message, Method, Notification, Object, Outcome};

/// A message from an upstream.
#[derive(Debug)]
pub(super) enum Inbound {
    /// The answer to the request of ours with this id; `None` where it names none of ours.
    Answer(Option<u64>, Reply),
    /// A notification of progress.
    Progress(Progress),
    /// A log line's parameters.
    Log(Bytes),
    /// These lists changed.
    Changed(&'static [Kind]),
    /// A resource changed.
    Updated(Box<str>),
    /// A stream of changes has begun.
    Acknowledged,
    /// The server ends the stream of changes that this request of ours opened.
    Ended(u64),
    /// A request of the upstream's with its parameters; of an unknown method, nothing of it.
    Ask(Id, Option<(Method, Bytes)>),
    /// A notification that nobody wants.
    Unwanted,
    /// No message of MCP; the id of the request it seems to answer, where it has one.
    Garbage(Option<u64>),
}

/// How far a request of ours has come.
#[derive(Debug)]
pub(super) struct Progress {
    pub(super) token: u64,
    pub(super) reached: f64,
    pub(super) params: Bytes,
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
            Ok(Message::Request(request)) => {
                let params = request.params.map_or_else(Bytes::new, |raw| bytes.slice_ref(raw.get().as_bytes()));
                Self::Ask(request.id, Method::from_text(&request.method).map(|method| (method, params)))
            }
            Ok(Message::Notification(told)) => notification(bytes, &told).unwrap_or(Self::Unwanted),
        }
    }
}

fn notification(bytes: &Bytes, told: &Notification<'_>) -> Option<Inbound> {
    let params = || {
        let raw = told.params?;
        Some((Object::read(raw.get()).ok()?, bytes.slice_ref(raw.get().as_bytes())))
    };
    match Method::from_text(&told.method)? {
        Method::Progress => {
            let (fields, params) = params()?;
            let token = fields.get("progressToken")?.get().parse().ok()?;
            let reached = fields.get("progress")?.get().parse().ok()?;
            Some(Inbound::Progress(Progress { token, reached, params }))
        }
        Method::LogMessage => Some(Inbound::Log(params()?.1)),
        Method::ToolsListChanged => Some(Inbound::Changed(&[Kind::Tools])),
        Method::PromptsListChanged => Some(Inbound::Changed(&[Kind::Prompts])),
        Method::ResourcesListChanged => Some(Inbound::Changed(&[Kind::Resources, Kind::Templates])),
        Method::ResourcesUpdated => Some(Inbound::Updated(params()?.0.text("uri")?.into())),
        Method::SubscriptionsAcknowledged => Some(Inbound::Acknowledged),
        Method::Cancelled => Some(Inbound::Ended(params()?.0.get("requestId")?.get().parse().ok()?)),
        _ => None,
    }
}

fn ours(id: &Id) -> Option<u64> {
    match id {
        Id::Number(number) => u64::try_from(*number).ok(),
        Id::Text(_) => None,
    }
}
