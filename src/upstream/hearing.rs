//! Who hears what comes before the answer to a call, and how much of it.
//!
//! Progress only grows and is dropped where nobody has room for it; log lines come from the level
//! that the caller wants; a question comes only where the caller declared that it can be asked so.
//!
//! SPEC: sheet `mcp` PX-08, PX-18, PX-20, PX-22.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::{Ask, Outgoing, Reply, Told, inbound::Progress};
use crate::mcp::{Id, LogLevel, Method, Object, code, envelope};

/// How many questions one call may be asked; and one stream, of whoever asks.
pub(super) const MOST_ASKED: u32 = 16;

/// Who hears what comes before the answer to one call.
#[derive(Debug)]
pub(super) struct Hearing {
    sink: Option<(u64, mpsc::Sender<Told>)>,
    level: Option<LogLevel>,
    /// What it can be asked; nothing for nothing.
    capabilities: Bytes,
    progress: f64,
    asked: u32,
}

impl Hearing {
    /// Who hears what comes before the answer to `outgoing`, questions only where it may be asked any.
    pub(super) fn of(outgoing: &Outgoing, may_be_asked: bool) -> Self {
        let capabilities = if may_be_asked { outgoing.manner.capabilities.clone() } else { Bytes::new() };
        Self {
            sink: outgoing.side.as_ref().map(|side| (side.token, side.sink.clone())),
            level: outgoing.manner.log_level,
            capabilities,
            progress: f64::NEG_INFINITY,
            asked: 0,
        }
    }

    /// Passes progress on, if it is this call's and has grown.
    pub(super) fn progress(&mut self, progress: Progress) {
        if let Some((token, sink)) = &self.sink
            && *token == progress.token
            && progress.reached > self.progress
        {
            self.progress = progress.reached;
            // A sink without room or listener loses the notification: progress may be dropped.
            drop(sink.try_send(Told::Progress(progress.params)));
        }
    }

    /// Passes a log line on, if the caller wants any of its level.
    pub(super) fn log(&self, params: Bytes) {
        let level = std::str::from_utf8(&params)
            .ok()
            .and_then(|text| Object::read(text).ok()?.text("level").and_then(|level| LogLevel::from_text(&level)));
        if let (Some((_, sink)), Some(level), Some(wanted)) = (&self.sink, level, self.level)
            && level >= wanted
        {
            drop(sink.try_send(Told::Log(params)));
        }
    }

    /// Passes a question on; where its answer arrives, or nothing where it may not be asked.
    pub(super) fn ask(&mut self, method: Method, params: Bytes) -> Option<oneshot::Receiver<Reply>> {
        let (_, sink) = self.sink.as_ref()?;
        if !declares(&self.capabilities, method) || self.asked >= MOST_ASKED {
            return None;
        }
        self.asked += 1;
        let (ask, answered) = Ask::new(method, params);
        sink.try_send(Told::Ask(ask)).ok().map(|()| answered)
    }
}

/// Who hears what comes unasked over a connection that one call at a time has for itself.
#[derive(Debug, Default)]
pub(super) struct Front(Mutex<Option<Hearing>>);

impl Front {
    /// From now on it is this call.
    pub(super) fn set(&self, hearing: Option<Hearing>) {
        *self.lock() = hearing;
    }

    pub(super) fn log(&self, params: Bytes) {
        if let Some(hearing) = &*self.lock() {
            hearing.log(params);
        }
    }

    pub(super) fn ask(&self, method: Method, params: Bytes) -> Option<oneshot::Receiver<Reply>> {
        self.lock().as_mut()?.ask(method, params)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Hearing>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether these capabilities let a server ask this.
pub(super) fn declares(capabilities: &[u8], method: Method) -> bool {
    let name = match method {
        Method::ElicitationCreate => "elicitation",
        Method::SamplingCreateMessage => "sampling",
        Method::RootsList => "roots",
        _ => return false,
    };
    std::str::from_utf8(capabilities)
        .ok()
        .and_then(|text| Object::read(text).ok())
        .is_some_and(|declared| declared.get(name).is_some_and(|value| value.get().starts_with('{')))
}

/// What an upstream's question is answered at once: that we live, or that we do no such thing.
pub(super) fn refusal(id: &Id, method: Option<Method>) -> Vec<u8> {
    if method == Some(Method::Ping) {
        return envelope::result(id, b"{}");
    }
    envelope::error(Some(id), &envelope::error_object(code::METHOD_NOT_FOUND, "the gateway does no such thing", None))
}

/// What an upstream's question is answered once the caller has said something, or will say nothing.
pub(super) async fn answer(id: Id, answered: oneshot::Receiver<Reply>) -> Vec<u8> {
    match answered.await {
        Ok(Reply::Result(result)) => envelope::result(&id, &result),
        Ok(Reply::Error(error)) => envelope::error(Some(&id), &error),
        Ok(Reply::InputRequired(_)) | Err(_) => refusal(&id, None),
    }
}
