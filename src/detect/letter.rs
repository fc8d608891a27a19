//! Characters that are not to be seen, or make others be seen where they do not stand.
//!
//! Form feeds stand in old source files and are let be, as are the tags of a flag of a region. The
//! marks of direction that Arabic and Hebrew texts need (U+200E, U+200F, U+061C) reverse nothing.
//!
//! SPEC: Unicode TR 36 §3.6; CVE-2021-42574.

use memchr::{memchr_iter, memmem};

use super::seen;

/// Whether there is a character of C1, which steers old terminals, or a tag outside a flag.
pub(super) fn unseen(text: &[u8], kinds: u16) -> bool {
    let followed = |at: usize, by: std::ops::RangeInclusive<u8>| text.get(at + 1).is_some_and(|byte| by.contains(byte));
    kinds & seen::CONTROL != 0
        || kinds & seen::LATIN != 0 && memchr_iter(0xc2, text).any(|at| followed(at, 0x80..=0x9f))
        || kinds & seen::TAG != 0 && hidden_tag(text)
}

/// Whether there is an embedding, an override or an isolate: U+202A…U+202E, U+2066…U+2069.
pub(super) fn reverses(text: &[u8], kinds: u16) -> bool {
    kinds & seen::PUNCTUATION != 0
        && memchr_iter(0xe2, text)
            .any(|at| matches!(text.get(at + 1..at + 3), Some([0x80, 0xaa..=0xae] | [0x81, 0xa6..=0xa9])))
}

/// U+E0000…U+E007F, but for what follows a black flag.
fn hidden_tag(text: &[u8]) -> bool {
    const FLAG: &[u8] = "\u{1f3f4}".as_bytes();
    /// As many tags as the longest flag has, and its end.
    const LONGEST: usize = 4 * 7;
    let mut allowed = 0;
    let mut flags = memmem::find_iter(text, FLAG).peekable();
    for at in memchr_iter(0xf3, text) {
        if !matches!(text.get(at + 1..at + 3), Some([0xa0, 0x80 | 0x81])) {
            continue;
        }
        while let Some(flag) = flags.next_if(|flag| *flag < at) {
            allowed = flag + FLAG.len() + LONGEST;
        }
        if at >= allowed {
            return true;
        }
    }
    false
}
