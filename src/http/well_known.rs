//! Where tokens for an endpoint come from.
//!
//! The document is the same for every name of the grammar: whether there is such a server shows only
//! after authentication. Without `oauth.baseline` it names no scopes.
//!
//! SPEC: RFC 9728 §2, §3; AZ-01…AZ-04, AZ-07.

use std::sync::Arc;

use poem::{Endpoint, Request, Response, http::StatusCode};

use super::{is_read, method_not_allowed, respond};
use crate::{
    gateway::{Endpoint as Place, Gateway},
    oauth,
};

const PATH: &str = "/.well-known/oauth-protected-resource";

/// The metadata of every endpoint.
#[derive(Debug, Clone)]
pub(super) struct WellKnown(Arc<Gateway>);

/// The URL of an endpoint's metadata.
pub(super) fn url(public_url: &str, endpoint: &Place) -> String {
    format!("{public_url}{PATH}{endpoint}")
}

impl WellKnown {
    pub(super) const fn new(gateway: Arc<Gateway>) -> Self {
        Self(gateway)
    }
}

impl Endpoint for WellKnown {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        if !is_read(&request) {
            return Ok(method_not_allowed("GET, HEAD"));
        }
        let revision = self.0.revision();
        let (public_url, oauth) = (&revision.snapshot.public_url, revision.snapshot.engine.bundle().oauth());
        let endpoint = request.uri().path().strip_prefix(PATH).unwrap_or_default();
        let endpoint = if endpoint.is_empty() { Ok(Place::All) } else { endpoint.parse::<Place>() };
        let Some(endpoint) = endpoint.ok().filter(|_| oauth) else {
            return Ok(respond::plain(StatusCode::NOT_FOUND, "not_found", "there is nothing at this path"));
        };
        let document = oauth::protected_resource(public_url, &endpoint, &revision.snapshot.baseline);
        Ok(respond::json(StatusCode::OK, document.to_string()))
    }
}
