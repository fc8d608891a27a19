//! The servers behind the gateway: started, spoken to, asked what they offer, and ended.
//!
//! An upstream is a line that is kept open (`supervise`: a child's pipes, or a stream of events) or
//! an endpoint (`http`), of either era of the protocol: `open` and `http` find out which, `words`
//! speaks it. All callers share one connection; who may be asked something by a server has one for
//! each of his calls (`lease`). Ids and progress tokens are our own; what is answered comes back as
//! its very bytes. A server is believed in nothing: every length, count and wait is bounded, and
//! what does not fit is an [`UpstreamError`] for this call alone.
//!
//! INVARIANT: nothing of a caller reaches an upstream but what [`Outgoing`] holds; nothing of an
//! upstream's refusal (401, 403, redirects) reaches a caller, and what we prove ourselves with is in none of
//! its error texts (`credentials`).
//! SPEC: MCP 2025-11-25 and 2026-07-28, transports and lifecycle; sheet `mcp` §1.5, §2.3 … §2.6.
//! To add a transport: `upstream/<transport>.rs` and a variant of `spec::Wire` or `Link`.

mod about;
mod catalog;
mod change;
mod credentials;
mod error;
mod hearing;
mod http;
mod inbound;
mod lease;
mod link;
mod listen;
mod open;
mod outgoing;
mod session;
mod setting;
mod spawn;
mod spec;
mod starts;
mod stdio;
mod stream;
mod supervise;
mod words;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::{sync::broadcast, task::JoinHandle, time::Instant};

use crate::{
    config::{SecretRef, Server},
    mcp::{Era, Kind, Method, code},
    name::{ResourceUri, ServerName},
    policy::Allowed,
    secret::Secret,
};

use change::Standing;
use link::Link;
use setting::{Purpose, Setting};
use starts::Starts;

pub use about::About;
pub use catalog::List;
pub use change::{Change, Subscription};
pub use error::{Trouble, UpstreamError};
pub use outgoing::{Ask, Call, Manner, Outgoing, Owner, Reply, Side, Subscribe, Told};
pub use spec::{INHERITED, Options, SpecError};
pub use starts::Book;

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
    starts: Starts,
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
        Self { by_name: BTreeMap::new(), starts: Starts::default() }.rebuild(servers, secrets, options)
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
                Some(known) if *known.setting.options == *options && known.setting.spec == spec => known.clone(),
                Some(_) | None => Arc::new(Upstream::new(name.clone(), spec, options.clone(), self.starts.clone())?),
            };
            by_name.insert(name.clone(), upstream);
        }
        Ok(Self { by_name, starts: self.starts.clone() })
    }

    /// From now on every start of a process is recorded before it happens, and does not happen where it
    /// cannot be. So it is with those of a [rebuild](Self::rebuild) too.
    pub fn record_starts(&self, book: Book) {
        self.starts.record_in(book);
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

    /// Subscribes to a resource that may be read, until the subscription is dropped: its changes are
    /// told as [`Change::Resource`] to whoever watches the server. `None` where there is no such server.
    pub async fn subscribe(&self, allowed: Allowed<Subscribe>) -> Option<Result<Subscription, UpstreamError>> {
        let (Subscribe { server, uri }, _) = allowed.into_parts();
        Some(self.get(&server)?.subscribe(&uri).await)
    }

    /// Lets go of every connection that was kept for an owner who will not come back.
    pub fn forget(&self, owner: &Owner) {
        self.by_name.values().for_each(|upstream| upstream.forget(owner));
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
    setting: Arc<Setting>,
    /// The connection that all share.
    link: Arc<Link>,
    private: Arc<lease::Pool>,
    listener: listen::Listener,
}

impl Upstream {
    fn new(name: ServerName, spec: spec::Spec, options: Arc<Options>, starts: Starts) -> Result<Self, SpecError> {
        let setting = Arc::new(Setting::new(name, spec, options, starts)?);
        let link = Arc::new(Link::new(&setting, Purpose::Shared));
        let private = lease::Pool::new(setting.clone());
        let listener = listen::Listener::new(setting.clone(), link.clone());
        Ok(Self { setting, link, private, listener })
    }

    /// Starts its process in the background, if it has one.
    pub fn start(&self) {
        match (&*self.link, &self.setting.spec.wire) {
            (Link::Line(child), spec::Wire::Stdio(_)) => child.start(),
            // What is far away is spoken to when it is needed.
            (Link::Line(_) | Link::Http(_), _) => {}
        }
    }

    /// Asks and waits for the answer. Dropping the future cancels the request upstream.
    ///
    /// # Errors
    /// When no answer came that can be passed on.
    async fn request(&self, outgoing: Outgoing) -> Result<Reply, UpstreamError> {
        let deadline = Deadline::after(outgoing.timeout);
        let answer = match &outgoing.manner.owner {
            None => self.link.request(&outgoing, deadline).await,
            Some(owner) => Box::pin(self.request_of(owner, &outgoing, deadline)).await,
        };
        let reply = match answer {
            Ok(Reply::Error(error)) if outgoing.method == Method::ToolsCall => {
                Box::pin(self.once_more(&outgoing, error, deadline)).await
            }
            answer => answer.map_err(|why| self.trouble(why))?,
        };
        Ok(self.setting.spec.credentials.withhold(reply))
    }

    /// Asks over a connection of the owner's own, where the server can only tell callers apart so.
    async fn request_of(&self, owner: &Owner, outgoing: &Outgoing, deadline: Deadline) -> Result<Reply, Trouble> {
        let about = self.link.about(deadline).await?;
        // A modern server is told everything with each request; log lines over a child's pipes alone
        // do not say whose they are.
        let tells_apart =
            about.era == Era::Modern && (outgoing.manner.log_level.is_none() || matches!(&*self.link, Link::Http(_)));
        if tells_apart {
            return self.link.request(outgoing, deadline).await;
        }
        self.private.lease(owner, &outgoing.manner.capabilities, deadline).await?.request(outgoing, deadline).await
    }

    /// A call that was refused for lack of a header field goes out once more, if the list of tools now
    /// says which (CL-11): such a refusal says that nothing was done.
    async fn once_more(&self, outgoing: &Outgoing, error: bytes::Bytes, deadline: Deadline) -> Reply {
        let over_http = matches!(&*self.link, Link::Http(_));
        if over_http
            && about::error_code(&error) == Some(code::HEADER_MISMATCH)
            && self.setting.era() == Some(Era::Modern)
        {
            self.setting.changes.note(&[Kind::Tools]);
            if self.list(Kind::Tools).await.is_ok()
                && let Ok(reply) = self.link.request(outgoing, deadline).await
            {
                return reply;
            }
        }
        Reply::Error(error)
    }

    /// What it said of itself when it was first spoken to.
    ///
    /// # Errors
    /// When it cannot be spoken to.
    pub async fn about(&self) -> Result<Arc<About>, UpstreamError> {
        let deadline = Deadline::after(self.setting.options.start_timeout);
        self.link.about(deadline).await.map_err(|why| self.trouble(why))
    }

    /// Everything of a kind that it offers; empty where it has not the capability.
    ///
    /// # Errors
    /// When it cannot be asked, or answers something that is no list.
    pub async fn list(&self, kind: Kind) -> Result<Arc<List>, UpstreamError> {
        self.setting.catalog.list(self, kind).await
    }

    /// What changes at it from now on. As long as somebody watches, it is listened to.
    pub fn watch(&self) -> broadcast::Receiver<Change> {
        let watch = self.setting.changes.watch();
        self.listener.start();
        watch
    }

    async fn subscribe(&self, uri: &ResourceUri) -> Result<Subscription, UpstreamError> {
        let deadline = Deadline::after(self.setting.options.list_timeout);
        let subscribed = async {
            self.link.about(deadline).await?;
            let (subscription, mut standing) = self.setting.changes.want(uri.as_str())?;
            self.listener.start();
            let settled = deadline.bound(standing.wait_for(|standing| *standing != Standing::Asked)).await?;
            match settled.map(|standing| *standing) {
                Ok(Standing::Refused(why)) => Err(why),
                Ok(Standing::Held | Standing::Asked) => Ok(subscription),
                Err(_) => Err(Trouble::Stopped),
            }
        };
        subscribed.await.map_err(|why| self.trouble(why))
    }

    fn forget(&self, owner: &Owner) {
        self.private.forget(owner);
    }

    /// How it is, as far as is known without asking it.
    #[must_use]
    pub fn health(&self) -> Health {
        self.link.health()
    }

    /// The list as it was last fetched, if it is still good; nobody is asked.
    #[must_use]
    pub fn known(&self, kind: Kind) -> Option<Arc<List>> {
        self.setting.catalog.fresh(kind)
    }

    async fn shutdown(&self) {
        self.listener.stop();
        tokio::join!(self.private.shutdown(), self.link.shutdown());
    }

    fn trouble(&self, why: Trouble) -> UpstreamError {
        UpstreamError { server: self.setting.server.clone(), why }
    }
}

/// A way round the engine, for the tests of this module alone.
#[doc(hidden)]
pub mod testing {
    use super::{Outgoing, Reply, Subscription, Upstream, UpstreamError};
    use crate::name::ResourceUri;

    /// Sends what nobody has allowed.
    ///
    /// # Errors
    /// As the request of an upstream.
    pub async fn request(upstream: &Upstream, outgoing: Outgoing) -> Result<Reply, UpstreamError> {
        upstream.request(outgoing).await
    }

    /// Subscribes to what nobody has allowed.
    ///
    /// # Errors
    /// As the subscription to a resource of an upstream.
    pub async fn subscribe(upstream: &Upstream, uri: &ResourceUri) -> Result<Subscription, UpstreamError> {
        upstream.subscribe(uri).await
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

    /// The sooner of this and `patience` from now.
    fn at_most(self, patience: Duration) -> Self {
        let other = Self::after(patience);
        if other.at < self.at { other } else { self }
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
