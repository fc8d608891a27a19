//! Where an authorization code may be sent: a URI whose form leaves nothing to be read two ways.
//!
//! Three kinds are taken: `https`; `http` to this machine; and, where that is switched on, schemes that belong
//! to an app by a domain's name in reverse. Stricter than RFC 3986 on purpose, since the browser that follows
//! it is another parser than ours. Once taken it is compared byte for byte; of a loopback *address* any port fits.
//!
//! INVARIANT: nothing is redirected to that did not pass here first.
//! SPEC: OAuth 2.1 §2.3, §4.1.1; RFC 8252 §7.1, §7.3, §8.4; RFC 9700 §4.1.3; OA-02, OA-04, OA-05, OA-07; T-056, T-058, T-060.

use std::{fmt, sync::Arc};

use super::url::Url;
use crate::detect;

/// What an answer says in the query of the URI: where it stood there already, it would be said twice.
const ANSWERS: [&str; 6] = ["code", "error", "error_description", "error_uri", "iss", "state"];
/// The longest that is taken, in bytes.
const LONGEST: usize = 2048;
/// How a URI of this machine begins; the first two are addresses, whose port may vary.
const LOOPBACK: [&str; 3] = ["http://127.0.0.1", "http://[::1]", "http://localhost"];

/// A redirect URI of a client.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RedirectUri(Arc<str>);

/// Who gets what is sent to a redirect URI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RedirectKind {
    /// A site.
    Https,
    /// A program on the reader's own machine.
    Loopback,
    /// The app that claims a scheme on the reader's device.
    PrivateScheme,
}

impl RedirectUri {
    /// Takes a URI, or says what is wrong with it. Schemes of apps are taken only with `private_schemes`.
    ///
    /// # Errors
    /// What it would have to be.
    pub fn parse(text: &str, private_schemes: bool) -> Result<Self, &'static str> {
        if !(1..=LONGEST).contains(&text.len()) {
            return Err("must be 1 to 2048 bytes long");
        }
        if text.contains('#') {
            return Err("must not have a fragment (`#…`)");
        }
        if text.contains('*') {
            return Err("must not hold `*`: it is compared whole, and there are no wildcards");
        }
        let plain = |b: u8| b.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&b);
        if !text.bytes().all(plain) {
            return Err("must not hold spaces, backslashes, control or non-ASCII characters");
        }
        if !escapes_are_whole(text) {
            return Err("must have two hexadecimal digits after each `%`");
        }
        let (scheme, rest) = text.split_once(':').ok_or("must begin with a scheme, as in `https://`")?;
        match scheme {
            "https" | "http" => Self::check_web(text)?,
            _ if !is_private(scheme) => {
                return Err(
                    "must begin with `https://`, or with `http://` and this machine's `127.0.0.1`, `[::1]` or `localhost`",
                );
            }
            _ if !private_schemes => return Err("must not have a scheme of its own: `private_schemes` is off"),
            _ if rest.is_empty() => return Err("must have something after its scheme"),
            _ => {}
        }
        if names(text).any(|name| ANSWERS.contains(&&*name)) {
            return Err("must not have `code`, `state`, `iss` or `error` in its query: the answer says them, and once");
        }
        Ok(Self(Arc::from(text)))
    }

    fn check_web(text: &str) -> Result<(), &'static str> {
        let url = Url::parse(text)?;
        if url.port == Some(0) {
            return Err("must have a port from 1 to 65535, or none");
        }
        let path = url.rest.split('?').next().unwrap_or_default().to_ascii_lowercase();
        if path.contains("%2e") || path.split('/').any(|segment| matches!(segment, "." | "..")) {
            return Err("must not have `.` or `..` as a part of its path");
        }
        if url.scheme == "http" && loopback(text).is_none() {
            return Err("must be `https`; only `127.0.0.1`, `[::1]` and `localhost` may do without");
        }
        Ok(())
    }

    /// The URI as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Who gets what is sent there.
    #[must_use]
    pub fn kind(&self) -> RedirectKind {
        if self.0.starts_with("https:") {
            RedirectKind::Https
        } else if self.0.starts_with("http:") {
            RedirectKind::Loopback
        } else {
            RedirectKind::PrivateScheme
        }
    }

    /// What people are to know it by: the host with its port, or the scheme of an app.
    #[must_use]
    pub fn host(&self) -> &str {
        match self.kind() {
            RedirectKind::PrivateScheme => self.0.split(':').next().unwrap_or_default(),
            RedirectKind::Https | RedirectKind::Loopback => {
                let rest = self.0.split_once("://").map_or("", |(_, rest)| rest);
                rest.split(['/', '?']).next().unwrap_or_default()
            }
        }
    }

    /// Whether `presented` is this URI: byte for byte, but for the port of a loopback address.
    #[must_use]
    pub fn fits(&self, presented: &str) -> bool {
        if *self.0 == *presented {
            return true;
        }
        match (loopback(&self.0), loopback(presented)) {
            (Some((ours, _, rest)), Some((theirs, _, other))) => {
                ours == theirs && ours != "http://localhost" && rest == other
            }
            _ => false,
        }
    }
}

impl fmt::Display for RedirectUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RedirectUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// A URI of this machine as what it begins with, its port and the rest; nothing for any other.
fn loopback(text: &str) -> Option<(&'static str, Option<u16>, &str)> {
    let begin = LOOPBACK.into_iter().find(|begin| text.starts_with(begin))?;
    let after = text.strip_prefix(begin)?;
    let end = after.find(['/', '?']).unwrap_or(after.len());
    let (port, rest) = after.split_at_checked(end)?;
    if port.is_empty() {
        return Some((begin, None, rest));
    }
    let digits = port.strip_prefix(':')?;
    let good = !digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit());
    good.then(|| digits.parse().ok())?.map(|port| (begin, Some(port), rest))
}

/// The names in the query of a URI, their escapes undone; what they do not make UTF-8 of is no name of an answer.
fn names(text: &str) -> impl Iterator<Item = String> {
    let query = text.split_once('?').map_or("", |(_, query)| query);
    let name = |pair: &str| detect::decoded(pair.split('=').next().unwrap_or_default().as_bytes()).into_owned();
    query.split('&').map(move |pair| String::from_utf8_lossy(&name(pair)).into_owned())
}

/// A scheme that belongs to an app: a domain's name in reverse, in lower case.
fn is_private(scheme: &str) -> bool {
    let label = |label: &str| {
        label.starts_with(|c: char| c.is_ascii_lowercase())
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    scheme.len() <= 128 && scheme.contains('.') && scheme.split('.').all(label)
}

fn escapes_are_whole(text: &str) -> bool {
    text.split('%').skip(1).all(|after| after.as_bytes().iter().take(2).filter(|b| b.is_ascii_hexdigit()).count() == 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> RedirectUri {
        RedirectUri::parse(text, true).unwrap_or_else(|problem| panic!("{text}: {problem}"))
    }

    #[test]
    fn oa14_as17_what_an_answer_says_stands_in_no_uri_that_is_registered() {
        for bad in [
            "https://app.example.com/cb?code=x",
            "https://app.example.com/cb?x=1&state=y",
            "https://app.example.com/cb?iss",
            "https://app.example.com/cb?%69%73s=https://evil.test",
            "http://127.0.0.1/cb?error=access_denied",
            "http://localhost/cb?&error_description=",
            "com.example.app:/cb?error_uri=x",
        ] {
            assert!(RedirectUri::parse(bad, true).unwrap_err().contains("query"), "{bad}");
        }
        for good in [
            "https://app.example.com/cb?codes=x&x=code",
            "https://app.example.com/code?%ff",
            "http://127.0.0.1/cb?x=iss=1",
        ] {
            assert_eq!(uri(good).as_str(), good);
        }
    }

    #[test]
    fn oa02_t056_a_registered_uri_is_fitted_by_its_own_bytes_alone() {
        let registered = uri("https://app.example.com/cb");
        assert!(registered.fits("https://app.example.com/cb"));
        for other in [
            "https://app.example.com/cb/",
            "https://app.example.com/cb?",
            "https://app.example.com/cb?x=1",
            "https://app.example.com/cb#",
            "https://app.example.com/cb#x",
            "https://app.example.com/cbx",
            "https://app.example.com/c",
            "https://app.example.com/",
            "https://app.example.com",
            "https://app.example.com/CB",
            "https://app.example.com/cb%20",
            "https://app.example.com/%63b",
            "https://app.example.com/./cb",
            "https://app.example.com/x/../cb",
            "https://app.example.com/x/%2e%2e/cb",
            "https://app.example.com//cb",
            "https://app.example.com/cb//",
            "https://app.example.com/cb;x",
            "https://app.example.com/cb\\",
            "https://app.example.com\\cb",
            "https:\\\\app.example.com/cb",
            "https://APP.example.com/cb",
            "HTTPS://app.example.com/cb",
            "http://app.example.com/cb",
            "//app.example.com/cb",
            "/cb",
            "app.example.com/cb",
            "https:app.example.com/cb",
            "https:/app.example.com/cb",
            "https:///app.example.com/cb",
            "https://app.example.com:443/cb",
            "https://app.example.com:8443/cb",
            "https://app.example.com:/cb",
            "https://user@app.example.com/cb",
            "https://user:pw@app.example.com/cb",
            "https://app.example.com@evil.example/cb",
            "https://app.example.com%40evil.example/cb",
            "https://app.example.com.evil.example/cb",
            "https://evil.example/cb",
            "https://evilapp.example.com/cb",
            "https://sub.app.example.com/cb",
            "https://app.example.com./cb",
            "https://аpp.example.com/cb",
            "https://xn--pp-6kc.example.com/cb",
            "https://app.example.com/cb\n",
            "https://app.example.com/cb\t",
            "https://app.example.com/cb\0",
            " https://app.example.com/cb",
            "https://app.example.com/cb ",
            "https://app.example.com/cb\r\nx: y",
            "https://app.exa\tmple.com/cb",
            "https://app.example.com/cb%00",
            "https://app.example.com/cb%0d%0a",
            "https://127.0.0.1/cb",
            "http://127.0.0.1/cb",
            "javascript://app.example.com/cb",
            "data:https://app.example.com/cb",
            "https://app.example.com/cb,https://evil.example",
            "https://app.example.com/cb https://evil.example",
            "",
            "*",
            "https://*.example.com/cb",
            "https://app.example.com/*",
            "com.example.app:/cb",
        ] {
            assert!(!registered.fits(other), "{other}");
        }
    }

    #[test]
    fn t058_of_a_loopback_address_the_port_may_vary_and_nothing_else() {
        for registered in ["http://127.0.0.1/cb", "http://127.0.0.1:1/cb"] {
            let registered = uri(registered);
            for port in ["", ":1", ":3050", ":65535"] {
                assert!(registered.fits(&format!("http://127.0.0.1{port}/cb")), "{port}");
            }
            for other in [
                "http://127.0.0.1:1/cb?x=1",
                "http://127.0.0.1:1/cb/",
                "http://127.0.0.1:1/other",
                "http://127.0.0.1:1",
                "http://127.0.0.1:0/cb",
                "http://127.0.0.1:01/cb",
                "http://127.0.0.1:+1/cb",
                "http://127.0.0.1:65536/cb",
                "http://127.0.0.1:/cb",
                "http://127.0.0.1:1:2/cb",
                "http://127.0.0.1:1@evil.example/cb",
                "http://127.0.0.1@evil.example/cb",
                "http://127.0.0.1.evil.example/cb",
                "http://localhost:1/cb",
                "http://[::1]:1/cb",
                "http://127.1/cb",
                "http://127.0.0.2/cb",
                "http://0.0.0.0/cb",
                "http://2130706433/cb",
                "http://0x7f.0.0.1/cb",
                "https://127.0.0.1:1/cb",
            ] {
                assert!(!registered.fits(other), "{other}");
            }
        }
        assert!(uri("http://[::1]/cb").fits("http://[::1]:9/cb"));
        assert!(!uri("http://[::1]/cb").fits("http://[0:0:0:0:0:0:0:1]:9/cb"));
        assert!(!uri("http://localhost/cb").fits("http://localhost:9/cb"), "a name may be somebody else's");
        assert!(!uri("https://app.example.com/cb").fits("http://127.0.0.1/cb"));
    }

    #[test]
    fn oa04_oa05_oa07_t060_t089_what_may_be_registered() {
        for good in [
            "https://app.example.com/cb",
            "https://app.example.com",
            "https://app.example.com:8443/cb?x=%2F",
            "http://localhost/cb",
            "http://localhost:8080/",
            "http://127.0.0.1:33418",
            "http://[::1]/cb",
            "com.example.app:/cb",
            "com.example.app://cb",
        ] {
            assert!(RedirectUri::parse(good, true).is_ok(), "{good}");
        }
        for bad in [
            "",
            "http://app.example.com/cb",
            "http://10.0.0.1/cb",
            "http://127.0.0.2/cb",
            "http://127.1/cb",
            "http://localhost.evil.example/cb",
            "http://localhost@evil.example/cb",
            "http://localhost:0/cb",
            "http://LOCALHOST/cb",
            "javascript:alert(1)",
            "JaVaScRiPt:alert(1)",
            "java\tscript:alert(1)",
            "java\nscript:alert(1)",
            "javascript\0:alert(1)",
            " javascript:alert(1)",
            "\tjavascript:alert(1)",
            "data:text/html,x",
            "vbscript:x",
            "blob:https://app.example.com/x",
            "file:///etc/passwd",
            "intent://x#Intent;end",
            "about:blank",
            "ws://app.example.com/",
            "ftp://app.example.com/",
            "cursor://anything",
            "myapp:/cb",
            "com.example.app:",
            "Com.Example.App:/cb",
            "com..app:/cb",
            ".app:/cb",
            "https://app.example.com/cb#x",
            "https://app.example.com/cb#",
            "https://user@app.example.com/cb",
            "https://*.example.com/cb",
            "https://app.example.com/../cb",
            "https://app.example.com/%2e%2e/cb",
            "https://app.example.com/%zz",
            "https://app.example.com/%2",
            "https://app.example.com/c b",
            "https://app.example.com\\@evil.example",
            "https://exämple.com/cb",
            "https:///cb",
            "https:app",
            "//app.example.com/cb",
            "urn:ietf:wg:oauth:2.0:oob",
        ] {
            assert!(RedirectUri::parse(bad, true).is_err(), "{bad}");
        }
        assert!(RedirectUri::parse("com.example.app:/cb", false).is_err(), "only where it is switched on");
        assert!(RedirectUri::parse(&format!("https://a.example/{}", "x".repeat(2048)), true).is_err());
    }

    #[test]
    fn oa98_people_know_it_by_its_host() {
        for (text, host, kind) in [
            ("https://app.example.com:8443/cb?x", "app.example.com:8443", RedirectKind::Https),
            ("http://127.0.0.1:9/cb", "127.0.0.1:9", RedirectKind::Loopback),
            ("http://localhost?x", "localhost", RedirectKind::Loopback),
            ("com.example.app:/cb", "com.example.app", RedirectKind::PrivateScheme),
        ] {
            assert_eq!((uri(text).host(), uri(text).kind()), (host, kind));
        }
    }
}
