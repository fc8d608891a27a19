//! `refresh_token`: the grant goes on, under what policies say now.
//!
//! Each use gives the next token of the family. The one before is answered once more within the grace, with the
//! *same* successor, for answers that were lost and processes that race. Anything older is a copy in somebody
//! else's hands: the family ends. The store decides all of it in one transaction.
//!
//! INVARIANT: a refusal before the rotation changes nothing, and nothing ever widens a grant.
//! SPEC: OAuth 2.1 §4.3; RFC 9700 §4.14; oauth §3.3; OA-52…OA-64; AS-13, AS-14; T-081, T-083.

use std::collections::BTreeSet;

use super::{GrantType, Redeem, refused};
use crate::{
    name::ScopeName,
    oauth::{
        error::{ErrorCode, OAuthError, Why},
        issuer::{down, signed},
        refresh_token::{Presented, RefreshToken},
        scope::Asked,
        token::Issued,
    },
    store::{Cause, FamilyRow, Reach, Rotate, Rotated},
};

/// Gives tokens for a refresh token.
pub(super) async fn redeem(ask: &Redeem<'_>) -> Result<Issued, OAuthError> {
    let Redeem { issuer, form, client, now } = *ask;
    // Who is not registered for it may have been given one all the same, for `offline_access`; with any other it is
    // told that this grant is not its own.
    let registered = client.may(GrantType::RefreshToken);
    let bad = |why| match (why, registered) {
        (Why::RefreshUnknown, false) => {
            let what = "this client may not ask for tokens with refresh tokens";
            OAuthError::new(ErrorCode::UnauthorizedClient, Why::GrantNotAllowed, what)
        }
        _ => refused(why, "the refresh token is not good: it is unknown, used or revoked"),
    };
    let presented = Presented::read(form.need("refresh_token")?).ok_or_else(|| bad(Why::RefreshUnknown))?;
    let (resource, scope) = (ask.named()?, form.get("scope")?);
    let found = issuer.store.family(presented.family).await.map_err(down)?;
    // A forged one costs no write, and no answer that the true one would get.
    let family = found.filter(|family| presented.is_of(issuer.keys, family)).ok_or_else(|| bad(Why::RefreshUnknown))?;
    // What was used before is held to what it was used for; what is wrong with that uses nothing up (OA-56).
    let again = presented.generation != family.generation;
    let other = |error: OAuthError| match again {
        true => refused(error.why(), "the refresh token was used before, and for something else"),
        false => error,
    };
    let live = family.client == client.id && family.revoked_at.is_none() && now < family.expires_at;
    let mut gone = None;
    let (scopes, ceiling) = if live && !again {
        let asked = asked(ask, &family, scope)?;
        ask.granted(&family.resource)?;
        let ceiling = ask.grantable(&family.user, family.groups.clone(), &family.scopes).await?;
        if asked.as_ref().is_some_and(|asked| !asked.iter().any(|scope| ceiling.contains(scope))) {
            return Err(nothing());
        }
        (asked, Some(ceiling))
    } else if live {
        // Reuse must end the family whatever else is wrong with the request, so nothing may refuse before it.
        let ceiling =
            ask.grantable(&family.user, family.groups.clone(), &family.scopes).await.unwrap_or_else(|error| {
                gone = Some(error);
                Vec::new()
            });
        (asked(ask, &family, scope).unwrap_or_else(|_| Some(Vec::new())), Some(ceiling))
    } else {
        (None, None)
    };
    let (access, token) = ask.fresh()?;
    let rotate = Rotate {
        family: family.id,
        generation: presented.generation,
        client: client.id.clone(),
        scopes,
        ceiling,
        resource,
        rotates: true,
        grace: signed(issuer.settings.lifetimes.refresh_grace),
        idle: signed(issuer.settings.lifetimes.refresh_idle),
        token,
        now,
    };
    match issuer.store.rotate(rotate).await.map_err(down)? {
        Rotated::Again { token, .. } if token.scopes.is_empty() => {
            issuer.store.revoke(Reach::Token(token.id), Cause::Asked, now).await.map_err(down)?;
            Err(gone.unwrap_or_else(nothing))
        }
        Rotated::Done { family, token } | Rotated::Again { family, token } => {
            let refresh = RefreshToken::of(issuer.keys, &family, family.generation);
            Ok(ask.issued(access, token, Some(refresh), GrantType::RefreshToken))
        }
        Rotated::Unknown => Err(bad(Why::RefreshUnknown)),
        Rotated::Revoked => Err(bad(Why::RefreshRevoked)),
        Rotated::Expired => Err(refused(Why::RefreshExpired, "the refresh token has expired; ask the person again")),
        Rotated::OtherClient => Err(refused(Why::RefreshClient, "the refresh token was given to another client")),
        Rotated::OtherResource => {
            let what = "resource differs from the one that was granted";
            Err(other(OAuthError::new(ErrorCode::InvalidTarget, Why::Resource, what)))
        }
        Rotated::TooWide => Err(other(too_wide())),
        Rotated::OtherThanBefore => Err(refused(Why::Scope, "the refresh token was used before, for other scopes")),
        Rotated::Reused => {
            let error = refused(Why::RefreshReuse, "the refresh token was used before; its grant is revoked");
            Err(error.ending(family.id))
        }
    }
}

/// The scopes that are named, if any are; a scope that was granted may be named though its tag is gone.
fn asked(ask: &Redeem<'_>, family: &FamilyRow, scope: Option<&str>) -> Result<Option<Vec<ScopeName>>, OAuthError> {
    let known: BTreeSet<ScopeName> =
        ask.issuer.engine.bundle().scopes().iter().chain(&family.scopes).cloned().collect();
    let Some(asked) = Asked::read(scope, &known)?.scopes else { return Ok(None) };
    if asked.iter().all(|scope| family.scopes.contains(scope)) {
        Ok(Some(asked.into_iter().collect()))
    } else {
        Err(too_wide())
    }
}

fn nothing() -> OAuthError {
    refused(Why::NothingGrantable, "nothing of what is asked for may be granted any more")
}

fn too_wide() -> OAuthError {
    let what = "scope names more than was granted; ask the person for it";
    OAuthError::new(ErrorCode::InvalidScope, Why::ScopeTooMuch, what)
}
