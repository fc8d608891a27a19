//! The id of a request: a text or a whole number, kept apart for ever (`1` is not `"1"`).
//!
//! SPEC: JSON-RPC 2.0 §4; MCP forbids `null`.

use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

/// The longest id, in bytes as written.
pub const MAX_ID: usize = 256;

/// An id of a request, or a progress token, which has the same form.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Id {
    /// A whole number that fits 64 bits, signed or not.
    Number(i128),
    /// A text.
    Text(Box<str>),
}

impl Id {
    /// Reads an id as it is written, or says what it would have to be.
    pub(super) fn read(raw: &RawValue) -> Result<Self, &'static str> {
        const PROBLEM: &str = "must be a string or a whole number of 64 bits";
        let written = raw.get();
        if written.len() > MAX_ID {
            return Err("must be at most 256 bytes");
        }
        if written.starts_with('"') {
            let text = serde_json::from_str::<String>(written).map_err(|_| PROBLEM)?;
            return Ok(Self::Text(text.into()));
        }
        let digits = written.strip_prefix('-').unwrap_or(written);
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) || written == "-0" {
            return Err(PROBLEM);
        }
        let number = written.parse::<i128>().map_err(|_| PROBLEM)?;
        let fits = i64::try_from(number).is_ok() || u64::try_from(number).is_ok();
        if fits { Ok(Self::Number(number)) } else { Err(PROBLEM) }
    }

    /// The id that a value is, if it is one.
    #[must_use]
    pub fn of(raw: &RawValue) -> Option<Self> {
        Self::read(raw).ok()
    }

    /// Appends the id as JSON.
    pub fn write(&self, out: &mut Vec<u8>) {
        use std::io::Write as _;
        let written = match self {
            Self::Number(number) => write!(out, "{number}").is_ok(),
            Self::Text(text) => serde_json::to_writer(&mut *out, text).is_ok(),
        };
        debug_assert!(written, "writing to memory does not fail");
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => write!(f, "{text:?}"),
        }
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => to.serialize_str(text),
            Self::Number(number) => match i64::try_from(*number) {
                Ok(number) => to.serialize_i64(number),
                Err(_) => to.serialize_u64(u64::try_from(*number).map_err(serde::ser::Error::custom)?),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Id, &'static str> {
        Id::read(serde_json::from_str(json).unwrap())
    }

    #[test]
    fn t026_ids_are_texts_or_whole_numbers_and_keep_their_type() {
        for good in
            ["0", "1", "-1", "9007199254740993", "18446744073709551615", "-9223372036854775808", r#""0""#, r#""""#]
        {
            let id = read(good).unwrap();
            let mut written = Vec::new();
            id.write(&mut written);
            assert_eq!(written, good.as_bytes());
            assert_eq!(serde_json::to_string(&id).unwrap(), good);
        }
        assert_ne!(read("0").unwrap(), read(r#""0""#).unwrap());
    }

    #[test]
    fn t026_other_ids_are_refused() {
        let long = format!("\"{}\"", "x".repeat(255));
        for bad in ["null", "1.0", "1e0", "-0", "18446744073709551616", "{}", "[]", "true", &long] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
