//! What an OAuth client is told when it is refused: a code of the RFCs and a sentence that helps its reader.
//!
//! This file has every code with its status. What is told never holds more than the client itself said; why
//! exactly it was refused is `why`, which the audit trail gets.
//!
//! INVARIANT: a description holds only what RFC 6749 §5.2 lets it hold, whatever was put in (OA-47).
//! SPEC: RFC 6749 §4.1.2.1, §5.2; RFC 6750 §3.1; RFC 7591 §3.2.2; RFC 8707 §2; RFC 9101 §6; SM-32.
//! To add a code: a variant, then follow the compiler.

use std::fmt;

use crate::id::Id;

/// The longest description.
const LONGEST: usize = 300;

/// A refusal, as an OAuth client understands it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {description}")]
pub struct OAuthError {
    code: ErrorCode,
    description: String,
    why: Why,
    /// Seconds after which it may be tried again, where that is sure.
    wait: Option<u32>,
    ended: Option<Id>,
}

/// The codes of the RFCs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorCode {
    /// The person said no.
    AccessDenied,
    /// Client authentication failed.
    InvalidClient,
    /// What was registered is not acceptable.
    InvalidClientMetadata,
    /// The code or refresh token is not good.
    InvalidGrant,
    /// A redirect URI that was registered is not acceptable.
    InvalidRedirectUri,
    /// The request is not of the form.
    InvalidRequest,
    /// A scope cannot be had.
    InvalidScope,
    /// A resource is not one of ours.
    InvalidTarget,
    /// The token that registering needs is not good.
    InvalidToken,
    /// `request` is not supported.
    RequestNotSupported,
    /// `request_uri` is not supported.
    RequestUriNotSupported,
    /// We failed.
    ServerError,
    /// We cannot right now.
    TemporarilyUnavailable,
    /// The client may not do this.
    UnauthorizedClient,
    /// There is no such grant type here.
    UnsupportedGrantType,
    /// There is no such response type here.
    UnsupportedResponseType,
}

macro_rules! whys {
    ($($name:ident = $word:literal,)+) => {
        /// Why exactly, in the audit trail's permanent words. Clients are not told.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Why {
            $(#[doc = concat!("`", $word, "`")] $name,)+
        }

        impl Why {
            /// Its word.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)+ }
            }
        }
    };
}

whys! {
    AssertionUnsupported = "assertion-unsupported",
    AuthMethod = "auth-method",
    ClientDocument = "client-document",
    ClientSecret = "client-secret",
    ClientUnknown = "client-unknown",
    ClientsFull = "clients-full",
    ClientsMany = "clients-many",
    CodeClient = "code-client",
    CodeDead = "code-dead",
    CodeExpired = "code-expired",
    CodeRedirect = "code-redirect",
    CodeReplayed = "code-replayed",
    CodeUnknown = "code-unknown",
    CodeVerifier = "code-verifier",
    ConsentDenied = "consent-denied",
    ConsentForm = "consent-form",
    GrantNotAllowed = "grant-not-allowed",
    GrantUnsupported = "grant-unsupported",
    Guessing = "guessing",
    HandleExpired = "handle-expired",
    HandleForeign = "handle-foreign",
    HandleUsed = "handle-used",
    Internal = "internal",
    Metadata = "metadata",
    NothingGrantable = "nothing-grantable",
    ParameterBad = "parameter-bad",
    ParameterMissing = "parameter-missing",
    ParameterRepeated = "parameter-repeated",
    PersonGone = "person-gone",
    Pkce = "pkce",
    RedirectUri = "redirect-uri",
    RefreshClient = "refresh-client",
    RefreshExpired = "refresh-expired",
    RefreshReuse = "refresh-reuse",
    RefreshRevoked = "refresh-revoked",
    RefreshUnknown = "refresh-unknown",
    RegistrationAnonymous = "registration-anonymous",
    RegistrationOff = "registration-off",
    RegistrationToken = "registration-token",
    RequestObject = "request-object",
    Resource = "resource",
    ResponseType = "response-type",
    Scope = "scope",
    ScopeTooMuch = "scope-too-much",
    StoreDown = "store-down",
}

impl ErrorCode {
    /// Its word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AccessDenied => "access_denied",
            Self::InvalidClient => "invalid_client",
            Self::InvalidClientMetadata => "invalid_client_metadata",
            Self::InvalidGrant => "invalid_grant",
            Self::InvalidRedirectUri => "invalid_redirect_uri",
            Self::InvalidRequest => "invalid_request",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidTarget => "invalid_target",
            Self::InvalidToken => "invalid_token",
            Self::RequestNotSupported => "request_not_supported",
            Self::RequestUriNotSupported => "request_uri_not_supported",
            Self::ServerError => "server_error",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::UnsupportedResponseType => "unsupported_response_type",
        }
    }

    /// The HTTP status where it is the answer itself, not a redirect.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::InvalidClient | Self::InvalidToken => 401,
            Self::AccessDenied => 403,
            Self::ServerError => 500,
            Self::TemporarilyUnavailable => 503,
            Self::InvalidClientMetadata
            | Self::InvalidGrant
            | Self::InvalidRedirectUri
            | Self::InvalidRequest
            | Self::InvalidScope
            | Self::InvalidTarget
            | Self::RequestNotSupported
            | Self::RequestUriNotSupported
            | Self::UnauthorizedClient
            | Self::UnsupportedGrantType
            | Self::UnsupportedResponseType => 400,
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl OAuthError {
    /// A refusal.
    pub(crate) fn new(code: ErrorCode, why: Why, description: impl AsRef<str>) -> Self {
        Self { code, description: permitted(description.as_ref()), why, wait: None, ended: None }
    }

    /// The refusal of what was used before, which has ended this family.
    pub(super) const fn ending(mut self, family: Id) -> Self {
        self.ended = Some(family);
        self
    }

    /// The family that came to its end by what is refused.
    pub(crate) const fn ended(&self) -> Option<Id> {
        self.ended
    }

    /// Something of ours failed; what, is for the log.
    pub(crate) fn internal() -> Self {
        Self::new(ErrorCode::ServerError, Why::Internal, "the server failed; the request may be tried again")
    }

    /// The store cannot be read or written: nothing was done.
    pub(crate) fn store_down() -> Self {
        let description = "nothing was done: the store cannot be reached right now; try again";
        Self::new(ErrorCode::TemporarilyUnavailable, Why::StoreDown, description)
    }

    /// It was tried too often, and may be tried again after so many seconds.
    pub(super) fn too_many(why: Why, description: &str, seconds: i64) -> Self {
        let wait = Some(u32::try_from(seconds.max(1)).unwrap_or(u32::MAX));
        Self { wait, ..Self::new(ErrorCode::TemporarilyUnavailable, why, description) }
    }

    /// The code.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        self.code
    }

    /// What the client's reader is told.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.description
    }

    /// Why exactly, for the audit trail.
    #[must_use]
    pub const fn why(&self) -> Why {
        self.why
    }

    /// The HTTP status where it is the answer itself.
    #[must_use]
    pub const fn status(&self) -> u16 {
        if self.wait.is_some() { 429 } else { self.code.status() }
    }

    /// The challenge that goes with it at an endpoint where clients authenticate, if one does.
    #[must_use]
    pub const fn challenge(&self) -> Option<&'static str> {
        match (self.code, self.why) {
            (ErrorCode::InvalidClient, _) => Some("Basic realm=\"portcullis\", charset=\"UTF-8\""),
            // RFC 6750 §3.1: who has shown nothing is told of no error.
            (ErrorCode::InvalidToken, Why::RegistrationAnonymous) => Some("Bearer realm=\"portcullis\""),
            (ErrorCode::InvalidToken, _) => Some("Bearer error=\"invalid_token\""),
            _ => None,
        }
    }

    /// Seconds after which it may be tried again, where that helps.
    #[must_use]
    pub const fn retry_after(&self) -> Option<u32> {
        match (self.wait, self.code) {
            (Some(seconds), _) => Some(seconds),
            (None, ErrorCode::TemporarilyUnavailable) => Some(2),
            (None, _) => None,
        }
    }

    /// The body where it is the answer itself: JSON.
    #[must_use]
    pub fn body(&self) -> String {
        serde_json::json!({ "error": self.code.as_str(), "error_description": self.description }).to_string()
    }
}

/// Only what a description may hold; quotes become single ones, all else that may not be there `?`.
fn permitted(text: &str) -> String {
    let one = |c: char| match c {
        '"' => '\'',
        ' ' | '!' | '#'..='[' | ']'..='~' => c,
        _ => '?',
    };
    text.chars().take(LONGEST).map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oa47_a_description_cannot_leave_its_field() {
        let error = OAuthError::new(ErrorCode::InvalidScope, Why::Scope, "a\"b\\c\r\nX-Evil: 1 é\0 ~!");
        assert_eq!(error.description(), "a'b?c??X-Evil: 1 ?? ~!");
        assert_eq!(OAuthError::new(ErrorCode::InvalidScope, Why::Scope, "x".repeat(10_000)).description().len(), 300);
        assert_eq!(error.body(), r#"{"error":"invalid_scope","error_description":"a'b?c??X-Evil: 1 ?? ~!"}"#);
    }

    #[test]
    fn oa50_sm32_a_fault_of_ours_says_nothing_of_itself() {
        let down = OAuthError::store_down();
        assert_eq!((down.status(), down.retry_after(), down.why().as_str()), (503, Some(2), "store-down"));
        assert_eq!(OAuthError::internal().status(), 500);
        let client = OAuthError::new(ErrorCode::InvalidClient, Why::ClientSecret, "client authentication failed");
        assert_eq!(client.status(), 401);
        assert!(client.challenge().is_some_and(|challenge| challenge.starts_with("Basic ")));
        assert!(!client.body().contains("client-secret"), "why is not told");
    }
}
