//! Opening a connection: resolve, decide on every address, connect to one that passed.
//!
//! The address that was decided on is the address that is connected to; the name is not resolved a
//! second time.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::{Uri, uri::Scheme};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::{
    EgressError,
    address::{Range, range},
};

/// What may be reached besides the internet: what the operator wrote out as being inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// Nothing.
    Public,
    /// This machine, which the URL names as `localhost`.
    Loopback,
    /// Exactly this address, which the URL gives.
    Address(IpAddr),
    /// The operator's networks, for a host that the configuration lists as being inside.
    Private,
}

impl Reach {
    /// What a URL of the configuration file itself lets be reached.
    #[must_use]
    pub fn of_configured(url: &Uri) -> Self {
        let host = url.host().unwrap_or_default();
        if host.eq_ignore_ascii_case("localhost") {
            return Self::Loopback;
        }
        literal(host).map_or(Self::Public, Self::Address)
    }

    /// Whether an address may be connected to.
    #[must_use]
    pub fn allows(&self, address: IpAddr) -> bool {
        match (range(address), self) {
            (Range::Never, _) => false,
            (Range::Public, _) => true,
            (Range::Loopback, Self::Loopback) => true,
            (Range::Loopback | Range::Private, Self::Address(given)) => *given == address,
            (Range::Private, Self::Private) => true,
            (Range::Loopback, Self::Public | Self::Private) | (Range::Private, Self::Public | Self::Loopback) => false,
        }
    }

    /// Whether a host that is an address may be connected to; a name says nothing yet.
    pub(super) fn check_literal(&self, host: &str) -> Result<(), EgressError> {
        match literal(host) {
            Some(address) if !self.allows(address) => Err(EgressError::Forbidden),
            Some(_) | None => Ok(()),
        }
    }
}

/// The address that a host is written as. Other spellings are names, and go to the resolver.
fn literal(host: &str) -> Option<IpAddr> {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host).parse().ok()
}

/// The addresses of a host, on their way.
pub type Lookup = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

/// How names are resolved.
#[derive(Clone)]
pub struct Resolve(Arc<dyn Fn(String, u16) -> Lookup + Send + Sync>);

impl Resolve {
    /// By the system.
    #[must_use]
    pub fn system() -> Self {
        Self::by(|host, port| {
            Box::pin(async move { Ok(tokio::net::lookup_host((host.as_str(), port)).await?.collect()) })
        })
    }

    /// By a function.
    pub fn by(resolve: impl Fn(String, u16) -> Lookup + Send + Sync + 'static) -> Self {
        Self(Arc::new(resolve))
    }
}

impl fmt::Debug for Resolve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resolve")
    }
}

/// The connector that opens only what may be reached.
#[derive(Debug, Clone)]
pub(super) struct Guard {
    reach: Reach,
    resolve: Resolve,
    timeout: Duration,
}

impl Guard {
    pub(super) const fn new(reach: Reach, resolve: Resolve, timeout: Duration) -> Self {
        Self { reach, resolve, timeout }
    }

    async fn open(self, url: Uri) -> Result<TokioIo<TcpStream>, EgressError> {
        let host = url.host().ok_or(EgressError::Url)?;
        let default = if url.scheme() == Some(&Scheme::HTTPS) { 443 } else { 80 };
        let port = url.port_u16().unwrap_or(default);
        let addresses = match literal(host) {
            Some(address) => vec![SocketAddr::new(address, port)],
            None => (self.resolve.0)(host.to_owned(), port).await.map_err(|_| EgressError::Unresolved)?,
        };
        if addresses.is_empty() {
            return Err(EgressError::Unresolved);
        }
        let mut why = EgressError::Forbidden;
        // An address that does not answer leaves time for the next.
        let share = self.timeout / u32::try_from(addresses.len()).unwrap_or(u32::MAX);
        for address in addresses.into_iter().filter(|address| self.reach.allows(address.ip())) {
            match tokio::time::timeout(share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    stream.set_nodelay(true).map_err(|_| EgressError::Broken)?;
                    return Ok(TokioIo::new(stream));
                }
                Ok(Err(_)) => why = EgressError::Unreachable,
                Err(_) => why = EgressError::ConnectTimeout,
            }
        }
        if why == EgressError::Forbidden {
            tracing::warn!(host, "every address of the host is one that may not be reached");
        }
        Err(why)
    }
}

impl tower_service::Service<Uri> for Guard {
    type Response = TokioIo<TcpStream>;
    type Error = EgressError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, EgressError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), EgressError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, url: Uri) -> Self::Future {
        let (guard, timeout) = (self.clone(), self.timeout);
        Box::pin(async move {
            tokio::time::timeout(timeout, guard.open(url)).await.unwrap_or(Err(EgressError::ConnectTimeout))
        })
    }
}
