//! A conversation over one connection: who waits for which answer.
//!
//! Ids are numbers of our own, never used twice on a connection, so an answer reaches the one who
//! asked or nobody. A caller who goes away takes its place with it and the upstream is told; what
//! is answered later finds nobody and is dropped.
//!
//! SPEC: PX-07, CL-15, threats T-026, T-167.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::{
    Deadline, Outgoing, Reply, Told, Trouble,
    catalog::Changes,
    inbound::{self, Inbound},
    words,
};
use crate::{
    mcp::{Method, envelope},
    name::ServerName,
};

/// How many requests may wait for answers on one connection.
const MOST_WAITING: usize = 4096;
/// How many garbage lines are logged; the rest is counted.
const GARBAGE_LOGGED: u32 = 5;

/// One conversation.
#[derive(Debug)]
pub(super) struct Session {
    server: ServerName,
    waiting: Mutex<Waiting>,
    next_id: AtomicU64,
    out: mpsc::Sender<Bytes>,
    changes: Arc<Changes>,
    garbage: AtomicU32,
}

#[derive(Debug, Default)]
struct Waiting {
    calls: HashMap<u64, oneshot::Sender<Result<Reply, Trouble>>>,
    progress: HashMap<u64, mpsc::Sender<Told>>,
    over: Option<Trouble>,
}

impl Session {
    /// A conversation whose messages are sent through `out`, one line each.
    pub(super) fn new(server: ServerName, out: mpsc::Sender<Bytes>, changes: Arc<Changes>) -> Self {
        Self { server, waiting: Mutex::default(), next_id: AtomicU64::new(1), out, changes, garbage: AtomicU32::new(0) }
    }

    /// Asks and waits.
    pub(super) async fn request(&self, outgoing: &Outgoing, deadline: Deadline) -> Result<Reply, Trouble> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let (answer, answered) = oneshot::channel();
        let mut call = self.enter(id, answer, outgoing)?;
        let mut line = envelope::request(id, outgoing.method, &words::legacy(outgoing));
        line.push(b'\n');
        let sent = deadline.bound(self.out.send(line.into())).await?;
        if sent.is_err() {
            return Err(self.lock().over.unwrap_or(Trouble::Crashed));
        }
        // From here on the upstream may be at work; `initialize` alone cannot be taken back.
        call.cancel = outgoing.method != Method::Initialize;
        let reply = deadline.bound(answered).await?;
        call.cancel = false;
        reply.unwrap_or(Err(Trouble::Crashed))
    }

    /// Tells; nobody answers.
    pub(super) async fn notify(&self, method: Method) -> Result<(), Trouble> {
        let mut line = envelope::notification(method, b"");
        line.push(b'\n');
        self.out.send(line.into()).await.map_err(|_| Trouble::Crashed)
    }

    /// Takes in one line from the upstream.
    pub(super) fn incoming(&self, line: &Bytes) {
        match Inbound::read(line) {
            Inbound::Answer(Some(id), reply) => self.settle(id, Ok(reply)),
            Inbound::Answer(None, _) => tracing::debug!(server = %self.server, "an answer to no request of ours"),
            Inbound::Progress(token, params) => {
                let sink = self.lock().progress.get(&token).cloned();
                // A sink without room or listener loses the notification: progress may be dropped.
                drop(sink.map(|sink| sink.try_send(Told::Progress(params))));
            }
            Inbound::Changed(kinds) => self.changes.note(kinds),
            Inbound::Ask(id, method) => self.reply(&id, Some(method)),
            Inbound::AskUnknown(id) => self.reply(&id, None),
            Inbound::Unwanted => tracing::debug!(server = %self.server, "a notification that nobody wants"),
            Inbound::Garbage(id) => self.garbage(line, id),
        }
    }

    /// Ends the conversation: everyone who waits is told why, and so is everyone who comes.
    pub(super) fn close(&self, why: Trouble) {
        let calls = {
            let mut waiting = self.lock();
            waiting.over = Some(why);
            waiting.progress.clear();
            std::mem::take(&mut waiting.calls)
        };
        for call in calls.into_values() {
            drop(call.send(Err(why)));
        }
    }

    fn enter<'s>(
        &'s self,
        id: u64,
        answer: oneshot::Sender<Result<Reply, Trouble>>,
        outgoing: &Outgoing,
    ) -> Result<Call<'s>, Trouble> {
        let mut waiting = self.lock();
        if let Some(why) = waiting.over {
            return Err(why);
        }
        if waiting.calls.len() >= MOST_WAITING {
            return Err(Trouble::Busy);
        }
        waiting.calls.insert(id, answer);
        let token = outgoing.side.as_ref().map(|side| {
            waiting.progress.insert(side.token, side.sink.clone());
            side.token
        });
        Ok(Call { session: self, id, token, cancel: false })
    }

    fn settle(&self, id: u64, outcome: Result<Reply, Trouble>) {
        let call = self.lock().calls.remove(&id);
        match call {
            Some(call) => drop(call.send(outcome)),
            None => tracing::debug!(server = %self.server, id, "an answer that nobody waits for"),
        }
    }

    fn reply(&self, id: &crate::mcp::Id, method: Option<Method>) {
        let mut line = inbound::answer(id, method);
        line.push(b'\n');
        // An upstream that asks faster than it reads gets no answer.
        drop(self.out.try_send(line.into()));
    }

    fn garbage(&self, line: &[u8], id: Option<u64>) {
        if line.iter().all(u8::is_ascii_whitespace) {
            return;
        }
        if let Some(id) = id {
            self.settle(id, Err(Trouble::Garbage));
        }
        let count = self.garbage.fetch_add(1, Ordering::Relaxed) + 1;
        if count <= GARBAGE_LOGGED {
            let start = String::from_utf8_lossy(line.get(..200).unwrap_or(line)).escape_debug().to_string();
            tracing::warn!(server = %self.server, count, start, "ignored a line that is not MCP");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in the queue, given up when dropped.
struct Call<'s> {
    session: &'s Session,
    id: u64,
    token: Option<u64>,
    cancel: bool,
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        let mut waiting = self.session.lock();
        waiting.calls.remove(&self.id);
        if let Some(token) = self.token {
            waiting.progress.remove(&token);
        }
        drop(waiting);
        if self.cancel {
            let mut line = envelope::notification(Method::Cancelled, &cancelled(self.id));
            line.push(b'\n');
            drop(self.session.out.try_send(line.into()));
        }
    }
}

/// The parameters of the notification that a request is not wanted any more.
pub(super) fn cancelled(id: u64) -> Vec<u8> {
    format!(r#"{{"requestId":{id},"reason":"the caller is gone or the time is over"}}"#).into_bytes()
}
