//! `oauth.access_token`, `oauth.refresh_token` and `oauth.code`: how long what is issued is good.
//!
//! Each has a hard maximum; what lives longer than it needs to is worth more to a thief.
//!
//! SPEC: oauth §2.0, §3.3; AS-12, OA-32, OA-136.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::{document::Written, findings, resolve::Resolver, section::amount::Life};

const MINUTE: u64 = 60;
const DAY: u64 = 24 * 60 * MINUTE;

/// How long what is issued is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetimes {
    /// An access token.
    pub access_token: Duration,
    /// An authorization code.
    pub code: Duration,
    /// A refresh token that is not used.
    pub refresh_idle: Duration,
    /// A grant, however often it is refreshed.
    pub refresh_absolute: Duration,
    /// How long the refresh token before the current one is answered with the current one.
    pub refresh_grace: Duration,
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self {
            access_token: Duration::from_secs(10 * MINUTE),
            code: Duration::from_secs(MINUTE),
            refresh_idle: Duration::from_secs(14 * DAY),
            refresh_absolute: Duration::from_secs(90 * DAY),
            refresh_grace: Duration::from_secs(MINUTE),
        }
    }
}

/// How long access tokens are good.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccessTokenSection {
    /// How long an access token is good, at most `60m`. Default: `10m`.
    lifetime: Option<Written<Life>>,
}

/// How long authorization codes are good.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CodeSection {
    /// How long a code is good, at most `60s`. Default: `60s`.
    lifetime: Option<Written<Life>>,
}

/// How long refresh tokens are good.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RefreshTokenSection {
    /// How long one is good that is not used. Default: `14d`.
    idle: Option<Written<Life>>,
    /// How long a grant is good, however often it is refreshed, at most `90d`. Default: `90d`; `30d` for
    /// clients that registered themselves and for redirects to this machine.
    absolute: Option<Written<Life>>,
    /// How long the token before the current one still gets the current one, for answers that were lost and
    /// processes that race; at most `30m`. Default: `60s`.
    grace: Option<Written<Life>>,
}

impl Lifetimes {
    pub(super) fn resolve(
        access_token: Option<Written<AccessTokenSection>>,
        code: Option<Written<CodeSection>>,
        refresh_token: Option<Written<RefreshTokenSection>>,
        cx: &mut Resolver<'_>,
    ) -> Option<Self> {
        let mut lifetimes = Self::default();
        if let Some(section) = access_token {
            let AccessTokenSection { lifetime } = section.value?;
            within("access_token.lifetime", lifetime, 60 * MINUTE, &mut lifetimes.access_token, cx)?;
        }
        if let Some(section) = code {
            let CodeSection { lifetime } = section.value?;
            within("code.lifetime", lifetime, MINUTE, &mut lifetimes.code, cx)?;
        }
        if let Some(section) = refresh_token {
            let RefreshTokenSection { idle, absolute, grace } = section.value?;
            let good = [
                within("refresh_token.idle", idle, 90 * DAY, &mut lifetimes.refresh_idle, cx),
                within("refresh_token.absolute", absolute, 90 * DAY, &mut lifetimes.refresh_absolute, cx),
                within("refresh_token.grace", grace, 30 * MINUTE, &mut lifetimes.refresh_grace, cx),
            ];
            good.into_iter().collect::<Option<Vec<()>>>()?;
        }
        Some(lifetimes)
    }
}

/// Takes a life over, unless it is longer than it may be.
fn within(
    key: &str,
    written: Option<Written<Life>>,
    most: u64,
    life: &mut Duration,
    cx: &mut Resolver<'_>,
) -> Option<()> {
    let Some(written) = written else { return Some(()) };
    let Written { place, value } = written;
    let Life(wanted) = value?;
    if wanted > Duration::from_secs(most) {
        let most = if most <= MINUTE {
            format!("{most}s")
        } else if most < DAY {
            format!("{}m", most / MINUTE)
        } else {
            format!("{}d", most / DAY)
        };
        let message = format!("`oauth.{key}` is longer than `{most}`");
        cx.find(findings::WRONG_TYPE.at(&place, message).help(format!("write `{most}` or less")));
        return None;
    }
    *life = wanted;
    Some(())
}
