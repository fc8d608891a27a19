//! What clients call themselves: tokens, revocation, introspection, registration, and the metadata.
//!
//! Each refusal is one audit record, each success one event, written before the answer leaves. Failures are
//! held up (`oauth.failure_delay`); what is charged was charged as the request came in.
//!
//! SPEC: OAuth 2.1 §3.2; RFC 7009, RFC 7591, RFC 7662, RFC 8414; OA-20, OA-37, OA-137; T-088.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use poem::{
    Endpoint, Request, Response,
    http::{HeaderMap, Method, StatusCode, header},
};

use super::{mcp, method_not_allowed, respond};
use crate::{
    chance,
    detect::Detectors,
    gateway::{Gateway, Revision},
    id::Id,
    oauth::{self, Call, ErrorCode, Issued, LONGEST_FORM, OAuthError, Why},
    policy::{Because, Decision},
    record::{Event, Family},
    store::Reach,
};

/// An endpoint that clients call themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Desk {
    /// `/oauth/introspect`
    Introspect,
    /// `/oauth/register`
    Register,
    /// `/oauth/revoke`
    Revoke,
    /// `/oauth/token`
    Token,
}

/// A desk of the authorization server.
#[derive(Debug, Clone)]
pub(super) struct Client {
    gateway: Arc<Gateway>,
    desk: Desk,
}

/// The metadata of the authorization server.
#[derive(Debug, Clone)]
pub(super) struct Metadata(pub(super) Arc<Gateway>);

/// What is answered, and what is written down.
struct Done {
    response: Response,
    what: &'static str,
    facts: Vec<(&'static str, String)>,
    /// What other requests must not find good any more.
    ended: Option<Reach>,
}

impl Client {
    pub(super) const fn new(gateway: Arc<Gateway>, desk: Desk) -> Self {
        Self { gateway, desk }
    }

    async fn answer(&self, revision: &Revision, head: &Head, body: &[u8]) -> Result<Option<Done>, OAuthError> {
        let Some((office, roll)) = self.gateway.parts().office.as_ref().zip(revision.roll.as_ref()) else {
            return Ok(None);
        };
        let issuer = office.issuer(&revision.snapshot, roll);
        let now = self.gateway.parts().clock.now();
        let authorization = head.authorization();
        let call = Call {
            query: head.query.as_deref(),
            content_type: head.headers.get(header::CONTENT_TYPE).map(|value| value.as_bytes()),
            authorization: &authorization,
            body,
        };
        let done = |response, what, facts, ended| Some(Done { response, what, facts, ended });
        Ok(match self.desk {
            Desk::Token => {
                let issued = oauth::token(&issuer, &call, now).await?;
                let facts = told(&issued, office.audit_name(issued.token));
                done(respond::json(StatusCode::OK, issued.body()), "token-granted", facts, None)
            }
            Desk::Revoke => {
                let ended = oauth::revoke(&issuer, &call, now).await?;
                let facts = match &ended {
                    Some(Reach::Token(id)) => vec![("token", id.to_string())],
                    Some(Reach::Family(id)) => vec![("family", id.to_string())],
                    Some(Reach::Grant(_) | Reach::Client(_) | Reach::User(_) | Reach::All) | None => Vec::new(),
                };
                done(respond::empty(StatusCode::OK), "revocation-asked", facts, ended)
            }
            Desk::Introspect => {
                let told = oauth::introspect(&issuer, &call, now).await?;
                let facts = vec![("active", told.get("active").is_some_and(|active| active == true).to_string())];
                done(respond::json(StatusCode::OK, told.to_string()), "token-introspected", facts, None)
            }
            Desk::Register => {
                let json = head.headers.get(header::CONTENT_TYPE).is_some_and(|value| is_json(value.as_bytes()));
                if !json {
                    let what = "the body must be application/json";
                    return Err(OAuthError::new(ErrorCode::InvalidClientMetadata, Why::ParameterBad, what));
                }
                match roll.door.register(&issuer, &authorization, body, now).await? {
                    None => None,
                    Some(registered) => {
                        let facts = vec![("client", registered.client.id.to_string())];
                        let response = respond::json(StatusCode::CREATED, registered.body());
                        done(response, "client-registered", facts, None)
                    }
                }
            }
        })
    }

    fn note(&self, done: &Done) -> Result<(), OAuthError> {
        note(&self.gateway, done.what, &done.facts)
    }
}

impl Endpoint for Client {
    type Output = Response;

    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        if request.method() != Method::POST {
            return Ok(method_not_allowed("POST"));
        }
        let (peer, started) = (mcp::peer(&request), Instant::now());
        let revision = self.gateway.revision();
        let head = Head { query: request.uri().query().map(str::to_owned), headers: request.headers().clone() };
        let delay = revision.snapshot.config.oauth.failure_delay;
        let random = chance::bytes().unwrap_or_default();
        let made = async {
            let body = body(&mut request, revision.snapshot.config.listen.limits.request).await?;
            let done = self.answer(&revision, &head, &body).await?;
            if let Some(done) = &done {
                if let (Some(reach), Some(bearer)) = (&done.ended, &self.gateway.parts().bearer) {
                    bearer.forget(reach.clone());
                }
                self.note(done)?;
            }
            Ok(done)
        };
        let made = made.await;
        Ok(match oauth::held_up(made, delay, random).await {
            Ok(Some(done)) => done.response,
            Ok(None) => respond::plain(StatusCode::NOT_FOUND, "not_found", "there is nothing at this path"),
            Err(error) => refused(&self.gateway, peer, started, &error),
        })
    }
}

impl Endpoint for Metadata {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        if request.method() != Method::GET {
            return Ok(method_not_allowed("GET"));
        }
        let revision = self.0.revision();
        let Some((office, roll)) = self.0.parts().office.as_ref().zip(revision.roll.as_ref()) else {
            return Ok(respond::plain(StatusCode::NOT_FOUND, "not_found", "there is nothing at this path"));
        };
        let document = oauth::authorization_server(&office.issuer(&revision.snapshot, roll), roll.door.loopback);
        Ok(respond::json(StatusCode::OK, document.to_string()))
    }
}

/// The head of a call.
#[derive(Debug)]
struct Head {
    query: Option<String>,
    headers: HeaderMap,
}

impl Head {
    fn authorization(&self) -> Vec<&[u8]> {
        self.headers.get_all(header::AUTHORIZATION).iter().map(|value| value.as_bytes()).collect()
    }
}

/// The whole body, as it came: at most as long as a form is read.
pub(super) async fn body(request: &mut Request, patience: std::time::Duration) -> Result<Bytes, OAuthError> {
    let bad = |what| OAuthError::new(ErrorCode::InvalidRequest, Why::ParameterBad, what);
    if request.headers().contains_key(header::CONTENT_ENCODING) {
        return Err(bad("compressed bodies are not taken"));
    }
    let read = request.take_body().into_bytes_limit(LONGEST_FORM);
    match tokio::time::timeout(patience, read).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(_)) => Err(bad("the body is longer than 65536 bytes, or not whole")),
        Err(_) => Err(bad("the body did not arrive in time")),
    }
}

fn is_json(content_type: &[u8]) -> bool {
    let essence = content_type.split(|byte| *byte == b';').next().unwrap_or_default();
    essence.trim_ascii().eq_ignore_ascii_case(b"application/json")
}

/// Writes a success down; what cannot be written down is not given.
pub(super) fn note(gateway: &Gateway, what: &str, facts: &[(&'static str, String)]) -> Result<(), OAuthError> {
    let parts = gateway.parts();
    let (at, random) = (parts.clock.now(), chance::bytes().map_err(|_| OAuthError::internal())?);
    let facts: Vec<(&str, &str)> = facts.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let id = Id::new(at, random);
    let event = Event { id, at, gateway: parts.instance(), family: Family::OAuth, what, facts: &facts };
    parts.trail.event(event).map_err(|error| {
        tracing::error!(%error, "what was granted cannot be recorded, so it is not given");
        OAuthError::store_down()
    })
}

/// What the trail says of tokens that were given.
fn told(issued: &Issued, token: String) -> Vec<(&'static str, String)> {
    let scopes = issued.scopes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let mut facts = vec![
        ("grant_type", issued.by.as_str().to_owned()),
        ("principal", issued.principal.to_string()),
        ("scopes", scopes),
        ("resource", issued.resource.clone()),
        ("token", token),
    ];
    facts.extend(issued.client.as_ref().map(|client| ("client", client.to_string())));
    facts.extend(issued.family.map(|family| ("family", family.to_string())));
    facts
}

/// A refusal, once it is written down.
pub(super) fn refused(
    gateway: &Arc<Gateway>,
    peer: crate::gateway::Peer,
    started: Instant,
    error: &OAuthError,
) -> Response {
    let because = match error.code() {
        ErrorCode::InvalidClient | ErrorCode::InvalidToken => Because::Unauthenticated,
        ErrorCode::InvalidGrant => Because::TokenInvalid,
        ErrorCode::InvalidTarget => Because::AudienceMismatch,
        ErrorCode::AccessDenied | ErrorCode::InvalidScope | ErrorCode::UnauthorizedClient => Because::NoMatchingGrant,
        ErrorCode::InvalidClientMetadata
        | ErrorCode::InvalidRedirectUri
        | ErrorCode::InvalidRequest
        | ErrorCode::RequestNotSupported
        | ErrorCode::RequestUriNotSupported
        | ErrorCode::ServerError
        | ErrorCode::TemporarilyUnavailable
        | ErrorCode::UnsupportedGrantType
        | ErrorCode::UnsupportedResponseType => Because::ValidationFailed,
    };
    let kind = (error.why().as_str(), error.status());
    match gateway.refused_early(peer, started, kind, &Decision::deny(because), Detectors::default()) {
        Ok(()) => respond::oauth(error),
        Err(refusal) => respond::plain(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", &refusal.message()),
    }
}
