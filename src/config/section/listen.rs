//! `listen:`: the address that is bound, the URL by which it is known, and what one connection may cost.

use std::net::SocketAddr;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    limits::{Limits, LimitsSection},
    oauth::{Login, OAuth},
    way::{self, TlsSection, Way},
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
    /// What protects the way to it.
    pub way: Way,
    /// Networks whose forwarding headers are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// What one connection may cost.
    pub limits: Limits,
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
    /// TLS that ends here: the certificate and its key. Both are read again when they change.
    tls: Option<Written<TlsSection>>,
    /// Whether a proxy in front of the listener ends TLS. Default: `false`.
    tls_proxy: Option<Written<bool>>,
    /// Networks of proxies whose forwarding headers are believed, such as `10.0.0.0/8`. Default: none.
    trusted_proxies: Option<Written<Vec<Written<String>>>>,
    /// What one connection may cost.
    limits: Option<Written<LimitsSection>>,
}

impl Listen {
    pub(crate) fn resolve(
        section: Option<Written<ListenSection>>,
        oauth: Option<&OAuth>,
        cx: &mut Resolver<'_>,
    ) -> Option<Self> {
        let section = match section {
            Some(section) => section.value?,
            None => ListenSection {
                address: None,
                public_url: None,
                tls: None,
                tls_proxy: None,
                trusted_proxies: None,
                limits: None,
            },
        };
        let ListenSection { address, public_url, tls, tls_proxy, trusted_proxies, limits } = section;
        let limits = match limits {
            Some(limits) => limits.value.map(Limits::from),
            None => Some(Limits::default()),
        };
        let way = Way::resolve(tls, tls_proxy, cx);
        let trusted_proxies = match trusted_proxies {
            Some(proxies) => proxies.value.map(|proxies| way::networks(proxies, cx)),
            None => Some(Vec::new()),
        };
        let address = match address {
            Some(address) => address.placed().and_then(|address| socket(&address, cx)),
            None => Some(Placed::new(SocketAddr::from(([127, 0, 0, 1], 3050)), cx.nowhere())),
        };
        let public_url = match public_url {
            Some(url) => url.placed().and_then(|url| public(&url, cx)),
            None => address.as_ref().and_then(|address| derived(address, way.as_ref()?, cx)),
        };
        let (address, public_url, way) = (address?, public_url?, way?);
        way.must_be_https(&public_url, cx);
        if let Some(oauth) = oauth.filter(|oauth| !oauth.enabled.value) {
            local_only(&address, &public_url, &oauth.enabled.place, cx);
        }
        if let Some(oauth) = oauth.filter(|oauth| oauth.enabled.value) {
            somebody_signs_in(&address, &way, oauth, cx);
        }
        Some(Self { address, public_url, way, trusted_proxies: trusted_proxies?, limits: limits? })
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
fn derived(address: &Placed<SocketAddr>, way: &Way, cx: &mut Resolver<'_>) -> Option<Placed<String>> {
    let (scheme, usual) = if matches!(way, Way::Tls(_)) { ("https", 443) } else { ("http", 80) };
    // Of a proxy's own address nothing is known here.
    if address.value.ip().is_loopback() && !matches!(way, Way::Proxy) {
        let usual = address.value.port() == usual;
        let authority = if usual { host(address) } else { address.value.to_string() };
        return Some(Placed::new(format!("{scheme}://{authority}"), address.place.clone()));
    }
    let (message, label) = if matches!(way, Way::Proxy) {
        ("`listen.public_url` is missing: callers know the gateway by the proxy's URL".to_owned(), "behind a proxy")
    } else {
        (format!("`listen.public_url` is missing, and cannot be derived from `{}`", address.value), "not loopback")
    };
    let finding = findings::WRONG_TYPE.at(&address.place, message).label(label);
    cx.find(finding.help("add `public_url`: the `https` URL under which callers reach the gateway"));
    None
}

fn host(address: &Placed<SocketAddr>) -> String {
    match address.value {
        SocketAddr::V4(v4) => v4.ip().to_string(),
        SocketAddr::V6(v6) => format!("[{}]", v6.ip()),
    }
}

/// Where other machines reach the gateway, the file says who signs in, and nobody sees the owner's link on the way.
fn somebody_signs_in(address: &Placed<SocketAddr>, way: &Way, oauth: &OAuth, cx: &mut Resolver<'_>) {
    if address.value.ip().to_canonical().is_loopback() {
        return;
    }
    match &oauth.authorization.login {
        None => {
            let message =
                format!("other machines reach `{}`, and `oauth.login` does not say who signs in", address.value);
            let finding = findings::WRONG_TYPE.at(&address.place, message).label("not loopback");
            cx.find(finding.help(
                "write `oauth: {login: users}` for people with names and passwords, or `oauth: {login: owner}` for one person, who signs in by `portcullis login`",
            ));
        }
        Some(login) if login.value == Login::Owner && *way == Way::Plain => {
            let message =
                format!("`login: owner` needs TLS where other machines reach the gateway, as at `{}`", address.value);
            let finding = findings::WRONG_TYPE.at(&login.place, message).also(&address.place, "not loopback");
            cx.find(finding.help("set `listen.tls`, or `listen.tls_proxy: true` where a proxy ends TLS"));
        }
        Some(_) => {}
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
