//! A request to an upstream in the words of no era, what may come before its answer, and the answer.
//!
//! INVARIANT: nothing of a caller is in it but what is meant for the upstream.
//! SPEC: sheet `mcp` §2.3.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use crate::{
    mcp::{LogLevel, Method},
    name::{ResourceUri, ServerName},
};

/// A request on its way to an upstream, in the words of no era yet: the upstream puts it into those
/// of its own.
#[derive(Debug)]
pub struct Outgoing {
    /// What is asked.
    pub method: Method,
    /// The parameters without `_meta`, a JSON object, or nothing.
    pub params: Bytes,
    /// For whom it is asked, as far as an upstream may know.
    pub manner: Manner,
    /// Who hears what comes before the answer; without it nothing is asked for that comes before.
    pub side: Option<Side>,
    /// How long the answer may take, waiting for the server to come up included.
    pub timeout: Duration,
}

/// What goes with a request besides its parameters.
#[derive(Debug, Clone, Default)]
pub struct Manner {
    /// The members of the caller's `_meta` that the protocol does not reserve, with commas between
    /// them and no braces; empty where there are none.
    pub meta: Bytes,
    /// What the server may ask of the caller: what the caller says it can do, cut down to what
    /// `asks` lets this server ask. A JSON object; empty for nothing at all.
    pub capabilities: Bytes,
    /// The caller's `clientInfo`, a JSON object; empty where it gave none.
    pub client_info: Bytes,
    /// From which level on the caller wants log notifications; nothing for none.
    pub log_level: Option<LogLevel>,
    /// Whose connection it goes over; nothing for the one that all share. A server that may ask
    /// callers has connections of its own for each of them, and whatever comes over such a
    /// connection while a call is under way is that call's.
    pub owner: Option<Owner>,
}

/// Whom a connection belongs to: a session, or a caller without one. Never shown to an upstream.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Owner(pub Arc<str>);

/// A request and the server it is for: what the engine allows or does not.
#[derive(Debug)]
pub struct Call {
    /// The server.
    pub server: ServerName,
    /// What is asked of it.
    pub outgoing: Outgoing,
}

/// A wish to hear of the changes of a resource: what the engine allows or does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscribe {
    /// The server.
    pub server: ServerName,
    /// The resource.
    pub uri: ResourceUri,
}

/// Where all goes that comes before the answer to one request.
#[derive(Debug)]
pub struct Side {
    /// The progress token: our own, never repeated by this process.
    pub(super) token: u64,
    pub(super) sink: mpsc::Sender<Told>,
}

impl Side {
    /// A side, and where what it is told arrives. Progress and log lines that arrive while `room`
    /// things wait are dropped; a question that finds no room is refused.
    #[must_use]
    pub fn open(room: usize) -> (Self, mpsc::Receiver<Told>) {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let (sink, heard) = mpsc::channel(room);
        (Self { token: NEXT.fetch_add(1, Ordering::Relaxed), sink }, heard)
    }
}

/// What an upstream tells before it answers.
#[derive(Debug)]
pub enum Told {
    /// The parameters of a `notifications/progress`, under a token of ours.
    Progress(Bytes),
    /// The parameters of a `notifications/message`.
    Log(Bytes),
    /// A question to the caller, of a legacy upstream: the call waits for its answer.
    Ask(Ask),
}

/// A question of an upstream's to the caller. Dropped, it is refused.
#[derive(Debug)]
pub struct Ask {
    /// `elicitation/create`, `sampling/createMessage` or `roots/list`.
    pub method: Method,
    /// Its parameters, a JSON object, or nothing.
    pub params: Bytes,
    answer: oneshot::Sender<Reply>,
}

impl Ask {
    /// A question, and where its answer arrives.
    #[must_use]
    pub fn new(method: Method, params: Bytes) -> (Self, oneshot::Receiver<Reply>) {
        let (answer, answered) = oneshot::channel();
        (Self { method, params, answer }, answered)
    }

    /// Answers: with a result or an error, each a JSON object.
    pub fn answer(self, reply: Reply) {
        // An upstream that does not wait any more is told nothing.
        drop(self.answer.send(reply));
    }
}

/// What an upstream answered, as its very bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// The result, a JSON object.
    Result(Bytes),
    /// A result of the modern era that is none yet (`resultType: input_required`), whole: the
    /// request is to be sent again with what it asks for.
    InputRequired(Bytes),
    /// The error, a JSON object with `code` and `message` if the upstream keeps to the protocol.
    Error(Bytes),
}
