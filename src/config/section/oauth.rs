//! `oauth:`: whether callers need a token of ours.

use schemars::JsonSchema;
use serde::Deserialize;

use super::failure_delay::{FailureDelay, FailureDelaySection};
use crate::{
    config::{document::Written, resolve::Resolver},
    diagnostic::Placed,
};

/// Whether callers need a token.
#[derive(Debug, Clone)]
pub struct OAuth {
    /// Off is the local mode: no token, loopback only (design §2 "OAuth off").
    pub enabled: Placed<bool>,
    /// How long failing answers of endpoints that authenticate are held up; nothing for not at all.
    pub failure_delay: Option<FailureDelay>,
}

/// Whether callers need a token of the gateway.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OAuthSection {
    /// Whether they do. Without tokens the gateway serves this machine alone: address and public
    /// URL must be loopback. Default: `true`.
    enabled: Option<Written<bool>>,
    /// How long failing answers of the endpoints that authenticate are held up, at random: a range, a map
    /// of `min` and `max`, or 0 for not at all. Successes are answered at once. Default: `10ms-50ms`.
    failure_delay: Option<Written<FailureDelaySection>>,
}

impl OAuth {
    pub(crate) fn resolve(section: Option<Written<OAuthSection>>, cx: &mut Resolver<'_>) -> Option<Self> {
        let default = Placed::new(true, cx.nowhere());
        let delay = Some(FailureDelay::default());
        let Some(section) = section else { return Some(Self { enabled: default, failure_delay: delay }) };
        let OAuthSection { enabled, failure_delay } = section.value?;
        let failure_delay = match failure_delay {
            Some(written) => written.value.map_or(delay, |FailureDelaySection(delay)| delay),
            None => delay,
        };
        let enabled = match enabled {
            Some(enabled) => enabled.placed()?,
            None => default,
        };
        Some(Self { enabled, failure_delay })
    }
}
