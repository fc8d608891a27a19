//! What a browser came for, while somebody signs in: the sealed request, in cookies.
//!
//! Nothing is kept here for somebody who is not known. The request is what was read and found good; it is sealed
//! to the browser, so that another browser's cookies are worth nothing. A browser waits for one request at a time:
//! the last.
//!
//! SPEC: oauth §4; OA-91, OA-103; RFC 6265 §6.1 (4096 bytes a cookie).

use std::time::Duration;

use jiff::Timestamp;
use poem::{
    Response,
    http::{HeaderMap, header},
};

use super::{
    browser::{self, Browser},
    page,
};
use crate::oauth::{
    AuthorizationRequest, ErrorCode, Handle, Holder, Issuer, LONGEST_WAIT, OAuthError, Page, Why, client,
};

/// The cookies, one a piece of the request.
const NAMES: [&str; 5] = [
    "portcullis-request",
    "portcullis-request-1",
    "portcullis-request-2",
    "portcullis-request-3",
    "portcullis-request-4",
];
/// The longest piece.
const PIECE: usize = 3800;

/// Has the browser come back for a request, once somebody has signed in.
///
/// # Errors
/// When it cannot be sealed.
pub(super) fn keep(
    response: &mut Response,
    issuer: &Issuer<'_>,
    browser: &Browser,
    request: AuthorizationRequest,
    now: Timestamp,
) -> Result<(), OAuthError> {
    let until = now.saturating_add(LONGEST_WAIT).unwrap_or(now);
    let sealed = issuer.seal(request, Holder { browser: &browser.id(), session: None }, until, Page::default())?;
    let pieces = sealed.expose().as_bytes().chunks(PIECE).filter_map(|piece| std::str::from_utf8(piece).ok());
    put(response, pieces, issuer.tls());
    Ok(())
}

/// Lets the browser forget what it came for.
pub(super) fn forget(response: &mut Response, issuer: &Issuer<'_>) {
    put(response, std::iter::empty(), issuer.tls());
}

/// What the browser came for.
///
/// # Errors
/// When it is too old, or of another browser.
pub(super) fn open(
    headers: &HeaderMap,
    issuer: &Issuer<'_>,
    browser: &Browser,
    now: Timestamp,
) -> Result<Handle, OAuthError> {
    let pieces = NAMES.iter().map_while(|name| browser::read(headers, name, issuer.tls()));
    let sealed: String = pieces.take_while(|piece| !piece.is_empty()).collect();
    if sealed.is_empty() {
        let what = "nothing waits for a decision in this browser";
        return Err(OAuthError::new(ErrorCode::InvalidRequest, Why::HandleExpired, what));
    }
    issuer.unseal(&sealed, Holder { browser: &browser.id(), session: None }, now)
}

/// Who asks for what the browser came for, to be shown while somebody signs in; nothing where it came for nothing,
/// or that is over.
pub(super) async fn client(
    headers: &HeaderMap,
    issuer: &Issuer<'_>,
    browser: &Browser,
    now: Timestamp,
) -> Option<page::Client> {
    let handle = open(headers, issuer, browser, now).ok()?;
    handle.request.client(issuer, now).await.ok().map(|client| shown(&client))
}

/// A client as pages show it.
pub(super) fn shown(client: &client::Client) -> page::Client {
    let known_by = match &client.known_by {
        client::KnownBy::Configuration => page::KnownBy::Configuration,
        client::KnownBy::Document(host) => page::KnownBy::Document(page::Shown::host(host)),
        client::KnownBy::Itself => page::KnownBy::Itself,
    };
    page::Client { name: page::Shown::name(&client.name), known_by }
}

/// Sets the cookies to these pieces, and what is left of them to nothing.
fn put<'a>(response: &mut Response, pieces: impl Iterator<Item = &'a str>, tls: bool) {
    let wait = Duration::from_secs(LONGEST_WAIT.as_secs().unsigned_abs());
    let mut pieces = pieces.fuse();
    for name in NAMES {
        let cookie = match pieces.next() {
            Some(piece) => browser::cookie(name, piece, Some(wait), tls),
            None => browser::cookie(name, "", Some(Duration::ZERO), tls),
        };
        if let Some(cookie) = cookie {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
    }
}
