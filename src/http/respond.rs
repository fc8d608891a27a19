//! The HTTP form of every answer: status, challenge and headers of each, here and nowhere else but in
//! [`Denial`], which has the statuses of what policies decide.
//!
//! One form of error a surface: what an MCP endpoint says is JSON-RPC; what is said before one is reached
//! (at the door, of a body that is not read, of paths and methods that are none) and everywhere else is
//! `{"error", "error_description"}`: before a body is read there is no id that JSON-RPC could answer under, and of
//! such a refusal the status is enough (TR-26). The words of others stand in either only as [`crate::plain`] tells
//! them, and headers are made of names of ours alone.
//!
//! Not ours are the answers to what is no HTTP request (400, 414, 431): hyper gives them before it asks us, and has
//! no hook for them; they are a status alone, with no body and none of our header fields.
//!
//! SPEC: SM-19; TR-26; RFC 6750 §3, RFC 9728 §5.1; MCP authorization; admin-and-audit §6.

use std::collections::BTreeSet;

use poem::{
    Body, Response,
    http::{HeaderValue, StatusCode, header},
};

use crate::{gateway::Refusal, limit::Fields, mcp::code, name::ScopeName, oauth::OAuthError, policy::Denial};

/// The status of a refusal. In the legacy era errors of the protocol travel as ordinary answers.
pub(crate) fn status(refusal: &Refusal, modern: bool) -> StatusCode {
    match refusal {
        Refusal::Unauthenticated => decided(Denial::Unauthenticated),
        Refusal::BadToken => decided(Denial::BadToken),
        Refusal::InsufficientScope(_) => decided(Denial::InsufficientScope),
        Refusal::NoEndpoint => decided(Denial::NoEndpoint),
        Refusal::BadQuery(_) => decided(Denial::BadQuery),
        Refusal::Unknown { .. } => decided(Denial::Unknown),
        Refusal::Forbidden(_) | Refusal::Unfit(_) | Refusal::Suspect(_) => decided(Denial::Forbidden),
        Refusal::RateLimited(_) => decided(Denial::RateLimited),
        Refusal::PolicyError => decided(Denial::PolicyError),
        Refusal::NoSession
        | Refusal::TokenRepeated
        | Refusal::Malformed { .. }
        | Refusal::HeaderMismatch(_)
        | Refusal::UnsupportedVersion(_)
        | Refusal::MissingCapability(_)
        | Refusal::BadEnvelope(_) => StatusCode::BAD_REQUEST,
        Refusal::NotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        Refusal::UnknownSession => StatusCode::NOT_FOUND,
        Refusal::StreamTaken => StatusCode::CONFLICT,
        Refusal::NoStream => StatusCode::NOT_ACCEPTABLE,
        Refusal::UnknownMethod(_) if modern => StatusCode::NOT_FOUND,
        Refusal::UnknownMethod(_)
        | Refusal::BadParams(_)
        | Refusal::Cancelled
        | Refusal::Unanswered
        | Refusal::Upstream(_) => StatusCode::OK,
        Refusal::Full(_) | Refusal::NoAudit | Refusal::NoStore => StatusCode::SERVICE_UNAVAILABLE,
        Refusal::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The status of a refusal of what is no request: nothing is answered to it, so an error of the protocol is one of
/// HTTP (TR-05). Never 404 for what is in a session: that would say that the session is gone.
pub(crate) fn status_of_unanswered(refusal: &Refusal, modern: bool) -> StatusCode {
    match status(refusal, modern) {
        StatusCode::OK => StatusCode::BAD_REQUEST,
        status => status,
    }
}

/// The status of an answer that is an upstream's error (PX-11). In the legacy era it is an ordinary one.
pub(crate) fn answered(code: Option<i64>, modern: bool) -> StatusCode {
    let is = |other: i32| code == Some(i64::from(other));
    if !modern {
        StatusCode::OK
    } else if is(code::METHOD_NOT_FOUND) {
        StatusCode::NOT_FOUND
    } else if is(code::HEADER_MISMATCH) || is(code::MISSING_CAPABILITY) || is(code::UNSUPPORTED_VERSION) {
        StatusCode::BAD_REQUEST
    } else {
        StatusCode::OK
    }
}

fn decided(denial: Denial) -> StatusCode {
    StatusCode::from_u16(denial.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// The challenge of a refusal, where it has one. Who has no good token is told the baseline, and without one
/// no scopes at all; who has, every scope that the operation needs.
pub(crate) fn challenge(refusal: &Refusal, metadata: &str, baseline: &BTreeSet<ScopeName>) -> Option<String> {
    let metadata = format!("resource_metadata=\"{metadata}\"");
    let scope = |scopes: Vec<&str>| match scopes.join(" ") {
        none if none.is_empty() => String::new(),
        scopes => format!("scope=\"{scopes}\", "),
    };
    let least = || scope(baseline.iter().map(ScopeName::as_str).collect());
    match refusal {
        Refusal::Unauthenticated => Some(format!("Bearer {}{metadata}", least())),
        Refusal::BadToken => Some(format!("Bearer error=\"invalid_token\", {}{metadata}", least())),
        Refusal::TokenRepeated => Some(format!("Bearer error=\"invalid_request\", {metadata}")),
        Refusal::InsufficientScope(scopes) => {
            let scopes = scope(scopes.iter().map(ScopeName::as_str).collect());
            Some(format!("Bearer error=\"insufficient_scope\", {scopes}{metadata}"))
        }
        Refusal::BadQuery(_)
        | Refusal::NoEndpoint
        | Refusal::NotAllowed
        | Refusal::NoSession
        | Refusal::UnknownSession
        | Refusal::StreamTaken
        | Refusal::NoStream
        | Refusal::Full(_)
        | Refusal::MissingCapability(_)
        | Refusal::Cancelled
        | Refusal::Unanswered
        | Refusal::Malformed { .. }
        | Refusal::HeaderMismatch(_)
        | Refusal::UnsupportedVersion(_)
        | Refusal::BadEnvelope(_)
        | Refusal::UnknownMethod(_)
        | Refusal::BadParams(_)
        | Refusal::Unknown { .. }
        | Refusal::Forbidden(_)
        | Refusal::Unfit(_)
        | Refusal::Suspect(_)
        | Refusal::RateLimited(_)
        | Refusal::PolicyError
        | Refusal::Upstream(_)
        | Refusal::NoAudit
        | Refusal::NoStore
        | Refusal::Internal => None,
    }
}

/// Seconds after which the store may be back.
const SOON: &str = "2";

/// The fields that say when to come again, where that is known: a limit was reached, or the store is away.
pub(crate) fn limits(refusal: &Refusal, headers: &mut poem::http::HeaderMap) {
    if matches!(refusal, Refusal::NoStore) {
        headers.insert(header::RETRY_AFTER, header::HeaderValue::from_static(SOON));
    }
    let Refusal::RateLimited(fields) = refusal else { return };
    let Fields { retry_after, rate_limit, policy } = &**fields;
    let retry_after = (header::RETRY_AFTER, retry_after);
    let others = [("ratelimit", rate_limit), ("ratelimit-policy", policy)];
    let others = others.map(|(name, value)| (header::HeaderName::from_static(name), value));
    for (name, value) in std::iter::once(retry_after).chain(others) {
        if let Ok(value) = value.parse() {
            headers.insert(name, value);
        }
    }
}

/// A JSON answer that nobody may keep.
pub(crate) fn json(status: StatusCode, body: impl Into<Body>) -> Response {
    let mut response = Response::builder().status(status).body(body.into());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    private(headers);
    response
}

/// What a client is told that calls the authorization server itself: kept by nobody, caches of HTTP/1.0 among them
/// (RFC 6749 §5.1).
pub(crate) fn told(status: StatusCode, body: impl Into<Body>) -> Response {
    let mut response = json(status, body);
    response.headers_mut().insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    response
}

/// What an OAuth client is told where the answer is no redirect.
pub(crate) fn oauth(error: &OAuthError) -> Response {
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = told(status, error.body());
    if let Some(challenge) = error.challenge() {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
    if let Some(seconds) = error.retry_after() {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// An event stream that nobody may keep or hold back.
pub(crate) fn stream(body: Body) -> Response {
    let mut response = Response::builder().status(StatusCode::OK).body(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    private(headers);
    response
}

/// An answer without a body.
pub(crate) fn empty(status: StatusCode) -> Response {
    let mut response = Response::builder().status(status).finish();
    private(response.headers_mut());
    response
}

/// Sends a browser elsewhere by GET, whatever it came by. The answer has no body.
pub(crate) fn see_other(location: &str) -> Response {
    let Ok(mut location) = HeaderValue::from_str(location) else {
        return plain(StatusCode::INTERNAL_SERVER_ERROR, "server_error", "the answer has nowhere to go");
    };
    location.set_sensitive(true);
    let mut response = empty(StatusCode::SEE_OTHER);
    response.headers_mut().insert(header::LOCATION, location);
    response
}

/// A plain refusal, for what is no MCP endpoint or comes before one is known.
pub(crate) fn plain(status: StatusCode, error: &str, message: &str) -> Response {
    let body = serde_json::json!({ "error": error, "error_description": message });
    json(status, body.to_string())
}

fn private(headers: &mut poem::http::HeaderMap) {
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tr05_what_answers_no_request_is_refused_by_its_status() {
        for (refusal, modern, expected) in [
            (Refusal::UnknownMethod("x".into()), false, 400),
            (Refusal::UnknownMethod("x".into()), true, 404),
            (Refusal::BadParams("x".into()), false, 400),
            (Refusal::UnknownSession, false, 404),
            (Refusal::Unauthenticated, false, 401),
            (Refusal::NoAudit, true, 503),
        ] {
            assert_eq!(status_of_unanswered(&refusal, modern).as_u16(), expected, "{refusal:?}");
        }
    }

    #[test]
    fn az05_az06_az15_az16_a_challenge_names_the_baseline_or_all_that_is_needed() {
        let scopes = |words: &[&str]| words.iter().map(|word| word.parse().unwrap()).collect::<BTreeSet<ScopeName>>();
        let told =
            |refusal: &Refusal, baseline: &[&str]| challenge(refusal, "https://gw/m", &scopes(baseline)).unwrap();
        let metadata = "resource_metadata=\"https://gw/m\"";
        assert_eq!(told(&Refusal::Unauthenticated, &[]), format!("Bearer {metadata}"));
        let baseline = &["tag:web", "tag:docs"];
        assert_eq!(told(&Refusal::Unauthenticated, baseline), format!("Bearer scope=\"tag:docs tag:web\", {metadata}"));
        assert_eq!(
            told(&Refusal::BadToken, baseline),
            format!("Bearer error=\"invalid_token\", scope=\"tag:docs tag:web\", {metadata}")
        );
        let needed =
            Refusal::InsufficientScope(["tag:a", "tag:b"].map(|scope| scope.parse().unwrap()).into_iter().collect());
        assert_eq!(
            told(&needed, baseline),
            format!("Bearer error=\"insufficient_scope\", scope=\"tag:a tag:b\", {metadata}")
        );
    }
}
