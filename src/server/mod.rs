//! The one place that knows every part: puts them together, runs them, takes them down in order.
//!
//! Down: no more connections; requests in flight finish; children are gone; the audit trail ends on
//! a whole line.

mod certificate;
mod reload;
pub(crate) mod secret;
pub(crate) mod socket;

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
pub(crate) use reload::{Load, Loaded};
use rustls::ServerConfig;
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
};

use crate::{
    audit::{self, Trail, TrailError},
    chance,
    clock::{Clock, SystemClock},
    config::{Config, Listen, Login, TlsFiles, Way},
    egress::Resolve,
    gateway::{Gateway, Parts, Revision},
    http::{self, Health, forwarded::Proxies, listener},
    id::Id,
    identity::{self, Bearer},
    oauth::{Office, TokenKeys, client::Fetcher},
    policy::Engine,
    record::Access,
    seal::{self, Handles, SealError},
    secret::Secret,
    snapshot::Snapshot,
    store::{Store, StoreError},
    tasks::Tasks,
    upstream::{Book, Options, SpecError, Upstreams},
};

/// How long requests in flight may take at the end.
const GRACE: Duration = Duration::from_secs(30);
/// How long tasks may take after that.
const TASK_GRACE: Duration = Duration::from_secs(5);

/// The server could not be started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// The engine refuses the bundle.
    #[error("the policies cannot be loaded: {0}")]
    Engine(String),
    /// The address is taken or not ours.
    #[error("cannot listen on {address}: {}", unbound(why))]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why; its words are ours.
        why: io::Error,
    },
    /// Other machines would reach it, and nothing protects the way.
    #[error(
        "other machines reach {0} without TLS: set `listen.tls`, or `listen.tls_proxy: true` where a proxy ends TLS"
    )]
    Open(SocketAddr),
    /// Other machines would reach it, and nobody needs a token.
    #[error(
        "other machines reach {0}, and `oauth.enabled` is false: without tokens the gateway is for this machine alone"
    )]
    Anybody(SocketAddr),
    /// Other machines would reach it, and nothing says who signs in.
    #[error("other machines reach {0}, and `oauth.login` does not say who signs in: write `users` or `owner`")]
    Nobody(SocketAddr),
    /// The certificate or its key cannot be used.
    #[error("{0}")]
    Certificate(String),
    /// The audit trail cannot be written.
    #[error("{0}; `audit.file` says where it is")]
    Trail(#[from] TrailError),
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no usable key.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// A server cannot be spoken to as configured.
    #[error(transparent)]
    Upstream(#[from] SpecError),
    /// A secret cannot be read.
    #[error("{0}")]
    Secret(String),
    /// The system gives no randomness, or not what else a process needs.
    #[error("{0}")]
    System(String),
}

/// A server put together, and not yet serving.
#[derive(Debug)]
pub(crate) struct Server {
    gateway: Arc<Gateway>,
    store: Option<Arc<Store>>,
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<Tls>,
    signals: [Signal; 3],
    starting: Starting,
}

/// What a server is started with besides its configuration.
pub(crate) struct Starting {
    /// Reads the configuration anew.
    pub(crate) load: Load,
    /// Whether a reload may let everybody in.
    pub(crate) allow_open: bool,
    /// The socket that was passed to us.
    pub(crate) inherited: Option<std::net::TcpListener>,
}

impl std::fmt::Debug for Starting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Starting").field("allow_open", &self.allow_open).finish_non_exhaustive()
    }
}

/// The certificate in force, and where it came from.
#[derive(Debug)]
struct Tls {
    files: TlsFiles,
    stamp: Option<certificate::Stamp>,
    current: Arc<ArcSwap<ServerConfig>>,
}

impl Server {
    /// Opens what it needs and binds its address, or takes the socket that is passed to it, in the order
    /// in which failing costs least.
    ///
    /// # Errors
    /// When some part cannot be had.
    pub(crate) async fn build(loaded: Loaded, mut starting: Starting) -> Result<Self, StartError> {
        let Loaded { config, bundle, lock } = loaded;
        // First: whoever stops us from now on is heard, if only once all is up.
        let signals = signals()?;
        let engine = Engine::new(bundle).map_err(StartError::Engine)?;
        let address = config.listen.address.value;
        let listener = match starting.inherited.take() {
            Some(inherited) => socket::adopt(inherited),
            None => socket::bind(address),
        };
        let listener = listener.map_err(|why| StartError::Bind { address, why })?;
        let address = listener.local_addr().map_err(|why| StartError::Bind { address, why })?;
        protected(&config, address)?;
        let tls = tls(&config.listen.way)?;
        // Secrets are read before anything is made on disk.
        let source = engine.bundle().oauth().then(|| secret::key(&config)).transpose().map_err(StartError::Secret)?;
        let upstreams = Upstreams::build(&config.servers, &secret::read, launcher_options()?)?;
        let trail = Arc::new(Trail::open(&config.audit.file)?);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let tasks = Arc::new(Tasks::new());
        let random = |error: getrandom::Error| StartError::System(format!("the system gives no randomness: {error}"));
        let mut instance = Id::new(clock.now(), chance::bytes().map_err(random)?).to_string();
        let mut digest_key = chance::bytes().map_err(random)?;
        let mut handles = Handles::new(&Secret::new(chance::bytes().map_err(random)?));
        let (mut store, mut bearer, mut office) = (None, None, None);
        if let Some(source) = source {
            let opened = Arc::new(Store::open(&config.store.sqlite).await?);
            let algorithm = config.encryption.algorithm;
            let keys = seal::unlock(&opened, &config.store.sqlite, source, algorithm, clock.now()).await?.keys;
            let newest = identity::recorded(&opened).await?;
            instance = opened.first_mark("instance", &instance).await?;
            digest_key = *keys.audit_digest.expose();
            handles = Handles::new(&keys.handles);
            bearer = Some(Arc::new(Bearer::new(
                Arc::clone(&opened),
                TokenKeys::of(&keys),
                chance::bytes().map_err(random)?,
                newest,
            )));
            office = Some(Office::new(&keys, Arc::clone(&opened), Fetcher::new(Resolve::system())));
            store = Some(opened);
        }
        let roll = office.as_ref().map(|office| office.roll(&config, &secret::read)).transpose();
        let roll = roll.map_err(|problems| StartError::Secret(problems.join("; ")))?;
        let snapshot = Arc::new(Snapshot::new(config, engine, lock));
        // Once a process, and for as long as it lives.
        let instance = Box::leak(instance.into_boxed_str());
        let parts = Parts { bearer, trail, clock, tasks, instance, digest_key, office, handles };
        let (trail, clock, gateway) = (Arc::clone(&parts.trail), Arc::clone(&parts.clock), parts.instance());
        upstreams.record_starts(Book { trail, clock, gateway });
        let revision =
            Revision::new(snapshot, Arc::new(upstreams), &parts, None).map_err(StartError::Engine)?.with_roll(roll);
        let gateway = Gateway::new(parts, revision);
        Ok(Self { gateway, store, listener, address, tls, signals, starting })
    }

    /// The address that was bound.
    #[must_use]
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// A link that signs the owner in, where one person does; to be shown to nobody else.
    #[must_use]
    pub(crate) fn link(&self) -> Option<Secret<String>> {
        let (parts, revision) = (self.gateway.parts(), self.gateway.revision());
        let (office, roll) = parts.office.as_ref().zip(revision.roll.as_ref())?;
        let owner = office.issuer(&revision.snapshot, roll).login() == Login::Owner;
        let random = owner.then(chance::bytes)?.ok()?;
        Some(office.link(&revision.snapshot.public_url, parts.clock.now(), random))
    }

    /// Serves until SIGTERM or SIGINT, reading the configuration anew at each SIGHUP, then takes everything down in order.
    ///
    /// # Errors
    /// When signals cannot be waited for, or the trail does not close cleanly.
    pub(crate) async fn run(self) -> Result<(), StartError> {
        let Self { gateway, store, listener, address, tls, signals, starting } = self;
        let parts = gateway.parts();
        let [mut terminate, mut interrupt, mut hangup] = signals;
        let revision = gateway.revision();
        note_start(parts, &revision)?;
        revision.upstreams.start();
        parts.tasks.spawn("audit", audit::keep(Arc::clone(&parts.trail), Arc::clone(&parts.clock), parts.tasks.stop()));
        if let (Some(bearer), Some(store)) = (&parts.bearer, &store) {
            let keep = identity::keep_up(
                Arc::clone(bearer),
                Arc::clone(store),
                Arc::clone(&parts.trail),
                parts.instance(),
                Arc::clone(&parts.clock),
                parts.tasks.stop(),
            );
            parts.tasks.spawn("tokens", keep);
        }
        gateway.start();
        let (close, closing) = watch::channel(false);
        let stale = Arc::new(AtomicBool::new(false));
        let health = Health::new(Arc::clone(&parts.trail), store.clone(), Arc::clone(&stale));
        let routes = http::routes(Arc::clone(&gateway), address, health);
        let outgoing = Arc::new(http::Outgoing::new(Arc::clone(&gateway)));
        let manner = manner(parts, &revision.snapshot.config.listen, tls, outgoing);
        // What is replaced ends once nobody uses it.
        drop(revision);
        let serving = listener::serve(listener, routes, manner, &parts.tasks, closing, GRACE);
        let told = async {
            loop {
                tokio::select! {
                    _ = terminate.recv() => break,
                    _ = interrupt.recv() => break,
                    Some(()) = hangup.recv() => stale.store(!reload::reload(&gateway, &starting).await, Relaxed),
                }
            }
            tracing::info!("told to stop: requests in flight finish, new ones are not taken");
            gateway.end_streams();
            close.send_replace(true);
        };
        tokio::join!(serving, told);
        gateway.revision().upstreams.shutdown().await;
        let cut = parts.tasks.shut_down(TASK_GRACE).await;
        if !cut.is_empty() {
            tracing::warn!(tasks = cut.join(", "), "cut off: they did not end in time");
        }
        if let Some(store) = store {
            store.close().await;
        }
        parts.trail.close(parts.clock.now())?;
        Ok(())
    }
}

/// Whatever the configuration says: a socket may have been passed that it does not know.
fn protected(config: &Config, address: SocketAddr) -> Result<(), StartError> {
    if address.ip().to_canonical().is_loopback() {
        return Ok(());
    }
    if !config.oauth.enabled.value {
        return Err(StartError::Anybody(address));
    }
    if config.oauth.authorization.login.is_none() {
        return Err(StartError::Nobody(address));
    }
    if config.listen.way == Way::Plain { Err(StartError::Open(address)) } else { Ok(()) }
}

fn tls(way: &Way) -> Result<Option<Tls>, StartError> {
    let Way::Tls(files) = way else { return Ok(None) };
    // First the look: what changes between the two is read again.
    let stamp = certificate::stamp(files);
    let pair = certificate::read(files).map_err(StartError::Certificate)?;
    let current = Arc::new(ArcSwap::new(pair.config));
    Ok(Some(Tls { files: files.clone(), stamp, current }))
}

/// How the listener speaks; starts what keeps its certificate up to date.
fn manner(parts: &Parts, listen: &Listen, tls: Option<Tls>, outgoing: Arc<http::Outgoing>) -> listener::Manner {
    let mut limits = listen.limits.clone();
    limits.connections = socket::room(limits.connections);
    let proxies = Proxies::new(listen.trusted_proxies.clone(), listen.way == Way::Proxy);
    let tls = tls.map(|Tls { files, stamp, current }| {
        let keep = certificate::Keep {
            files,
            current: Arc::clone(&current),
            stamp,
            trail: Arc::clone(&parts.trail),
            clock: Arc::clone(&parts.clock),
            gateway: parts.instance(),
        };
        parts.tasks.spawn("certificate", certificate::keep(keep, parts.tasks.stop()));
        current
    });
    listener::Manner { tls, proxies, limits, outgoing }
}

/// Why an address was not bound, in words that help.
fn unbound(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => "something listens there already; is a gateway running?".to_owned(),
        io::ErrorKind::AddrNotAvailable => "this machine has no such address; see `listen.address`".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied; ports below 1024 need more rights".to_owned(),
        _ => error.to_string(),
    }
}

fn signals() -> Result<[Signal; 3], StartError> {
    let fail = |error: io::Error| StartError::System(format!("signals cannot be waited for: {error}"));
    let heard = |kind| signal(kind).map_err(fail);
    Ok([heard(SignalKind::terminate())?, heard(SignalKind::interrupt())?, heard(SignalKind::hangup())?])
}

/// What the trail says of a start: what is in force, and what was left unfinished.
fn note_start(parts: &Parts, revision: &Revision) -> Result<(), StartError> {
    if parts.trail.was_torn() {
        tracing::warn!("the last line of the audit trail was not whole; it was closed off");
    }
    let now = parts.clock.now();
    for id in parts.trail.unfinished() {
        tracing::warn!(%id, "the outcome of this call is unknown: the gateway ended before it did");
        // Said once: the record that closes it says that nobody knows.
        if let Ok(id) = id.parse() {
            parts.trail.access(Access { id, at: now, gateway: parts.instance(), response: None, without: &[] })?;
        }
    }
    reload::note(parts, revision)
}

/// With what upstreams are started and spoken to.
fn launcher_options() -> Result<Options, StartError> {
    let launcher = launcher()?;
    let environment = environment(&launcher);
    Ok(Options::new(launcher, environment))
}

/// Our own executable, which starts children.
pub(crate) fn launcher() -> Result<PathBuf, StartError> {
    std::env::current_exe().map_err(|error| StartError::System(format!("our own executable cannot be found: {error}")))
}

/// Our environment, with the directory of our own executable last in `PATH`: a server of `portcullis
/// demo-server` needs nothing installed.
pub(crate) fn environment(launcher: &Path) -> BTreeMap<OsString, OsString> {
    let mut environment: BTreeMap<OsString, OsString> = std::env::vars_os().collect();
    let path = environment.remove(OsStr::new("PATH")).unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(launcher.parent().map(Path::to_owned));
    environment.insert("PATH".into(), std::env::join_paths(folders).unwrap_or(path));
    environment
}
