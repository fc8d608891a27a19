//! The session of the legacy era: what `initialize` agreed on, and who waits for it.
//!
//! A client may send on without waiting for an answer: what comes after `initialize` and after
//! `notifications/initialized` waits for them here.
//!
//! SPEC: MCP 2025-11-25, transports, "Session Management"; TR-31, CL-16.

use std::sync::{Arc, Mutex, PoisonError, atomic::AtomicBool};

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use tokio::sync::watch;

use crate::mcp::{Message, Object, Outcome, header};

/// An open session.
#[derive(Debug)]
pub(super) struct Session {
    /// What the gateway calls it, where it keeps sessions at all.
    pub(super) id: Option<HeaderValue>,
    version: Option<HeaderValue>,
    /// Whether somebody keeps its stream open.
    pub(super) heard: AtomicBool,
}

/// The session that there is, and how to open it again.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    current: ArcSwapOption<Session>,
    /// The client's own `initialize`.
    opened_by: Mutex<Option<Bytes>>,
    /// Held by whoever opens one again.
    pub(super) reopening: tokio::sync::Mutex<()>,
    last_gate: Mutex<Option<Gate>>,
}

/// Opens once its [`Closed`] is dropped.
#[derive(Debug, Clone)]
pub(super) struct Gate(watch::Receiver<()>);

/// Keeps a gate closed.
#[derive(Debug)]
pub(super) struct Closed(#[expect(dead_code, reason = "its end is the sign")] watch::Sender<()>);

impl Session {
    /// What an answer to `initialize` agrees on; nothing where it is an error.
    pub(super) fn of(headers: &HeaderMap, answer: &[u8]) -> Option<Self> {
        let Ok(Message::Response(response)) = Message::from_upstream(answer) else { return None };
        let Outcome::Result(result) = response.outcome else { return None };
        let version = Object::read(result.get()).ok()?.text("protocolVersion");
        Some(Self {
            id: headers.get(header::SESSION_ID).cloned(),
            version: version.and_then(|version| HeaderValue::try_from(&*version).ok()),
            heard: AtomicBool::new(false),
        })
    }

    /// The header fields of every message in it.
    pub(super) fn write(&self, headers: &mut HeaderMap) {
        if let Some(id) = &self.id {
            headers.insert(header::SESSION_ID, id.clone());
        }
        if let Some(version) = &self.version {
            headers.insert(header::PROTOCOL_VERSION, version.clone());
        }
    }
}

impl Sessions {
    pub(super) fn current(&self) -> Option<Arc<Session>> {
        self.current.load_full()
    }

    pub(super) fn is_current(&self, session: &Arc<Session>) -> bool {
        self.current.load().as_ref().is_some_and(|current| Arc::ptr_eq(current, session))
    }

    /// Puts a session in the place of the one before, and gives that back.
    pub(super) fn put(&self, session: Option<Arc<Session>>) -> Option<Arc<Session>> {
        self.current.swap(session)
    }

    /// Remembers the client's own `initialize`.
    pub(super) fn remember(&self, body: Bytes) {
        *self.opened_by.lock().unwrap_or_else(PoisonError::into_inner) = Some(body);
    }

    pub(super) fn opened_by(&self) -> Option<Bytes> {
        self.opened_by.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The last gate that was closed.
    pub(super) fn gate(&self) -> Option<Gate> {
        self.last_gate.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Closes a new gate behind the last one, which is given back.
    pub(super) fn close(&self) -> (Option<Gate>, Closed) {
        let (closed, gate) = watch::channel(());
        let before = self.last_gate.lock().unwrap_or_else(PoisonError::into_inner).replace(Gate(gate));
        (before, Closed(closed))
    }
}

impl Gate {
    /// Waits until it opens.
    pub(super) async fn opened(mut self) {
        // Nothing is ever sent: the error is the sender's end.
        while self.0.changed().await.is_ok() {}
    }
}
