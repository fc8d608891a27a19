//! Introspection: what a token of the caller's own is good for.
//!
//! Only a client that can keep a secret is answered, and only about tokens that were given to it; about all
//! others it learns that they are not active, which says nothing (T-050).
//!
//! SPEC: RFC 7662 §2; OAuth 2.1 §5.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    client::{Client, refused},
    error::{OAuthError, Why},
    issuer::{Admitted, Issuer, down},
    refresh_token::Presented,
    scope,
};
use crate::{
    principal::Principal,
    store::{FamilyRow, TokenRow},
};

/// A token that was given to the caller.
pub(super) enum Found {
    /// An access token, perhaps no longer good.
    Access(Box<TokenRow>),
    /// A refresh token of a family, perhaps no longer good, and whether it is the current one.
    Refresh(Box<FamilyRow>, bool),
}

/// The token that a text is, if it was given to this client.
pub(super) async fn find(issuer: &Issuer<'_>, text: &str, client: &Client) -> Result<Option<Found>, OAuthError> {
    if let Some(presented) = Presented::read(text) {
        let family = issuer.store.family(presented.family).await.map_err(down)?;
        let own = family.filter(|family| presented.is_of(issuer.keys, family) && family.client == client.id);
        return Ok(own.map(|family| {
            let current = family.generation == presented.generation;
            Found::Refresh(Box::new(family), current)
        }));
    }
    let Ok(looked) = issuer.tokens.look(text) else { return Ok(None) };
    let found = issuer.store.find_token(&looked.mac).await.map_err(down)?;
    let own = |row: &TokenRow| match &row.principal {
        Principal::User(_) => row.client.as_ref() == Some(&client.id),
        Principal::Client(id) => *id == client.id,
        Principal::Anonymous => false,
    };
    Ok(found.map(|found| found.row).filter(own).map(|row| Found::Access(Box::new(row))))
}

/// Answers a call of the introspection endpoint: 200, `application/json`, `no-store`.
///
/// # Errors
/// What the client is told.
pub async fn introspect(issuer: &Issuer<'_>, admitted: &Admitted, now: Timestamp) -> Result<Value, OAuthError> {
    let Admitted { client, form } = admitted;
    if !client.is_confidential() {
        return Err(refused(Why::AuthMethod));
    }
    form.get("token_type_hint")?;
    Ok(match find(issuer, form.need("token")?, client).await? {
        Some(Found::Access(row)) if row.revoked_at.is_none() && now < row.expires_at => json!({
            "active": true,
            "token_type": "Bearer",
            "scope": scope::written(&row.scopes),
            "client_id": client.id.as_str(),
            "sub": row.principal.id(),
            "iss": issuer.url,
            "aud": row.resource,
            "iat": row.issued_at.as_second(),
            "exp": row.expires_at.as_second(),
        }),
        Some(Found::Refresh(family, true))
            if family.revoked_at.is_none() && now < family.expires_at.min(family.idle_expires_at) =>
        {
            json!({
                "active": true,
                "scope": scope::written(&family.scopes),
                "client_id": client.id.as_str(),
                "sub": family.user.as_str(),
                "iss": issuer.url,
                "aud": family.resource,
                "exp": family.expires_at.min(family.idle_expires_at).as_second(),
            })
        }
        Some(Found::Access(_) | Found::Refresh(..)) | None => json!({ "active": false }),
    })
}
