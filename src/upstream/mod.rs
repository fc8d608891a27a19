//! The servers behind the gateway: started, spoken to, asked what they offer, and ended.
//!
//! An upstream is a child process (`stdio`, kept alive by `supervise`) or an endpoint (`http`). Ids
//! and progress tokens towards it are our own; what it answers comes back as its very bytes. It is
//! believed in nothing: every length, count and wait is bounded, and what does not fit is an
//! [`UpstreamError`] for this call alone.
//!
//! INVARIANT: nothing of a caller reaches an upstream but the parameters of a request, and nothing
//! of an upstream's refusal (401, 403, redirects) reaches a caller.
//! SPEC: MCP 2025-11-25, transports and lifecycle; CL-01…CL-08, CL-14…CL-16, CL-25, PX-07, PX-12.
//! To add a transport: `upstream/<transport>.rs` and a variant of `Link`.

mod about;
mod catalog;
mod error;
mod http;
mod inbound;
mod session;
mod spawn;
mod spec;
mod stdio;
mod supervise;
mod words;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::Instant,
};

use crate::{
    config::{SecretRef, Server},
    mcp::{Kind, LogLevel, Method},
    name::ServerName,
    policy::Allowed,
    secret::Secret,
};

pub use about::About;
pub use catalog::List;
pub use error::{Trouble, UpstreamError};
pub use spec::{INHERITED, Options, SpecError};

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

/// Where all goes that comes before the answer to one request.
#[derive(Debug)]
pub struct Side {
    /// The progress token: our own, never repeated by this process.
    token: u64,
    sink: mpsc::Sender<Told>,
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

/// Something changed at an upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// One of its lists, by its own word or because it came up anew.
    List(Kind),
    /// A resource that somebody is subscribed to.
    Resource(Arc<str>),
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

/// How an upstream is, as far as is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// Nobody has needed it yet.
    Unused,
    /// Its process is coming up.
    Starting,
    /// Its session is open.
    Up,
    /// It went down and will be started again.
    Down(Trouble),
    /// It was ended by us.
    Stopped,
}

/// Every upstream, by name.
#[derive(Debug)]
pub struct Upstreams {
    by_name: BTreeMap<ServerName, Arc<Upstream>>,
}

impl Upstreams {
    /// Reads the secrets of all servers and makes ready to speak to them; nothing is started yet.
    ///
    /// # Errors
    /// When a secret cannot be read, or a URL or header cannot be used.
    pub fn build<'c>(
        servers: impl IntoIterator<Item = (&'c ServerName, &'c Server)>,
        secrets: &dyn Fn(&SecretRef) -> Result<Secret<String>, String>,
        options: Options,
    ) -> Result<Self, SpecError> {
        Self { by_name: BTreeMap::new() }.rebuild(servers, secrets, options)
    }

    /// The upstreams of another configuration. One that is spoken to as before is the same one, its
    /// process, session and lists included; the others end when these are dropped.
    ///
    /// # Errors
    /// As [`Upstreams::build`].
    pub fn rebuild<'c>(
        &self,
        servers: impl IntoIterator<Item = (&'c ServerName, &'c Server)>,
        secrets: &dyn Fn(&SecretRef) -> Result<Secret<String>, String>,
        options: Options,
    ) -> Result<Self, SpecError> {
        let options = Arc::new(options);
        let mut by_name = BTreeMap::new();
        for (name, server) in servers {
            let spec = spec::Spec::resolve(name, server, &options, secrets)?;
            let upstream = match self.by_name.get(name) {
                Some(known) if *known.options == *options && known.is_spoken_to_by(&spec) => known.clone(),
                Some(_) | None => Arc::new(Upstream::new(name.clone(), spec, options.clone())?),
            };
            by_name.insert(name.clone(), upstream);
        }
        Ok(Self { by_name })
    }

    /// Starts every child process in the background. Without it each starts at its first request.
    pub fn start(&self) {
        for upstream in self.by_name.values() {
            upstream.start();
        }
    }

    /// The upstream of a name.
    #[must_use]
    pub fn get(&self, name: &ServerName) -> Option<&Arc<Upstream>> {
        self.by_name.get(name)
    }

    /// Sends what was allowed, which is the only thing that is sent for a caller. `None` where there
    /// is no such server. Dropping the future cancels the request upstream.
    pub async fn send(&self, allowed: Allowed<Call>) -> Option<Result<Reply, UpstreamError>> {
        let (Call { server, outgoing }, _) = allowed.into_parts();
        Some(self.get(&server)?.request(outgoing).await)
    }

    /// Every upstream, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&ServerName, &Arc<Upstream>)> {
        self.by_name.iter()
    }

    /// Ends everything: children are asked, told and in the end killed; sessions are closed.
    pub async fn shutdown(&self) {
        futures_util::future::join_all(self.by_name.values().map(|upstream| upstream.shutdown())).await;
    }
}

/// One server behind the gateway.
#[derive(Debug)]
pub struct Upstream {
    name: ServerName,
    link: Link,
    catalog: catalog::Catalog,
    options: Arc<Options>,
}

/// How a server is spoken to.
#[derive(Debug)]
enum Link {
    Stdio(supervise::Supervisor),
    Http(http::Endpoint),
}

impl Upstream {
    fn new(name: ServerName, spec: spec::Spec, options: Arc<Options>) -> Result<Self, SpecError> {
        let changes = Arc::new(catalog::Changes::default());
        let (link, age) = match spec {
            spec::Spec::Stdio(spec) => {
                (Link::Stdio(supervise::Supervisor::new(name.clone(), spec, options.clone(), changes.clone())), None)
            }
            spec::Spec::Http(spec) => (
                Link::Http(http::Endpoint::new(name.clone(), spec, options.clone(), changes.clone())?),
                Some(options.list_age),
            ),
        };
        Ok(Self { name, link, catalog: catalog::Catalog::new(changes, age), options })
    }

    /// Starts its process in the background, if it has one.
    pub fn start(&self) {
        match &self.link {
            Link::Stdio(child) => child.start(),
            Link::Http(_) => {}
        }
    }

    /// Asks and waits for the answer. Dropping the future cancels the request upstream.
    ///
    /// # Errors
    /// When no answer came that can be passed on.
    async fn request(&self, outgoing: Outgoing) -> Result<Reply, UpstreamError> {
        let deadline = Deadline::after(outgoing.timeout);
        let answer = match &self.link {
            Link::Stdio(child) => child.request(&outgoing, deadline).await,
            Link::Http(endpoint) => endpoint.request(&outgoing, deadline).await,
        };
        answer.map_err(|why| self.trouble(why))
    }

    /// What it said of itself when its session was opened.
    ///
    /// # Errors
    /// When no session can be opened.
    pub async fn about(&self) -> Result<Arc<About>, UpstreamError> {
        let deadline = Deadline::after(self.options.start_timeout);
        let about = match &self.link {
            Link::Stdio(child) => child.about(deadline).await,
            Link::Http(endpoint) => endpoint.about(deadline).await,
        };
        about.map_err(|why| self.trouble(why))
    }

    /// Everything of a kind that it offers; empty where it has not the capability.
    ///
    /// # Errors
    /// When it cannot be asked, or answers something that is no list.
    pub async fn list(&self, kind: Kind) -> Result<Arc<List>, UpstreamError> {
        self.catalog.list(self, kind).await
    }

    /// How it is, as far as is known without asking it.
    #[must_use]
    pub fn health(&self) -> Health {
        match &self.link {
            Link::Stdio(child) => child.health(),
            Link::Http(endpoint) => endpoint.health(),
        }
    }

    /// The list as it was last fetched, if it is still good; nobody is asked.
    #[must_use]
    pub fn known(&self, kind: Kind) -> Option<Arc<List>> {
        self.catalog.fresh(kind)
    }

    fn is_spoken_to_by(&self, spec: &spec::Spec) -> bool {
        match (&self.link, spec) {
            (Link::Stdio(child), spec::Spec::Stdio(spec)) => child.spec() == spec,
            (Link::Http(endpoint), spec::Spec::Http(spec)) => endpoint.spec() == spec,
            (Link::Stdio(_), spec::Spec::Http(_)) | (Link::Http(_), spec::Spec::Stdio(_)) => false,
        }
    }

    async fn shutdown(&self) {
        match &self.link {
            Link::Stdio(child) => child.shutdown().await,
            Link::Http(endpoint) => endpoint.shutdown().await,
        }
    }

    fn trouble(&self, why: Trouble) -> UpstreamError {
        UpstreamError { server: self.name.clone(), why }
    }
}

/// A way round the engine, for the tests of this module alone.
#[doc(hidden)]
pub mod testing {
    use super::{Outgoing, Reply, Upstream, UpstreamError};

    /// Sends what nobody has allowed.
    ///
    /// # Errors
    /// As the request of an upstream.
    pub async fn request(upstream: &Upstream, outgoing: Outgoing) -> Result<Reply, UpstreamError> {
        upstream.request(outgoing).await
    }
}

/// Until when an answer is waited for.
#[derive(Debug, Clone, Copy)]
struct Deadline {
    at: Instant,
    timeout: Duration,
}

impl Deadline {
    fn after(timeout: Duration) -> Self {
        Self { at: Instant::now() + timeout, timeout }
    }

    /// Waits for `work` until then.
    async fn bound<T>(self, work: impl Future<Output = T>) -> Result<T, Trouble> {
        tokio::time::timeout_at(self.at, work).await.map_err(|_| Trouble::TimedOut(self.timeout))
    }
}

/// Runs beside the caller. Whoever starts it keeps the handle, or bounds its time.
fn background<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
    #[expect(
        clippy::disallowed_methods,
        reason = "supervisors are awaited by `Upstreams::shutdown`, the rest is bounded"
    )]
    tokio::spawn(work)
}
