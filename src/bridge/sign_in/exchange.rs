//! What is asked of the authorization server itself: a client id, tokens for a code, new tokens, an end.
//!
//! The words of the protocol are those of the crate `oauth2`; the requests go out as all of ours do.
//!
//! INVARIANT: what an endpoint answers is never repeated in a message but for the code of an error and its description.
//! SPEC: OAuth 2.1 §3.2, §4.1.3, §4.3; RFC 7591 §3; RFC 7009; RFC 8707 §2.2; AS-06, CL-18.

use std::{borrow::Cow, collections::BTreeSet};

use http::{
    Request, Response, StatusCode,
    header::{ACCEPT, CONTENT_TYPE},
};
use jiff::{SignedDuration, Timestamp};
use oauth2::{
    AuthUrl, AuthorizationCode, ClientId, CsrfToken, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RefreshToken,
    RequestTokenError, Scope, TokenResponse as _, TokenUrl,
    basic::{BasicClient, BasicErrorResponse, BasicTokenResponse, BasicTokenType},
    url::form_urlencoded,
};
use serde::Deserialize;
use serde_json::json;

use super::{
    discover::{Found, Server},
    error::SignInError,
    keep::{Client, Kept},
    landing::REGISTERED,
    web::Web,
};
use crate::{
    bridge::challenge::{cleaned, words},
    egress::EgressError,
    secret::Secret,
};

const REGISTRATION: &str = "registration endpoint";
const TOKEN: &str = "token endpoint";
const HELP: &str = "tell whoever runs it, or use `--token-file FILE`";
/// How long before its end an access token is renewed, at most; a fifth of its life otherwise.
const EARLY: SignedDuration = SignedDuration::from_secs(30);

/// What is asked of a person: where the browser goes, and what the code is redeemed with.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) url: String,
    pub(super) state: Secret<String>,
    verifier: PkceCodeVerifier,
    redirect: RedirectUrl,
}

/// Random bytes as text: 43 characters of a verifier, or a state.
fn chance() -> Result<String, SignInError> {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    let bytes = crate::chance::bytes::<32>().map_err(|_| SignInError::Gone("the system has no randomness"))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// The question for a person.
pub(super) fn question(
    found: &Found,
    client: &Client,
    redirect: &str,
    scopes: &BTreeSet<String>,
) -> Result<Question, SignInError> {
    let not_a_url = || SignInError::Url {
        what: "authorization endpoint",
        url: cleaned(&found.server.authorization),
        why: "is no URL",
    };
    let endpoint = AuthUrl::new(found.server.authorization.clone()).map_err(|_| not_a_url())?;
    let redirect = RedirectUrl::new(redirect.to_owned()).map_err(|_| not_a_url())?;
    let verifier = PkceCodeVerifier::new(chance()?);
    let state = chance()?;
    let asker = BasicClient::new(ClientId::new(client.id.clone())).set_auth_uri(endpoint);
    let (url, _) = asker
        .authorize_url(|| CsrfToken::new(state.clone()))
        .set_redirect_uri(Cow::Borrowed(&redirect))
        .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier))
        .add_scopes(scopes.iter().map(|scope| Scope::new(scope.clone())))
        .add_extra_param("resource", found.resource.clone())
        .url();
    Ok(Question { url: url.into(), state: Secret::new(state), verifier, redirect })
}

/// Tokens for the code.
pub(super) async fn redeem(
    web: &Web,
    found: &Found,
    client: Client,
    question: Question,
    code: &Secret<String>,
    now: Timestamp,
) -> Result<Kept, SignInError> {
    let asker = BasicClient::new(ClientId::new(client.id.clone())).set_token_uri(token_url(&found.server.token)?);
    let answer = asker
        .exchange_code(AuthorizationCode::new(code.expose().clone()))
        .set_pkce_verifier(question.verifier)
        .set_redirect_uri(Cow::Owned(question.redirect))
        .add_extra_param("resource", found.resource.clone())
        .request_async(web)
        .await
        .map_err(|error| refused(&found.server.token, error))?;
    let before = Kept {
        resource: found.resource.clone(),
        issuer: found.server.issuer.clone(),
        token_endpoint: found.server.token.clone(),
        revocation_endpoint: found.server.revocation.clone(),
        client,
        access: Secret::new(String::new()),
        refresh: None,
        scopes: BTreeSet::new(),
        renew_at: None,
    };
    taken(&before, &answer, now)
}

/// Why tokens were not renewed.
#[derive(Debug)]
pub(super) enum NotRenewed {
    /// The refresh token is good no more, or there is none: a person must be asked.
    Lost,
    /// The server does not know us any more: we register anew, and a person must be asked.
    Unknown,
    /// It could not be asked, or answered nothing of use.
    Failed(SignInError),
}

/// New tokens for the refresh token. Asked again once where the answer was lost: the same token gives the same.
pub(super) async fn renew(web: &Web, kept: &Kept, now: Timestamp) -> Result<Kept, NotRenewed> {
    let Some(refresh) = &kept.refresh else { return Err(NotRenewed::Lost) };
    let token = RefreshToken::new(refresh.expose().clone());
    let endpoint = token_url(&kept.token_endpoint).map_err(NotRenewed::Failed)?;
    let asker = BasicClient::new(ClientId::new(kept.client.id.clone())).set_token_uri(endpoint);
    let ask = || {
        let request = asker.exchange_refresh_token(&token).add_extra_param("resource", kept.resource.clone());
        async { request.request_async(web).await }
    };
    let mut answer = ask().await;
    if let Err(RequestTokenError::Request(EgressError::Broken)) = answer {
        answer = ask().await;
    }
    match answer {
        Ok(answer) => taken(kept, &answer, now).map_err(NotRenewed::Failed),
        Err(RequestTokenError::ServerResponse(error)) => match error.error().as_ref() {
            "invalid_grant" | "invalid_scope" | "invalid_target" => Err(NotRenewed::Lost),
            "invalid_client" | "unauthorized_client" => Err(NotRenewed::Unknown),
            _ => Err(NotRenewed::Failed(refused(&kept.token_endpoint, RequestTokenError::ServerResponse(error)))),
        },
        Err(error) => Err(NotRenewed::Failed(refused(&kept.token_endpoint, error))),
    }
}

/// A client id for whoever asks, as RFC 7591 has it.
pub(super) async fn register(web: &Web, server: &Server) -> Result<Client, SignInError> {
    #[derive(Deserialize)]
    struct Registered {
        client_id: String,
        token_endpoint_auth_method: Option<String>,
    }
    let url = server.registration.as_ref().ok_or_else(|| SignInError::NoRegistration(cleaned(&server.issuer)))?;
    let about = json!({
        "client_name": "portcullis connect",
        "redirect_uris": [REGISTERED],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
        "application_type": "native",
    });
    let answer = post(web, REGISTRATION, url, "application/json", about.to_string()).await?;
    if !matches!(answer.status(), StatusCode::OK | StatusCode::CREATED) {
        return Err(said(REGISTRATION, &answer));
    }
    let registered = serde_json::from_slice::<Registered>(answer.body()).ok();
    let public = registered.filter(|registered| {
        !registered.client_id.is_empty()
            && registered.token_endpoint_auth_method.as_deref().is_none_or(|method| method == "none")
    });
    let wrong =
        || SignInError::Answer { what: REGISTRATION, wrong: "without an id for a client that has no secret".into() };
    public.map(|registered| Client { id: registered.client_id, registered: true }).ok_or_else(wrong)
}

/// Ends what was granted, at the server.
pub(super) async fn revoke(web: &Web, kept: &Kept) -> Result<(), SignInError> {
    const REVOCATION: &str = "revocation endpoint";
    let Some(url) = &kept.revocation_endpoint else {
        return Err(SignInError::Gone("its authorization server takes none back"));
    };
    let (token, hint) = match &kept.refresh {
        Some(refresh) => (refresh, "refresh_token"),
        None => (&kept.access, "access_token"),
    };
    let form = form_urlencoded::Serializer::new(String::new())
        .append_pair("token", token.expose())
        .append_pair("token_type_hint", hint)
        .append_pair("client_id", &kept.client.id)
        .finish();
    let answer = post(web, REVOCATION, url, "application/x-www-form-urlencoded", form).await?;
    if answer.status() == StatusCode::OK { Ok(()) } else { Err(said(REVOCATION, &answer)) }
}

async fn post(
    web: &Web,
    what: &'static str,
    url: &str,
    kind: &str,
    body: String,
) -> Result<Response<Vec<u8>>, SignInError> {
    web.check(what, url)?;
    let request = Request::post(url).header(ACCEPT, "application/json").header(CONTENT_TYPE, kind).body(body.into());
    let request = request.map_err(|_| SignInError::Url { what, url: cleaned(url), why: "is no URL" })?;
    web.send(request).await.map_err(|why| SignInError::Unreachable { what, url: cleaned(url), why })
}

/// What an endpoint said instead of what was asked for.
fn said(what: &'static str, answer: &Response<Vec<u8>>) -> SignInError {
    match serde_json::from_slice::<BasicErrorResponse>(answer.body()) {
        Ok(error) => in_words(what, &error),
        Err(_) => SignInError::Answer { what, wrong: format!("with HTTP status {}", answer.status().as_u16()) },
    }
}

fn in_words(what: &'static str, error: &BasicErrorResponse) -> SignInError {
    let said = error.error_description().map(|said| format!(" ({})", cleaned(said))).unwrap_or_default();
    SignInError::Refused { what, code: cleaned(error.error().as_ref()), said, help: HELP }
}

/// The token endpoint, which was checked when it was named.
fn token_url(url: &str) -> Result<TokenUrl, SignInError> {
    TokenUrl::new(url.to_owned()).map_err(|_| SignInError::Url { what: TOKEN, url: cleaned(url), why: "is no URL" })
}

fn refused(url: &str, error: RequestTokenError<EgressError, BasicErrorResponse>) -> SignInError {
    let wrong = |wrong: &str| SignInError::Answer { what: TOKEN, wrong: wrong.into() };
    match error {
        RequestTokenError::ServerResponse(error) => in_words(TOKEN, &error),
        RequestTokenError::Request(why) => SignInError::Unreachable { what: TOKEN, url: cleaned(url), why },
        // The body may hold tokens.
        RequestTokenError::Parse(..) => wrong("something that is no token response"),
        RequestTokenError::Other(_) => wrong("nothing, or something that is not JSON"),
    }
}

/// What is kept of an answer; what it does not say stays as it was.
fn taken(before: &Kept, answer: &BasicTokenResponse, now: Timestamp) -> Result<Kept, SignInError> {
    let usable = |token: &str| !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    let access = answer.access_token().secret();
    if *answer.token_type() != BasicTokenType::Bearer || !usable(access) {
        return Err(SignInError::Answer { what: TOKEN, wrong: "without a bearer token".into() });
    }
    let life = answer.expires_in().and_then(|life| SignedDuration::try_from(life).ok());
    let renew_at = life.and_then(|life| now.checked_add(life - EARLY.min(life / 5)).ok());
    let scopes = answer.scopes().map(|scopes| scopes.iter().flat_map(|scope| words(scope)).collect());
    let refresh = answer.refresh_token().map(|token| token.secret()).or(before.refresh.as_ref().map(Secret::expose));
    Ok(Kept {
        resource: before.resource.clone(),
        issuer: before.issuer.clone(),
        token_endpoint: before.token_endpoint.clone(),
        revocation_endpoint: before.revocation_endpoint.clone(),
        client: before.client.clone(),
        access: Secret::new(access.clone()),
        refresh: refresh.map(|token| Secret::new(token.clone())),
        scopes: scopes.unwrap_or_else(|| before.scopes.clone()),
        renew_at,
    })
}
