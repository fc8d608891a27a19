//! A legacy session: what a caller said of itself once, and what the gateway may still tell or ask it.
//!
//! A session is no credential. It belongs to a principal, a client and a resource, and each of its
//! requests brings a token of theirs; a refreshed one goes on. What is sent to it goes over one
//! stream, never over two: over its own (`GET`), or over that of the call it belongs to (TR-10).
//!
//! INVARIANT: the lock is held for moments, never while something is awaited.
//! SPEC: MCP 2025-11-25, transports, "Session Management"; TR-10, TR-28, TR-31, TR-32, SE-04, T-032.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::sync::{broadcast, mpsc, watch};

use super::{
    Facts,
    watch::{Ears, Lists},
};
use crate::{
    identity::Caller,
    mcp::{Id, LogLevel, Version, envelope},
    name::ClientId,
    principal::Principal,
    upstream::{self, Ask, Reply},
};

/// Messages that may wait for the reader of a session's stream; more is kept as what changed (T-196).
const ROOM: usize = 8;
/// Questions to a session's caller that may wait for an answer (T-185).
const MOST_ASKS: usize = 32;
/// Cancellations that may wait to be noticed.
const MOST_CANCELS: usize = 16;

/// Whose a session, a parked call or a handle is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Owner {
    pub(crate) principal: Principal,
    pub(crate) client: Option<ClientId>,
    /// The endpoint, as its resource identifier.
    pub(crate) resource: Arc<str>,
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let client = self.client.as_ref().map_or("-", ClientId::as_str);
        write!(f, "{} {client} {}", self.principal, self.resource)
    }
}

/// What a caller said when it opened its session.
#[derive(Debug)]
pub(crate) struct Opening {
    pub(crate) version: Version,
    /// Its capabilities, a JSON object, or nothing.
    pub(crate) capabilities: Bytes,
    /// Its `clientInfo`, a JSON object, or nothing.
    pub(crate) client_info: Bytes,
}

/// A session.
#[derive(Debug)]
pub(crate) struct Session {
    id: Arc<str>,
    owner: Owner,
    opening: Opening,
    born: Instant,
    /// Milliseconds after its birth at which it was last used.
    used: AtomicU64,
    /// Its name towards upstreams' connections: no secret, and never used again.
    upstream: upstream::Owner,
    next_ask: AtomicU64,
    cancels: broadcast::Sender<Id>,
    /// What its own stream tells of.
    ears: Arc<Ears>,
    ended: watch::Sender<bool>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    level: Option<LogLevel>,
    asks: HashMap<u64, Ask>,
    /// There as long as somebody writes to its stream and somebody reads.
    stream: Option<mpsc::WeakSender<Bytes>>,
    /// Whose token came with the last answer to a question.
    answered_by: Option<Arc<Caller<Facts>>>,
}

/// A session's own stream is open already, or the session is over.
#[derive(Debug)]
pub(crate) struct Taken;

impl Session {
    pub(super) fn new(id: Arc<str>, owner: Owner, opening: Opening, now: Instant) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let upstream = upstream::Owner(format!("session {}", NEXT.fetch_add(1, Ordering::Relaxed)).into());
        let (cancels, _) = broadcast::channel(MOST_CANCELS);
        Self {
            id,
            owner,
            opening,
            born: now,
            used: AtomicU64::new(0),
            upstream,
            next_ask: AtomicU64::new(1),
            cancels,
            ears: Arc::new(Ears::new(Lists::ALL)),
            ended: watch::Sender::new(false),
            state: Mutex::default(),
        }
    }

    /// Opens its own stream: where to write, and where to read.
    ///
    /// # Errors
    /// When there is one, which goes on as it was (T-032).
    pub(super) fn listen(&self) -> Result<(mpsc::Sender<Bytes>, mpsc::Receiver<Bytes>), Taken> {
        let mut state = self.lock();
        if *self.ended.borrow() || state.is_listening() {
            return Err(Taken);
        }
        let (stream, messages) = mpsc::channel(ROOM);
        state.stream = Some(stream.downgrade());
        Ok((stream, messages))
    }

    /// What its own stream tells of.
    pub(super) const fn ears(&self) -> &Arc<Ears> {
        &self.ears
    }

    /// Waits until it is over.
    pub(super) fn over(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut ended = self.ended.subscribe();
        async move {
            // An error means that nobody is left to end it.
            _ = ended.wait_for(|ended| *ended).await;
        }
    }

    /// Keeps a question until its caller answers, and gives it as the request to send; nothing, and
    /// the question is refused, where too many wait.
    pub(super) fn ask(&self, ask: Ask) -> Option<(u64, Vec<u8>)> {
        let number = self.next_ask.fetch_add(1, Ordering::Relaxed);
        let request = envelope::request(number, ask.method, &ask.params);
        let mut state = self.lock();
        if *self.ended.borrow() || state.asks.len() >= MOST_ASKS {
            return None;
        }
        state.asks.insert(number, ask);
        Some((number, request))
    }

    /// Takes back a question that nobody waits for any more.
    pub(super) fn take_back(&self, number: u64) {
        let ask = self.lock().asks.remove(&number);
        drop(ask);
    }

    /// Takes an answer to a question. One that answers none of this session's is of no consequence.
    pub(super) fn answered(&self, id: &Id, reply: Reply, by: Option<Arc<Caller<Facts>>>) {
        let Id::Number(number) = id else { return };
        let Ok(number) = u64::try_from(*number) else { return };
        let ask = {
            let mut state = self.lock();
            let ask = state.asks.remove(&number);
            if ask.is_some() {
                state.answered_by = by;
            }
            ask
        };
        if let Some(ask) = ask {
            ask.answer(reply);
        }
    }

    /// Says that a request of this session is not wanted any more.
    pub(super) fn cancel(&self, id: Id) {
        // Nobody listens where no call is under way.
        drop(self.cancels.send(id));
    }

    /// Waits until a request of this session is not wanted any more.
    pub(super) fn cancelled(&self, id: Id) -> impl Future<Output = ()> + Send + use<> {
        let mut cancels = self.cancels.subscribe();
        async move {
            loop {
                match cancels.recv().await {
                    Ok(cancelled) if cancelled == id => return,
                    Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
                }
            }
        }
    }

    pub(super) fn set_level(&self, level: LogLevel) {
        self.lock().level = Some(level);
    }

    pub(super) fn level(&self) -> Option<LogLevel> {
        self.lock().level
    }

    /// Whose token came with the last answer to a question.
    pub(super) fn answered_by(&self) -> Option<Arc<Caller<Facts>>> {
        self.lock().answered_by.clone()
    }

    pub(super) const fn id(&self) -> &Arc<str> {
        &self.id
    }

    pub(super) const fn owner(&self) -> &Owner {
        &self.owner
    }

    pub(super) const fn opening(&self) -> &Opening {
        &self.opening
    }

    pub(super) const fn upstream(&self) -> &upstream::Owner {
        &self.upstream
    }

    /// Notes that it is used.
    pub(super) fn touch(&self, now: Instant) {
        let age = u64::try_from(now.saturating_duration_since(self.born).as_millis()).unwrap_or(u64::MAX);
        self.used.fetch_max(age, Ordering::Relaxed);
    }

    /// When it was last used.
    pub(super) fn used(&self) -> Instant {
        self.born + Duration::from_millis(self.used.load(Ordering::Relaxed))
    }

    /// Whether its time is over. One whose stream is read is not idle.
    pub(super) fn is_over(&self, now: Instant, idle: Duration, lifetime: Duration) -> bool {
        now.saturating_duration_since(self.born) >= lifetime
            || (now.saturating_duration_since(self.used()) >= idle && !self.lock().is_listening())
    }

    /// Ends it: its stream closes, what it subscribed to is taken back, and what it was asked is refused.
    pub(super) fn end(&self) {
        let ended = {
            let mut state = self.lock();
            self.ended.send_replace(true);
            std::mem::take(&mut *state)
        };
        drop(ended);
        self.ears.drop_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_listening(&self) -> bool {
        let stream = self.stream.as_ref().and_then(mpsc::WeakSender::upgrade);
        stream.is_some_and(|stream| !stream.is_closed())
    }
}
