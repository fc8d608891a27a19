//! `oauth:`: whether callers need a token of ours.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    config::{document::Written, resolve::Resolver},
    diagnostic::Placed,
};

/// Whether callers need a token.
#[derive(Debug, Clone)]
pub struct OAuth {
    /// Off is the local mode: no token, loopback only (design §2 "OAuth off").
    pub enabled: Placed<bool>,
}

/// Whether callers need a token of the gateway.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OAuthSection {
    /// Whether they do. Without tokens the gateway serves this machine alone: address and public
    /// URL must be loopback. Default: `true`.
    enabled: Option<Written<bool>>,
}

impl OAuth {
    pub(crate) fn resolve(section: Option<Written<OAuthSection>>, cx: &mut Resolver<'_>) -> Option<Self> {
        let default = Placed::new(true, cx.nowhere());
        let Some(section) = section else { return Some(Self { enabled: default }) };
        let OAuthSection { enabled } = section.value?;
        match enabled {
            Some(enabled) => Some(Self { enabled: enabled.placed()? }),
            None => Some(Self { enabled: default }),
        }
    }
}
