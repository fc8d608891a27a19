//! Whether a request may come in at all, before anything of it is believed.
//!
//! `Host` must be a name of ours and `Origin`, where present, a page of ours: a page of somebody else
//! must not reach a gateway on the reader's own machine (DNS rebinding). With OAuth off, what came
//! through a proxy is refused: the local mode is for this machine alone.
//!
//! SPEC: MCP Streamable HTTP, "Security"; TR-02, T-116, T-119, T-122; design §2 "OAuth off".

use std::{net::SocketAddr, sync::Arc};

use arc_swap::ArcSwap;
use http::{HeaderMap, StatusCode, Uri, header};

use crate::gateway::Revision;

/// The names and pages that are ours.
#[derive(Debug)]
pub(crate) struct Guard {
    hosts: Vec<String>,
    origin: String,
    open: bool,
}

/// The guard of the revision in force.
#[derive(Debug)]
pub(super) struct Current {
    bound: SocketAddr,
    made: ArcSwap<(u64, Guard)>,
}

impl Current {
    pub(super) fn new(bound: SocketAddr, revision: &Revision) -> Self {
        Self { bound, made: ArcSwap::from_pointee((revision.serial(), Guard::of(revision, bound))) }
    }

    /// The guard of this revision, made anew where another was in force.
    pub(super) fn of(&self, revision: &Revision) -> Arc<(u64, Guard)> {
        let made = self.made.load_full();
        if made.0 == revision.serial() {
            return made;
        }
        let made = Arc::new((revision.serial(), Guard::of(revision, self.bound)));
        self.made.store(Arc::clone(&made));
        made
    }
}

/// Why a request may not come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// The host is missing, given twice, or none of ours.
    Host,
    /// The origin is not one of ours.
    Origin,
    /// It came through a proxy, which the local mode does not take.
    Forwarded,
    /// A trusted proxy says of it what cannot be understood.
    Misled,
}

impl Stopped {
    /// One permanent word.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Host => "bad-host",
            Self::Origin => "bad-origin",
            Self::Forwarded => "forwarded",
            Self::Misled => "bad-forwarding",
        }
    }

    /// Its HTTP status.
    pub(crate) const fn status(self) -> StatusCode {
        match self {
            Self::Host | Self::Origin | Self::Forwarded => StatusCode::FORBIDDEN,
            Self::Misled => StatusCode::BAD_REQUEST,
        }
    }

    /// What the caller is told.
    pub(crate) const fn message(self) -> &'static str {
        match self {
            Self::Host => "this `Host` is not a name of this gateway; use its public URL",
            Self::Origin => "this `Origin` may not use this gateway",
            Self::Forwarded => "requests through a proxy are not taken while OAuth is off",
            Self::Misled => "the forwarding headers of a trusted proxy are malformed, or contradict each other",
        }
    }
}

impl Guard {
    fn of(revision: &Revision, bound: SocketAddr) -> Self {
        let snapshot = &revision.snapshot;
        Self::new(&snapshot.public_url, bound, snapshot.engine.bundle().oauth())
    }

    /// The guard of a listener known by `public_url`, bound to `bound`.
    pub(crate) fn new(public_url: &str, bound: SocketAddr, oauth: bool) -> Self {
        let authority = public_url.split_once("://").map_or(public_url, |(_, rest)| rest).trim_end_matches('/');
        let mut hosts = vec![authority.to_ascii_lowercase()];
        if bound.ip().is_loopback() {
            let port = bound.port();
            hosts.extend([format!("127.0.0.1:{port}"), format!("localhost:{port}"), format!("[::1]:{port}")]);
        }
        Self { hosts, origin: public_url.trim_end_matches('/').to_ascii_lowercase(), open: !oauth }
    }

    /// Checks a request's head.
    pub(crate) fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Stopped> {
        let mut hosts = headers.get_all(header::HOST).iter();
        let (named, again) = (hosts.next(), hosts.next());
        // HTTP/2 and absolute forms carry the host in the target.
        let host = match (uri.authority(), named, again) {
            (_, _, Some(_)) => return Err(Stopped::Host),
            (Some(authority), None, None) => authority.as_str(),
            (None, Some(named), None) => named.to_str().map_err(|_| Stopped::Host)?,
            (Some(authority), Some(named), None) if named.as_bytes() == authority.as_str().as_bytes() => {
                authority.as_str()
            }
            _ => return Err(Stopped::Host),
        };
        if !self.hosts.iter().any(|ours| ours.eq_ignore_ascii_case(host)) {
            return Err(Stopped::Host);
        }
        let mut origins = headers.get_all(header::ORIGIN).iter();
        match (origins.next(), origins.next()) {
            (None, _) => {}
            (Some(origin), None) if origin.to_str().is_ok_and(|origin| self.ours(origin)) => {}
            (Some(_), _) => return Err(Stopped::Origin),
        }
        if self.open
            && headers.keys().any(|name| name == header::FORWARDED || name.as_str().starts_with("x-forwarded-"))
        {
            return Err(Stopped::Forwarded);
        }
        Ok(())
    }

    fn ours(&self, origin: &str) -> bool {
        origin.eq_ignore_ascii_case(&self.origin) || (self.open && loopback_origin(origin))
    }
}

/// `http://localhost`, `http://127.0.0.1` or `http://[::1]`, with or without a port.
fn loopback_origin(origin: &str) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn check(oauth: bool, pairs: &[(&'static str, &str)]) -> Result<(), Stopped> {
        let guard = Guard::new("https://gate.example.com", "127.0.0.1:3050".parse().unwrap(), oauth);
        let headers = pairs
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()))
            .fold(HeaderMap::new(), |mut map, (name, value): (_, http::HeaderValue)| {
                map.append(name, value);
                map
            });
        guard.check(&Uri::from_static("/mcp"), &headers)
    }

    #[test]
    fn t116_only_our_own_names_are_hosts() {
        for host in ["gate.example.com", "GATE.example.com", "127.0.0.1:3050", "localhost:3050", "[::1]:3050"] {
            assert_eq!(check(true, &[("host", host)]), Ok(()), "{host}");
        }
        for host in [
            "evil.test",
            "evil.test:3050",
            "localhost.evil.test",
            "gate.example.com.",
            "127.0.0.1",
            "127.0.0.1:3051",
            "",
        ] {
            assert_eq!(check(true, &[("host", host)]), Err(Stopped::Host), "{host}");
        }
        assert_eq!(check(true, &[]), Err(Stopped::Host));
        assert_eq!(check(true, &[("host", "localhost:3050"), ("host", "localhost:3050")]), Err(Stopped::Host));
        // T-122: what a proxy says is no substitute.
        assert_eq!(check(true, &[("x-forwarded-host", "localhost:3050")]), Err(Stopped::Host));
    }

    #[test]
    fn t119_origins_are_compared_whole() {
        let host = ("host", "localhost:3050");
        assert_eq!(check(true, &[host, ("origin", "https://gate.example.com")]), Ok(()));
        for origin in [
            "null",
            "http://gate.example.com",
            "https://gate.example.com:8443",
            "https://gate.example.com.evil.test",
            "https://evil-gate.example.com",
            "https://gateXexample.com",
            "https://gate.example.com.",
            "http://localhost:3050",
        ] {
            assert_eq!(check(true, &[host, ("origin", origin)]), Err(Stopped::Origin), "{origin}");
        }
    }

    #[test]
    fn sm22_without_oauth_only_loopback_pages_and_no_proxies() {
        let host = ("host", "localhost:3050");
        for origin in ["http://localhost", "http://localhost:5173", "https://127.0.0.1:1", "http://[::1]:80"] {
            assert_eq!(check(false, &[host, ("origin", origin)]), Ok(()), "{origin}");
        }
        for origin in
            ["null", "http://localhost.evil.test", "http://127.0.0.1.nip.test", "http://localhost:x", "ftp://localhost"]
        {
            assert_eq!(check(false, &[host, ("origin", origin)]), Err(Stopped::Origin), "{origin}");
        }
        assert_eq!(check(false, &[host, ("forwarded", "for=1.2.3.4")]), Err(Stopped::Forwarded));
        assert_eq!(check(false, &[host, ("x-forwarded-for", "1.2.3.4")]), Err(Stopped::Forwarded));
        assert_eq!(check(true, &[host, ("x-forwarded-for", "1.2.3.4")]), Ok(()));
    }
}
