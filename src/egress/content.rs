//! What an answer says its body is.

use http::{HeaderMap, header};

/// The kinds of body that MCP has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    /// One JSON text.
    Json,
    /// A stream of events.
    Events,
    /// Anything else, or nothing.
    Other,
}

impl Content {
    /// What the header fields of an answer say.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let written = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let essence = written.split(';').next().unwrap_or_default().trim();
        if essence.eq_ignore_ascii_case("application/json") {
            Self::Json
        } else if essence.eq_ignore_ascii_case("text/event-stream") {
            Self::Events
        } else {
            Self::Other
        }
    }
}
