//! Where a request came from, and whether by TLS: the peer, or what a trusted proxy says.
//!
//! Only a peer of `listen.trusted_proxies` is believed. It says who spoke to it, and that hop, where it
//! is a proxy of ours too, who spoke to that: the answer is the first hop from the right that is no
//! proxy of ours. Everything further left is the caller's own invention and is not read. A hop that
//! names no address (`unknown`, `_hidden`) ends the walk at the last that does.
//!
//! INVARIANT: what an untrusted peer says of this is never read, and costs nothing.
//! SPEC: RFC 7239; `X-Forwarded-For`, `X-Forwarded-Proto`; T-149, SM-19.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName, HeaderValue, header::FORWARDED};
use ipnet::IpNet;

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The proxies that are believed.
#[derive(Debug)]
pub(crate) struct Proxies {
    networks: Vec<IpNet>,
    /// Whether they end TLS, where they do not say.
    end_tls: bool,
}

/// Where a request came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) address: IpAddr,
    pub(crate) tls: bool,
}

/// A trusted proxy says something that cannot be understood, or two things that differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

impl Proxies {
    pub(crate) const fn new(networks: Vec<IpNet>, end_tls: bool) -> Self {
        Self { networks, end_tls }
    }

    /// Where a request came from that `peer` sent, by TLS or not.
    pub(crate) fn origin(&self, peer: IpAddr, tls: bool, headers: &HeaderMap) -> Result<Origin, Malformed> {
        let peer = peer.to_canonical();
        if !self.trusts(peer) {
            return Ok(Origin { address: peer, tls });
        }
        let (by_for, by_forwarded) = (self.by_for(peer, headers)?, self.by_forwarded(peer, headers)?);
        let said = match (by_for, by_forwarded) {
            (Some(a), Some(b)) if a.0 != b.0 => return Err(Malformed),
            (Some(said), None) => said,
            (_, Some(said)) => said,
            (None, None) => (peer, None),
        };
        let proto = proto(headers)?;
        let by_tls = match (proto, said.1) {
            (Some(a), Some(b)) if a != b => return Err(Malformed),
            (Some(by_tls), _) | (None, Some(by_tls)) => by_tls,
            (None, None) => self.end_tls,
        };
        Ok(Origin { address: said.0, tls: by_tls })
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(&address))
    }

    /// `X-Forwarded-For`, from the right.
    fn by_for(&self, peer: IpAddr, headers: &HeaderMap) -> Result<Option<(IpAddr, Option<bool>)>, Malformed> {
        let mut last = None;
        for line in headers.get_all(FOR).iter().rev() {
            for hop in text(line)?.rsplit(',') {
                match node(hop.trim())? {
                    Some(address) if self.trusts(address) => last = Some(address),
                    Some(address) => return Ok(Some((address, None))),
                    None => return Ok(Some((last.unwrap_or(peer), None))),
                }
            }
        }
        Ok(last.map(|address| (address, None)))
    }

    /// `Forwarded`, read from the left, since its strings are quoted, and walked from the right.
    fn by_forwarded(&self, peer: IpAddr, headers: &HeaderMap) -> Result<Option<(IpAddr, Option<bool>)>, Malformed> {
        let mut elements = Vec::new();
        for line in headers.get_all(FORWARDED) {
            parse(text(line)?, &mut elements)?;
        }
        // The nearest proxy alone knows how it was spoken to.
        let proto = elements.last().and_then(|element| element.proto);
        let mut last = peer;
        for element in elements.iter().rev() {
            match &element.hop {
                Some(hop) => match node(hop)? {
                    Some(address) if self.trusts(address) => last = address,
                    Some(address) => return Ok(Some((address, proto))),
                    None => break,
                },
                None => break,
            }
        }
        Ok((!elements.is_empty()).then_some((last, proto)))
    }
}

/// One element of `Forwarded`, as far as we read it.
#[derive(Debug, Default)]
struct Element {
    hop: Option<String>,
    proto: Option<bool>,
}

fn text(value: &HeaderValue) -> Result<&str, Malformed> {
    value.to_str().map_err(|_| Malformed)
}

/// Whether the last `X-Forwarded-Proto` is `https`.
fn proto(headers: &HeaderMap) -> Result<Option<bool>, Malformed> {
    let Some(line) = headers.get_all(PROTO).iter().next_back() else { return Ok(None) };
    scheme(text(line)?.rsplit(',').next().unwrap_or_default().trim()).map(Some)
}

fn scheme(written: &str) -> Result<bool, Malformed> {
    match written {
        _ if written.eq_ignore_ascii_case("https") => Ok(true),
        _ if written.eq_ignore_ascii_case("http") => Ok(false),
        _ => Err(Malformed),
    }
}

/// The address of a hop, with or without its port; nothing where it hides it.
fn node(written: &str) -> Result<Option<IpAddr>, Malformed> {
    let name = written.split_once(':').map_or(written, |(name, _)| name);
    if name.eq_ignore_ascii_case("unknown") || (name.len() > 1 && name.starts_with('_')) {
        return Ok(None);
    }
    let bare = written.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(written);
    let address = bare
        .parse::<IpAddr>()
        .or_else(|_| written.parse::<SocketAddr>().map(|socket| socket.ip()))
        .map_err(|_| Malformed)?;
    Ok(Some(address.to_canonical()))
}

/// Reads a line of `Forwarded`: `for=192.0.2.1;proto=https, for="[2001:db8::1]:4711"`.
fn parse(line: &str, elements: &mut Vec<Element>) -> Result<(), Malformed> {
    let mut rest = line.trim();
    let mut element = Element::default();
    loop {
        let (name, after) = rest.split_once('=').ok_or(Malformed)?;
        let (value, after) = value(after)?;
        match name.trim_start() {
            name if name.eq_ignore_ascii_case("for") && element.hop.is_none() => element.hop = Some(value),
            name if name.eq_ignore_ascii_case("proto") && element.proto.is_none() => {
                element.proto = Some(scheme(&value)?);
            }
            name if name.eq_ignore_ascii_case("for") || name.eq_ignore_ascii_case("proto") => return Err(Malformed),
            // `by` and `host` are of no use here, but must be names.
            name if !name.is_empty() && name.bytes().all(token) => {}
            _ => return Err(Malformed),
        }
        let after = after.trim_start();
        match after.split_at_checked(1) {
            None => {
                elements.push(element);
                return Ok(());
            }
            Some((";", after)) => rest = after,
            Some((",", after)) => {
                elements.push(std::mem::take(&mut element));
                rest = after;
            }
            Some(_) => return Err(Malformed),
        }
    }
}

/// A token or a quoted string, and what follows it.
fn value(written: &str) -> Result<(String, &str), Malformed> {
    let Some(quoted) = written.strip_prefix('"') else {
        let end = written.bytes().position(|byte| !token(byte)).unwrap_or(written.len());
        return match written.split_at_checked(end) {
            Some((value, rest)) if !value.is_empty() => Ok((value.to_owned(), rest)),
            _ => Err(Malformed),
        };
    };
    let mut value = String::new();
    let mut characters = quoted.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => return Ok((value, characters.as_str())),
            '\\' => value.push(characters.next().ok_or(Malformed)?),
            other => value.push(other),
        }
    }
    Err(Malformed)
}

/// RFC 9110 §5.6.2, with the colon that some proxies leave unquoted.
fn token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~:".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(end_tls: bool) -> Proxies {
        let networks = ["10.0.0.0/8", "2001:db8:1::/48"].map(|network| network.parse().unwrap());
        Proxies::new(networks.into(), end_tls)
    }

    fn ask(peer: &str, pairs: &[(&'static str, &str)]) -> Result<(String, bool), Malformed> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(HeaderName::from_static(name), value.parse().unwrap());
        }
        let origin = proxies(false).origin(peer.parse().unwrap(), false, &headers)?;
        Ok((origin.address.to_string(), origin.tls))
    }

    fn address(peer: &str, pairs: &[(&'static str, &str)]) -> String {
        ask(peer, pairs).unwrap().0
    }

    #[test]
    fn t149_an_untrusted_peer_says_nothing_of_where_it_is() {
        for header in ["x-forwarded-for", "forwarded", "x-real-ip", "true-client-ip"] {
            for value in ["1.2.3.4", "for=1.2.3.4;proto=https", "garbage\"", "10.0.0.1"] {
                assert_eq!(ask("192.0.2.9", &[(header, value)]), Ok(("192.0.2.9".into(), false)), "{header}: {value}");
            }
        }
        assert_eq!(ask("192.0.2.9", &[("x-forwarded-proto", "https")]), Ok(("192.0.2.9".into(), false)));
        let none = Proxies::new(Vec::new(), true);
        let loopback = "127.0.0.1".parse().unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(PROTO, HeaderValue::from_static("https"));
        assert_eq!(none.origin(loopback, false, &headers), Ok(Origin { address: loopback, tls: false }));
    }

    #[test]
    fn sm19_the_first_hop_from_the_right_that_is_no_proxy_of_ours() {
        let for_ = |value| address("10.0.0.1", &[("x-forwarded-for", value)]);
        assert_eq!(for_("192.0.2.1"), "192.0.2.1");
        assert_eq!(for_("6.6.6.6, 192.0.2.1"), "192.0.2.1");
        assert_eq!(for_("6.6.6.6, 192.0.2.1, 10.9.9.9"), "192.0.2.1");
        assert_eq!(for_("10.7.7.7, 10.9.9.9"), "10.7.7.7");
        assert_eq!(for_("192.0.2.1:4711"), "192.0.2.1");
        assert_eq!(for_("[2001:db8:2::1]:4711"), "2001:db8:2::1");
        assert_eq!(for_("2001:db8:2::1"), "2001:db8:2::1");
        assert_eq!(for_("::ffff:192.0.2.1"), "192.0.2.1");
        assert_eq!(for_("192.0.2.1, unknown, 10.9.9.9"), "10.9.9.9");
        assert_eq!(for_("unknown"), "10.0.0.1");
        // What stands left of it is not read.
        assert_eq!(for_("\"><script>, 192.0.2.1"), "192.0.2.1");
        let lines = [("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", "192.0.2.1, 10.1.1.1")];
        assert_eq!(address("::ffff:10.0.0.1", &lines), "192.0.2.1");
        let forwarded = |value| address("2001:db8:1::5", &[("forwarded", value)]);
        assert_eq!(forwarded("for=192.0.2.1"), "192.0.2.1");
        assert_eq!(forwarded("For=\"[2001:db8:2::1]:4711\";by=_me"), "2001:db8:2::1");
        assert_eq!(forwarded("for=6.6.6.6, for=192.0.2.1;proto=https, for=10.2.2.2"), "192.0.2.1");
        assert_eq!(forwarded("for=6.6.6.6, for=_hidden, for=10.2.2.2"), "10.2.2.2");
        assert_eq!(address("10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn a_trusted_proxy_that_cannot_be_understood_is_refused() {
        for (name, value) in [
            ("x-forwarded-for", ""),
            ("x-forwarded-for", "192.0.2.1,"),
            ("x-forwarded-for", "evil"),
            ("x-forwarded-for", "192.0.2.1.5"),
            ("x-forwarded-for", "192.0.2.1:99999"),
            ("x-forwarded-proto", "gopher"),
            ("x-forwarded-proto", ""),
            ("forwarded", ""),
            ("forwarded", "for"),
            ("forwarded", "for=\"192.0.2.1"),
            ("forwarded", "for=192.0.2.1;for=192.0.2.2"),
            ("forwarded", "for=192.0.2.1;proto=ftp"),
            ("forwarded", "for=192.0.2.1 for=192.0.2.2"),
            ("forwarded", "for=192.0.2.1,"),
        ] {
            assert_eq!(ask("10.0.0.1", &[(name, value)]), Err(Malformed), "{name}: {value}");
        }
        // A caller's own `Forwarded`, handed on by a proxy that writes the other one.
        let two = [("x-forwarded-for", "192.0.2.1"), ("forwarded", "for=6.6.6.6")];
        assert_eq!(ask("10.0.0.1", &two), Err(Malformed));
        let two = [("x-forwarded-for", "192.0.2.1"), ("forwarded", "for=192.0.2.1;proto=https")];
        assert_eq!(ask("10.0.0.1", &two), Ok(("192.0.2.1".into(), true)));
        let two = [("x-forwarded-proto", "http"), ("forwarded", "for=192.0.2.1;proto=https")];
        assert_eq!(ask("10.0.0.1", &two), Err(Malformed));
    }

    #[test]
    fn sm21_tls_is_what_the_nearest_proxy_says() {
        let tls = |value| ask("10.0.0.1", &[("x-forwarded-proto", value)]).unwrap().1;
        assert!(tls("https") && tls("HTTPS") && tls("http, https"));
        assert!(!tls("http") && !tls("https, http"));
        assert!(ask("10.0.0.1", &[("forwarded", "for=192.0.2.1;proto=http, for=10.1.1.1;proto=https")]).unwrap().1);
        let silent = |end_tls| proxies(end_tls).origin("10.0.0.1".parse().unwrap(), false, &HeaderMap::new());
        assert!(silent(true).unwrap().tls && !silent(false).unwrap().tls);
    }
}
