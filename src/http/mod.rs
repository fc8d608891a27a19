//! HTTP: poem lives here and, later, in `admin/` alone.
//!
//! `listener` accepts (`places` says how many, `connection` what a request must be, `forwarded` where it
//! came from), `guard` decides whether a request may come in, `mcp` hands it to the gateway,
//! `well_known` says where tokens come from, `health` says whether we live, and `respond` gives every
//! answer its HTTP form.

mod connection;
pub(crate) mod forwarded;
pub(crate) mod guard;
mod health;
pub(crate) mod listener;
mod mcp;
mod places;
mod respond;
mod well_known;

use std::{net::SocketAddr, sync::Arc};

use poem::{Endpoint, EndpointExt, Request, Response, Route, http::StatusCode};

pub(crate) use health::Health;

use crate::gateway::Gateway;
use forwarded::Malformed;
use guard::Stopped;

/// Everything the public listener answers.
pub(crate) fn routes(gateway: Arc<Gateway>, bound: SocketAddr, health: Health) -> impl Endpoint<Output = Response> {
    let mcp = mcp::Mcp::new(Arc::clone(&gateway));
    let well_known = well_known::WellKnown::new(Arc::clone(&gateway));
    let guard = Arc::new(guard::Current::new(bound, &gateway.revision()));
    Route::new()
        .at("/mcp", mcp.clone())
        .at("/mcp/:server", mcp)
        .at("/.well-known/oauth-protected-resource", well_known.clone())
        .at("/.well-known/oauth-protected-resource/mcp", well_known.clone())
        .at("/.well-known/oauth-protected-resource/mcp/:server", well_known)
        .at("/healthz", health.live())
        .at("/readyz", health)
        .around(move |route, request: Request| {
            let stopped = match request.extensions().get::<Malformed>() {
                Some(Malformed) => Err(Stopped::Misled),
                None => guard.of(&gateway.revision()).1.check(request.uri(), request.headers()),
            };
            let gateway = Arc::clone(&gateway);
            async move {
                if let Err(stopped) = stopped {
                    return Ok(mcp::stopped(&gateway, &request, stopped));
                }
                Ok(match route.call(request).await {
                    Ok(response) => response,
                    // The router's own errors are plain text.
                    Err(error) => respond::plain(error.status(), "not_found", "there is nothing at this path"),
                })
            }
        })
        .map_to_response()
}

/// An answer to a method that an endpoint does not take.
fn method_not_allowed(allow: &'static str) -> Response {
    let mut response =
        respond::plain(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "this endpoint does not take this method");
    response.headers_mut().insert(poem::http::header::ALLOW, poem::http::HeaderValue::from_static(allow));
    response
}
