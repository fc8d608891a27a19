//! The registration endpoint: whether anybody may register at all, who, and how many there are already.
//!
//! INVARIANT: nothing is kept for who may not register.
//! SPEC: RFC 7591 §3; OA-107, OA-109; T-090.

use jiff::Timestamp;

use super::registration::{Registered, register};
use crate::{
    chance,
    config::Redirects,
    oauth::{
        error::{ErrorCode, OAuthError, Why},
        issuer::{Issuer, down},
        key::SecretDigest,
        metadata,
    },
    store,
};

/// The most clients that registered themselves and are kept.
pub const MOST_CLIENTS: u64 = 1000;

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
