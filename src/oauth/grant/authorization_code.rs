//! `authorization_code`: a code that a person's consent gave, redeemed once by who asked for it.
//!
//! A try that fails does not use the code up, but five of them do. A second redemption by the rightful client,
//! with the right verifier, means that two have the code: all that came of it is revoked. Any other second try
//! revokes nothing, or whoever saw a code could end a grant. The store decides all of it in one transaction.
//!
//! SPEC: OAuth 2.1 §4.1.3, §7.5.2; RFC 8707 §2.2; OA-26…OA-32; T-075…T-080.

use super::{GrantType, Redeem, refused};
use crate::{
    chance,
    id::Id,
    oauth::{
        code::Code,
        error::{ErrorCode, OAuthError, Why},
        issuer::{down, signed},
        pkce::Challenge,
        refresh_token::RefreshToken,
        token::Issued,
    },
    store::{NewFamily, RedeemCode, Redeemed, Unfit},
};

/// Gives tokens for a code.
pub(super) async fn redeem(ask: &Redeem<'_>) -> Result<Issued, OAuthError> {
    let Redeem { issuer, form, client, now } = *ask;
    if !client.may(GrantType::AuthorizationCode) {
        let what = "this client may not ask for tokens with codes";
        return Err(OAuthError::new(ErrorCode::UnauthorizedClient, Why::GrantNotAllowed, what));
    }
    let (written, verifier) = (form.need("code")?, form.need("code_verifier")?);
    let (redirect_uri, resource) = (form.get("redirect_uri")?.map(str::to_owned), ask.named()?);
    let unknown = |why| refused(why, "the code is not good: it is unknown, used or expired");
    let mac = Code::look(issuer.keys, written).ok_or_else(|| unknown(Why::CodeUnknown))?;
    let kept = issuer.store.find_code(&mac).await.map_err(down)?.ok_or_else(|| unknown(Why::CodeUnknown))?;
    // What policies have to say counts once the code is this client's and not used; else the store says what it is.
    let scopes = match kept.family {
        None if kept.client == client.id => {
            ask.granted(&kept.resource)?;
            let grant = issuer.store.grant(kept.grant).await.map_err(down)?;
            Some(ask.grantable(&kept.user, grant.into_iter().flat_map(|grant| grant.groups), &kept.scopes).await?)
        }
        Some(_) | None => None,
    };
    let (access, token) = ask.fresh()?;
    let redeem = RedeemCode {
        mac,
        client: client.id.clone(),
        redirect_uri,
        challenge: Challenge::of(verifier),
        resource,
        scopes,
        family: family(ask)?,
        token,
        now,
    };
    match issuer.store.redeem_code(redeem).await.map_err(down)? {
        Redeemed::Done { family, token } => {
            let refresh = family.renewable.then(|| RefreshToken::of(issuer.keys, &family, family.generation));
            Ok(ask.issued(access, token, refresh, GrantType::AuthorizationCode))
        }
        Redeemed::Unknown => Err(unknown(Why::CodeUnknown)),
        Redeemed::Expired => Err(unknown(Why::CodeExpired)),
        Redeemed::Dead => Err(unknown(Why::CodeDead)),
        Redeemed::Replayed { family } => {
            Err(refused(Why::CodeReplayed, "the code was used before; what it gave is revoked").ending(family))
        }
        Redeemed::Unfit(unfit) => Err(mismatch(unfit)),
    }
}

fn mismatch(unfit: Unfit) -> OAuthError {
    match unfit {
        Unfit::Client => refused(Why::CodeClient, "the code was given to another client"),
        Unfit::RedirectUri => {
            refused(Why::CodeRedirect, "redirect_uri differs from the one of the authorization request")
        }
        Unfit::Challenge => refused(Why::CodeVerifier, "code_verifier does not meet the code_challenge"),
        Unfit::Resource => {
            let what = "resource differs from the one of the authorization request";
            OAuthError::new(ErrorCode::InvalidTarget, Why::Resource, what)
        }
    }
}

/// The family of what comes of a code.
fn family(ask: &Redeem<'_>) -> Result<NewFamily, OAuthError> {
    let (now, lifetimes) = (ask.now, &ask.issuer.settings.lifetimes);
    let absolute = signed(ask.client.longest(lifetimes));
    let (random, nonce) = (chance::bytes(), chance::bytes());
    let (Ok(random), Ok(nonce)) = (random, nonce) else { return Err(OAuthError::internal()) };
    Ok(NewFamily {
        id: Id::new(now, random),
        nonce,
        idle_expires_at: now.saturating_add(signed(lifetimes.refresh_idle)).unwrap_or(now),
        expires_at: now.saturating_add(absolute).unwrap_or(now),
    })
}
