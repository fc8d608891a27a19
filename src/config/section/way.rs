//! `listen.tls`, `listen.tls_proxy` and `listen.trusted_proxies`: what protects the way to the listener,
//! and who may say where a request came from.
//!
//! Whether other machines reach a listener that nothing protects is PC202's to find; `serve` refuses it.

use std::{net::IpAddr, path::PathBuf};

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    config::{document::Written, findings, resolve::Resolver},
    diagnostic::Placed,
};

/// What protects the way to the listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// Nothing: for this machine alone.
    Plain,
    /// A proxy in front of it ends TLS.
    Proxy,
    /// TLS that ends here.
    Tls(TlsFiles),
}

/// Where the certificate and its key are; relative paths are the configuration file's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate chain, PEM, our own first.
    pub certificate: PathBuf,
    /// Its private key, PEM.
    pub private_key: PathBuf,
}

/// TLS that ends here.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TlsSection {
    /// The certificate chain, PEM, the gateway's own certificate first; relative to this file.
    certificate: Written<String>,
    /// Its private key, PEM, readable by the gateway's user alone; relative to this file.
    private_key: Written<String>,
}

impl Way {
    pub(super) fn resolve(
        tls: Option<Written<TlsSection>>,
        tls_proxy: Option<Written<bool>>,
        cx: &mut Resolver<'_>,
    ) -> Option<Self> {
        let proxy = match tls_proxy {
            Some(proxy) => Some(proxy.placed()?).filter(|proxy| proxy.value),
            None => None,
        };
        match (tls, proxy) {
            (None, None) => Some(Self::Plain),
            (None, Some(_)) => Some(Self::Proxy),
            (Some(tls), None) => {
                let TlsSection { certificate, private_key } = tls.value?;
                let certificate = certificate.placed().and_then(|file| cx.file("certificate", file));
                let private_key = private_key.placed().and_then(|file| cx.file("private_key", file));
                Some(Self::Tls(TlsFiles { certificate: certificate?, private_key: private_key? }))
            }
            (Some(tls), Some(proxy)) => {
                let message = "`listen.tls` and `listen.tls_proxy` are both on: TLS ends in one place";
                let finding = findings::WRONG_TYPE.at(&proxy.place, message).also(&tls.place, "and here it ends too");
                cx.find(finding.help("keep `tls` where the proxy hands TLS through, `tls_proxy` where it ends TLS"));
                None
            }
        }
    }

    /// Callers who come by TLS know us by an `https` URL.
    pub(super) fn must_be_https(&self, public_url: &Placed<String>, cx: &mut Resolver<'_>) {
        let why = match self {
            Self::Plain => return,
            Self::Proxy => "`listen.tls_proxy` says that a proxy ends TLS",
            Self::Tls(_) => "`listen.tls` is set",
        };
        if !public_url.value.starts_with("https://") {
            let message = format!("`listen.public_url` must be `https`: {why}");
            cx.find(findings::WRONG_TYPE.at(&public_url.place, message).help("write the `https` URL that callers use"));
        }
    }
}

/// Networks as they are written: `10.0.0.0/8`, or one address.
pub(super) fn networks(written: Vec<Written<String>>, cx: &mut Resolver<'_>) -> Vec<IpNet> {
    written.into_iter().filter_map(Written::placed).filter_map(|network| one(&network, cx)).collect()
}

fn one(written: &Placed<String>, cx: &mut Resolver<'_>) -> Option<IpNet> {
    let parsed = written.value.parse::<IpNet>().or_else(|_| written.value.parse::<IpAddr>().map(IpNet::from));
    match parsed {
        Ok(network) if network.prefix_len() > 0 => Some(network.trunc()),
        Ok(_) => {
            let message = format!("`{}` is every address: anybody could say where a request came from", written.value);
            let finding = findings::WRONG_TYPE.at(&written.place, message);
            cx.find(finding.help("name the networks of your own proxies, as in `10.0.0.0/8`"));
            None
        }
        Err(_) => {
            let message = format!("`{}` is no network", cx.shown("trusted_proxies", written));
            let finding = findings::WRONG_TYPE.at(&written.place, message);
            cx.find(finding.help("write an address with the length of its prefix, as in `10.0.0.0/8`, or one address"));
            None
        }
    }
}
