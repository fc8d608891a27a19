//! A conversation over one connection: who waits for which answer.
//!
//! Ids are numbers of our own, never used twice on a connection, so an answer reaches the one who
//! asked or nobody. A caller who goes away takes its place with it and the upstream is told; what
//! is answered later finds nobody and is dropped. What comes unasked over a connection that all
//! share is nobody's: questions are refused, log lines dropped. A modern server has no questions to
//! ask, and is never answered (CL-17).
//!
//! SPEC: PX-07, PX-18, CL-15, CL-17, threats T-026, T-167.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use tokio::sync::{Notify, mpsc, oneshot};

use super::{
    Deadline, Outgoing, Reply, Trouble, background,
    hearing::{Front, Hearing, answer, refusal},
    inbound::Inbound,
    setting::{Purpose, Setting},
    words,
};
use crate::mcp::{Id, Method, envelope};

/// How many requests may wait for answers on one connection.
const MOST_WAITING: usize = 4096;
/// How many garbage lines are logged; the rest is counted.
const GARBAGE_LOGGED: u32 = 5;

/// One conversation.
#[derive(Debug)]
pub(super) struct Session {
    setting: Arc<Setting>,
    waiting: Mutex<Waiting>,
    next_id: AtomicU64,
    out: mpsc::Sender<Bytes>,
    /// Who hears what comes unasked, where that is one call's.
    front: Option<Front>,
    modern: AtomicBool,
    acknowledged: Notify,
    /// The request that keeps the stream of changes open; 0 for none yet.
    listening: AtomicU64,
    garbage: AtomicU32,
}

#[derive(Debug, Default)]
struct Waiting {
    calls: HashMap<u64, oneshot::Sender<Result<Reply, Trouble>>>,
    progress: HashMap<u64, Hearing>,
    over: Option<Trouble>,
}

impl Session {
    /// A conversation whose messages are sent through `out`, one line each.
    pub(super) fn new(setting: Arc<Setting>, purpose: &Purpose, out: mpsc::Sender<Bytes>) -> Self {
        Self {
            setting,
            waiting: Mutex::default(),
            next_id: AtomicU64::new(1),
            out,
            front: purpose.is_private().then(Front::default),
            modern: AtomicBool::new(false),
            acknowledged: Notify::new(),
            listening: AtomicU64::new(0),
            garbage: AtomicU32::new(0),
        }
    }

    /// From now on in the words of the modern era.
    pub(super) fn speak_modern(&self) {
        self.modern.store(true, Ordering::Relaxed);
    }

    /// Asks and waits.
    pub(super) async fn request(&self, outgoing: &Outgoing, deadline: Deadline) -> Result<Reply, Trouble> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let (answer, answered) = oneshot::channel();
        let mut call = self.enter(id, answer, outgoing)?;
        if outgoing.method == Method::SubscriptionsListen {
            self.listening.store(id, Ordering::Relaxed);
        }
        let modern = self.modern.load(Ordering::Relaxed);
        let as_modern = modern || outgoing.method == Method::ServerDiscover;
        let params = if as_modern { words::modern(outgoing) } else { words::legacy(outgoing) };
        let mut line = envelope::request(id, outgoing.method, &params);
        line.push(b'\n');
        let sent = deadline.bound(self.out.send(line.into())).await?;
        if sent.is_err() {
            return Err(self.lock().over.unwrap_or(Trouble::Crashed));
        }
        // From here on the upstream may be at work; `initialize` alone cannot be taken back.
        call.cancel = outgoing.method != Method::Initialize;
        let reply = deadline.bound(answered).await?;
        call.cancel = false;
        let reply = reply.unwrap_or(Err(Trouble::Crashed))?;
        if modern { words::meaning(outgoing, reply) } else { Ok(reply) }
    }

    /// Keeps a stream of changes open until it ends; `patience` is how long it may take to begin.
    pub(super) async fn listen(&self, outgoing: &Outgoing, patience: Duration) -> Result<Reply, Trouble> {
        let mut stream = std::pin::pin!(self.request(outgoing, Deadline::after(outgoing.timeout)));
        tokio::select! {
            ended = &mut stream => return ended,
            begun = tokio::time::timeout(patience, self.acknowledged.notified()) => {
                begun.map_err(|_| Trouble::TimedOut(patience))?;
            }
        }
        stream.await
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
            Inbound::Answer(None, _) => self.ignored("an answer to no request of ours"),
            Inbound::Progress(progress) => {
                if let Some(hearing) = self.lock().progress.get_mut(&progress.token) {
                    hearing.progress(progress);
                }
            }
            Inbound::Log(params) => match &self.front {
                Some(front) => {
                    if let Some(params) = self.setting.spec.credentials.hidden_in(&params) {
                        front.log(params);
                    }
                }
                None => self.ignored("a log line that is nobody's"),
            },
            Inbound::Changed(kinds) => self.setting.changes.note(kinds),
            Inbound::Updated(uri) => self.setting.changes.updated(&uri),
            Inbound::Acknowledged => self.acknowledged.notify_one(),
            // A server may end its stream of changes so, and no other request of ours: the ids of what
            // it cancels otherwise are its own.
            Inbound::Ended(id) if id == self.listening.load(Ordering::Relaxed) => {
                self.settle(id, Err(Trouble::Crashed));
            }
            Inbound::Ended(_) => self.ignored("a cancellation of nothing"),
            Inbound::Ask(..) if self.modern.load(Ordering::Relaxed) => {
                tracing::warn!(server = %self.setting.server, "ignored a request: a modern server has none to make");
            }
            Inbound::Ask(id, asked) => self.asked(id, asked),
            Inbound::Unwanted => self.ignored("a notification that nobody wants"),
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

    /// Gives the one who waits for it what became of a request.
    pub(super) fn settle(&self, id: u64, outcome: Result<Reply, Trouble>) {
        let call = self.lock().calls.remove(&id);
        match call {
            Some(call) => drop(call.send(outcome)),
            None => self.ignored("an answer that nobody waits for"),
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
            waiting.progress.insert(side.token, Hearing::of(outgoing, false));
            side.token
        });
        drop(waiting);
        if let Some(front) = &self.front {
            front.set(Some(Hearing::of(outgoing, true)));
        }
        Ok(Call { session: self, id, token, cancel: false })
    }

    /// Passes a question on to the call that it belongs to, or refuses it.
    fn asked(&self, id: Id, asked: Option<(Method, Bytes)>) {
        let method = asked.as_ref().map(|(method, _)| *method);
        let answered = asked.and_then(|(method, params)| self.front.as_ref()?.ask(method, params));
        let out = self.out.clone();
        match answered {
            // It ends with the question, which whoever holds it bounds.
            Some(answered) => drop(background(async move {
                let mut line = answer(id, answered).await;
                line.push(b'\n');
                // An upstream that is gone needs no answer.
                drop(out.send(line.into()).await);
            })),
            None => {
                let mut line = refusal(&id, method);
                line.push(b'\n');
                // An upstream that asks faster than it reads gets no answer.
                drop(out.try_send(line.into()));
            }
        }
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
            let start = self.setting.spec.credentials.hide_before(line, 200);
            let start = String::from_utf8_lossy(&start).escape_debug().to_string();
            tracing::warn!(server = %self.setting.server, count, start, "ignored a line that is not MCP");
        }
    }

    fn ignored(&self, what: &str) {
        tracing::debug!(server = %self.setting.server, "ignored {what}");
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
        if let Some(front) = &self.session.front {
            front.set(None);
        }
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
