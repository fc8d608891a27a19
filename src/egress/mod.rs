//! The one way out: HTTP requests to addresses that a configuration may reach.
//!
//! What decides is the socket address a connection is about to be opened to, never the text of a
//! URL: every spelling, every name and every answer of a resolver ends there. Redirects are not
//! followed and proxies of the environment are not asked. TLS trusts the system's certificates.
//!
//! INVARIANT: nothing else in the product opens a connection outwards.
//! SPEC: threats T-107, T-108, T-110, T-111; OWASP SSRF.

mod address;
mod connect;
mod content;
mod events;
mod pool;

use std::{
    error::Error,
    sync::{Arc, OnceLock},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::{Request, Response, Uri, uri::Scheme};
use http_body_util::{BodyExt as _, Full};
use hyper_rustls::HttpsConnectorBuilder;

pub use address::{Range, range};
pub use connect::{Lookup, Reach, Resolve};
pub(crate) use content::Content;
pub(crate) use events::Events;
pub use pool::Body;

/// What an egress may do and how long it waits.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// How long a connection may take to open, TLS not counted.
    pub connect_timeout: Duration,
    /// How long an idle connection is kept.
    pub idle: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { connect_timeout: Duration::from_secs(10), idle: Duration::from_secs(60) }
    }
}

/// A client for one origin, with its own pool of connections.
#[derive(Debug, Clone)]
pub struct Egress {
    pool: Arc<pool::Pool>,
}

/// Why a request did not get through. Says nothing of header values or user information.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EgressError {
    /// The URL is no `http` or `https` URL with a host and without user information.
    #[error("its URL must be `http` or `https`, with a host and without a user")]
    Url,
    /// The address may not be reached.
    #[error("its address may not be reached from here")]
    Forbidden,
    /// The name has no address.
    #[error("its name cannot be resolved")]
    Unresolved,
    /// No connection could be opened.
    #[error("it does not accept connections")]
    Unreachable,
    /// Connecting took too long.
    #[error("connecting to it took too long")]
    ConnectTimeout,
    /// No certificates to trust, or the other side's is not trusted.
    #[error("TLS with it failed")]
    Tls,
    /// The connection broke.
    #[error("the connection to it broke")]
    Broken,
    /// The body is larger than is taken.
    #[error("its answer is too large")]
    TooLarge,
}

impl Egress {
    /// A client for `url` and what is written there may be reached (`reach`).
    ///
    /// # Errors
    /// When the URL is not of the form, names an address that is never reached, or no certificates
    /// can be found for `https`.
    pub fn new(url: &Uri, reach: Reach, options: &Options) -> Result<Self, EgressError> {
        Self::with_resolver(url, reach, options, Resolve::system())
    }

    /// The same with a resolver of one's own, for tests.
    ///
    /// # Errors
    /// As [`Egress::new`].
    pub fn with_resolver(url: &Uri, reach: Reach, options: &Options, resolve: Resolve) -> Result<Self, EgressError> {
        let host = url.host().ok_or(EgressError::Url)?;
        if url.authority().is_none_or(|authority| authority.as_str().contains('@')) {
            return Err(EgressError::Url);
        }
        reach.check_literal(host)?;
        let tls = match url.scheme() {
            Some(scheme) if *scheme == Scheme::HTTP => without_roots()?,
            Some(scheme) if *scheme == Scheme::HTTPS => with_roots()?,
            _ => return Err(EgressError::Url),
        };
        let guard = connect::Guard::new(reach, resolve, options.connect_timeout);
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().wrap_connector(guard);
        Ok(Self { pool: pool::Pool::new(connector, options.idle) })
    }

    /// Sends a request and waits for the head of its answer. No redirect is followed.
    ///
    /// # Errors
    /// When no connection can be opened or it breaks before the head has come.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Body>, EgressError> {
        self.pool.send(request).await
    }
}

/// Reads a whole body, up to `cap` bytes.
///
/// # Errors
/// When there is more, or the connection breaks.
pub async fn read(mut body: Body, cap: usize) -> Result<Bytes, EgressError> {
    let mut whole: Option<BytesMut> = None;
    let mut first = Bytes::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| EgressError::Broken)?.into_data() else { continue };
        let so_far = whole.as_ref().map_or(first.len(), BytesMut::len);
        if so_far.saturating_add(data.len()) > cap {
            return Err(EgressError::TooLarge);
        }
        match &mut whole {
            None if first.is_empty() => first = data,
            None => {
                let mut both = BytesMut::with_capacity(first.len() + data.len());
                both.extend_from_slice(&first);
                both.extend_from_slice(&data);
                whole = Some(both);
            }
            Some(whole) => whole.extend_from_slice(&data),
        }
    }
    Ok(whole.map_or(first, BytesMut::freeze))
}

/// Why a connection could not be opened, from the first cause that says so.
fn why(error: &(dyn Error + 'static)) -> EgressError {
    let mut cause = Some(error);
    while let Some(inner) = cause {
        if let Some(own) = inner.downcast_ref::<EgressError>() {
            return *own;
        }
        if inner.is::<rustls::Error>() {
            return EgressError::Tls;
        }
        // What an I/O error wraps is not its source, but the error that it stands for.
        let wrapped = inner.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        cause = match wrapped {
            Some(wrapped) => Some(wrapped),
            None => inner.source(),
        };
    }
    EgressError::Unreachable
}

fn builder() -> Result<rustls::ConfigBuilder<rustls::ClientConfig, rustls::WantsVerifier>, EgressError> {
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| EgressError::Tls)
}

/// For `http`: trusts nobody, so that no connection can become `https` by accident.
fn without_roots() -> Result<rustls::ClientConfig, EgressError> {
    Ok(builder()?.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth())
}

/// For `https`: the system's certificates, read once and only if needed.
fn with_roots() -> Result<rustls::ClientConfig, EgressError> {
    static CONFIG: OnceLock<Result<rustls::ClientConfig, EgressError>> = OnceLock::new();
    CONFIG
        .get_or_init(|| {
            use hyper_rustls::ConfigBuilderExt as _;
            let builder = builder()?.with_native_roots().map_err(|_| EgressError::Tls)?;
            Ok(builder.with_no_client_auth())
        })
        .clone()
}

#[cfg(test)]
mod tests;
