//! `header-injection`: a value that goes on as a header field, of HTTP or of a mail.
//!
//! Texts have lines, and lines of YAML and of HTTP begin like fields. A value that is one word and
//! then goes on with a field that servers write is something else.
//!
//! SPEC: CWE-93, CWE-113; T-160.

use memchr::{memchr, memchr_iter, memchr2};

use super::{cursor::is_one_of, percent::decoded, seen};

/// Longer values are documents.
const LONGEST: usize = 2048;
/// A longer first line is no value.
const LONGEST_LINE: usize = 512;

/// Whether a value goes on as a field.
pub(super) fn continues(text: &[u8], kinds: u16) -> bool {
    if text.len() > LONGEST {
        return false;
    }
    kinds & seen::BREAK != 0 && field_follows(text) || kinds & seen::PERCENT != 0 && encoded(text)
}

/// Whether what HTTP was given has a line break.
pub(super) fn breaks(text: &[u8]) -> bool {
    memchr2(b'\r', b'\n', text).is_some()
}

fn encoded(text: &[u8]) -> bool {
    let written = |at: usize| matches!(text.get(at + 1..at + 3), Some([b'0', b'a' | b'A' | b'd' | b'D']));
    let twice = |at: usize| matches!(text.get(at + 1..at + 5), Some([b'2', b'5', b'0', b'a' | b'A' | b'd' | b'D']));
    if !memchr_iter(b'%', text).any(|at| written(at) || twice(at)) {
        return false;
    }
    let once = decoded(text);
    field_follows(&once) || field_follows(&decoded(&once))
}

fn field_follows(text: &[u8]) -> bool {
    let Some(end) = memchr2(b'\r', b'\n', text).filter(|end| *end <= LONGEST_LINE) else { return false };
    let (line, mut rest) = text.split_at_checked(end).unwrap_or((text, &[]));
    // A value has no spaces, and what has `: ` is the first of many fields.
    if line.iter().any(|byte| byte.is_ascii_whitespace() || matches!(byte, b'{' | b'<' | b'#')) || line.ends_with(b":")
    {
        return false;
    }
    while let [b'\r' | b'\n', behind @ ..] = rest {
        rest = behind;
    }
    let Some(colon) = memchr(b':', rest.get(..48).unwrap_or(rest)) else {
        return rest.starts_with(b"HTTP/1.");
    };
    let name = rest.get(..colon).unwrap_or_default().trim_ascii();
    is_one_of(name, &FIELDS) || rest.starts_with(b"HTTP/1.") || {
        // `X-…` is made up by whoever tries.
        name.len() > 3 && name.get(..2).is_some_and(|x| x.eq_ignore_ascii_case(b"x-")) && line.len() <= 128
    }
}

/// Fields that are worth to be injected.
const FIELDS: [&str; 34] = [
    "accept",
    "authorization",
    "bcc",
    "cache-control",
    "cc",
    "clear-site-data",
    "connection",
    "content-disposition",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "date",
    "etag",
    "expires",
    "forwarded",
    "from",
    "host",
    "keep-alive",
    "last-modified",
    "link",
    "location",
    "origin",
    "pragma",
    "referer",
    "refresh",
    "reply-to",
    "server",
    "set-cookie",
    "subject",
    "to",
    "transfer-encoding",
    "user-agent",
    "www-authenticate",
];
