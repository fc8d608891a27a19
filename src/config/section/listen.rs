//! `listen:`: the address that is bound, the URL by which it is known, and what one connection may cost.

use std::{net::SocketAddr, time::Duration};

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    amount::{Count, Size, Span},
    oauth::OAuth,
};
use crate::{
    config::{document::Written, findings, resolve::Resolver, url::Url},
    diagnostic::{Place, Placed, Safety},
};

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

/// Where the gateway listens, under which URL it is known, and what one connection may cost.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListenSection {
    /// The socket that is bound, `ADDRESS:PORT`. Default: `127.0.0.1:3050`.
    address: Option<Written<String>>,
    /// The URL under which callers know the gateway: scheme, host and port. `https`, or `http` for
    /// loopback. Tokens are bound to it. Default: `http://` and the address.
    public_url: Option<Written<String>>,
    /// Networks whose forwarding headers are believed. Only the empty list is supported yet.
    #[schemars(extend("maxItems" = 0))]
    trusted_proxies: Option<Written<Vec<Written<String>>>>,
    /// What one connection may cost.
    limits: Option<Written<LimitsSection>>,
}

/// What one connection may cost.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LimitsSection {
    /// Bytes of a request body. Default: `4MiB`.
    body: Option<Written<Size>>,
    /// Bytes of a request's header section. Default: `32KiB`.
    header_bytes: Option<Written<Size>>,
    /// Header fields of a request. Default: `100`.
    header_count: Option<Written<Count>>,
    /// Connections at once. Default: `4096`.
    connections: Option<Written<Count>>,
    /// From the first byte of a request to the last of its answer. Default: `60s`.
    request: Option<Written<Span>>,
    /// Between requests of one connection, and for the header section of each. Default: `75s`.
    idle: Option<Written<Span>>,
}

impl Listen {
    pub(crate) fn resolve(
        section: Option<Written<ListenSection>>,
        oauth: Option<&OAuth>,
        cx: &mut Resolver<'_>,
    ) -> Option<Self> {
        let section = match section {
            Some(section) => section.value?,
            None => ListenSection { address: None, public_url: None, trusted_proxies: None, limits: None },
        };
        let ListenSection { address, public_url, trusted_proxies, limits } = section;
        let limits = match limits {
            Some(limits) => limits.value.map(Limits::from),
            None => Some(Limits::default()),
        };
        if let Some(proxies) =
            trusted_proxies.filter(|proxies| proxies.value.as_ref().is_some_and(|list| !list.is_empty()))
        {
            let finding = findings::UNKNOWN_FIELD.at(&proxies.place, "`listen.trusted_proxies` is not supported yet");
            cx.find(
                finding
                    .label("known, but not built in this version")
                    .help("leave the list empty: forwarding headers are then never believed"),
            );
        }
        let address = match address {
            Some(address) => address.placed().and_then(|address| socket(&address, cx)),
            None => Some(Placed::new(SocketAddr::from(([127, 0, 0, 1], 3050)), cx.nowhere())),
        };
        let public_url = match public_url {
            Some(url) => url.placed().and_then(|url| public(&url, cx)),
            None => address.as_ref().and_then(|address| derived(address, cx)),
        };
        let (address, public_url) = (address?, public_url?);
        if let Some(oauth) = oauth.filter(|oauth| !oauth.enabled.value) {
            local_only(&address, &public_url, &oauth.enabled.place, cx);
        }
        Some(Self { address, public_url, limits: limits? })
    }
}

impl From<LimitsSection> for Limits {
    fn from(section: LimitsSection) -> Self {
        let LimitsSection { body, header_bytes, header_count, connections, request, idle } = section;
        let default = Self::default();
        Self {
            body: body.and_then(|written| written.value).map_or(default.body, |Size(bytes)| bytes),
            header_bytes: header_bytes
                .and_then(|written| written.value)
                .map_or(default.header_bytes, |Size(bytes)| bytes),
            header_count: header_count
                .and_then(|written| written.value)
                .map_or(default.header_count, |Count(count)| count),
            connections: connections
                .and_then(|written| written.value)
                .map_or(default.connections, |Count(count)| count),
            request: request.and_then(|written| written.value).map_or(default.request, |Span(span)| span),
            idle: idle.and_then(|written| written.value).map_or(default.idle, |Span(span)| span),
        }
    }
}

fn socket(written: &Placed<String>, cx: &mut Resolver<'_>) -> Option<Placed<SocketAddr>> {
    match written.value.parse() {
        Ok(address) => Some(Placed::new(address, written.place.clone())),
        Err(_) => {
            let message = format!("`{}` is no address to listen on", cx.shown("address", written));
            let help = "write an IP address and a port, as in `127.0.0.1:3050` or `[::1]:3050`";
            cx.find(findings::WRONG_TYPE.at(&written.place, message).help(help));
            None
        }
    }
}

fn public(written: &Placed<String>, cx: &mut Resolver<'_>) -> Option<Placed<String>> {
    let url = match Url::parse(&written.value) {
        Ok(url) if matches!(url.rest.as_str(), "" | "/") => url,
        Ok(_) => {
            let finding = findings::WRONG_TYPE.at(&written.place, "`listen.public_url` must not have a path or query");
            cx.find(finding.help("write scheme, host and port alone, as in `https://mcp.example.com`"));
            return None;
        }
        Err(problem) => {
            let finding = findings::WRONG_TYPE.at(&written.place, format!("`listen.public_url` {problem}"));
            cx.find(finding.help("write scheme, host and port, as in `https://mcp.example.com`"));
            return None;
        }
    };
    if url.scheme == "http" && !url.is_loopback() {
        let finding =
            findings::WRONG_TYPE.at(&written.place, "`listen.public_url` must be `https`, since it is not loopback");
        cx.find(finding.help("write `https://…`: tokens would cross the network in the clear"));
        return None;
    }
    Some(Placed::new(url.origin(), written.place.clone()))
}

/// The public URL of an address that is given none.
fn derived(address: &Placed<SocketAddr>, cx: &mut Resolver<'_>) -> Option<Placed<String>> {
    if address.value.ip().is_loopback() {
        let port = address.value.port();
        let url = if port == 80 { format!("http://{}", host(address)) } else { format!("http://{}", address.value) };
        return Some(Placed::new(url, address.place.clone()));
    }
    let message = format!("`listen.public_url` is missing, and cannot be derived from `{}`", address.value);
    let finding = findings::WRONG_TYPE.at(&address.place, message).label("not loopback");
    cx.find(finding.help("add `public_url`: the `https` URL under which callers reach the gateway"));
    None
}

fn host(address: &Placed<SocketAddr>) -> String {
    match address.value {
        SocketAddr::V4(v4) => v4.ip().to_string(),
        SocketAddr::V6(v6) => format!("[{}]", v6.ip()),
    }
}

/// Without tokens the gateway serves this machine alone.
fn local_only(address: &Placed<SocketAddr>, public_url: &Placed<String>, off: &Place, cx: &mut Resolver<'_>) {
    if !address.value.ip().is_loopback() {
        let message = format!("whoever reaches `{}` may use every server: `oauth.enabled` is false", address.value);
        let finding = findings::PUBLIC_BIND_NO_AUTH.at(&address.place, message).label("not loopback");
        let finding = finding.also(off, "nobody needs a token");
        let text = format!("\"127.0.0.1:{}\"", address.value.port());
        cx.find(finding.fix(Safety::Unsafe, "listen on this machine alone", &address.place, text));
    }
    if !Url::parse(&public_url.value).is_ok_and(|url| url.is_loopback()) {
        let message = format!("`{}` is not loopback, and `oauth.enabled` is false", public_url.value);
        let finding = findings::PUBLIC_BIND_NO_AUTH.at(&public_url.place, message).label("not loopback");
        cx.find(finding.also(off, "nobody needs a token").help(
            "remove `public_url` or name a loopback host such as `http://localhost:3050`, or turn `oauth.enabled` on",
        ));
    }
}
