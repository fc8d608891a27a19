//! A name that a client gave itself, as people may be shown it.
//!
//! SPEC: oauth §5.3; OA-95, OA-97.

use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory as _};

/// The longest name that is shown, in characters.
const LONGEST: usize = 64;

/// What is seen of a name: no control, direction or invisible characters, one space for many, at most 64
/// characters; nothing where nothing is left. Escaping it is the page's.
#[must_use]
pub fn shown_name(written: &str) -> Option<String> {
    let mut shown = String::new();
    let (mut length, mut space) = (0, false);
    for c in written.chars().take(4096) {
        if c.is_whitespace() {
            space = length > 0;
            continue;
        }
        if c.general_category_group() == GeneralCategoryGroup::Other || is_blank(c) {
            continue;
        }
        if space {
            shown.push(' ');
            length += 1;
            space = false;
        }
        if length >= LONGEST {
            break;
        }
        shown.push(c);
        length += 1;
    }
    let shown = shown.trim_end().to_owned();
    (!shown.is_empty()).then_some(shown)
}

/// Letters and marks that are seen as nothing: fillers, variation selectors, the grapheme joiner.
const fn is_blank(c: char) -> bool {
    matches!(
        c,
        '\u{34f}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{2800}'
            | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffc}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oa97_what_is_not_seen_is_not_in_a_shown_name() {
        for (written, shown) in [
            ("Desk", Some("Desk")),
            ("  My \t\r\n App  ", Some("My App")),
            ("De\u{202e}ks", Some("Deks")),
            ("\u{2066}De\u{200b}s\u{200d}k\u{feff}\u{2069}", Some("Desk")),
            ("De\0\u{7}sk\u{1b}[31m", Some("Desk[31m")),
            ("\u{3164}\u{115f}\u{200b}", None),
            ("", None),
            ("Büro 漢字 🙂", Some("Büro 漢字 🙂")),
            ("<img src=x onerror=alert(1)>", Some("<img src=x onerror=alert(1)>")),
        ] {
            assert_eq!(shown_name(written).as_deref(), shown, "{written:?}");
        }
        assert_eq!(shown_name(&"x".repeat(1 << 20)).unwrap().chars().count(), 64);
        assert!(shown_name(&format!("{} y", "x".repeat(64))).unwrap().chars().count() <= 65);
    }
}
