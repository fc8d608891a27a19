//! What becomes of an HTTP request as such: whether it may come in, which rate tiers it draws from before
//! anybody knows whose it is, and which headers its answer has. Each from a line of the file.
//!
//! The same engine answers that `serve` asks; nothing here decides.

use std::{net::IpAddr, sync::Arc};

use jiff::Timestamp;
use serde::Serialize;

use super::{HERE, Limit};
use crate::{
    config::Config,
    cross_origin::{Page, varies},
    detect,
    diagnostic::Place,
    endpoint::Endpoint,
    policy::{Arrival, Decision, Draw, EndpointClass, Engine, Header, Ours, Reason},
};

/// An HTTP request to explain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Surface {
    /// The HTTP method.
    pub method: String,
    /// The path, with its query.
    pub path: String,
    /// The `Host`; without one, that of the public URL.
    pub host: Option<String>,
    /// The `Origin`.
    pub origin: Option<String>,
    /// The method that a preflight asks for.
    pub preflight: Option<String>,
    /// Its other header fields, their names in lower case.
    pub fields: Vec<(String, String)>,
    /// Whether it has a forwarding header.
    pub forwarded: bool,
    /// Where it comes from.
    pub address: IpAddr,
    /// Whether it comes over TLS.
    pub tls: bool,
    /// When; nothing means when it is explained.
    pub now: Option<Timestamp>,
}

/// What becomes of an HTTP request.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SurfaceExplained {
    /// The HTTP method.
    pub method: String,
    /// The path, with its query.
    pub path: String,
    /// The class of its endpoint.
    pub endpoint: &'static str,
    /// What detectors find in its path, query and header fields.
    pub findings: Vec<String>,
    /// Whether it may come in.
    pub decision: Decision,
    /// The HTTP status of its refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The word of its refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<Arc<str>>,
    /// What its sender is told of that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<Arc<str>>,
    /// The tiers that it draws from.
    pub tiers: Vec<Limit>,
    /// The header fields of its answer, sorted by name.
    pub headers: Vec<Sent>,
}

/// A header field that goes out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sent {
    /// Its name, in lower case.
    pub name: Arc<str>,
    /// Its value; nothing where it is taken away.
    pub value: Option<Arc<str>>,
    /// The policy behind it.
    pub policy: Arc<str>,
    /// The line behind that; nowhere for what is set without being written.
    pub place: Option<Place>,
}

impl Surface {
    /// An uneventful request for a path.
    #[must_use]
    pub fn of(method: &str, path: &str) -> Self {
        let (method, path) = (method.to_owned(), path.to_owned());
        Self {
            method,
            path,
            host: None,
            origin: None,
            preflight: None,
            fields: Vec::new(),
            forwarded: false,
            address: HERE,
            tls: false,
            now: None,
        }
    }

    /// What is known of it as it comes in.
    #[must_use]
    pub fn arrival(&self, config: &Config, now: Timestamp) -> Arrival {
        let Self { method, path, host, origin, preflight: _, fields, forwarded, address, tls, now: at } = self;
        let ours = Ours::new(&config.listen.public_url.value, config.listen.address.value);
        let (path, query) = path.split_once('?').map_or((path.as_str(), None), |(path, query)| (path, Some(query)));
        let class = EndpointClass::of_path(path);
        let fields = fields.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        let found = detect::head(path, query, fields, config.validation.runs_at(class));
        Arrival {
            class,
            method: method.clone(),
            host_known: host.as_ref().is_none_or(|host| ours.knows(host)),
            origin: origin.as_ref().map(|origin| ours.origin(origin)),
            forwarded: *forwarded,
            misled: false,
            findings: found.words(),
            server: Endpoint::server_at(path),
            tls: *tls,
            address: *address,
            now: at.unwrap_or(now),
        }
    }
}

/// Whether answers of a class are pages for people.
#[must_use]
pub const fn is_page(class: EndpointClass) -> bool {
    matches!(class, EndpointClass::Authorize | EndpointClass::Consent | EndpointClass::Grants | EndpointClass::Login)
}

/// Explains an HTTP request; `now` is when.
///
/// # Errors
/// When tiers or headers cannot be asked for, in words.
pub fn explain_surface(
    engine: &Engine,
    config: &Config,
    surface: &Surface,
    now: Timestamp,
) -> Result<SurfaceExplained, String> {
    let arrival = surface.arrival(config, now);
    let decision = engine.admit(&arrival);
    let check = engine.check_behind(&decision).filter(|_| !decision.is_allow());
    let Arrival { class, ref server, tls, address, now, .. } = arrival;
    // What is not there is nothing to be counted by.
    let server = server.as_ref().filter(|server| engine.bundle().servers().contains(*server));
    let server = server.map(|server| server.as_str());
    let draw = Draw { class, standing: None, server, tool: None, tls, address, now };
    let tiers = engine.charge(&draw).map_err(|denied| denied.errors.join("; "))?;
    let mut headers: Vec<Sent> =
        engine.emit(class, tls, is_page(class))?.iter().map(|header| Sent::of(header)).collect();
    headers.extend(cross_origin(config, surface, &arrival, decision.is_allow()));
    headers.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(SurfaceExplained {
        method: surface.method.clone(),
        path: surface.path.clone(),
        endpoint: class.as_str(),
        status: check.map(|check| check.status),
        code: check.map(|check| Arc::clone(&check.code)),
        message: check.map(|check| Arc::clone(&check.message)),
        findings: arrival.findings.iter().cloned().collect(),
        decision,
        tiers: tiers.iter().map(|tier| Limit::of(tier, true)).collect(),
        headers,
    })
}

/// What a browser is told of the answer, where a page of another origin asks; `cors` says so.
fn cross_origin(config: &Config, surface: &Surface, arrival: &Arrival, admitted: bool) -> Vec<Sent> {
    let policy: Arc<str> = "check/origin".into();
    let sent = |name: &str, value: &str| Sent {
        name: name.into(),
        value: Some(value.into()),
        policy: Arc::clone(&policy),
        place: config.cors.place.clone(),
    };
    let page = Page::of(arrival, &config.cors).filter(|_| admitted);
    let mut fields: Vec<Sent> = match (&page, &surface.preflight) {
        (None, _) => Vec::new(),
        (Some(page), Some(_)) => page.preflight("").map(|(name, value)| sent(name, &value)).collect(),
        (Some(page), None) => page.reads().map(|(name, value)| sent(name, value)).collect(),
    };
    fields.extend(varies(arrival.class).then(|| sent("vary", "origin")));
    fields
}

impl Sent {
    fn of(header: &Header) -> Self {
        let Reason { policy, place, effect: _ } = header.reason.clone();
        Self { name: Arc::clone(&header.name), value: header.value.clone(), policy, place }
    }
}
