//! `listen:`: the address that is bound, the URL by which it is known, and what one connection may cost.

use std::{net::SocketAddr, time::Duration};

use crate::diagnostic::Placed;

/// Where the gateway listens and under which name.
#[derive(Debug, Clone)]
pub struct Listen {
    /// The socket that is bound.
    pub address: Placed<SocketAddr>,
    /// The URL that issuer and resource identifiers derive from: scheme, host and port, no path,
    /// no trailing slash, host in lower case.
    pub public_url: Placed<String>,
    /// What one connection may cost.
    pub limits: Limits,
}

/// What one connection may cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a request body.
    pub body: usize,
    /// Bytes of a request's header section.
    pub header_bytes: usize,
    /// Number of header fields of a request.
    pub header_count: usize,
    /// Connections at once.
    pub connections: usize,
    /// From the first byte of a request to the last of its answer.
    pub request: Duration,
    /// Between requests of one connection, and for the header section of each.
    pub idle: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: 4 << 20,
            header_bytes: 32 << 10,
            header_count: 100,
            connections: 4096,
            request: Duration::from_secs(60),
            idle: Duration::from_secs(75),
        }
    }
}
