//! `prototype-pollution`: keys that reach the prototype of every JavaScript object.
//!
//! As keys of an object of JSON, as names of a query, and as a path of names (`a.__proto__.b`) in a
//! value that is nothing else.
//!
//! SPEC: CWE-1321; T-161.

use memchr::memmem;

use super::seen;

/// The key that is the prototype itself.
pub(super) const PROTO: &str = "__proto__";
/// The key whose [`PROTOTYPE`] is one.
pub(super) const CONSTRUCTOR: &str = "constructor";
/// The key of a constructor.
pub(super) const PROTOTYPE: &str = "prototype";

/// A longer text is no path of names.
const LONGEST: usize = 512;

/// Whether a value, or a name of a query, is a path of names through a prototype.
pub(super) fn is_path(text: &[u8], kinds: u16) -> bool {
    let possible = kinds & (seen::UNDERSCORE | seen::DOT | seen::SLASH) != 0 || text.contains(&b'[');
    if !possible || text.len() > LONGEST || kinds & (seen::SPACE | seen::BREAK | seen::BLANK) != 0 {
        return false;
    }
    if memmem::find(text, PROTO.as_bytes()).is_none() && memmem::find(text, CONSTRUCTOR.as_bytes()).is_none() {
        return false;
    }
    let named = |byte: &u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'-' | b'.' | b'[' | b']' | b'\'' | b'"' | b'/')
    };
    // What is assigned may be anything.
    let path = text.split(|byte| *byte == b'=').next().unwrap_or_default();
    if !path.iter().all(named) {
        return false;
    }
    let mut names = path
        .split(|byte| matches!(byte, b'.' | b'[' | b']' | b'\'' | b'"' | b'/'))
        .filter(|name| !name.is_empty())
        .peekable();
    let several = names.clone().count() > 1;
    while let Some(name) = names.next() {
        let of_constructor =
            name == CONSTRUCTOR.as_bytes() && names.peek().is_some_and(|next| *next == PROTOTYPE.as_bytes());
        if name == PROTO.as_bytes() && several || of_constructor {
            return true;
        }
    }
    false
}
