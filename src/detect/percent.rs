//! Text behind percent signs, and other ways to write a dot and a slash.

use std::borrow::Cow;

/// Undoes percent-encoding once; what is no escape stays.
pub(crate) fn decoded(text: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'%', text).is_none() {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        match (first, escape(rest)) {
            (b'%', Some(byte)) => {
                out.push(byte);
                rest = rest.get(3..).unwrap_or_default();
            }
            _ => {
                out.push(*first);
                rest = after;
            }
        }
    }
    Cow::Owned(out)
}

/// The byte that an escape at the beginning stands for.
fn escape(text: &[u8]) -> Option<u8> {
    match text {
        [b'%', high, low, ..] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    }
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

/// `+` is a space in a query.
pub(super) fn spaced(text: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'+', text).is_none() {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect())
}

/// Dots and slashes as they are written to get past who looks for them: overlong UTF-8 and full-width
/// letters.
const DISGUISES: [(&[u8], u8); 8] = [
    (b"\xc0\xae", b'.'),
    (b"\xe0\x80\xae", b'.'),
    (b"\xef\xbc\x8e", b'.'),
    (b"\xc0\xaf", b'/'),
    (b"\xe0\x80\xaf", b'/'),
    (b"\xc1\x9c", b'\\'),
    (b"\xef\xbc\x8f", b'/'),
    (b"\xe2\x88\x95", b'/'),
];

/// With plain dots and slashes.
pub(super) fn undisguised(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.iter().any(|byte| matches!(byte, 0xc0 | 0xc1 | 0xe0 | 0xe2 | 0xef)) {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        let disguise = DISGUISES.iter().find_map(|(written, meant)| Some((rest.strip_prefix(*written)?, *meant)));
        match disguise {
            Some((behind, meant)) => {
                out.push(meant);
                rest = behind;
            }
            None => {
                out.push(*first);
                rest = after;
            }
        }
    }
    Cow::Owned(out)
}
