//! Who asks, how we know it, and where the answer goes: what the person has to tell friend from foe by.
//!
//! SPEC: oauth §5.3; OA-97, OA-98; AS-24, AS-25.

use super::shown::Shown;
use crate::config::look_alike;

/// A client as it is shown.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    /// What it is called.
    pub(crate) name: Shown,
    /// How we know it.
    pub(crate) known_by: KnownBy,
}

/// How we know a client.
#[derive(Debug, Clone)]
pub(crate) enum KnownBy {
    /// The operator wrote it down.
    Configuration,
    /// A site publishes what it is: this host.
    Document(Shown),
    /// It says so itself.
    Itself,
}

/// Who gets the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Destination {
    /// The site with this host.
    Site(Shown),
    /// Whatever listens on this computer, at this host and port.
    ThisComputer(Shown),
    /// The app that claims this scheme.
    App(Shown),
}

/// The way back to a client: a link, for the person to follow or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Back {
    uri: String,
    /// Where it leads.
    pub(crate) to: Destination,
}

impl Client {
    /// What is not as it seems about the name, in words.
    pub(super) fn strange(&self) -> Option<String> {
        look_alike::first(self.name.as_str()).map(|what| what.replace('`', "'"))
    }
}

impl Destination {
    /// Where a URI leads; nothing for one that must not be followed.
    pub(crate) fn of(uri: &str) -> Option<Self> {
        let plain = |b: u8| b.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&b);
        if !uri.bytes().all(plain) {
            return None;
        }
        let (scheme, rest) = uri.split_once(':')?;
        let host = rest.strip_prefix("//").and_then(|rest| rest.split(['/', '?', '#']).next());
        let host = host.filter(|host| !host.is_empty() && !host.contains('@'));
        match scheme {
            "https" => host.map(Self::of_host),
            "http" => host.filter(|host| is_this_computer(host)).map(Self::of_host),
            _ => is_private(scheme).then(|| Self::App(Shown::host(scheme))),
        }
    }

    fn of_host(host: &str) -> Self {
        let shown = Shown::host(host);
        if is_this_computer(host) { Self::ThisComputer(shown) } else { Self::Site(shown) }
    }
}

impl Back {
    /// A link to a URI; nothing for one that must not be followed.
    pub(crate) fn new(uri: &str) -> Option<Self> {
        Destination::of(uri).map(|to| Self { uri: uri.to_owned(), to })
    }

    pub(super) fn uri(&self) -> &str {
        &self.uri
    }
}

fn is_this_computer(host: &str) -> bool {
    ["127.0.0.1", "[::1]", "localhost"].into_iter().any(|ours| {
        let port = host.strip_prefix(ours).map(|port| port.strip_prefix(':').unwrap_or(port));
        port.is_some_and(|port| port.bytes().all(|b| b.is_ascii_digit()))
    })
}

/// Whether a scheme is an app's own: a domain in reverse.
fn is_private(scheme: &str) -> bool {
    let mut parts = scheme.split('.');
    let fits = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_lowercase())
            && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    scheme.contains('.') && parts.all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oa98_a_destination_is_known_by_its_host() {
        for (uri, kind, host) in [
            ("https://app.example.com/cb?a=b", "site", "app.example.com"),
            ("https://app.example.com:8443", "site", "app.example.com:8443"),
            ("http://127.0.0.1:4711/cb", "this computer", "127.0.0.1:4711"),
            ("http://[::1]:1/", "this computer", "[::1]:1"),
            ("http://localhost?x", "this computer", "localhost"),
            ("https://localhost/cb", "this computer", "localhost"),
            ("https://localhost.example.com/", "site", "localhost.example.com"),
            ("https://127.0.0.1.example/", "site", "127.0.0.1.example"),
            ("com.example.app:/done", "app", "com.example.app"),
        ] {
            let shown = match Destination::of(uri).unwrap() {
                Destination::Site(host) => ("site", host),
                Destination::ThisComputer(host) => ("this computer", host),
                Destination::App(scheme) => ("app", scheme),
            };
            assert_eq!((shown.0, shown.1.as_str()), (kind, host), "{uri}");
        }
    }

    #[test]
    fn oa05_no_link_leads_to_a_dangerous_place() {
        for uri in [
            "javascript:alert(1)",
            "JaVaScRiPt:alert(1)",
            "java\tscript:alert(1)",
            " javascript:alert(1)",
            "data:text/html,x",
            "vbscript:x",
            "blob:https://a/b",
            "file:///etc/passwd",
            "intent://x#Intent;end",
            "view-source:https://a/",
            "http://app.example/cb",
            "http://127.0.0.1.example/cb",
            "http://127.0.0.1:80@evil.example/",
            "https://app.example@evil.example/",
            "https:///cb",
            "https:evil.example",
            "//evil.example/",
            "/cb",
            "",
            "https://a/\u{202e}",
            "https://a/\"onclick=x",
            "https://a/<b>",
            "https://a\\b/",
            ".example:/x",
            "com..app:/x",
        ] {
            assert_eq!(Back::new(uri), None, "{uri:?}");
        }
    }

    #[test]
    fn oa97_a_name_of_look_alikes_is_said_to_be_one() {
        let client = |name| Client { name: Shown::name(name), known_by: KnownBy::Itself };
        assert!(client("Cl\u{430}ude").strange().unwrap().contains("U+0430"));
        for honest in ["Claude", "Büro", "東京の", "עברית"] {
            assert_eq!(client(honest).strange(), None, "{honest}");
        }
    }
}
