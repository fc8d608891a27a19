//! The browser at the other end: its cookies, who is signed in, and what its forms must carry.
//!
//! Two cookies: one names the browser, is there before anybody signs in and means nothing by itself; the other is
//! the sign-in, new at each. Forms carry a secret that is bound to both. That a form comes from a page of ours is
//! decided before a request gets here (`guard`, the check of `Origin` and `Sec-Fetch-Site`).
//!
//! Over TLS cookies are `__Host-`: no sibling domain and no plain page can plant them. Browsers do not take such
//! cookies on `http://localhost`, so that there the names are plain, and the sign-in is sent to pages that were
//! opened from pages of ours or by hand alone. Of a cookie that is sent twice, neither is taken.
//!
//! SPEC: oauth §5.1; OA-91, OA-100, OA-101, T-065, T-074.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use poem::{
    Response,
    http::{HeaderMap, HeaderValue, header},
};
use subtle::ConstantTimeEq as _;

use crate::{
    chance,
    oauth::{Issuer, OAuthError, OpenedSession, Session},
    secret::Secret,
};

/// Names the browser.
const BROWSER: &str = "portcullis-browser";
/// The sign-in.
const SIGN_IN: &str = "portcullis";

/// The browser that a request comes from.
#[derive(Debug)]
pub(super) struct Browser {
    id: [u8; 16],
    /// What it holds of a sign-in, be it good or not.
    held: Option<Secret<String>>,
    session: Option<Session>,
    csrf: Secret<String>,
    tls: bool,
    /// The cookies that it is to keep.
    news: Vec<HeaderValue>,
}

impl Browser {
    /// Reads what the browser sends. The store is read where it holds a sign-in, and nothing is written for
    /// somebody who does not.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(super) async fn of(headers: &HeaderMap, issuer: &Issuer<'_>, now: Timestamp) -> Result<Self, OAuthError> {
        let tls = issuer.tls();
        let held = read(headers, SIGN_IN, tls).map(|held| Secret::new(held.to_owned()));
        let session = match &held {
            Some(held) => issuer.session(held.expose(), now).await?,
            None => None,
        };
        let named = read(headers, BROWSER, tls).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
        let mut news = Vec::new();
        let id = match named.and_then(|bytes| bytes.try_into().ok()) {
            Some(id) => id,
            None => new_id(&mut news, tls)?,
        };
        let csrf = issuer.csrf(&id, session.as_ref());
        Ok(Self { id, held, session, csrf, tls, news })
    }

    /// Its name. It stays when somebody signs in and changes when they sign out.
    pub(super) const fn id(&self) -> [u8; 16] {
        self.id
    }

    /// Who is signed in.
    pub(super) const fn signed_in(&self) -> Option<&Session> {
        self.session.as_ref()
    }

    /// What it holds of a sign-in, be it good or not.
    pub(super) fn held(&self) -> Option<&str> {
        self.held.as_ref().map(|held| held.expose().as_str())
    }

    /// The secret that its forms carry.
    pub(super) const fn csrf(&self) -> &Secret<String> {
        &self.csrf
    }

    /// Whether a form carries it.
    pub(super) fn takes(&self, csrf: Option<&str>) -> bool {
        csrf.is_some_and(|csrf| csrf.as_bytes().ct_eq(self.csrf.expose().as_bytes()).into())
    }

    /// Has it keep another cookie of ours.
    pub(super) fn set(&mut self, cookie: Option<HeaderValue>) {
        self.news.extend(cookie);
    }

    /// Somebody has signed in.
    pub(super) fn opened(&mut self, opened: OpenedSession, issuer: &Issuer<'_>) {
        let OpenedSession { session, held, lasts } = opened;
        let lasts = Some(lasts.unsigned_abs());
        self.news.extend(made(SIGN_IN, held.expose(), lasts, self.tls, !self.tls));
        self.csrf = issuer.csrf(&self.id, Some(&session));
        (self.session, self.held) = (Some(session), Some(held));
    }

    /// Whoever was signed in has signed out.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub(super) fn closed(&mut self, issuer: &Issuer<'_>) -> Result<(), OAuthError> {
        self.news.clear();
        self.news.extend(made(SIGN_IN, "", Some(Duration::ZERO), self.tls, !self.tls));
        self.id = new_id(&mut self.news, self.tls)?;
        (self.session, self.held) = (None, None);
        self.csrf = issuer.csrf(&self.id, None);
        Ok(())
    }

    /// Has an answer set the cookies that are new.
    pub(super) fn keep(self, response: &mut Response) {
        for cookie in self.news {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
    }
}

/// A cookie of ours, as an answer sets it: kept for a while or as long as the browser is open, sent to pages that
/// were opened from anywhere. `value` is plain text of a URL; one that is not is no cookie.
pub(super) fn cookie(name: &str, value: &str, lasts: Option<Duration>, tls: bool) -> Option<HeaderValue> {
    made(name, value, lasts, tls, false)
}

/// The value of a cookie of ours, unless it is sent twice.
pub(super) fn read<'a>(headers: &'a HeaderMap, name: &str, tls: bool) -> Option<&'a str> {
    let pairs = headers.get_all(header::COOKIE).iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    let mut found = pairs.filter_map(|pair| {
        let pair = std::str::from_utf8(pair).ok()?;
        let (key, value) = pair.trim_matches(' ').split_once('=')?;
        let ours = if tls { key.strip_prefix("__Host-")? } else { key };
        (ours == name).then_some(value)
    });
    match (found.next(), found.next()) {
        (Some(value), None) => Some(value),
        _ => None,
    }
}

fn made(name: &str, value: &str, lasts: Option<Duration>, tls: bool, strict: bool) -> Option<HeaderValue> {
    let (prefix, secure) = if tls { ("__Host-", "; Secure") } else { ("", "") };
    let site = if strict { "Strict" } else { "Lax" };
    let lasts = lasts.map(|lasts| format!("; Max-Age={}", lasts.as_secs())).unwrap_or_default();
    let text = format!("{prefix}{name}={value}; Path=/{secure}; HttpOnly; SameSite={site}{lasts}");
    let plain = value.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~'));
    let mut made = HeaderValue::from_str(&text).ok().filter(|_| plain)?;
    made.set_sensitive(true);
    Some(made)
}

fn new_id(news: &mut Vec<HeaderValue>, tls: bool) -> Result<[u8; 16], OAuthError> {
    let id: [u8; 16] = chance::bytes().map_err(|_| OAuthError::internal())?;
    news.extend(made(BROWSER, &URL_SAFE_NO_PAD.encode(id), None, tls, false));
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(lines: &[&str]) -> HeaderMap {
        lines.iter().map(|line| (header::COOKIE, line.parse().unwrap())).collect()
    }

    #[test]
    fn oa101_t074_a_cookie_cannot_be_planted_over_tls_and_is_never_read_by_scripts() {
        let text = |tls, strict| made(SIGN_IN, "abc", Some(Duration::from_secs(9)), tls, strict).unwrap();
        assert_eq!(text(true, false), "__Host-portcullis=abc; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=9");
        assert_eq!(text(false, true), "portcullis=abc; Path=/; HttpOnly; SameSite=Strict; Max-Age=9");
        assert!(text(true, false).is_sensitive());
        assert_eq!(cookie("a", "b; Domain=evil.test", None, true), None);
        let planted = sent(&["portcullis=evil; x=y", "__Host-portcullis=ours"]);
        assert_eq!(read(&planted, SIGN_IN, true), Some("ours"));
        assert_eq!(read(&planted, SIGN_IN, false), Some("evil"));
    }

    #[test]
    fn oa100_of_a_cookie_that_is_sent_twice_neither_is_taken() {
        for lines in [&["portcullis=a; portcullis=b"][..], &["portcullis=a", "portcullis=a"]] {
            assert_eq!(read(&sent(lines), SIGN_IN, false), None, "{lines:?}");
        }
        for (line, value) in [
            ("a=b;portcullis=x;c=d", Some("x")),
            ("  portcullis=x=y ", Some("x=y")),
            ("portcullis-browser=x", None),
            ("Portcullis=x", None),
            ("portcullis", None),
            ("", None),
        ] {
            assert_eq!(read(&sent(&[line]), SIGN_IN, false), value, "{line}");
        }
    }
}
