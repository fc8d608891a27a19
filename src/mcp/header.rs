//! The header fields of the protocol, and whether they say what the body says.
//!
//! A value that a header cannot hold travels as `=?base64?…?=`. The body always decides; a header
//! that disagrees refuses the request.
//!
//! SPEC: MCP 2026-07-28, transports, "Standard request headers"; threat T-022.

use std::borrow::Cow;

use base64::{Engine as _, engine::general_purpose::STANDARD};

/// The version that a request speaks.
pub const PROTOCOL_VERSION: &str = "mcp-protocol-version";
/// The method of a modern request.
pub const METHOD: &str = "mcp-method";
/// The tool, prompt or resource of a modern request.
pub const NAME: &str = "mcp-name";
/// The session of a legacy request.
pub const SESSION_ID: &str = "mcp-session-id";
/// The beginning of the fields that mirror parameters.
pub const PARAM_PREFIX: &str = "mcp-param-";

const OPEN: &str = "=?base64?";
const CLOSE: &str = "?=";

/// A header field that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// Bytes other than visible ASCII, space and tab.
    #[error("holds characters that a header cannot")]
    Characters,
    /// The sentinel is there, what it holds is no base64 of UTF-8.
    #[error("is not valid base64 of UTF-8")]
    Base64,
}

/// The text that a field's value stands for.
///
/// # Errors
/// When it holds other than visible ASCII, or the sentinel's content is no base64 of UTF-8.
pub fn decode(value: &[u8]) -> Result<Cow<'_, str>, HeaderError> {
    let text = std::str::from_utf8(value).map_err(|_| HeaderError::Characters)?;
    let text = text.trim_matches([' ', '\t']);
    if text.bytes().any(|b| !matches!(b, b' '..=b'~' | b'\t')) {
        return Err(HeaderError::Characters);
    }
    let Some(wrapped) = text.strip_prefix(OPEN).and_then(|rest| rest.strip_suffix(CLOSE)) else {
        return Ok(Cow::Borrowed(text));
    };
    let bytes = STANDARD.decode(wrapped).map_err(|_| HeaderError::Base64)?;
    String::from_utf8(bytes).map(Cow::Owned).map_err(|_| HeaderError::Base64)
}

/// The value that stands for a text: itself where a header can hold it.
#[must_use]
pub fn encode(text: &str) -> Cow<'_, str> {
    let plain = text.bytes().all(|b| matches!(b, b' '..=b'~'))
        && text.trim_matches(' ') == text
        && !(text.starts_with(OPEN) && text.ends_with(CLOSE));
    if plain { Cow::Borrowed(text) } else { Cow::Owned(format!("{OPEN}{}{CLOSE}", STANDARD.encode(text))) }
}

/// Whether a field's value stands for exactly `body`.
#[must_use]
pub fn agrees(value: &[u8], body: &str) -> bool {
    decode(value).is_ok_and(|text| text == body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t022_a_header_agrees_only_with_exactly_what_the_body_says() {
        for (value, body, same) in [
            ("echo", "echo", true),
            (" echo\t", "echo", true),
            ("Echo", "echo", false),
            ("echo", "secret_op", false),
            ("", "echo", false),
            ("=?base64?ZWNobw==?=", "echo", true),
            ("=?base64?ZWNobw?=", "echo", false),
            ("=?base64?!!?=", "!!", false),
            ("=?base64?/w==?=", "\u{ff}", false),
            ("=?BASE64?ZWNobw==?=", "echo", false),
            ("caf\u{e9}", "caf\u{e9}", false),
        ] {
            assert_eq!(agrees(value.as_bytes(), body), same, "{value} for {body}");
        }
    }

    #[test]
    fn every_text_survives_the_journey() {
        for text in ["", "plain", " spaced ", "café", "a\nb", "=?base64?eA==?=", "\u{0}"] {
            assert_eq!(decode(encode(text).as_bytes()).unwrap(), text);
        }
    }
}
