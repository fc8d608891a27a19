//! What clients call themselves: tokens, revocation, introspection, registration, and the metadata.
//!
//! Each refusal is one audit record, each success one event, written before the answer leaves. Failures are
//! held up (`oauth.failure_delay`). Each is charged for its address as it comes in, and here for its client.
//!
//! SPEC: OAuth 2.1 §3.2; RFC 7009, RFC 7591, RFC 7662, RFC 8414; OA-20, OA-37, OA-137; T-088.

use std::sync::Arc;

use poem::{
    Endpoint, Request, Response,
    http::{Method, StatusCode, header},
};

use super::{
    errand::{Errand, Halt, nothing_here},
    is_read, method_not_allowed, respond,
};
use crate::{
    gateway::Gateway,
    oauth::{self, Call, ErrorCode, Guess, Issued, OAuthError, Why},
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

    /// Whether it is where clients register, and none may.
    fn is_shut(&self, errand: &Errand) -> bool {
        let open = || {
            errand.issuer().zip(errand.revision.roll.as_ref()).is_some_and(|(issuer, roll)| roll.door.is_open(&issuer))
        };
        self.desk == Desk::Register && !open()
    }

    async fn answer(&self, errand: &Errand, body: &[u8]) -> Result<Option<Done>, Halt> {
        let Some((office, roll)) = self.gateway.parts().office.as_ref().zip(errand.revision.roll.as_ref()) else {
            return Ok(None);
        };
        let issuer = office.issuer(&errand.revision.snapshot, roll);
        let now = errand.now();
        let authorization: Vec<&[u8]> =
            errand.headers.get_all(header::AUTHORIZATION).iter().map(|value| value.as_bytes()).collect();
        let call = Call {
            query: errand.query.as_deref(),
            content_type: errand.content_type(),
            authorization: &authorization,
            body,
            proven: self.desk == Desk::Introspect,
        };
        // Who a client says it is counts once it has shown it; who shows wrong secrets is made to wait.
        let admitted = async || -> Result<oauth::Admitted, Halt> {
            let guess = Guess::of(&call, errand.peer.address);
            if let Some(guess) = &guess {
                office.guesses.may(guess, now)?;
            }
            let admitted = issuer.admit(&call, now).await;
            if let Some(guess) = &guess {
                office.guesses.came(guess, &admitted, now);
            }
            let admitted = admitted?;
            errand.charge(Some(&admitted.client.id), None).map_err(Halt::Over)?;
            Ok(admitted)
        };
        let done = |response, what, facts, ended| Some(Done { response, what, facts, ended });
        Ok(match self.desk {
            Desk::Token => {
                let issued = oauth::token(&issuer, &admitted().await?, now).await?;
                let facts = told(&issued, office.audit_name(issued.token));
                done(respond::told(StatusCode::OK, issued.body()), "token-granted", facts, None)
            }
            Desk::Revoke => {
                let ended = oauth::revoke(&issuer, &admitted().await?, now).await?;
                let facts = match &ended {
                    Some(Reach::Token(id)) => vec![("token", id.to_string())],
                    Some(Reach::Family(id)) => vec![("family", id.to_string())],
                    Some(Reach::Grant(_) | Reach::Client(_) | Reach::User(_) | Reach::All) | None => Vec::new(),
                };
                done(respond::empty(StatusCode::OK), "revocation-asked", facts, ended)
            }
            Desk::Introspect => {
                let told = oauth::introspect(&issuer, &admitted().await?, now).await?;
                let facts = vec![("active", told.get("active").is_some_and(|active| active == true).to_string())];
                done(respond::told(StatusCode::OK, told.to_string()), "token-introspected", facts, None)
            }
            Desk::Register => {
                if !errand.sends("application/json") {
                    let what = "the body must be application/json";
                    return Err(OAuthError::new(ErrorCode::InvalidClientMetadata, Why::ParameterBad, what).into());
                }
                errand.charge(None, None).map_err(Halt::Over)?;
                match roll.door.register(&issuer, &authorization, body, errand.peer.address, now).await? {
                    None => None,
                    Some(registered) => {
                        let facts = vec![("client", registered.client.id.to_string())];
                        let response = respond::told(StatusCode::CREATED, registered.body());
                        done(response, "client-registered", facts, None)
                    }
                }
            }
        })
    }
}

impl Endpoint for Client {
    type Output = Response;

    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        let errand = Errand::of(&self.gateway, &request);
        if self.is_shut(&errand) {
            return Ok(nothing_here());
        }
        if request.method() != Method::POST {
            return Ok(method_not_allowed("POST"));
        }
        let made = async {
            let body = errand.body(&mut request).await?;
            let done = self.answer(&errand, &body).await?;
            if let Some(done) = &done {
                if let (Some(reach), Some(bearer)) = (&done.ended, &self.gateway.parts().bearer) {
                    bearer.forget(reach.clone());
                }
                errand.note(done.what, &done.facts)?;
            }
            Ok::<_, Halt>(done)
        };
        let made = made.await;
        // A second use ends what the first gave; here that is known at once.
        if let (Err(Halt::Refused(error)), Some(bearer)) = (&made, &self.gateway.parts().bearer)
            && let Some(family) = error.ended()
        {
            bearer.forget(Reach::Family(family));
        }
        Ok(match errand.held_up(made).await {
            Ok(Some(done)) => done.response,
            Ok(None) => nothing_here(),
            Err(Halt::Refused(error)) => errand.refused(&error),
            Err(Halt::Over(response)) => *response,
        })
    }
}

impl Endpoint for Metadata {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        if !is_read(&request) {
            return Ok(method_not_allowed("GET, HEAD"));
        }
        let revision = self.0.revision();
        let Some((office, roll)) = self.0.parts().office.as_ref().zip(revision.roll.as_ref()) else {
            return Ok(nothing_here());
        };
        let document = oauth::authorization_server(&office.issuer(&revision.snapshot, roll), roll.door.loopback);
        Ok(respond::json(StatusCode::OK, document.to_string()))
    }
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
