//! `listen.limits`: what one connection may cost.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::amount::{Count, Size, Span};
use crate::config::document::Written;

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
