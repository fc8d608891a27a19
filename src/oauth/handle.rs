//! A request for consent, sealed: the browser holds it, and nothing of it is kept here until somebody approves.
//!
//! First it is bound to the browser that asked, while somebody signs in; once somebody has, the page that they
//! decide on carries it bound to them and their sign-in as well. Another browser's, another person's, an old or a
//! made-up one opens to nothing. Each has a name of its own, by which it is used once.
//!
//! INVARIANT: what is opened was read and found good by [`super::authorize`] not longer than ten minutes ago.
//! SPEC: oauth §2.0, §4; OA-91, OA-92, T-063, T-064.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    authorize::AuthorizationRequest,
    error::{ErrorCode, OAuthError, Why},
    issuer::Issuer,
    signin::Session,
};
use crate::{chance, name::ScopeName, secret::Secret, store::Once};

/// How long a request waits for its decision.
pub const LONGEST_WAIT: SignedDuration = SignedDuration::from_mins(10);

/// A sealed request, opened.
#[derive(Debug)]
pub struct Handle {
    /// What is asked for.
    pub request: AuthorizationRequest,
    /// What the page showed.
    pub shown: Page,
    /// Its name: new at each sealing.
    id: [u8; 16],
    /// It is over then.
    until: Timestamp,
}

/// What a page showed of a request; nothing while no page was shown.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Page {
    /// The scopes, sorted.
    pub scopes: Vec<ScopeName>,
    /// A digest of what they open together.
    pub opens: [u8; 32],
}

/// Who a request is sealed to.
#[derive(Debug, Clone, Copy)]
pub struct Holder<'a> {
    /// The browser that it came from.
    pub browser: &'a [u8; 16],
    /// Who decides; nothing while nobody is known.
    pub session: Option<&'a Session>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    id: [u8; 16],
    until: i64,
    shown: Page,
    request: AuthorizationRequest,
}

impl Holder<'_> {
    /// What a request is sealed for, and to.
    fn with<T>(self, url: &str, ask: impl FnOnce(&'static str, &[&[u8]]) -> T) -> T {
        match self.session {
            None => ask("authorize", &[url.as_bytes(), self.browser]),
            Some(session) => {
                let user = session.person.user.as_str().as_bytes();
                ask("consent", &[url.as_bytes(), self.browser, user, &session.mac])
            }
        }
    }
}

impl Issuer<'_> {
    /// Seals a request, to be decided until `until`, with what is shown of it.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn seal(
        &self,
        request: AuthorizationRequest,
        holder: Holder<'_>,
        until: Timestamp,
        shown: Page,
    ) -> Result<Secret<String>, OAuthError> {
        let id = chance::bytes().map_err(|_| OAuthError::internal())?;
        let content = Content { id, until: until.as_second(), shown, request };
        let content = serde_json::to_vec(&content).map_err(|_| OAuthError::internal())?;
        let sealed = holder.with(self.url, |purpose, bound| self.keys.handles.seal(purpose, bound, &content));
        sealed.map(Secret::new).map_err(|_| OAuthError::internal())
    }

    /// Opens what was sealed to this holder.
    ///
    /// # Errors
    /// `access_denied` for what was not, and `invalid_request` for what is over. Both are told on a page of ours.
    pub fn unseal(&self, sealed: &str, holder: Holder<'_>, now: Timestamp) -> Result<Handle, OAuthError> {
        let foreign = || {
            let what = "this request does not belong to this browser, or to who is signed in";
            OAuthError::new(ErrorCode::AccessDenied, Why::HandleForeign, what)
        };
        let content = holder.with(self.url, |purpose, bound| self.keys.handles.open(purpose, bound, sealed));
        let content = content.ok_or_else(foreign)?;
        let Content { id, until, shown, request } = serde_json::from_slice(&content).map_err(|_| foreign())?;
        let until = Timestamp::from_second(until).map_err(|_| foreign())?;
        if until <= now {
            let what = "this request has waited for too long";
            return Err(OAuthError::new(ErrorCode::InvalidRequest, Why::HandleExpired, what));
        }
        Ok(Handle { request, shown, id, until })
    }
}

impl Handle {
    /// Until when it may be decided.
    #[must_use]
    pub const fn until(&self) -> Timestamp {
        self.until
    }

    /// The mark of its one use.
    #[must_use]
    pub fn once(&self) -> Once {
        Once { name: "consent", id: self.id.to_vec(), until: self.until }
    }
}

/// What is told where a page was used before.
#[must_use]
pub fn used() -> OAuthError {
    let what = "this page was used before; what was decided then stands";
    OAuthError::new(ErrorCode::InvalidRequest, Why::HandleUsed, what)
}
