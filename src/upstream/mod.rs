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
mod change;
mod error;
mod http;
mod inbound;
mod outgoing;
mod session;
mod spawn;
mod spec;
mod sse;
mod stdio;
mod supervise;
mod words;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::{sync::broadcast, task::JoinHandle, time::Instant};

use crate::{
    config::{SecretRef, Server},
    mcp::Kind,
    name::{ResourceUri, ServerName},
    policy::Allowed,
    secret::Secret,
};

pub use about::About;
pub use catalog::List;
pub use change::{Change, Subscription};
pub use error::{Trouble, UpstreamError};
pub use outgoing::{Ask, Call, Manner, Outgoing, Owner, Reply, Side, Subscribe, Told};
pub use spec::{INHERITED, Options, SpecError};

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
    name: ServerName,
    link: Link,
    catalog: catalog::Catalog,
    changes: Arc<change::Changes>,
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
        let changes = Arc::new(change::Changes::default());
        let (link, age) = match spec {
            spec::Spec::Stdio(spec) => {
                (Link::Stdio(supervise::Supervisor::new(name.clone(), spec, options.clone(), changes.clone())), None)
            }
            spec::Spec::Http(spec) => (
                Link::Http(http::Endpoint::new(name.clone(), spec, options.clone(), changes.clone())?),
                Some(options.list_age),
            ),
        };
        Ok(Self { name, link, catalog: catalog::Catalog::new(changes.clone(), age), changes, options })
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

    /// What changes at it from now on. As long as somebody watches, it is listened to.
    pub fn watch(&self) -> broadcast::Receiver<Change> {
        self.changes.watch()
    }

    async fn subscribe(&self, _: &ResourceUri) -> Result<Subscription, UpstreamError> {
        Err(self.trouble(Trouble::Unsubscribable))
    }

    fn forget(&self, _: &Owner) {}

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
