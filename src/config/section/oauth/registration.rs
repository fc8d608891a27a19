//! `oauth.registration` and `oauth.documents`: how clients that nobody configured become known.
//!
//! By a metadata document that their own site publishes, or by registering themselves. Neither gives a
//! privilege: what is granted is decided by a person and by `grants:`.
//!
//! SPEC: RFC 7591; the client-id-metadata-document draft; OA-107, OA-113, AS-26, AS-27.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    config::{
        document::{TextOr, Written},
        findings,
        resolve::{Resolver, good},
        section::secret::{SecretRef, SecretSection},
        url::Url,
    },
    diagnostic::Placed,
};

/// Who may register themselves.
#[derive(Debug, Clone)]
pub struct Registration {
    /// Where codes of such clients may be sent.
    pub redirects: Redirects,
    /// Where the token is kept that registering needs; nothing where it needs none.
    pub token: Option<Placed<SecretRef>>,
}

/// Where codes of clients that registered themselves may be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redirects {
    /// Nowhere: nobody may register.
    Off,
    /// To this machine.
    Loopback,
    /// To this machine, and to these hosts.
    Hosts(Vec<String>),
    /// Anywhere that a redirect URI may lead.
    Any,
}

/// Which metadata documents are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Documents {
    /// Whose.
    pub trust: Trust,
    /// Hosts with their ports that may be fetched from although they lie inside, such as `127.0.0.1:8443`.
    pub inside: Vec<String>,
}

/// Whose metadata documents are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// Nobody's.
    Off,
    /// Those of these hosts.
    Hosts(Vec<String>),
    /// Anybody's.
    Any,
}

impl Default for Documents {
    fn default() -> Self {
        Self { trust: Trust::Any, inside: Vec::new() }
    }
}

/// Who may register themselves.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RegistrationSection {
    /// Hosts, besides this machine, that their codes may be sent to. Default: any.
    #[schemars(extend("uniqueItems" = true))]
    hosts: Option<Written<Vec<Written<String>>>>,
    /// Where the token is kept that registering needs. Default: it needs none.
    token: Option<Written<SecretSection>>,
}

/// Which metadata documents of clients are read.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DocumentsSection {
    /// Hosts whose documents are read. Default: any.
    #[schemars(extend("uniqueItems" = true))]
    hosts: Option<Written<Vec<Written<String>>>>,
    /// Hosts with their ports that may be fetched from although they lie inside your own networks or on this
    /// machine, such as `127.0.0.1:8443`. Default: none.
    #[schemars(extend("uniqueItems" = true))]
    inside: Option<Written<Vec<Written<String>>>>,
}

impl Registration {
    pub(super) fn resolve(
        written: Option<Written<TextOr<RegistrationSection>>>,
        cx: &mut Resolver<'_>,
    ) -> Option<Option<Self>> {
        let Some(Written { place, value }) = written else { return Some(None) };
        let (redirects, token) = match value? {
            TextOr::Text(word) => match word.as_str() {
                "off" => (Redirects::Off, None),
                "loopback" => (Redirects::Loopback, None),
                "open" => (Redirects::Any, None),
                _ => {
                    let shown = cx.shown("registration", &Placed::new(word, place.clone()));
                    let finding = findings::WRONG_TYPE.at(&place, format!("`{shown}` says nothing of registration"));
                    cx.find(finding.help("write `off`, `loopback`, `open`, or a map with `hosts` and `token`"));
                    return None;
                }
            },
            TextOr::Map(RegistrationSection { hosts, token }) => {
                let redirects = match hosts {
                    Some(hosts) => Redirects::Hosts(self::hosts(hosts, cx)?),
                    None => Redirects::Any,
                };
                let token = match token {
                    Some(Written { place, value }) => {
                        Some(Placed::new(value?.resolve(&place, "oauth.registration.token", cx)?, place))
                    }
                    None => None,
                };
                (redirects, token)
            }
        };
        Some(Some(Self { redirects, token }))
    }
}

impl Documents {
    pub(super) fn resolve(written: Option<Written<TextOr<DocumentsSection>>>, cx: &mut Resolver<'_>) -> Option<Self> {
        let Some(Written { place, value }) = written else { return Some(Self::default()) };
        match value? {
            TextOr::Text(word) => match word.as_str() {
                "off" => Some(Self { trust: Trust::Off, inside: Vec::new() }),
                "open" => Some(Self::default()),
                _ => {
                    let shown = cx.shown("documents", &Placed::new(word, place.clone()));
                    let finding = findings::WRONG_TYPE.at(&place, format!("`{shown}` says nothing of documents"));
                    cx.find(finding.help("write `off`, `open`, or a map with `hosts` and `inside`"));
                    None
                }
            },
            TextOr::Map(DocumentsSection { hosts, inside }) => {
                let trust = match hosts {
                    Some(hosts) => Trust::Hosts(self::hosts(hosts, cx)?),
                    None => Trust::Any,
                };
                let inside = match inside {
                    Some(inside) => self::hosts(inside, cx)?,
                    None => Vec::new(),
                };
                Some(Self { trust, inside })
            }
        }
    }
}

/// Hosts, perhaps with a port, in lower case.
fn hosts(written: Written<Vec<Written<String>>>, cx: &mut Resolver<'_>) -> Option<Vec<String>> {
    let Written { place, value } = written;
    let listed = value?;
    if listed.is_empty() {
        let finding = findings::EMPTY_SELECTOR.at(&place, "the list of hosts is empty");
        cx.find(finding.help("name at least one, or write `off` in place of the map"));
        return None;
    }
    let mut hosts = Vec::new();
    let mut all_good = true;
    for host in good(listed) {
        match Url::parse(&format!("https://{}", host.value)) {
            Ok(url) if url.rest.is_empty() => {
                hosts.push(url.port.map_or_else(|| url.host.clone(), |port| format!("{}:{port}", url.host)));
            }
            Ok(_) | Err(_) => {
                let message = format!("`{}` is no host", cx.shown("hosts", &host));
                let help = "write a host name in full, with its port where that is not 443, as in `app.example.com`";
                cx.find(findings::WRONG_TYPE.at(&host.place, message).help(help));
                all_good = false;
            }
        }
    }
    all_good.then_some(hosts)
}
