//! What a browser came for, while somebody signs in: the sealed request, in cookies.
//!
//! Nothing is kept here for somebody who is not known. The request is what was read and found good; it is sealed
//! to the browser, so that another browser's cookies are worth nothing. Cookies hold one request at a time, the
//! last; each page that somebody signs in on carries the one that it was shown for in its form, and goes on with it.
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
use crate::{
    oauth::{
        AuthorizationRequest, ErrorCode, Form, Handle, Holder, Issuer, LONGEST_WAIT, OAuthError, Page, Why, client,
    },
    secret::Secret,
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
    put(response, pieces(&sealed), issuer.tls());
    Ok(())
}

fn pieces(sealed: &Secret<String>) -> impl Iterator<Item = &str> {
    sealed.expose().as_bytes().chunks(PIECE).filter_map(|piece| std::str::from_utf8(piece).ok())
}

/// What the cookies hold; empty where they hold nothing.
fn sealed(headers: &HeaderMap, issuer: &Issuer<'_>) -> String {
    let pieces = NAMES.iter().map_while(|name| browser::read(headers, name, issuer.tls()));
    pieces.take_while(|piece| !piece.is_empty()).collect()
}

/// A request that waits for somebody to sign in.
pub(super) struct Waiting {
    /// The request as the browser holds it.
    pub(super) sealed: Secret<String>,
    handle: Handle,
}

/// What a page was shown for, by its form where it was sent and its request is still good, else by the cookies.
pub(super) fn waiting(
    form: Option<&Form>,
    headers: &HeaderMap,
    issuer: &Issuer<'_>,
    browser: &Browser,
    now: Timestamp,
) -> Option<Waiting> {
    let held = form.and_then(|form| form.get(page::field::WAITING).ok().flatten()).map(str::to_owned);
    let read = |sealed: String| {
        let handle = issuer.unseal(&sealed, Holder { browser: &browser.id(), session: None }, now).ok()?;
        Some(Waiting { sealed: Secret::new(sealed), handle })
    };
    held.and_then(read).or_else(|| read(sealed(headers, issuer)))
}

impl Waiting {
    /// Has the browser come back for this one.
    pub(super) fn keep(&self, response: &mut Response, tls: bool) {
        put(response, pieces(&self.sealed), tls);
    }

    /// Who asks; nothing where the client is gone.
    pub(super) async fn client(&self, issuer: &Issuer<'_>, now: Timestamp) -> Option<page::Client> {
        self.handle.request.client(issuer, now).await.ok().map(|client| shown(&client))
    }
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
    let sealed = sealed(headers, issuer);
    if sealed.is_empty() {
        let what = "nothing waits for a decision in this browser";
        return Err(OAuthError::new(ErrorCode::InvalidRequest, Why::HandleExpired, what));
    }
    issuer.unseal(&sealed, Holder { browser: &browser.id(), session: None }, now)
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
