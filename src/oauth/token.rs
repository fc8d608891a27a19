//! The token endpoint: who asks, what for, and what they get.
//!
//! SPEC: OAuth 2.1 §3.2; OA-37…OA-50; AS-16; T-088.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    access_token::AccessToken,
    error::{ErrorCode, OAuthError, Why},
    grant::{self, Redeem},
    issuer::{Admitted, Issuer},
    refresh_token::RefreshToken,
    scope,
};
use crate::{
    config::GrantType,
    id::Id,
    name::{ClientId, ScopeName},
    principal::Principal,
};

/// Tokens, to be given to their client and forgotten.
#[derive(Debug)]
pub struct Issued {
    pub(super) access: AccessToken,
    pub(super) refresh: Option<RefreshToken>,
    /// Seconds that the access token is good.
    pub expires_in: i64,
    /// What it grants, sorted.
    pub scopes: Vec<ScopeName>,
    /// Where it is good.
    pub resource: String,
    /// Whose it is.
    pub principal: Principal,
    /// The client that a person uses.
    pub client: Option<ClientId>,
    /// The access token's name, for the audit trail.
    pub token: Id,
    /// The family's name, where it refreshes.
    pub family: Option<Id>,
    /// What it was asked with.
    pub by: GrantType,
}

impl Issued {
    /// The body of the answer: 200, `application/json`, `no-store`.
    #[must_use]
    pub fn body(&self) -> String {
        let mut body = json!({
            "access_token": self.access.expose(),
            "token_type": "Bearer",
            "expires_in": self.expires_in,
            "scope": scope::written(&self.scopes),
        });
        if let (Some(refresh), Value::Object(body)) = (&self.refresh, &mut body) {
            body.insert("refresh_token".into(), refresh.expose().into());
        }
        body.to_string()
    }
}

/// Answers a call of the token endpoint.
///
/// # Errors
/// What the client is told.
pub async fn token(issuer: &Issuer<'_>, admitted: &Admitted, now: Timestamp) -> Result<Issued, OAuthError> {
    let Admitted { client, form } = admitted;
    let word = form.need("grant_type")?;
    let Some(grant) = GrantType::read(word) else {
        let what = "grant_type must be authorization_code, refresh_token or client_credentials";
        return Err(OAuthError::new(ErrorCode::UnsupportedGrantType, Why::GrantUnsupported, what));
    };
    grant::redeem(grant, &Redeem { issuer, form, client, now }).await
}
