//! What the head of a request says, before anything of it is believed: the facts of the question *admit*.
//!
//! `Host` must be a name of ours and `Origin`, where present, a page that may use us: a page of somebody
//! else must not reach a gateway on the reader's own machine (DNS rebinding). Which may is for the policies
//! to say (`policies/admission.cedar`, `compile/admit`).
//!
//! SPEC: MCP Streamable HTTP, "Security"; Fetch Metadata; TR-02, T-116, T-118, T-119, T-122; design §2 "OAuth off".

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use arc_swap::ArcSwap;
use http::{HeaderMap, Method, Uri, header};
use jiff::Timestamp;

use crate::{
    config::Validation,
    detect::{self, Detectors},
    endpoint::Endpoint,
    gateway::Revision,
    policy::{Arrival, EndpointClass, Origin, Ours},
};

/// The names and pages that are ours, and what is looked for.
#[derive(Debug)]
pub(crate) struct Guard {
    ours: Ours,
    /// The detectors that run at each class of endpoint, in the order of [`EndpointClass::ALL`].
    runs: [Detectors; EndpointClass::ALL.len()],
}

/// The head of a request, and where it came from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Head<'a> {
    pub(crate) uri: &'a Uri,
    pub(crate) method: &'a Method,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) address: IpAddr,
    pub(crate) tls: bool,
    /// Whether what a trusted proxy says cannot be understood.
    pub(crate) misled: bool,
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

impl Guard {
    fn of(revision: &Revision, bound: SocketAddr) -> Self {
        Self::new(&revision.snapshot.public_url, bound, &revision.snapshot.config.validation)
    }

    /// The guard of a listener known by `public_url`, bound to `bound`.
    pub(crate) fn new(public_url: &str, bound: SocketAddr, validation: &Validation) -> Self {
        let runs = EndpointClass::ALL.map(|class| validation.runs_at(class));
        Self { ours: Ours::new(public_url, bound), runs }
    }

    /// What a request's head says, as facts that policies decide on, and what detectors found in it.
    pub(crate) fn arrival(&self, head: &Head<'_>, now: Timestamp) -> (Arrival, Detectors) {
        let Head { uri, method, headers, address, tls, misled } = *head;
        let path = uri.path();
        let class = EndpointClass::of_path(path);
        let forwarded =
            headers.keys().any(|name| name == header::FORWARDED || name.as_str().starts_with("x-forwarded-"));
        let wanted = EndpointClass::ALL.iter().zip(self.runs).find(|(known, _)| **known == class);
        let wanted = wanted.map_or(Detectors::NONE, |(_, wanted)| wanted);
        let fields = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        let found = detect::head(path, uri.query(), fields, wanted);
        let arrival = Arrival {
            class,
            method: method.as_str().to_owned(),
            host_known: self.knows_host(uri, headers),
            origin: self.origin(class, method, headers),
            forwarded,
            misled,
            findings: found.words(),
            server: Endpoint::server_at(path),
            tls,
            address,
            now,
        };
        (arrival, found)
    }

    fn knows_host(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        let mut hosts = headers.get_all(header::HOST).iter();
        // HTTP/2 and absolute forms carry the host in the target.
        let host = match (uri.authority(), hosts.next(), hosts.next()) {
            (Some(authority), None, None) => authority.as_str(),
            (None, Some(named), None) => match named.to_str() {
                Ok(named) => named,
                Err(_) => return false,
            },
            (Some(authority), Some(named), None) if named.as_bytes() == authority.as_str().as_bytes() => {
                authority.as_str()
            }
            _ => return false,
        };
        self.ours.knows(host)
    }

    /// The page that a request comes from. One that is said twice, or cannot be read, is no page of anybody.
    fn origin(&self, class: EndpointClass, method: &Method, headers: &HeaderMap) -> Option<Origin> {
        let mut origins = headers.get_all(header::ORIGIN).iter();
        let Some(first) = origins.next() else {
            // A browser that says so of what would change something says it of a page that it does not name.
            let foreign = !method.is_safe() && !from_our_own_site(headers);
            return foreign.then(|| Origin { text: "null".to_owned(), own: false, loopback: false });
        };
        let text = first.to_str().ok().filter(|_| origins.next().is_none()).unwrap_or("null");
        // Our pages tell nobody where they are (`no-referrer`), so a form on them goes out with `null`.
        let alone = headers.get_all(header::ORIGIN).iter().count() == 1;
        if first == "null" && alone && is_page(class) && from_our_own_page(headers) {
            return None;
        }
        Some(self.ours.origin(text))
    }
}

/// Whether forms of our pages go there.
const fn is_page(class: EndpointClass) -> bool {
    use EndpointClass::{Authorize, Consent, Grants, Login};
    matches!(class, Authorize | Consent | Grants | Login)
}

/// Whether a browser says that a page of ours sends its reader here. No page can say so itself, and what is not
/// truly of our origin, as a frame in a sandbox, is of another site.
fn from_our_own_page(headers: &HeaderMap) -> bool {
    let says = |name: &str, value: &[u8]| {
        let mut said = headers.get_all(name).iter();
        said.next().is_some_and(|said| said.as_bytes() == value) && said.next().is_none()
    };
    says("sec-fetch-site", b"same-origin") && says("sec-fetch-mode", b"navigate") && says("sec-fetch-dest", b"document")
}

/// Whether what `Sec-Fetch-Site` says, where it is there, is that no other site is behind it.
fn from_our_own_site(headers: &HeaderMap) -> bool {
    headers.get_all("sec-fetch-site").iter().all(|site| matches!(site.as_bytes(), b"same-origin" | b"none"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The word of the check that refuses, as the engine of the shortest configuration says.
    fn check(oauth: bool, pairs: &[(&'static str, &str)]) -> Result<(), String> {
        check_at("/mcp", oauth, pairs)
    }

    fn check_at(path: &'static str, oauth: bool, pairs: &[(&'static str, &str)]) -> Result<(), String> {
        let yaml = format!(
            "version: 1\ntags: {{a: A}}\nservers: {{s: {{tags: [a], stdio: {{command: [cat]}}}}}}\noauth: {{enabled: {oauth}}}\n"
        );
        let config = crate::config::load_text("f", &yaml, &|_| None).config.unwrap();
        let engine = crate::policy::Engine::new(Arc::new(crate::compile::bundle(&config, None).unwrap())).unwrap();
        let guard = Guard::new("https://gate.example.com", "127.0.0.1:3050".parse().unwrap(), &config.validation);
        let headers = pairs
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()))
            .fold(HeaderMap::new(), |mut map, (name, value): (_, http::HeaderValue)| {
                map.append(name, value);
                map
            });
        let address = [127, 0, 0, 1].into();
        let (uri, method) = (Uri::from_static(path), Method::POST);
        let head = Head { uri: &uri, method: &method, headers: &headers, address, tls: false, misled: false };
        let decision = engine.admit(&guard.arrival(&head, Timestamp::UNIX_EPOCH).0);
        if decision.is_allow() {
            return Ok(());
        }
        Err(engine.check_behind(&decision).map_or_else(|| format!("{decision:?}"), |check| check.code.to_string()))
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
            assert_eq!(check(true, &[("host", host)]), Err("bad-host".to_owned()), "{host}");
        }
        assert_eq!(check(true, &[]), Err("bad-host".to_owned()));
        assert_eq!(check(true, &[("host", "localhost:3050"), ("host", "localhost:3050")]), Err("bad-host".to_owned()));
        // T-122: what a proxy says is no substitute.
        assert_eq!(check(true, &[("x-forwarded-host", "localhost:3050")]), Err("bad-host".to_owned()));
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
            assert_eq!(check(true, &[host, ("origin", origin)]), Err("bad-origin".to_owned()), "{origin}");
        }
    }

    #[test]
    fn oa34_t066_a_form_of_our_own_page_does_not_tell_its_origin() {
        let said = |origin, site, mode, dest| {
            [
                ("host", "localhost:3050"),
                ("origin", origin),
                ("sec-fetch-site", site),
                ("sec-fetch-mode", mode),
                ("sec-fetch-dest", dest),
            ]
        };
        let ours = said("null", "same-origin", "navigate", "document");
        for path in ["/oauth/authorize", "/oauth/consent", "/login", "/login/link", "/grants"] {
            assert_eq!(check_at(path, true, &ours), Ok(()), "{path}");
            for other in [
                said("null", "cross-site", "navigate", "document"),
                said("null", "same-site", "navigate", "document"),
                said("null", "none", "navigate", "document"),
                said("null", "same-origin", "cors", "empty"),
                said("null", "same-origin", "navigate", "iframe"),
                said("https://evil.test", "same-origin", "navigate", "document"),
            ] {
                assert_eq!(check_at(path, true, &other), Err("bad-origin".to_owned()), "{path} {other:?}");
            }
            let twice = [ours.as_slice(), &[("origin", "null")]].concat();
            assert_eq!(check_at(path, true, &twice), Err("bad-origin".to_owned()));
            let twice = [ours.as_slice(), &[("sec-fetch-site", "same-origin")]].concat();
            assert_eq!(check_at(path, true, &twice), Err("bad-origin".to_owned()));
        }
        for path in ["/mcp", "/oauth/token", "/oauth/register"] {
            assert_eq!(check_at(path, true, &ours), Err("bad-origin".to_owned()), "{path}");
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
            assert_eq!(check(false, &[host, ("origin", origin)]), Err("bad-origin".to_owned()), "{origin}");
        }
        assert_eq!(check(false, &[host, ("forwarded", "for=1.2.3.4")]), Err("forwarded".to_owned()));
        assert_eq!(check(false, &[host, ("x-forwarded-for", "1.2.3.4")]), Err("forwarded".to_owned()));
        assert_eq!(check(true, &[host, ("x-forwarded-for", "1.2.3.4")]), Ok(()));
    }
}
