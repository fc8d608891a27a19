//! What others said, made harmless where it is told on.
//!
//! One way for each place: JSON texts are quoted where they are written, and a record of the audit trail
//! escapes more than JSON asks for (`record/text`); the log and the terminal show as escapes what is not
//! to act (`telemetry`, `cli/report/escape`); a header is made of names of ours alone, and what is no
//! header value is not sent. Here: the words of somebody else within a message of ours, which must stay
//! words wherever a reader puts them: a terminal, a log, a page.
//!
//! SPEC: SM-32, SM-33, T-183, T-215.

use std::borrow::Cow;

/// Characters of others' words in one message.
const MOST: usize = 300;

/// Whether a character could break a line, move the cursor, turn the direction or hide.
#[must_use]
pub fn deceives(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Whether a character hides, turns or overwrites what stands around it in a text for people. Line breaks
/// and what scripts and pictures are joined with do not.
#[must_use]
pub fn hides(c: char) -> bool {
    (c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
        || matches!(c,
            '\u{180e}' | '\u{200b}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// A whole text, what hides shown as an escape.
#[must_use]
pub fn shown(text: &str) -> Cow<'_, str> {
    if !text.chars().any(hides) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if hides(c) { shown.extend(c.escape_unicode()) } else { shown.push(c) }
    }
    Cow::Owned(shown)
}

/// Words of somebody else, cut to what a message can hold, what deceives shown as an escape.
#[must_use]
pub fn told(text: &str) -> String {
    let mut told = String::with_capacity(text.len().min(MOST));
    for c in text.chars().take(MOST) {
        if deceives(c) { told.extend(c.escape_unicode()) } else { told.push(c) }
    }
    if text.chars().nth(MOST).is_some() {
        told.push('…');
    }
    told
}

/// The same, in quotes: where they begin and end is seen.
#[must_use]
pub fn quoted(text: &str) -> String {
    format!("\"{}\"", told(text).replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sm33_nothing_of_what_is_told_acts() {
        for (text, shown) in [
            ("plain, 猫 and žluť", "plain, 猫 and žluť"),
            ("\u{1b}[31mred\u{7}", "\\u{1b}[31mred\\u{7}"),
            ("a\r\nSet-Cookie: x", "a\\u{d}\\u{a}Set-Cookie: x"),
            ("\u{202e}gpj.exe\u{2066}", "\\u{202e}gpj.exe\\u{2066}"),
            ("a\u{200b}b\u{e0041}", "a\\u{200b}b\\u{e0041}"),
            ("\0\u{85}\u{9b}", "\\u{0}\\u{85}\\u{9b}"),
        ] {
            assert_eq!(told(text), shown);
            assert!(!told(text).chars().any(deceives));
        }
        assert_eq!(quoted("say \"hi\\\""), "\"say \\\"hi\\\\\\\"\"");
        let long = told(&"é".repeat(1_000_000));
        assert_eq!(long.chars().count(), MOST + 1);
    }
}
