//! Which kinds of byte a text has: one pass, so that most texts are done with here.

/// A null.
pub(super) const NULL: u16 = 1;
/// A control character but null, tab, line feed, form feed and carriage return.
pub(super) const CONTROL: u16 = 1 << 1;
/// A line feed or a carriage return.
pub(super) const BREAK: u16 = 1 << 2;
/// `.`
pub(super) const DOT: u16 = 1 << 3;
/// `%`
pub(super) const PERCENT: u16 = 1 << 4;
/// `'` or `"`
pub(super) const QUOTE: u16 = 1 << 5;
/// `;`, `|`, `&` or a back quote.
pub(super) const SEPARATOR: u16 = 1 << 6;
/// `$`
pub(super) const DOLLAR: u16 = 1 << 7;
/// `_`
pub(super) const UNDERSCORE: u16 = 1 << 8;
/// The first byte of U+0080…U+00BF.
pub(super) const LATIN: u16 = 1 << 9;
/// The first byte of U+2000…U+2FFF.
pub(super) const PUNCTUATION: u16 = 1 << 10;
/// The first byte of U+C0000…U+FFFFF.
pub(super) const TAG: u16 = 1 << 11;
/// A tab or a form feed.
pub(super) const BLANK: u16 = 1 << 12;
/// `/` or `\`
pub(super) const SLASH: u16 = 1 << 13;
/// The first byte of U+F000…U+FFFF.
pub(super) const WIDE: u16 = 1 << 14;
/// A space.
pub(super) const SPACE: u16 = 1 << 15;

const KINDS: [u16; 256] = kinds();

#[expect(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "each of 256 bytes, while compiling")]
const fn kinds() -> [u16; 256] {
    let mut kinds = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        kinds[byte] = match byte as u8 {
            0 => NULL,
            b'\n' | b'\r' => BREAK,
            b'\t' | 0x0c => BLANK,
            1..=0x1f | 0x7f => CONTROL,
            b' ' => SPACE,
            b'.' => DOT,
            b'%' => PERCENT,
            b'\'' | b'"' => QUOTE,
            b';' | b'|' | b'&' | b'`' => SEPARATOR,
            b'$' => DOLLAR,
            b'_' => UNDERSCORE,
            b'/' | b'\\' => SLASH,
            0xc2 => LATIN,
            0xe2 => PUNCTUATION,
            0xef => WIDE,
            0xf3 => TAG,
            _ => 0,
        };
        byte += 1;
    }
    kinds
}

/// The kinds of byte in a text.
pub(super) fn kinds_in(text: &[u8]) -> u16 {
    let kind = |byte: u8| KINDS.get(usize::from(byte)).copied().unwrap_or_default();
    let (chunks, rest) = text.as_chunks::<8>();
    let mut seen = 0;
    for [a, b, c, d, e, f, g, h] in chunks {
        seen |= (kind(*a) | kind(*b)) | (kind(*c) | kind(*d)) | (kind(*e) | kind(*f)) | (kind(*g) | kind(*h));
    }
    rest.iter().fold(seen, |seen, byte| seen | kind(*byte))
}
