//! From which rate tiers a request would draw, in the order in which `serve` charges them.
//!
//! Only a running gateway counts, so none of them is shown as passed.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use super::Supposed;
use crate::{
    diagnostic::Place,
    policy::{Draw, EndpointClass, Engine, Penalty, Tier},
};

/// A tier that a request draws from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Limit {
    /// Its name.
    pub tier: Arc<str>,
    /// The policy behind it.
    pub policy: Arc<str>,
    /// How many in a window.
    pub limit: u64,
    /// The window, in seconds.
    pub window: u64,
    /// How many at once, where that is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub burst: Option<u64>,
    /// By what it tells callers apart.
    pub by: &'static str,
    /// Whether it is charged before it is known who asks.
    pub before_token: bool,
    /// Whether failures tighten it.
    pub tightens: bool,
    /// Where it is written.
    pub place: Option<Place>,
}

impl Limit {
    pub(super) fn of(tier: &Tier, before_token: bool) -> Self {
        let Tier { name, limit, window, burst, by, penalty, reason } = tier;
        Self {
            tier: Arc::clone(name),
            policy: Arc::clone(&reason.policy),
            limit: *limit,
            window: window.as_secs(),
            burst: *burst,
            by: by.as_str(),
            before_token,
            tightens: penalty.as_ref().is_some_and(|Penalty { factor, .. }| *factor > 1),
            place: reason.place.clone(),
        }
    }
}

impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { tier, limit, window, burst, by, .. } = self;
        write!(f, "{tier}: {limit} in {}", span(*window))?;
        if let Some(burst) = burst {
            write!(f, ", {burst} at once")?;
        }
        write!(f, ", by {by}")
    }
}

/// The tiers of a request at an endpoint of MCP.
///
/// # Errors
/// When that cannot be said, in words; `serve` refuses then.
pub(super) fn limits(engine: &Engine, supposed: &Supposed, now: Timestamp) -> Result<Vec<Limit>, String> {
    let moment = supposed.moment(now);
    let standing = supposed.standing(engine);
    let server = Some(supposed.target.server()).filter(|server| engine.bundle().servers().contains(*server));
    let late = Draw {
        class: EndpointClass::Mcp,
        standing: Some(&standing),
        server: server.map(|server| server.as_str()),
        tool: supposed.target.tool().filter(|_| server.is_some()),
        tls: moment.tls,
        address: moment.address,
        now: moment.now,
    };
    // On `/mcp` the server stands in the body, which is not read yet.
    let early = Draw { standing: None, server: None, tool: None, ..late };
    let mut limits = Vec::new();
    for (draw, before) in [(early, true), (late, false)] {
        let tiers = engine.charge(&draw).map_err(|decision| decision.errors.join("; "))?;
        limits.extend(tiers.iter().map(|tier| Limit::of(tier, before)));
    }
    Ok(limits)
}

/// A whole number of seconds, as a file has it.
fn span(seconds: u64) -> String {
    let units = [(86_400, "d"), (3_600, "h"), (60, "m")];
    let whole = units.into_iter().find(|(unit, _)| seconds >= *unit && seconds.is_multiple_of(*unit));
    whole.map_or_else(|| format!("{seconds}s"), |(unit, word)| format!("{}{word}", seconds / unit))
}
