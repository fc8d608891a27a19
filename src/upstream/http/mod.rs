//! A server over Streamable HTTP: each message a POST, in a session of header fields (legacy) or
//! with all that is to be known in the request (modern).
//!
//! A session that the server has forgotten (404) is opened again, once, and the request repeated: a
//! 404 says that it was not worked on. So does an error that only the other era has. Nothing else is
//! ever repeated (CL-14).
//!
//! SPEC: MCP 2025-11-25 and 2026-07-28, transports, "Streamable HTTP"; CL-06 … CL-09, CL-15 … CL-17,
//! PX-12, PX-29; threats T-111, T-167, T-204.

mod answer;
mod fields;

use std::{
    sync::{
        Arc, Mutex as Lock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, header};
use http_body_util::Full;
use tokio::{sync::Mutex, task::AbortHandle};

use super::{
    About, Deadline, Health, Outgoing, Reply, Trouble,
    about::{Probed, discover, error_code, initialize},
    background,
    hearing::{Front, Hearing},
    session::cancelled,
    setting::{Purpose, Setting},
    spec::HttpSpec,
    words,
};
use crate::{
    egress::{Content, Egress},
    mcp::{Era, Method, code, envelope, header as field},
};

/// What we call ourselves.
pub(super) const AGENT: &str = concat!("portcullis/", env!("CARGO_PKG_VERSION"));
/// How long a message that nobody waits for may take.
const ASIDE: Duration = Duration::from_secs(5);
/// How many times the largest message the stream of one answer may hold.
const STREAM_FACTOR: usize = 4;

/// One endpoint, and one session with it.
#[derive(Debug)]
pub(super) struct Endpoint {
    line: Arc<Line>,
    session: ArcSwapOption<Session>,
    opening: Mutex<()>,
    next_id: AtomicU64,
    stopped: AtomicBool,
    /// Reads what comes unasked over a private session.
    follower: Lock<Option<AbortHandle>>,
}

/// What every message to the endpoint needs.
#[derive(Debug)]
struct Line {
    setting: Arc<Setting>,
    spec: Arc<HttpSpec>,
    egress: Egress,
    purpose: Purpose,
    /// Who hears what comes unasked over a private session.
    front: Front,
}

/// An open session, or what stands for it in the modern era.
#[derive(Debug)]
struct Session {
    about: Arc<About>,
    id: Option<HeaderValue>,
    version: HeaderValue,
}

/// Why an exchange brought no answer.
#[derive(Debug)]
enum Failed {
    /// The server has forgotten the session, or is of the other era; it did nothing.
    Forgotten,
    Because(Trouble),
}

impl From<Trouble> for Failed {
    fn from(why: Trouble) -> Self {
        Self::Because(why)
    }
}

impl From<Failed> for Trouble {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Because(why) => why,
            Failed::Forgotten => Self::Status(StatusCode::NOT_FOUND.as_u16()),
        }
    }
}

impl Endpoint {
    pub(super) fn new(setting: Arc<Setting>, spec: Arc<HttpSpec>, egress: Egress, purpose: Purpose) -> Self {
        Self {
            line: Arc::new(Line { setting, spec, egress, purpose, front: Front::default() }),
            session: ArcSwapOption::empty(),
            opening: Mutex::new(()),
            next_id: AtomicU64::new(1),
            stopped: AtomicBool::new(false),
            follower: Lock::default(),
        }
    }

    /// Whether a session is open.
    pub(super) fn health(&self) -> Health {
        match (self.stopped.load(Ordering::Relaxed), self.session.load().is_some()) {
            (true, _) => Health::Stopped,
            (false, true) => Health::Up,
            (false, false) => Health::Unused,
        }
    }

    /// Asks and waits, first for a session where there is none.
    pub(super) async fn request(&self, outgoing: &Outgoing, deadline: Deadline) -> Result<Reply, Trouble> {
        deadline
            .bound(async {
                for last in [false, true] {
                    let session = self.open(deadline).await?;
                    let id = self.next_id.fetch_add(1, Ordering::Relaxed);
                    let mut posted = Posted::new(&self.line, &session, id, outgoing);
                    let answer = self.line.exchange(Some(&session), id, outgoing).await;
                    posted.open = false;
                    match answer {
                        Ok((reply, _)) if session.is_modern() => return words::meaning(outgoing, reply),
                        Ok((reply, _)) => return Ok(reply),
                        Err(Failed::Because(why)) => {
                            self.doubt(&session, why);
                            return Err(why);
                        }
                        Err(Failed::Forgotten) if last => break,
                        Err(Failed::Forgotten) => self.forget(&session),
                    }
                }
                Err(Failed::Forgotten.into())
            })
            .await?
    }

    /// What the server said of itself.
    pub(super) async fn about(&self, deadline: Deadline) -> Result<Arc<About>, Trouble> {
        Ok(deadline.bound(self.open(deadline)).await??.about.clone())
    }

    /// Keeps a modern stream of changes open until it ends; `patience` is how long it may take to begin.
    pub(super) async fn listen(&self, outgoing: &Outgoing, patience: Duration) -> Result<Reply, Trouble> {
        let session = self.open(Deadline::after(patience)).await?;
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let body = envelope::request(id, outgoing.method, &words::modern(outgoing));
        let request = self.line.message(Some((&session, outgoing)), body.into());
        self.line.follow(Some(&session), Some(id), request, Some(patience)).await
    }

    /// Reads what comes unasked over a legacy session until that stream ends.
    pub(super) async fn follow(&self, patience: Duration) -> Trouble {
        let session = match self.open(Deadline::after(patience)).await {
            Ok(session) => session,
            Err(why) => return why,
        };
        let ended = self.line.watch(&session, patience).await;
        if ended == Trouble::Status(StatusCode::NOT_FOUND.as_u16()) && session.id.is_some() {
            self.forget(&session);
        }
        ended
    }

    /// Closes the session, if the server lets us.
    pub(super) async fn shutdown(&self) {
        self.stopped.store(true, Ordering::Relaxed);
        self.unfollow(None);
        let Some(session) = self.session.swap(None) else { return };
        let Some(mut request) = self.line.closing(&session) else { return };
        *request.method_mut() = http::Method::DELETE;
        drop(tokio::time::timeout(Duration::from_secs(1), self.line.egress.send(request)).await);
    }

    /// The session, opened if there is none. What is rarely needed is boxed, so that every call's
    /// future need not have room for it.
    async fn open(&self, deadline: Deadline) -> Result<Arc<Session>, Trouble> {
        match self.session.load_full() {
            Some(session) => Ok(session),
            None => Box::pin(self.open_first(deadline)).await,
        }
    }

    /// Opens a session. One caller opens it, the others wait.
    async fn open_first(&self, deadline: Deadline) -> Result<Arc<Session>, Trouble> {
        let _opening = self.opening.lock().await;
        if let Some(session) = self.session.load_full() {
            return Ok(session);
        }
        if self.stopped.load(Ordering::Relaxed) {
            return Err(Trouble::Stopped);
        }
        let setting = &self.line.setting;
        let taken = setting.era();
        let probed = if taken == Some(Era::Legacy) { None } else { self.probe(deadline).await? };
        let session = match probed {
            Some(session) => session,
            None => match self.initialize(deadline).await {
                Ok(session) => session,
                // It was taken for legacy wrongly, or no longer is.
                Err(Trouble::Uninitialized | Trouble::Status(400..=499))
                    if taken == Some(Era::Legacy) && !setting.is_sure() =>
                {
                    setting.learn(None);
                    self.probe(deadline).await?.ok_or(Trouble::Uninitialized)?
                }
                Err(why) => return Err(why),
            },
        };
        setting.learn(Some(session.about.era));
        let session = Arc::new(session);
        if !self.line.purpose.is_private() {
            setting.changes.opened();
            tracing::info!(server = %setting.server, version = %session.about.version, "is up");
        } else if !session.is_modern() {
            self.unfollow(Some(self.line.clone().keep_following(session.clone())));
        }
        self.session.store(Some(session.clone()));
        Ok(session)
    }

    /// Asks whether the server is of the modern era. Nothing where it is of the legacy one.
    async fn probe(&self, deadline: Deadline) -> Result<Option<Session>, Trouble> {
        let setting = &self.line.setting;
        let sure = setting.is_sure();
        // Who waits must not wait out all his time on a server that is silent about it.
        let patience = deadline.at_most(if sure {
            deadline.timeout
        } else {
            setting.options.probe_timeout.min(deadline.timeout / 2)
        });
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let asked = patience.bound(self.line.exchange(None, id, &discover(patience))).await;
        let why = match asked.map(|answer| answer.map_err(Trouble::from)) {
            Ok(Ok((reply, _))) => match Probed::read(&reply) {
                Probed::Modern(about) => {
                    let version = HeaderValue::from_static(words::MODERN);
                    return Ok(Some(Session { about: Arc::new(*about), id: None, version }));
                }
                Probed::Foreign(why) => return Err(why),
                Probed::Legacy => Trouble::Version,
            },
            Err(why) | Ok(Err(why)) => why,
        };
        let legacy = match why {
            Trouble::Version | Trouble::Garbage | Trouble::TimedOut(_) => true,
            Trouble::Status(status) => !matches!(status, 429 | 502..=504),
            _ => false,
        };
        if legacy && !sure { Ok(None) } else { Err(why) }
    }

    async fn initialize(&self, deadline: Deadline) -> Result<Session, Trouble> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let outgoing = initialize(&self.line.purpose, deadline);
        let (reply, session_id) = self.line.exchange(None, id, &outgoing).await?;
        let about = Arc::new(About::read(&reply)?);
        let version = HeaderValue::try_from(&*about.version).map_err(|_| Trouble::Garbage)?;
        let session = Session { about, id: session_id, version };
        self.line.tell(Some(&session), envelope::notification(Method::Initialized, b"")).await?;
        Ok(session)
    }

    fn forget(&self, session: &Arc<Session>) {
        let current = self.session.load();
        if current.as_ref().is_some_and(|current| Arc::ptr_eq(current, session)) {
            self.session.store(None);
            self.unfollow(None);
        }
    }

    /// A modern server that does not know the path or the form of a request may not be one any more.
    fn doubt(&self, session: &Arc<Session>, why: Trouble) {
        let setting = &self.line.setting;
        if session.is_modern() && !setting.is_sure() && matches!(why, Trouble::Status(400 | 404..=406 | 415)) {
            setting.learn(None);
            self.forget(session);
        }
    }

    fn unfollow(&self, next: Option<AbortHandle>) {
        let mut follower = self.follower.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(old) = std::mem::replace(&mut *follower, next) {
            old.abort();
        }
    }
}

impl Drop for Endpoint {
    /// A private session that is not needed any more is closed; the shared one is by `shutdown`.
    fn drop(&mut self) {
        self.unfollow(None);
        let Some(session) = self.session.swap(None).filter(|_| self.line.purpose.is_private()) else { return };
        if let Some(mut request) = self.line.closing(&session)
            && tokio::runtime::Handle::try_current().is_ok()
        {
            *request.method_mut() = http::Method::DELETE;
            let line = self.line.clone();
            drop(background(async move { drop(tokio::time::timeout(ASIDE, line.egress.send(request)).await) }));
        }
    }
}

impl Session {
    fn is_modern(&self) -> bool {
        self.about.era == Era::Modern
    }
}

impl Line {
    /// Posts a request and reads until its answer.
    async fn exchange(
        self: &Arc<Self>,
        session: Option<&Arc<Session>>,
        id: u64,
        outgoing: &Outgoing,
    ) -> Result<(Reply, Option<HeaderValue>), Failed> {
        let modern = session.map_or(outgoing.method == Method::ServerDiscover, |session| session.is_modern());
        let params = if modern { words::modern(outgoing) } else { words::legacy(outgoing) };
        let body = envelope::request(id, outgoing.method, &params).into();
        let request = match session {
            Some(session) => self.message(Some((session, outgoing)), body),
            None if modern => self.first_modern(outgoing, body),
            None => self.message(None, body),
        };
        let response = self.egress.send(request).await.map_err(Trouble::from)?;
        let status = response.status();
        if status == StatusCode::NOT_FOUND && session.is_some_and(|session| session.id.is_some()) {
            return Err(Failed::Forgotten);
        }
        answer::by_status(status)?;
        let session_id = response.headers().get(field::SESSION_ID).cloned();
        let reply = match Content::of(response.headers()) {
            Content::Json => self.whole(id, modern, response).await,
            Content::Events if status.is_success() => {
                let mut hearing = Hearing::of(outgoing, self.purpose.is_private() && !modern);
                Box::pin(self.read(session, Some(id), answer::Heard::Call(&mut hearing), response.into_body())).await
            }
            Content::Events | Content::Other => Err(Trouble::Garbage),
        };
        match reply {
            // An error that only the modern era has: the session is of no use, and nothing was done.
            Ok(Reply::Error(error))
                if !modern
                    && session.is_some()
                    && !status.is_success()
                    && !self.setting.is_sure()
                    && is_modern(&error) =>
            {
                self.setting.learn(None);
                Err(Failed::Forgotten)
            }
            Ok(reply) => Ok((reply, session_id)),
            Err(Trouble::Garbage) if !status.is_success() => Err(Trouble::Status(status.as_u16()).into()),
            Err(why) => Err(why.into()),
        }
    }

    /// Posts a message that has no answer.
    async fn tell(&self, session: Option<&Session>, body: Vec<u8>) -> Result<(), Trouble> {
        let sent = self.egress.send(self.bare(session, body.into()));
        let response = tokio::time::timeout(ASIDE, sent).await.map_err(|_| Trouble::TimedOut(ASIDE))??;
        match response.status().as_u16() {
            401 | 403 => Err(Trouble::Refused),
            300..=399 => Err(Trouble::Redirected),
            _ => Ok(()),
        }
    }

    /// A request as its session's era has it.
    fn message(&self, said: Option<(&Arc<Session>, &Outgoing)>, body: Bytes) -> Request<Full<Bytes>> {
        let mut request = self.bare(said.map(|(session, _)| &**session), body);
        if let Some((_, outgoing)) = said.filter(|(session, _)| session.is_modern()) {
            fields::add(request.headers_mut(), outgoing, &self.setting.catalog);
        }
        request
    }

    /// A modern request before it is known whether the server is modern.
    fn first_modern(&self, outgoing: &Outgoing, body: Bytes) -> Request<Full<Bytes>> {
        let mut request = self.bare(None, body);
        request.headers_mut().insert(field::PROTOCOL_VERSION, HeaderValue::from_static(words::MODERN));
        fields::add(request.headers_mut(), outgoing, &self.setting.catalog);
        request
    }

    fn bare(&self, session: Option<&Session>, body: Bytes) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = self.spec.url.clone();
        let mut headers = self.spec.headers.clone();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static(AGENT));
        if let Some(session) = session {
            headers.insert(field::PROTOCOL_VERSION, session.version.clone());
            if let Some(id) = &session.id {
                headers.insert(field::SESSION_ID, id.clone());
            }
        }
        *request.headers_mut() = headers;
        request
    }

    /// What ends a session, where there is one to end.
    fn closing(&self, session: &Session) -> Option<Request<Full<Bytes>>> {
        session.id.as_ref().map(|_| self.bare(Some(session), Bytes::new()))
    }
}

/// Whether an error is one that only the modern era has.
fn is_modern(error: &[u8]) -> bool {
    matches!(error_code(error), Some(code::HEADER_MISMATCH | code::MISSING_CAPABILITY | code::UNSUPPORTED_VERSION))
}

/// A request under way. Dropped in the middle, it is cancelled: a closed stream alone does that in
/// the modern era only.
struct Posted<'e> {
    line: &'e Arc<Line>,
    session: &'e Arc<Session>,
    id: u64,
    open: bool,
}

impl<'e> Posted<'e> {
    fn new(line: &'e Arc<Line>, session: &'e Arc<Session>, id: u64, outgoing: &Outgoing) -> Self {
        if line.purpose.is_private() {
            line.front.set(Some(Hearing::of(outgoing, true)));
        }
        Self { line, session, id, open: true }
    }
}

impl Drop for Posted<'_> {
    fn drop(&mut self) {
        if self.line.purpose.is_private() {
            self.line.front.set(None);
        }
        if !self.open || self.session.is_modern() || tokio::runtime::Handle::try_current().is_err() {
            return;
        }
        let (line, session, id) = (self.line.clone(), self.session.clone(), self.id);
        drop(background(async move {
            let message = envelope::notification(Method::Cancelled, &cancelled(id));
            if let Err(why) = line.tell(Some(&session), message).await {
                tracing::debug!(server = %line.setting.server, %why, "a cancellation was not taken");
            }
        }));
    }
}
