//! HTTP: poem lives here and, later, in `admin/` alone.
//!
//! `listener` accepts (`places` says how many, `connection` what a request must be, `forwarded` where it
//! came from), `guard` says what is known of a request before it comes in, `mcp` hands it to the gateway,
//! `well_known` says where tokens come from, `health` says whether we live, `respond` gives every
//! answer its HTTP form, `cors` tells browsers who may read it, and `outgoing` gives it its headers. What
//! people are shown is in `page`; `browser` says who looks, and `visit` is what every page needs of a request:
//! `login` signs people in and out, `grants` shows what they have allowed. A client's request comes in at
//! `authorize`, waits in the browser (`pending`) and is decided at `consent`, which shows what it opens
//! (`offered`); `errand` is what the authorization server needs of every request, and writes down what came of it.

mod asset;
mod authorize;
mod browser;
mod connection;
mod consent;
mod cors;
mod errand;
pub(crate) mod forwarded;
mod grants;
pub(crate) mod guard;
mod health;
pub(crate) mod listener;
mod login;
mod mcp;
mod oauth;
mod offered;
mod outgoing;
mod page;
mod pending;
mod places;
mod respond;
mod turns;
mod visit;
mod well_known;

use std::{net::SocketAddr, panic::AssertUnwindSafe, sync::Arc, time::Instant};

use futures_util::FutureExt as _;
use poem::{
    Endpoint, EndpointExt, Request, Response, Route,
    http::{Method, StatusCode, uri::Scheme},
};

pub(crate) use health::Health;
pub(crate) use outgoing::Outgoing;

use crate::{
    cross_origin::Page,
    detect::Detectors,
    gateway::{Entering, Gateway, Peer, Refusal, Revision, says_modern},
    policy::{Arrival, Because, Decision, EndpointClass},
};
use forwarded::Malformed;

/// Everything the public listener answers.
pub(crate) fn routes(gateway: Arc<Gateway>, bound: SocketAddr, health: Health) -> impl Endpoint<Output = Response> {
    let mcp = mcp::Mcp::new(Arc::clone(&gateway));
    let answers = mcp.clone();
    let well_known = well_known::WellKnown::new(Arc::clone(&gateway));
    let guard = Arc::new(guard::Current::new(bound, &gateway.revision()));
    let assets = page::ASSETS.iter().fold(Route::new(), |route, asset| route.at(&asset.path, asset::Asset(asset)));
    assets
        .at("/mcp", mcp.clone())
        .at("/mcp/:server", mcp)
        .at("/.well-known/oauth-protected-resource", well_known.clone())
        .at("/.well-known/oauth-protected-resource/mcp", well_known.clone())
        .at("/.well-known/oauth-protected-resource/mcp/:server", well_known)
        .at("/.well-known/oauth-authorization-server", oauth::Metadata(Arc::clone(&gateway)))
        .at("/.well-known/openid-configuration", oauth::Metadata(Arc::clone(&gateway)))
        .at("/oauth/authorize", authorize::Authorize(Arc::clone(&gateway)))
        .at("/oauth/consent", consent::Consent(Arc::clone(&gateway)))
        .at("/oauth/introspect", oauth::Client::new(Arc::clone(&gateway), oauth::Desk::Introspect))
        .at("/oauth/register", oauth::Client::new(Arc::clone(&gateway), oauth::Desk::Register))
        .at("/oauth/revoke", oauth::Client::new(Arc::clone(&gateway), oauth::Desk::Revoke))
        .at("/oauth/token", oauth::Client::new(Arc::clone(&gateway), oauth::Desk::Token))
        .at(page::path::LOGIN, login::Login::new(Arc::clone(&gateway), login::Place::SignIn))
        .at(page::path::FRESH, login::Login::new(Arc::clone(&gateway), login::Place::Fresh))
        .at(page::path::LINK, login::Login::new(Arc::clone(&gateway), login::Place::Link))
        .at(page::path::SIGN_OUT, login::Login::new(Arc::clone(&gateway), login::Place::Out))
        .at(page::path::GRANTS, grants::Grants::new(Arc::clone(&gateway), grants::Place::List))
        .at(page::path::REVOKE, grants::Grants::new(Arc::clone(&gateway), grants::Place::Revoke))
        .at("/healthz", health.live())
        .at("/readyz", health)
        .around(move |route, mut request: Request| {
            let entry = Entry::of(&gateway, &guard, &request);
            let (class, found) = (entry.arrival.class, entry.found);
            if !found.is_empty() {
                request.extensions_mut().insert(found);
            }
            let admitted = entry.admit(&gateway);
            let charged = admitted.is_ok().then(|| entry.charge(&gateway, &answers, &request)).flatten();
            let gateway = Arc::clone(&gateway);
            async move {
                let page = match admitted {
                    Ok(page) => page,
                    Err(mut refused) => {
                        cors::vary(class, refused.headers_mut());
                        return Ok(*refused);
                    }
                };
                let preflight = page.as_ref().filter(|_| charged.is_none());
                let preflight = preflight.and_then(|page| cors::preflight(page, &request));
                if let Some(mut preflight) = preflight {
                    cors::vary(class, preflight.headers_mut());
                    return Ok(preflight);
                }
                let answer = async {
                    route.call(request).await.unwrap_or_else(|error| {
                        // The router's own errors are plain text.
                        respond::plain(error.status(), "not_found", "there is nothing at this path")
                    })
                };
                let mut response = match charged {
                    Some(refused) => refused,
                    None => unless_it_panics(answer).await.unwrap_or_else(|| entry.broken(&gateway)),
                };
                if let Some(page) = page {
                    cors::let_read(&page, response.headers_mut());
                }
                cors::vary(class, response.headers_mut());
                Ok(response)
            }
        })
        .map_to_response()
}

/// A request that comes in, and what is known of it before anything of it is believed.
struct Entry {
    revision: Arc<Revision>,
    peer: Peer,
    started: Instant,
    arrival: Arrival,
    /// What detectors found in its head.
    found: Detectors,
}

impl Entry {
    fn of(gateway: &Gateway, guard: &guard::Current, request: &Request) -> Self {
        let (revision, peer) = (gateway.revision(), mcp::peer(request));
        let head = guard::Head {
            uri: request.uri(),
            method: request.method(),
            headers: request.headers(),
            address: peer.address,
            tls: *request.scheme() == Scheme::HTTPS,
            misled: request.extensions().get::<Malformed>().is_some(),
        };
        let (arrival, found) = guard.of(&revision).1.arrival(&head, gateway.parts().clock.now());
        Self { revision, peer, started: Instant::now(), arrival, found }
    }

    /// Asks whether it may come in: the page of another origin that it comes from, where there is one, or what
    /// it is answered where it may not.
    fn admit(&self, gateway: &Arc<Gateway>) -> Result<Option<Page>, Box<Response>> {
        let snapshot = &self.revision.snapshot;
        let decision = snapshot.engine.admit(&self.arrival);
        if decision.is_allow() {
            // What comes to `/mcp` has a record that says it.
            if !self.found.is_empty()
                && self.arrival.class != EndpointClass::Mcp
                && let Err(refusal) = gateway.reported(self.peer.clone(), self.started, &decision, self.found)
            {
                let unrecorded = respond::plain(StatusCode::SERVICE_UNAVAILABLE, "no-audit", &refusal.message());
                return Err(Box::new(unrecorded));
            }
            return Ok(Page::of(&self.arrival, &snapshot.config.cors));
        }
        let form = match snapshot.engine.check_behind(&decision) {
            Some(check) => {
                let status = StatusCode::from_u16(check.status).unwrap_or(StatusCode::FORBIDDEN);
                (status, &*check.code, &*check.message)
            }
            None => {
                tracing::error!(errors = ?decision.errors, "whether a request may come in cannot be decided, so it may not");
                let message = "whether this request may come in cannot be decided, so it may not";
                (StatusCode::INTERNAL_SERVER_ERROR, "policy-error", message)
            }
        };
        Err(Box::new(self.refused(gateway, form, &decision)))
    }

    /// Charges it for where it comes from, before its body is read; what it is answered over the limit.
    fn charge(&self, gateway: &Arc<Gateway>, mcp: &mcp::Mcp, request: &Request) -> Option<Response> {
        let Arrival { class, ref server, tls, .. } = self.arrival;
        let (peer, started) = (&self.peer, self.started);
        let entering = Entering { class, server: server.as_ref(), peer, tls, started };
        let refused = gateway.charge_entering(&self.revision, &entering).err()?;
        if class == EndpointClass::Mcp {
            let modern = says_modern(request.headers());
            return Some(mcp.refused_entering(peer, started, *refused, self.found, modern));
        }
        Some(over_limit(gateway, self.peer.clone(), self.started, *refused, self.found))
    }

    /// The answer where working one out failed for a bug of ours: no, and written down (T-147).
    fn broken(&self, gateway: &Arc<Gateway>) -> Response {
        let form = (StatusCode::INTERNAL_SERVER_ERROR, "internal", "internal error");
        self.refused(gateway, form, &Decision::deny(Because::PolicyError))
    }

    fn refused(&self, gateway: &Arc<Gateway>, form: (StatusCode, &str, &str), decision: &Decision) -> Response {
        mcp::refused_early(gateway, self.peer.clone(), self.started, form, decision, self.found)
    }
}

/// What comes of work; nothing where it panics, which ends this request and no other. The panic itself is on stderr.
async fn unless_it_panics<T>(work: impl Future<Output = T>) -> Option<T> {
    AssertUnwindSafe(work).catch_unwind().await.ok()
}

/// What is answered to a request over a limit, once it is written down.
fn over_limit(
    gateway: &Arc<Gateway>,
    peer: Peer,
    started: Instant,
    (refusal, decision): (Refusal, Decision),
    found: Detectors,
) -> Response {
    let status = match refusal {
        Refusal::RateLimited(_) => StatusCode::TOO_MANY_REQUESTS,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    let form = (status, refusal.word(), &*refusal.message());
    let mut response = mcp::refused_early(gateway, peer, started, form, &decision, found);
    respond::limits(&refusal, response.headers_mut());
    response
}

/// Whether a request reads, and does nothing: what can be got can be asked about as well (RFC 9110 §9.1).
fn is_read(request: &Request) -> bool {
    matches!(*request.method(), Method::GET | Method::HEAD)
}

/// An answer to a method that an endpoint does not take.
fn method_not_allowed(allow: &'static str) -> Response {
    let mut response =
        respond::plain(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "this endpoint does not take this method");
    response.headers_mut().insert(poem::http::header::ALLOW, poem::http::HeaderValue::from_static(allow));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn t147_work_that_panics_comes_to_nothing_and_to_no_harm() {
        assert_eq!(unless_it_panics(async { 7 }).await, Some(7));
        let bug = unless_it_panics(async {
            tokio::task::yield_now().await;
            // As an index out of bounds would, with the message kept from the log of the tests.
            std::panic::resume_unwind(Box::new("a bug"))
        });
        assert_eq!(bug.await, None::<u8>);
        assert_eq!(unless_it_panics(async { 7 }).await, Some(7), "and on it goes");
    }
}
