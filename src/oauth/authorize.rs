//! The authorization endpoint: what a request asks for, before anybody signs in. Nothing is kept of it.
//!
//! Client and redirect URI come first; until both are sure, nothing is sent anywhere but to a page of ours. All
//! else that is wrong is told to the client, with `iss` and its `state`.
//!
//! INVARIANT: an [`AuthorizationRequest`] exists only where client, redirect and challenge are good.
//! SPEC: OAuth 2.1 §4.1.1, §4.1.2.1; RFC 9207; RFC 8707 §2; OA-01…OA-25; T-055, T-061, T-072, T-077.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    client::Client,
    error::{ErrorCode, OAuthError, Why},
    form::Form,
    issuer::Issuer,
    pkce::Challenge,
    redirect::Target,
    scope::Asked,
};
use crate::{config::GrantType, endpoint::Endpoint, name::ClientId};

/// The longest `state`, in bytes.
const LONGEST_STATE: usize = 4096;

/// What a client asks a person for: the value that sign-in and consent hand on, sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizationRequest {
    /// The client.
    pub client: ClientId,
    /// Where the answer goes.
    pub target: Target,
    /// Whether the request named that place.
    pub(super) named_target: bool,
    /// What the client wants back, byte for byte.
    #[serde(with = "opaque")]
    state: Option<String>,
    /// What the verifier must meet.
    pub(super) challenge: Challenge,
    /// The scopes asked for.
    pub asked: Asked,
    /// The path of the endpoint that the token is to be good at, as in `/mcp/files`.
    endpoint: String,
}

/// A state as it is sealed: whatever bytes it has, it takes no more room than so many of them do. JSON would take
/// six times as much for control characters, and cookies would not hold it.
mod opaque {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(state: &Option<String>, to: S) -> Result<S::Ok, S::Error> {
        state.as_ref().map(|state| URL_SAFE_NO_PAD.encode(state)).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
        let Some(text) = Option::<String>::deserialize(from)? else { return Ok(None) };
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(D::Error::custom)?;
        String::from_utf8(bytes).map(Some).map_err(D::Error::custom)
    }
}

/// Why a request goes no further.
#[derive(Debug, Clone)]
pub enum Refused {
    /// Told on a page of ours: nobody is known who could be told.
    Page(OAuthError),
    /// Told to the client.
    Client {
        /// The client.
        client: ClientId,
        /// Where the answer goes, the answer in it.
        location: String,
        /// The answer.
        error: OAuthError,
        /// Whether it may be sent there without a person looking; else the page shows it as a link.
        at_once: bool,
    },
}

impl Refused {
    /// The answer.
    #[must_use]
    pub const fn error(&self) -> &OAuthError {
        match self {
            Self::Page(error) | Self::Client { error, .. } => error,
        }
    }
}

/// Reads a request of the authorization endpoint: the query of a GET, or the form of a POST.
///
/// # Errors
/// Where to and how the refusal is told.
pub async fn authorize(
    issuer: &Issuer<'_>,
    form: &Form,
    now: Timestamp,
) -> Result<(Client, AuthorizationRequest), Refused> {
    let (client, target) = addressee(issuer, form, now).await.map_err(Refused::Page)?;
    match request(issuer, form, &client, &target) {
        Ok(request) => Ok((client, request)),
        Err(error) => {
            // A state that cannot be read, or is given twice, is not sent back.
            let state = form.get("state").ok().flatten().filter(|state| state.len() <= LONGEST_STATE);
            let location = refusal(issuer.url, &target, state, &error);
            Err(Refused::Client { client: client.id.clone(), location, error, at_once: client.is_trusted() })
        }
    }
}

fn unknown() -> OAuthError {
    let what = "client_id is not one that is known here; register the client, or write it under oauth.clients";
    OAuthError::new(ErrorCode::InvalidClient, Why::ClientUnknown, what)
}

/// The client and where it may be answered.
async fn addressee(issuer: &Issuer<'_>, form: &Form, now: Timestamp) -> Result<(Client, Target), OAuthError> {
    let id = form.need("client_id")?.parse::<ClientId>().map_err(|_| unknown())?;
    // Read before a document is fetched for the client: a request that repeats it is refused in any case.
    let redirect = form.get("redirect_uri")?;
    let client = issuer.directory.find(&id, issuer.store, now).await?.ok_or_else(unknown)?;
    let target = Target::of(&client, redirect)?;
    Ok((client, target))
}

fn request(
    issuer: &Issuer<'_>,
    form: &Form,
    client: &Client,
    target: &Target,
) -> Result<AuthorizationRequest, OAuthError> {
    let bad = |code, why, what: &str| Err(OAuthError::new(code, why, what));
    let state = form.get("state")?;
    if state.is_some_and(|state| state.len() > LONGEST_STATE) {
        return bad(ErrorCode::InvalidRequest, Why::ParameterBad, "state is longer than 4096 bytes");
    }
    if form.get("request")?.is_some() {
        return bad(ErrorCode::RequestNotSupported, Why::RequestObject, "request objects are not supported");
    }
    if form.get("request_uri")?.is_some() {
        return bad(ErrorCode::RequestUriNotSupported, Why::RequestObject, "request_uri is not supported");
    }
    match form.need("response_type")? {
        "code" => {}
        _ => return bad(ErrorCode::UnsupportedResponseType, Why::ResponseType, "response_type must be code"),
    }
    match form.get("response_mode")? {
        None | Some("query") => {}
        Some(_) => return bad(ErrorCode::InvalidRequest, Why::ParameterBad, "response_mode must be query"),
    }
    if !client.may(GrantType::AuthorizationCode) {
        return bad(ErrorCode::UnauthorizedClient, Why::GrantNotAllowed, "this client may not ask for codes");
    }
    let challenge = Challenge::read(form.get("code_challenge")?, form.get("code_challenge_method")?)?;
    let asked = Asked::read(form.get("scope")?, issuer.engine.bundle().scopes())?;
    let endpoint = issuer.endpoint(form.get("resource")?)?.to_string();
    Ok(AuthorizationRequest {
        client: client.id.clone(),
        target: target.clone(),
        named_target: form.get("redirect_uri")?.is_some(),
        state: state.map(str::to_owned),
        challenge,
        asked,
        endpoint,
    })
}

impl AuthorizationRequest {
    /// The client, as it is known by now; it may be gone, or not have this redirect URI any more.
    ///
    /// # Errors
    /// Told on a page of ours.
    pub async fn client(&self, issuer: &Issuer<'_>, now: Timestamp) -> Result<Client, OAuthError> {
        let client = issuer.directory.find(&self.client, issuer.store, now).await?.ok_or_else(unknown)?;
        Target::of(&client, Some(self.target.as_str()))?;
        Ok(client)
    }

    /// The endpoint that the token is to be good at.
    #[must_use]
    pub fn endpoint(&self) -> Endpoint {
        self.endpoint.parse().unwrap_or(Endpoint::All)
    }

    /// The URL that tells the client of a refusal.
    #[must_use]
    pub fn refusal(&self, issuer: &str, error: &OAuthError) -> String {
        refusal(issuer, &self.target, self.state.as_deref(), error)
    }

    /// The URL that gives the client its code.
    pub(super) fn success(&self, issuer: &str, code: &str) -> String {
        let mut answer = vec![("code", code)];
        answer.extend(self.state.as_deref().map(|state| ("state", state)));
        answer.push(("iss", issuer));
        self.target.with(&answer)
    }
}

fn refusal(issuer: &str, target: &Target, state: Option<&str>, error: &OAuthError) -> String {
    // A redirect cannot carry a status: what would be one of ours has a code that may stand there.
    let mut answer = vec![("error", error.code().as_str()), ("error_description", error.description())];
    answer.extend(state.map(|state| ("state", state)));
    answer.push(("iss", issuer));
    target.with(&answer)
}
