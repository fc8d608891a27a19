//! The URLs of a configuration: `http` or `https`, a host, perhaps a port and a path.
//!
//! Stricter than RFC 3986 on purpose: whatever two URL parsers could read differently (user
//! names, backslashes, numbers that are addresses) is no URL here.
//!
//! SPEC: RFC 3986 §3, RFC 9110 §4.2.

use std::net::{IpAddr, Ipv6Addr};

/// An `http` or `https` URL taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Url {
    /// `http` or `https`.
    pub(crate) scheme: &'static str,
    /// The host in lower case, an IPv6 address in brackets.
    pub(crate) host: String,
    /// The port, if it is written and not the scheme's own.
    pub(crate) port: Option<u16>,
    /// Path and query, from the `/` on; may be empty.
    pub(crate) rest: String,
}

impl Url {
    /// Takes a URL apart, or says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        if text.chars().any(|c| c.is_whitespace() || c.is_control() || c == '\\' || !c.is_ascii()) {
            return Err("must not hold spaces, backslashes, control or non-ASCII characters");
        }
        let (scheme, rest) = text.split_once("://").ok_or("must begin with `https://` or `http://`")?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "https" => "https",
            "http" => "http",
            _ => return Err("must begin with `https://` or `http://`"),
        };
        if rest.contains('#') {
            return Err("must not have a fragment (`#…`)");
        }
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at_checked(end).unwrap_or((rest, ""));
        if authority.contains('@') {
            return Err("must not hold a user name or password");
        }
        let (host, port) = host_and_port(authority)?;
        let own = if scheme == "https" { 443 } else { 80 };
        Ok(Self { scheme, host, port: port.filter(|port| *port != own), rest: rest.to_owned() })
    }

    /// Whether the host is this machine: `localhost` or a loopback address, literally.
    pub(crate) fn is_loopback(&self) -> bool {
        let bare = self.host.trim_start_matches('[').trim_end_matches(']');
        self.host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    /// Scheme, host and port, without a slash at the end.
    pub(crate) fn origin(&self) -> String {
        match self.port {
            Some(port) => format!("{}://{}:{port}", self.scheme, self.host),
            None => format!("{}://{}", self.scheme, self.host),
        }
    }
}

fn host_and_port(authority: &str) -> Result<(String, Option<u16>), &'static str> {
    const PORT: &str = "must have a port from 1 to 65535, or none";
    let (host, port) = match authority.strip_prefix('[') {
        Some(inside) => {
            let (address, port) = inside.split_once(']').ok_or("must close the `[` of its IPv6 address")?;
            let address: Ipv6Addr = address.parse().map_err(|_| "must have an IPv6 address in its brackets")?;
            let port = if port.is_empty() { None } else { Some(port.strip_prefix(':').ok_or(PORT)?) };
            (format!("[{address}]"), port)
        }
        None => {
            let (host, port) = match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            };
            (host_name(host)?, port)
        }
    };
    let digits = |port: &str| port.bytes().all(|b| b.is_ascii_digit());
    match port {
        None => Ok((host, None)),
        Some(port) if digits(port) => Ok((host, Some(port.parse().map_err(|_| PORT)?))),
        Some(_) => Err(PORT),
    }
}

fn host_name(host: &str) -> Result<String, &'static str> {
    let labels = host.split('.').all(|label| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !label.starts_with('-')
    });
    if host.len() > 253 || !labels {
        return Err("must have a host name");
    }
    // `127.1` and `0x7f.1` are addresses to some and names to others.
    let last = host.rsplit('.').next().unwrap_or_default();
    let numeric = last.bytes().all(|b| b.is_ascii_digit()) || last.to_ascii_lowercase().starts_with("0x");
    if numeric && host.parse::<IpAddr>().is_err() {
        return Err("must have a host name or a full IP address");
    }
    Ok(host.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_urls_are_taken_apart() {
        let url = Url::parse("HTTPS://Docs.Example.com:443/mcp?x=1").unwrap();
        assert_eq!((url.origin().as_str(), url.rest.as_str()), ("https://docs.example.com", "/mcp?x=1"));
        assert_eq!(Url::parse("http://[::1]:3050").unwrap().origin(), "http://[::1]:3050");
    }

    #[test]
    fn loopback_is_literal() {
        for (text, loopback) in [
            ("http://localhost:1", true),
            ("http://127.0.0.1", true),
            ("http://127.9.9.9", true),
            ("http://[::1]/", true),
            ("http://localhost.evil.example", false),
            ("http://10.0.0.1", false),
            ("http://0.0.0.0", false),
        ] {
            assert_eq!(Url::parse(text).unwrap().is_loopback(), loopback, "{text}");
        }
    }

    #[test]
    fn what_two_parsers_could_read_differently_is_no_url() {
        for text in [
            "ftp://a",
            "a",
            "//a",
            "http://",
            "http://u:p@a",
            "http://a#b",
            "http://a\\b",
            "http://a b",
            "http://127.1",
            "http://0x7f.0x1",
            "http://a:99999",
            "http://a:+1",
            "http://[::1",
            "http://[::1]x",
            "http://exämple.com",
            "http://-a",
            "http://a..b",
        ] {
            assert!(Url::parse(text).is_err(), "{text}");
        }
    }
}
