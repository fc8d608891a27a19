//! Revocation: a client gives back a token of its own.
//!
//! An access token ends alone; a refresh token, of whatever generation, ends its family with all its access
//! tokens. What is not the caller's, or is nothing at all, is answered like what is: nobody learns which.
//!
//! SPEC: RFC 7009; OA-85.

use jiff::Timestamp;

use super::{
    error::OAuthError,
    introspect::{Found, find},
    issuer::{Admitted, Issuer, down},
};
use crate::store::{Cause, Reach, Touched};

/// Answers a call of the revocation endpoint; what was revoked is for the audit trail. The answer is an empty 200.
///
/// # Errors
/// What the client is told.
pub async fn revoke(issuer: &Issuer<'_>, admitted: &Admitted, now: Timestamp) -> Result<Option<Reach>, OAuthError> {
    let Admitted { client, form } = admitted;
    form.get("token_type_hint")?;
    let what = match find(issuer, form.need("token")?, client).await? {
        Some(Found::Access(row)) => Reach::Token(row.id),
        Some(Found::Refresh(family, _)) => Reach::Family(family.id),
        None => return Ok(None),
    };
    let touched = issuer.store.revoke(what.clone(), Cause::Asked, now).await.map_err(down)?;
    Ok(Some(what).filter(|_| touched != Touched::default()))
}
