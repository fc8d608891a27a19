//! The registration endpoint: whether anybody may register at all, who, and how many there are already: in all, and
//! from where this one comes, so that nobody alone can take every place.
//!
//! INVARIANT: nothing is kept for who may not register.
//! SPEC: RFC 7591 §3; OA-107, OA-109; T-090.

use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};

use super::registration::{Registered, register};
use crate::{
    chance,
    config::Redirects,
    limit::network,
    oauth::{
        error::{ErrorCode, OAuthError, Why},
        issuer::{Issuer, down},
        key::SecretDigest,
        metadata,
    },
    store::{self, Attempt, Counted},
};

/// The most clients that registered themselves and are kept.
pub const MOST_CLIENTS: u64 = 1000;
/// The most that register from one address within an hour, which is as long as an unused one is kept.
pub const MOST_FROM_ONE: u32 = 100;
const WINDOW: SignedDuration = SignedDuration::from_hours(1);

/// The registration endpoint as the gateway was started.
#[derive(Debug, Clone)]
pub struct Door {
    /// Whether only this machine reaches the gateway.
    pub loopback: bool,
    /// The digest of the token that registering needs, where it needs one.
    pub token: Option<SecretDigest>,
}

impl Door {
    /// Whether anybody may register.
    #[must_use]
    pub fn is_open(&self, issuer: &Issuer<'_>) -> bool {
        metadata::registration(issuer.settings, self.loopback) != Redirects::Off
    }

    /// Registers a client; nothing where that is off, and the endpoint is not there. The answer is 201.
    ///
    /// # Errors
    /// What the client is told.
    pub async fn register(
        &self,
        issuer: &Issuer<'_>,
        authorization: &[&[u8]],
        body: &[u8],
        address: IpAddr,
        now: Timestamp,
    ) -> Result<Option<Registered>, OAuthError> {
        let redirects = metadata::registration(issuer.settings, self.loopback);
        if redirects == Redirects::Off {
            return Ok(None);
        }
        if let Some(token) = &self.token
            && !presented(authorization).is_some_and(|given| token.is(&issuer.keys.digest(given)))
        {
            let what = "registering needs the token that the operator gives out, as a bearer token";
            let why = if authorization.is_empty() { Why::RegistrationAnonymous } else { Why::RegistrationToken };
            return Err(OAuthError::new(ErrorCode::InvalidToken, why, what));
        }
        let (id, secret) = (chance::bytes(), chance::bytes());
        let (Ok(id), Ok(secret)) = (id, secret) else { return Err(OAuthError::internal()) };
        let random = (id, secret);
        let registered = register(body, &redirects, issuer.settings.private_schemes, issuer.keys, random, now)?;
        let row = registered.client.to_row(now).ok_or_else(OAuthError::internal)?;
        let key = network(address).to_string().into_bytes();
        let attempt = Attempt { name: "register", key, limit: MOST_FROM_ONE, window: WINDOW };
        if let Counted::Over { until } = issuer.store.count(attempt, now).await.map_err(down)? {
            let what = "as many clients have registered from this address as may within an hour; try again later";
            return Err(OAuthError::too_many(Why::ClientsMany, what, until.duration_since(now).as_secs()));
        }
        match issuer.store.keep_client(row, MOST_CLIENTS, now).await.map_err(down)? {
            store::Registered::Done => Ok(Some(registered)),
            store::Registered::Full => {
                let what = "as many clients have registered as may; try again in an hour";
                Err(OAuthError::new(ErrorCode::TemporarilyUnavailable, Why::ClientsFull, what))
            }
        }
    }
}

/// The bearer token of the one header, if that is what there is.
fn presented<'a>(authorization: &[&'a [u8]]) -> Option<&'a str> {
    let [header] = authorization else { return None };
    let (scheme, token) = std::str::from_utf8(header).ok()?.split_once(' ')?;
    let token = token.trim_matches(' ');
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}
