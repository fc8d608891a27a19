//! `client_credentials`: a client that the operator knows, for itself. No person, no refresh token.
//!
//! SPEC: OAuth 2.1 §4.2; the MCP extension; design §2 "Ceilings"; OA-46, AS-29.

use std::collections::BTreeSet;

use super::{GrantType, Redeem};
use crate::{
    oauth::{
        client::KnownBy,
        error::{ErrorCode, OAuthError, Why},
        issuer::down,
        scope::Asked,
        token::Issued,
    },
    principal::Principal,
};

/// Gives a token to a client for itself.
pub(super) async fn redeem(ask: &Redeem<'_>) -> Result<Issued, OAuthError> {
    let Redeem { issuer, form, client, .. } = *ask;
    let known = client.known_by == KnownBy::Configuration && client.is_confidential();
    if !known || !client.may(GrantType::ClientCredentials) {
        let what = "this client may not ask for tokens of its own";
        return Err(OAuthError::new(ErrorCode::UnauthorizedClient, Why::GrantNotAllowed, what));
    }
    let resource = issuer.resource(&issuer.endpoint(form.get("resource")?)?)?;
    let asked = Asked::read(form.get("scope")?, issuer.engine.bundle().scopes())?;
    // Without a person nobody could choose: what is not named is the baseline, never everything.
    let asked = asked.scopes.unwrap_or_else(|| issuer.baseline.clone());
    let principal = Principal::Client(client.id.clone());
    let scopes = issuer.grantable(&principal, &client.id, &BTreeSet::new(), &asked);
    if scopes.is_empty() {
        let what = if asked.is_empty() {
            "the parameter scope is missing: name the scopes that are needed"
        } else {
            "nothing of what is asked for may be granted to this client"
        };
        return Err(OAuthError::new(ErrorCode::InvalidScope, Why::NothingGrantable, what));
    }
    let (access, new) = ask.mint(principal, scopes, resource)?;
    let row = new.row.clone();
    issuer.store.grant_token(new).await.map_err(down)?;
    Ok(ask.issued(access, row, None, GrantType::ClientCredentials))
}
