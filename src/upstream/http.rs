//! A server over Streamable HTTP, legacy era: a session of header fields, each message a POST.
//!
//! A session that the server has forgotten (404) is opened again, once, and the request repeated: a
//! 404 says that it was not worked on. Nothing else is ever repeated (CL-14).
//!
//! SPEC: MCP 2025-11-25 transports, "Streamable HTTP"; CL-08, CL-15, CL-16, PX-12; threats T-111,
//! T-167, T-204.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use tokio::sync::{Mutex, mpsc};

use super::{
    About, Deadline, Health, Options, Outgoing, Reply, SpecError, Told, Trouble,
    about::initialize,
    background,
    catalog::Changes,
    inbound::{self, Inbound},
    session::cancelled,
    spec::HttpSpec,
    words,
};
use crate::{
    egress::{self, Content, Egress, Events, Reach},
    mcp::{Method, envelope, header as field},
    name::ServerName,
};

/// How long a message that nobody waits for may take.
const ASIDE: Duration = Duration::from_secs(5);
/// How long the end of an answered stream is waited for.
const LINGER: Duration = Duration::from_secs(1);
/// How many requests of an upstream's own are answered in one stream.
const MOST_ASKED: u32 = 16;
/// How many times the largest message a whole stream may hold.
const STREAM_FACTOR: usize = 4;

/// One endpoint.
#[derive(Debug)]
pub(super) struct Endpoint {
    line: Arc<Line>,
    session: ArcSwapOption<Session>,
    opening: Mutex<()>,
    next_id: AtomicU64,
    stopped: AtomicBool,
}

/// What every message to the endpoint needs.
#[derive(Debug)]
struct Line {
    server: ServerName,
    spec: HttpSpec,
    egress: Egress,
    options: Arc<Options>,
    changes: Arc<Changes>,
}

/// An open session.
#[derive(Debug)]
struct Session {
    about: Arc<About>,
    id: Option<HeaderValue>,
    version: HeaderValue,
}

/// Why an exchange brought no answer.
enum Failed {
    /// The server has forgotten the session; it did nothing.
    Forgotten,
    Because(Trouble),
}

impl From<Trouble> for Failed {
    fn from(why: Trouble) -> Self {
        Self::Because(why)
    }
}

impl Endpoint {
    pub(super) fn new(
        server: ServerName,
        spec: HttpSpec,
        options: Arc<Options>,
        changes: Arc<Changes>,
    ) -> Result<Self, SpecError> {
        // A host that the URL gives as an address, or as this machine, is named already.
        let reach = match Reach::of_configured(&spec.url) {
            Reach::Public if spec.allow_private => Reach::Private,
            named => named,
        };
        let egress = Egress::new(&spec.url, reach, &options.egress).map_err(|why| SpecError::new(&server, why))?;
        Ok(Self {
            line: Arc::new(Line { server, spec, egress, options, changes }),
            session: ArcSwapOption::empty(),
            opening: Mutex::new(()),
            next_id: AtomicU64::new(1),
            stopped: AtomicBool::new(false),
        })
    }

    /// How the endpoint is spoken to.
    pub(super) fn spec(&self) -> &HttpSpec {
        &self.line.spec
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
                    let mut posted = Posted { line: &self.line, session: &session, id, open: true };
                    let answer = self.line.exchange(Some(&session), id, outgoing).await;
                    posted.open = false;
                    match answer {
                        Ok((reply, _)) => return Ok(reply),
                        Err(Failed::Because(why)) => return Err(why),
                        Err(Failed::Forgotten) if last => break,
                        Err(Failed::Forgotten) => self.forget(&session),
                    }
                }
                Err(Trouble::Status(StatusCode::NOT_FOUND.as_u16()))
            })
            .await?
    }

    /// What the server said of itself.
    pub(super) async fn about(&self, deadline: Deadline) -> Result<Arc<About>, Trouble> {
        Ok(deadline.bound(self.open(deadline)).await??.about.clone())
    }

    /// Closes the session, if the server lets us.
    pub(super) async fn shutdown(&self) {
        self.stopped.store(true, Ordering::Relaxed);
        let Some(session) = self.session.swap(None) else { return };
        if session.id.is_none() {
            return;
        }
        let mut request = self.line.message(Some(&session), Bytes::new());
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
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let (reply, session_id) =
            self.line.exchange(None, id, &initialize(deadline)).await.map_err(|failed| match failed {
                Failed::Because(why) => why,
                Failed::Forgotten => Trouble::Status(StatusCode::NOT_FOUND.as_u16()),
            })?;
        let about = Arc::new(About::read(&reply)?);
        let version = HeaderValue::try_from(&*about.version).map_err(|_| Trouble::Garbage)?;
        let session = Arc::new(Session { about, id: session_id, version });
        self.line.tell(Some(&session), envelope::notification(Method::Initialized, b"")).await?;
        self.line.changes.bump_all();
        self.session.store(Some(session.clone()));
        tracing::info!(server = %self.line.server, version = %session.about.version, "is up");
        Ok(session)
    }

    fn forget(&self, session: &Arc<Session>) {
        let current = self.session.load();
        if current.as_ref().is_some_and(|current| Arc::ptr_eq(current, session)) {
            self.session.store(None);
        }
    }
}

impl Line {
    /// Posts a request and reads until its answer.
    async fn exchange(
        &self,
        session: Option<&Arc<Session>>,
        id: u64,
        outgoing: &Outgoing,
    ) -> Result<(Reply, Option<HeaderValue>), Failed> {
        let body = envelope::request(id, outgoing.method, &words::legacy(outgoing));
        let response = self.egress.send(self.message(session, body.into())).await.map_err(Trouble::from)?;
        let status = response.status();
        if status == StatusCode::NOT_FOUND && session.is_some_and(|session| session.id.is_some()) {
            return Err(Failed::Forgotten);
        }
        let answer = matches!(status.as_u16(), 200 | 400 | 404 | 422 | 500);
        match status.as_u16() {
            401 | 403 => return Err(Trouble::Refused.into()),
            300..=399 => return Err(Trouble::Redirected.into()),
            202 | 204 => return Err(Trouble::Garbage.into()),
            _ if !answer => return Err(Trouble::Status(status.as_u16()).into()),
            _ => {}
        }
        let session_id = response.headers().get(field::SESSION_ID).cloned();
        let reply = match Content::of(response.headers()) {
            Content::Json => {
                let body = egress::read(response.into_body(), self.options.largest_message).await;
                match Inbound::read(&body.map_err(Trouble::from)?) {
                    Inbound::Answer(Some(answered), reply) if answered == id => Ok(reply),
                    Inbound::Answer(None, reply @ Reply::Error(_)) if !status.is_success() => Ok(reply),
                    Inbound::Answer(..)
                    | Inbound::Progress(..)
                    | Inbound::Changed(_)
                    | Inbound::Ask(..)
                    | Inbound::AskUnknown(_)
                    | Inbound::Unwanted
                    | Inbound::Garbage(_) => Err(Trouble::Garbage),
                }
            }
            Content::Events if status.is_success() => Box::pin(self.listen(session, id, outgoing, response)).await,
            Content::Events | Content::Other => Err(Trouble::Garbage),
        };
        match reply {
            Ok(reply) => Ok((reply, session_id)),
            Err(Trouble::Garbage) if !status.is_success() => Err(Trouble::Status(status.as_u16()).into()),
            Err(why) => Err(why.into()),
        }
    }

    /// Reads a stream until the answer is in it.
    async fn listen(
        &self,
        session: Option<&Arc<Session>>,
        id: u64,
        outgoing: &Outgoing,
        response: Response<egress::Body>,
    ) -> Result<Reply, Trouble> {
        let sink = outgoing.side.as_ref().map(|side| (side.token, &side.sink));
        let mut body = response.into_body();
        let mut events = Events::new(self.options.largest_message);
        let mut room = self.options.largest_message.saturating_mul(STREAM_FACTOR);
        let mut asked = 0;
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|_| Trouble::Crashed)?.into_data() else { continue };
            room = room.checked_sub(data.len()).ok_or(Trouble::TooLarge)?;
            events.push(&data);
            while let Some(event) = events.next().map_err(|_| Trouble::TooLarge)? {
                match Inbound::read(&event) {
                    Inbound::Answer(Some(answered), reply) if answered == id => {
                        finish(body).await;
                        return Ok(reply);
                    }
                    Inbound::Garbage(Some(answered)) if answered == id => return Err(Trouble::Garbage),
                    Inbound::Progress(token, params) => hear(sink, token, params),
                    Inbound::Changed(kinds) => self.changes.note(kinds),
                    Inbound::Ask(..) | Inbound::AskUnknown(_) if asked >= MOST_ASKED => return Err(Trouble::Garbage),
                    Inbound::Ask(theirs, method) => {
                        asked += 1;
                        self.tell(session, inbound::answer(&theirs, Some(method))).await?;
                    }
                    Inbound::AskUnknown(theirs) => {
                        asked += 1;
                        self.tell(session, inbound::answer(&theirs, None)).await?;
                    }
                    Inbound::Answer(..) | Inbound::Unwanted | Inbound::Garbage(_) => {
                        tracing::debug!(server = %self.server, "ignored an event");
                    }
                }
            }
        }
        Err(Trouble::Crashed)
    }

    /// Posts a message that has no answer.
    async fn tell(&self, session: Option<&Arc<Session>>, body: Vec<u8>) -> Result<(), Trouble> {
        let sent = self.egress.send(self.message(session, body.into()));
        let response = tokio::time::timeout(ASIDE, sent).await.map_err(|_| Trouble::TimedOut(ASIDE))??;
        match response.status().as_u16() {
            401 | 403 => Err(Trouble::Refused),
            300..=399 => Err(Trouble::Redirected),
            _ => Ok(()),
        }
    }

    fn message(&self, session: Option<&Arc<Session>>, body: Bytes) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = self.spec.url.clone();
        let mut headers = self.spec.headers.clone();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static(concat!("portcullis/", env!("CARGO_PKG_VERSION"))));
        if let Some(session) = session {
            headers.insert(field::PROTOCOL_VERSION, session.version.clone());
            if let Some(id) = &session.id {
                headers.insert(field::SESSION_ID, id.clone());
            }
        }
        *request.headers_mut() = headers;
        request
    }
}

/// Reads the end of a stream whose answer is known, so that its connection can be used again.
async fn finish(mut body: egress::Body) {
    let mut rest = Box::pin(async move {
        // The end is all that should come; a server that goes on loses the connection.
        match body.frame().await {
            None => {}
            Some(_) => drop(body.frame().await),
        }
    });
    if futures_util::poll!(&mut rest).is_pending() {
        drop(background(tokio::time::timeout(LINGER, rest)));
    }
}

/// A request under way. Dropped in the middle, it is cancelled: a closed stream alone does not.
struct Posted<'e> {
    line: &'e Arc<Line>,
    session: &'e Arc<Session>,
    id: u64,
    open: bool,
}

impl Drop for Posted<'_> {
    fn drop(&mut self) {
        if !self.open || tokio::runtime::Handle::try_current().is_err() {
            return;
        }
        let (line, session, id) = (self.line.clone(), self.session.clone(), self.id);
        drop(background(async move {
            let message = envelope::notification(Method::Cancelled, &cancelled(id));
            if let Err(why) = line.tell(Some(&session), message).await {
                tracing::debug!(server = %line.server, %why, "a cancellation was not taken");
            }
        }));
    }
}

/// Passes progress on, if it is this request's; dropped where there is no room.
fn hear(sink: Option<(u64, &mpsc::Sender<Told>)>, token: u64, params: Bytes) {
    if let Some((ours, sink)) = sink
        && ours == token
    {
        drop(sink.try_send(Told::Progress(params)));
    }
}
