//! Why a request has no answer of the gateway's, in words that help the person before the client.
//!
//! INVARIANT: no token is in a message, nor the query of the URL.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::{
    Endpoint, Token,
    challenge::{Challenge, cleaned},
    token::{Source, TokenError},
};
use crate::{
    egress::EgressError,
    mcp::{Id, code, envelope},
};

/// Why a request has no answer of the gateway's.
#[derive(Debug)]
pub(super) enum Failure {
    /// No connection could be opened: it was not worked on.
    Unreachable(EgressError),
    /// The connection ended first.
    Broken,
    /// The answer is larger than is taken.
    TooLarge,
    /// Something answered that is not MCP.
    Garbage,
    /// The gateway wants another address to be used.
    Redirected,
    /// The token is refused, or missing.
    TokenRefused,
    /// The token is refused, and its file has none that could be used.
    Token(TokenError),
    /// The token is good, and not for this. With what the gateway said besides.
    Scopes(Vec<String>, Value),
    /// An HTTP error without a message.
    Status(StatusCode, Option<String>),
    /// The gateway has forgotten the session, and opens no other.
    Session(String),
    /// The bridge was told to stop.
    Stopping,
}

impl From<EgressError> for Failure {
    fn from(error: EgressError) -> Self {
        match error {
            EgressError::Broken => Self::Broken,
            EgressError::TooLarge => Self::TooLarge,
            EgressError::Url
            | EgressError::Forbidden
            | EgressError::Unresolved
            | EgressError::Unreachable
            | EgressError::ConnectTimeout
            | EgressError::Tls => Self::Unreachable(error),
        }
    }
}

impl Failure {
    /// What a refusal by status says, where it is no message that can be passed on.
    pub(super) fn of_status(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        let said: Value = serde_json::from_slice(body).unwrap_or_default();
        if status == StatusCode::FORBIDDEN
            && let Some(scopes) = Challenge::of(headers).lacking()
        {
            return Self::Scopes(scopes, said.pointer("/error/data").cloned().unwrap_or_default());
        }
        match status {
            StatusCode::UNAUTHORIZED => Self::TokenRefused,
            status if status.is_redirection() => Self::Redirected,
            status => Self::Status(status, said.get("error_description").and_then(Value::as_str).map(cleaned)),
        }
    }

    /// Whether the gateway could not be reached at all.
    pub(super) const fn is_down(&self) -> bool {
        matches!(self, Self::Unreachable(_))
    }

    /// The words.
    pub(super) fn words(&self, endpoint: &Endpoint, token: &Token) -> String {
        let url = endpoint.shown();
        match (self, token.source()) {
            (Self::Unreachable(why), _) => {
                format!("`{url}` cannot be reached: {why}; see that the gateway runs there, then try again")
            }
            (Self::Broken, _) => format!(
                "the connection to `{url}` broke before the answer had come; whether the request was carried out is not known, and it was not repeated"
            ),
            (Self::TooLarge, _) => format!("`{url}` answered more than is taken; ask for less"),
            (Self::Garbage, _) => {
                format!("`{url}` answered something that is not MCP; is it the URL of an MCP endpoint?")
            }
            (Self::Redirected, _) => {
                format!("`{url}` redirects to another address, which is not followed; use that address")
            }
            (Self::TokenRefused, Source::SignIn) => format!(
                "`{url}` refused the token that it gave at sign-in; run `portcullis connect --logout {url}`, then try again"
            ),
            (Self::TokenRefused, Source::File(file)) => format!(
                "`{url}` refused the token in `{}`: it has expired, was revoked or is for another URL; write a new one there and try again",
                file.display()
            ),
            (Self::Token(why), Source::SignIn) => format!("`{url}` wants a token, and {why}"),
            (Self::Token(why), Source::File(_)) => format!("`{url}` refused the token, and {why}"),
            (Self::Scopes(scopes, _), source) => {
                let needed = scopes.iter().map(|scope| format!("`{scope}`")).collect::<Vec<_>>().join(" and ");
                match source {
                    Source::File(file) => format!(
                        "this needs a token with {needed}, and the one in `{}` is without; write one that has them there",
                        file.display()
                    ),
                    Source::SignIn => format!(
                        "this needs {needed}, which was not granted; start the client again to be asked once more, or ask whoever runs the gateway"
                    ),
                }
            }
            (Self::Status(status, said), _) => {
                let said = said.as_deref().map(|said| format!(": {said}")).unwrap_or_default();
                let help = if *status == StatusCode::NOT_FOUND { "; is the path right?" } else { "" };
                format!("`{url}` answered with HTTP status {}{said}{help}", status.as_u16())
            }
            (Self::Session(why), _) => {
                format!("`{url}` has forgotten the session, and another could not be opened: {why}")
            }
            (Self::Stopping, _) => {
                "the bridge is being stopped; whether the request was carried out is not known".into()
            }
        }
    }

    /// The answer to a request.
    pub(super) fn answer(&self, id: &Id, endpoint: &Endpoint, token: &Token) -> Bytes {
        let (code, data) = match self {
            Self::TokenRefused | Self::Token(_) => (code::REFUSED, None),
            Self::Scopes(scopes, said) => {
                let mut data = said.as_object().cloned().unwrap_or_default();
                data.insert("scopes".into(), json!(scopes));
                (code::REFUSED, Some(Value::Object(data)))
            }
            Self::Status(status, _) => (code::INTERNAL, Some(json!({"status": status.as_u16()}))),
            Self::Unreachable(_)
            | Self::Broken
            | Self::TooLarge
            | Self::Garbage
            | Self::Redirected
            | Self::Session(_)
            | Self::Stopping => (code::INTERNAL, None),
        };
        envelope::error(Some(id), &envelope::error_object(code, &self.words(endpoint, token), data.as_ref())).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t215_what_the_other_side_says_is_kept_short_and_visible() {
        let body = json!({"error": "x", "error_description": format!("a\u{1b}[31m{}", "b".repeat(1000))}).to_string();
        let failure = Failure::of_status(StatusCode::BAD_GATEWAY, &HeaderMap::new(), body.as_bytes());
        let words =
            failure.words(&Endpoint::parse("https://gate.example/mcp?key=1").unwrap(), &Token::file_of("token"));
        assert!(
            words.starts_with("`https://gate.example/mcp` answered with HTTP status 502: a\\u001b[31mbbb"),
            "{words}"
        );
        assert!(words.len() < 400 && !words.contains('\u{1b}'));
    }
}
