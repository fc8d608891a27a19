//! Text into JSON so that one record is one line in any viewer.
//!
//! Escaped are, besides what JSON asks for: all control characters (DEL and C1 too), the line and
//! paragraph separators, direction marks and overrides, and characters that show as nothing.
//! Long text is cut, and what was cut is named with a digest of the whole.

use sha2::{Digest as _, Sha256};

use crate::plain::deceives;

/// Bytes of one text field that are kept.
pub(super) const LONGEST: usize = 1024;

/// The bytes that stand for themselves: printing ASCII but the quote and the backslash.
const PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = 0x20;
    while byte < 0x7f {
        #[expect(clippy::indexing_slicing, reason = "below 0x7f, and at compile time")]
        {
            plain[byte] = byte != b'"' as usize && byte != b'\\' as usize;
        }
        byte += 1;
    }
    plain
};

/// A field that was cut.
#[derive(Debug)]
pub(super) struct Cut {
    /// JSON pointer of the field.
    pub(super) at: String,
    /// Its bytes before.
    pub(super) bytes: usize,
    /// SHA-256 of it before, in hexadecimal.
    pub(super) sha256: String,
}

impl Cut {
    /// The mark that `value` at `at` is not there whole.
    pub(super) fn of(at: String, value: &[u8]) -> Self {
        Self { at, bytes: value.len(), sha256: hex(&Sha256::digest(value)) }
    }
}

/// What is kept of `value`.
pub(super) fn kept(value: &str) -> &str {
    value.get(..value.floor_char_boundary(LONGEST)).unwrap_or(value)
}

/// Appends `value` as a JSON string.
pub(crate) fn quote(value: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let mut rest = value;
    // Plain stretches are copied whole; almost every field is one.
    while let Some(at) = rest.bytes().position(|b| !PLAIN.get(usize::from(b)).is_some_and(|plain| *plain)) {
        let Some((plain, after)) = rest.split_at_checked(at) else { break };
        out.extend_from_slice(plain.as_bytes());
        let mut chars = after.chars();
        if let Some(c) = chars.next() {
            character(c, out);
        }
        rest = chars.as_str();
    }
    out.extend_from_slice(rest.as_bytes());
    out.push(b'"');
}

fn character(c: char, out: &mut Vec<u8>) {
    match c {
        '"' => out.extend_from_slice(b"\\\""),
        '\\' => out.extend_from_slice(b"\\\\"),
        '\n' => out.extend_from_slice(b"\\n"),
        '\r' => out.extend_from_slice(b"\\r"),
        '\t' => out.extend_from_slice(b"\\t"),
        c if deceives(c) => escaped(c, out),
        c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}

/// Appends `text`, characters that could deceive its reader as JSON escapes.
#[cfg(feature = "serve")]
pub(crate) fn visible(text: &str, out: &mut Vec<u8>) {
    for c in text.chars() {
        if deceives(c) { escaped(c, out) } else { out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()) }
    }
}

fn escaped(c: char, out: &mut Vec<u8>) {
    for unit in c.encode_utf16(&mut [0; 2]) {
        out.extend_from_slice(b"\\u");
        for shift in [12, 8, 4, 0] {
            out.push(digit(*unit >> shift));
        }
    }
}

fn digit(value: u16) -> u8 {
    match u8::try_from(value & 0xf).unwrap_or_default() {
        low @ 0..=9 => b'0' + low,
        high => b'a' + high - 10,
    }
}

/// Bytes in lower-case hexadecimal.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|b| [b >> 4, b & 0xf]).map(|d| char::from(digit(u16::from(d)))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quoted(value: &str) -> String {
        let mut out = Vec::new();
        quote(value, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn t215_no_character_that_could_deceive_a_reader_gets_through() {
        for (value, shown) in [
            ("plain", r#""plain""#),
            ("a\nb\r\t", r#""a\nb\r\t""#),
            ("\"\\", r#""\"\\""#),
            ("\u{1b}[31m\u{7f}\0", r#""\u001b[31m\u007f\u0000""#),
            ("\u{85}\u{2028}\u{2029}", r#""\u0085\u2028\u2029""#),
            ("\u{202e}\u{2066}\u{200b}\u{feff}", r#""\u202e\u2066\u200b\ufeff""#),
            ("\u{e0041}", r#""\udb40\udc41""#),
            ("žluťoučký 猫", r#""žluťoučký 猫""#),
        ] {
            assert_eq!(quoted(value), shown);
            assert_eq!(serde_json::from_str::<String>(&quoted(value)).unwrap(), value);
        }
    }

    proptest::proptest! {
        #[test]
        fn t215_every_text_reads_back_and_holds_no_control_byte(value in ".*", wild: Vec<char>) {
            for value in [value, wild.into_iter().collect()] {
                let line = quoted(&value);
                assert!(line.bytes().all(|b| b >= 0x20 && b != 0x7f));
                assert!(!line.chars().any(deceives));
                assert_eq!(serde_json::from_str::<String>(&line).unwrap(), value);
            }
        }
    }
}
