//! Which hosts and which pages are the gateway's own.
//!
//! SPEC: TR-02, T-116, T-119; RFC 6454 §6.2.

use std::net::SocketAddr;

use super::Origin;

/// The names and pages that are ours.
#[derive(Debug, Clone)]
pub struct Ours {
    hosts: Vec<String>,
    origin: String,
}

impl Ours {
    /// Those of a gateway known by `public_url` and bound to `bound`.
    #[must_use]
    pub fn new(public_url: &str, bound: SocketAddr) -> Self {
        let authority = public_url.split_once("://").map_or(public_url, |(_, rest)| rest).trim_end_matches('/');
        let mut hosts = vec![authority.to_ascii_lowercase()];
        if bound.ip().is_loopback() {
            let port = bound.port();
            hosts.extend([format!("127.0.0.1:{port}"), format!("localhost:{port}"), format!("[::1]:{port}")]);
        }
        Self { hosts, origin: public_url.trim_end_matches('/').to_ascii_lowercase() }
    }

    /// Whether a `Host` is a name of ours.
    #[must_use]
    pub fn knows(&self, host: &str) -> bool {
        self.hosts.iter().any(|ours| ours.eq_ignore_ascii_case(host))
    }

    /// What is to be said of a page that a request comes from.
    #[must_use]
    pub fn origin(&self, text: &str) -> Origin {
        // As browsers send it, in lower case.
        let own = text == self.origin;
        Origin { text: text.to_owned(), own, loopback: is_loopback(text) }
    }
}

/// `http://localhost`, `http://127.0.0.1` or `http://[::1]`, with or without a port.
fn is_loopback(origin: &str) -> bool {
    let Some(authority) = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://")) else {
        return false;
    };
    ["localhost", "127.0.0.1", "[::1]"].iter().any(|name| {
        authority.strip_prefix(name).is_some_and(|rest| {
            rest.is_empty()
                || rest.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok() && !port.starts_with('+'))
        })
    })
}
