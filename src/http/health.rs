//! `/healthz` and `/readyz`: whether we live, and whether we can do our work.
//!
//! Bodies name no server, version or path (T-224).

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use poem::{Endpoint, Request, Response, http::StatusCode};

use super::{is_read, method_not_allowed, respond};
use crate::{audit::Trail, store::Store};

/// What readiness depends on.
#[derive(Debug, Clone)]
pub(crate) struct Health {
    trail: Arc<Trail>,
    store: Option<Arc<Store>>,
    /// Whether a configuration was refused since, and an older one is in force.
    stale: Arc<AtomicBool>,
}

/// Liveness alone.
#[derive(Debug, Clone, Copy)]
pub(super) struct Live;

impl Health {
    pub(crate) const fn new(trail: Arc<Trail>, store: Option<Arc<Store>>, stale: Arc<AtomicBool>) -> Self {
        Self { trail, store, stale }
    }

    pub(super) const fn live(&self) -> Live {
        Live
    }
}

impl Endpoint for Live {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        if !is_read(&request) {
            return Ok(method_not_allowed("GET, HEAD"));
        }
        Ok(respond::json(StatusCode::OK, r#"{"status":"alive"}"#))
    }
}

impl Endpoint for Health {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        if !is_read(&request) {
            return Ok(method_not_allowed("GET, HEAD"));
        }
        let store = match &self.store {
            Some(store) => store.writable().await.map_err(|error| error.to_string()),
            None => Ok(()),
        };
        let trail = self.trail.ready().map_err(|error| error.to_string());
        Ok(match store.and(trail) {
            // It does its work, though not as the file says: nothing to take it out of service for (AD-12).
            Ok(()) if self.stale.load(Relaxed) => respond::json(StatusCode::OK, r#"{"status":"degraded"}"#),
            Ok(()) => respond::json(StatusCode::OK, r#"{"status":"ready"}"#),
            Err(error) => {
                tracing::warn!(%error, "not ready");
                respond::json(StatusCode::SERVICE_UNAVAILABLE, r#"{"status":"not ready"}"#)
            }
        })
    }
}
