//! What separates one word of SQL from another, and what cuts off the rest.

use super::super::cursor::Cursor;

/// White space and comments with an end.
pub(super) fn space(at: &mut Cursor<'_>) {
    loop {
        at.blank();
        if !at.rest().starts_with(b"/*") || at.rest().starts_with(b"/*!") {
            // `/*!50000 … */` is run by MySQL.
            if at.rest().starts_with(b"/*!") {
                at.skip(3);
                at.take(|byte| byte.is_ascii_digit());
                continue;
            }
            return;
        }
        if memchr::memmem::find(at.rest(), b"*/").is_none() {
            return;
        }
        at.behind(b"*/");
    }
}

/// Whether a comment cuts off whatever would follow.
pub(super) fn cut_off(at: Cursor<'_>) -> bool {
    match at.rest() {
        [b'-', b'-'] | [b'#'] | [b';', 0, ..] => true,
        [b'-', b'-', next, ..] => next.is_ascii_whitespace() || matches!(next, b'+' | b'-' | b'/' | b'\'' | b'"'),
        [b'#', next, ..] => next.is_ascii_whitespace(),
        [b'/', b'*', rest @ ..] => memchr::memmem::find(rest, b"*/").is_none(),
        _ => false,
    }
}

pub(super) fn ends_with_comment(at: Cursor<'_>) -> bool {
    let rest = at.rest().trim_ascii_end();
    rest.ends_with(b"--") || rest.ends_with(b"#") || rest.ends_with(b"-- -") || rest.ends_with(b"/*")
}

pub(super) const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'@' || byte >= 0x80
}

pub(super) const fn is_quote(byte: u8) -> bool {
    matches!(byte, b'\'' | b'"')
}
