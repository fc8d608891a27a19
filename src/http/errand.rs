//! A request at the authorization server: what is known of it before it is answered, and how what came of it is
//! written down.
//!
//! INVARIANT: each refusal is one audit record and each success one event, written before the answer leaves.
//! What cannot be written down is not given.
//! SPEC: OA-20, OA-137; T-088.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Instant,
};

use bytes::Bytes;
use poem::{
    Request, Response,
    http::{HeaderMap, StatusCode, header, uri::Scheme},
};

use super::{
    mcp, over_limit,
    page::{self, Frame, Shown},
    respond,
};
use crate::{
    chance,
    detect::Detectors,
    gateway::{Arrived, Entering, Gateway, Peer, Refusal, Revision},
    id::Id,
    name::{ClientId, UserId},
    oauth::{self, ErrorCode, Issuer, LONGEST_FORM, OAuthError, Why},
    policy::{Because, Decision, EndpointClass},
    record::{Event, Family},
    secret::Secret,
};

/// A request at the authorization server.
#[derive(Debug)]
pub(super) struct Errand {
    pub(super) gateway: Arc<Gateway>,
    /// What it is answered by, to its end.
    pub(super) revision: Arc<Revision>,
    pub(super) peer: Peer,
    pub(super) started: Instant,
    pub(super) tls: bool,
    pub(super) query: Option<String>,
    pub(super) headers: HeaderMap,
    class: EndpointClass,
    /// What was found in its head.
    found: Detectors,
    charged: AtomicBool,
}

/// Why a request is not answered.
#[derive(Debug)]
pub(super) enum Halt {
    /// It is refused.
    Refused(OAuthError),
    /// It is over a limit, which is written down.
    Over(Box<Response>),
}

impl From<OAuthError> for Halt {
    fn from(error: OAuthError) -> Self {
        Self::Refused(error)
    }
}

impl Errand {
    pub(super) fn of(gateway: &Arc<Gateway>, request: &Request) -> Self {
        Self {
            revision: gateway.revision(),
            gateway: Arc::clone(gateway),
            peer: mcp::peer(request),
            started: Instant::now(),
            tls: *request.scheme() == Scheme::HTTPS,
            query: request.uri().query().map(str::to_owned),
            headers: request.headers().clone(),
            class: EndpointClass::of_path(request.uri().path()),
            found: mcp::found(request),
            charged: AtomicBool::new(false),
        }
    }

    /// Charges the request for who asks, unless it was charged before.
    ///
    /// # Errors
    /// What is answered where there is no room, once it is written down.
    pub(super) fn charge(&self, client: Option<&ClientId>, user: Option<&UserId>) -> Result<(), Box<Response>> {
        if self.charged.swap(true, Relaxed) {
            return Ok(());
        }
        let Self { class, ref peer, tls, started, .. } = *self;
        let arrived = Arrived { class, peer, tls, started, client, user };
        self.gateway
            .charge_arrived(&self.revision, &arrived)
            .map_err(|over| Box::new(over_limit(&self.gateway, peer.clone(), started, *over, self.found)))
    }

    /// The authorization server; nothing where OAuth is off.
    pub(super) fn issuer(&self) -> Option<Issuer<'_>> {
        let (office, roll) = self.gateway.parts().office.as_ref().zip(self.revision.roll.as_ref())?;
        Some(office.issuer(&self.revision.snapshot, roll))
    }

    /// The present.
    pub(super) fn now(&self) -> jiff::Timestamp {
        self.gateway.parts().clock.now()
    }

    /// The whole body, as it came: at most as long as a form is read.
    ///
    /// # Errors
    /// `invalid_request`
    pub(super) async fn body(&self, request: &mut Request) -> Result<Bytes, OAuthError> {
        let bad = |what| OAuthError::new(ErrorCode::InvalidRequest, Why::ParameterBad, what);
        if self.headers.contains_key(header::CONTENT_ENCODING) {
            return Err(bad("compressed bodies are not taken"));
        }
        let patience = self.revision.snapshot.config.listen.limits.request;
        let read = request.take_body().into_bytes_limit(LONGEST_FORM);
        match tokio::time::timeout(patience, read).await {
            Ok(Ok(body)) => Ok(body),
            Ok(Err(_)) => Err(bad("the body is longer than 65536 bytes, or not whole")),
            Err(_) => Err(bad("the body did not arrive in time")),
        }
    }

    /// What kind of body it says it has, where it says one.
    pub(super) fn content_type(&self) -> Option<&[u8]> {
        let mut said = self.headers.get_all(header::CONTENT_TYPE).iter();
        match (said.next(), said.next()) {
            (Some(one), None) => Some(one.as_bytes()),
            _ => None,
        }
    }

    /// Whether the body is of this kind, by what its head says.
    pub(super) fn sends(&self, kind: &str) -> bool {
        let Some(one) = self.content_type() else { return false };
        let essence = one.split(|byte| *byte == b';').next().unwrap_or_default();
        essence.trim_ascii().eq_ignore_ascii_case(kind.as_bytes())
    }

    /// Writes a success down, and where it came from; what cannot be written down is not given.
    ///
    /// # Errors
    /// When it is not written.
    pub(super) fn note(&self, what: &str, facts: &[(&'static str, String)]) -> Result<(), OAuthError> {
        let parts = self.gateway.parts();
        let (at, random) = (self.now(), chance::bytes().map_err(|_| OAuthError::internal())?);
        let address = self.peer.address.to_string();
        let facts = facts.iter().map(|(name, value)| (*name, value.as_str()));
        let facts: Vec<(&str, &str)> = facts.chain([("address", address.as_str())]).collect();
        let (id, gateway, family) = (Id::new(at, random), parts.instance(), Family::OAuth);
        parts.trail.event(Event { id, at, gateway, family, what, facts: &facts }).map_err(|error| {
            tracing::error!(%error, "what was done cannot be recorded, so it is not told");
            OAuthError::store_down()
        })
    }

    /// What a client is told of a refusal, once it is written down. Nobody comes away without being charged.
    pub(super) fn refused(&self, error: &OAuthError) -> Response {
        if let Err(over) = self.charge(None, None) {
            return *over;
        }
        match self.write(error) {
            Ok(()) => respond::oauth(error),
            Err(refusal) => unwritten(&refusal),
        }
    }

    /// What a person is told of a refusal, once it is written down: a page, with a way `back` to the client where
    /// it may be told.
    pub(super) fn refused_page(
        &self,
        person: Option<(&UserId, &Secret<String>)>,
        error: &OAuthError,
        back: Option<page::Back>,
    ) -> Response {
        if let Err(over) = self.charge(None, None) {
            return *over;
        }
        if let Err(refusal) = self.write(error) {
            return unwritten(&refusal);
        }
        let (title, help) = told(error.why());
        let problem = page::Problem {
            title,
            message: Shown::line(error.description()),
            help: Shown::line(help),
            code: Shown::name(error.code().as_str()),
            request: None,
            back,
        };
        let page = page::problem(&Frame::new(&self.revision.snapshot, person), &problem);
        let mut response = page.answer(page_status(error));
        if let Some(seconds) = error.retry_after() {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }

    /// Sends the browser to the client with a refusal, once it is written down.
    pub(super) fn refused_there(&self, location: &str, error: &OAuthError) -> Response {
        if let Err(over) = self.charge(None, None) {
            return *over;
        }
        match self.write(error) {
            Ok(()) => respond::see_other(location),
            Err(refusal) => unwritten(&refusal),
        }
    }

    /// Counts a failure against where it came from.
    pub(super) fn failed(&self) {
        let Self { class, ref peer, tls, started, .. } = *self;
        self.gateway.failed_entering(&self.revision, &Entering { class, server: None, peer, tls, started });
    }

    /// Writes down that it is refused: by which word, with which status, and why.
    ///
    /// # Errors
    /// When it is not written.
    pub(super) fn put_down(&self, kind: (&str, u16), because: Because) -> Result<(), Refusal> {
        self.gateway.refused_early(self.peer.clone(), self.started, kind, &Decision::deny(because), self.found)
    }

    /// Hands on what was made of it, a failure after a while (`oauth.failure_delay`).
    ///
    /// # Errors
    /// The failure, later.
    pub(super) async fn held_up<T, E>(&self, made: Result<T, E>) -> Result<T, E> {
        let delay = self.revision.snapshot.config.oauth.failure_delay;
        oauth::held_up(made, delay, chance::bytes().unwrap_or_default()).await
    }

    /// Writes a refusal down.
    fn write(&self, error: &OAuthError) -> Result<(), Refusal> {
        let because = match error.code() {
            ErrorCode::InvalidClient | ErrorCode::InvalidToken => Because::Unauthenticated,
            ErrorCode::InvalidGrant => Because::TokenInvalid,
            ErrorCode::InvalidTarget => Because::AudienceMismatch,
            ErrorCode::AccessDenied | ErrorCode::InvalidScope | ErrorCode::UnauthorizedClient => {
                Because::NoMatchingGrant
            }
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
        if is_failure(error.code()) {
            self.failed();
        }
        self.put_down((error.why().as_str(), error.status()), because)
    }
}

/// Whether whoever sent a request did something wrong: not where a person said no, or we could not.
const fn is_failure(code: ErrorCode) -> bool {
    !matches!(code, ErrorCode::AccessDenied | ErrorCode::ServerError | ErrorCode::TemporarilyUnavailable)
}

/// An answer where there is no authorization server.
pub(super) fn nothing_here() -> Response {
    respond::plain(StatusCode::NOT_FOUND, "not_found", "there is nothing at this path")
}

fn unwritten(refusal: &Refusal) -> Response {
    respond::plain(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", &refusal.message())
}

/// The status of a page about a refusal: nobody authenticates by it, so that it is never 401.
fn page_status(error: &OAuthError) -> StatusCode {
    match error.status() {
        401 => StatusCode::BAD_REQUEST,
        status => StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

/// Title and help of a page about a refusal.
const fn told(why: Why) -> (&'static str, &'static str) {
    match why {
        Why::ClientUnknown | Why::ClientDocument => (
            "This client is not known here",
            "Start again from your client. If that does not help, its operator has to register it here anew.",
        ),
        Why::RedirectUri => (
            "The answer has nowhere to go",
            "The client names an address that it has not registered, so nothing was sent there. Its operator has to mend that.",
        ),
        Why::HandleUsed => {
            ("This page was used before", "What was decided then stands. To decide anew, start again from your client.")
        }
        Why::HandleExpired => ("This page is too old", "Nothing was decided. Start again from your client."),
        Why::HandleForeign | Why::ConsentForm => (
            "This page does not belong here",
            "Nothing was decided. Start again from your client, in this browser, and decide on the page that then opens.",
        ),
        Why::StoreDown | Why::Internal => {
            ("Not now", "Nothing was decided. Try again in a moment; if it stays, tell the operator of this gateway.")
        }
        _ => (
            "This request cannot be answered",
            "The client has sent a request that is not right. Its operator has to mend that.",
        ),
    }
}
