//! Text of others as people may see it: short, on one line, with nothing in it that is not seen or that
//! turns what stands around it. Escaping is the template's.
//!
//! INVARIANT: a page shows text of others only as [`Shown`].
//! SPEC: oauth §5.3; OA-95, OA-97; T-067.

use std::fmt;

use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory as _};

/// The most characters of a text that are looked at.
const READ: usize = 4096;
/// The most marks on one letter; no script needs more.
const MARKS: usize = 3;

/// Text that may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown(String);

impl Shown {
    /// A name: at most 64 characters, and words in its place where nothing of it is seen.
    pub(crate) fn name(text: &str) -> Self {
        let shown = seen(text, 64);
        Self(if shown.is_empty() { "(without a name)".to_owned() } else { shown })
    }

    /// A sentence: at most 300 characters.
    pub(crate) fn line(text: &str) -> Self {
        Self(seen(text, 300))
    }

    /// A URI: at most its first 200 characters, whatever is not visible ASCII as its code.
    pub(crate) fn uri(text: &str) -> Self {
        let cut = if text.chars().nth(200).is_some() { "…" } else { "" };
        Self(text.chars().take(200).flat_map(coded).chain(cut.chars()).collect())
    }

    /// A host, or the scheme of an app: at most its last 260 characters, which say whose it is. No name of
    /// the DNS is longer.
    pub(crate) fn host(text: &str) -> Self {
        let mut last: Vec<char> = text.chars().rev().take(261).collect();
        let cut = if last.len() > 260 { "…" } else { "" };
        last.truncate(260);
        Self(cut.chars().chain(last.into_iter().rev().flat_map(coded)).collect())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A character, or its code where it is not visible ASCII.
fn coded(c: char) -> impl Iterator<Item = char> {
    let code = (!c.is_ascii_graphic()).then(|| c.escape_unicode());
    code.is_none().then_some(c).into_iter().chain(code.into_iter().flatten())
}

/// What is seen of a text, one space for many.
fn seen(text: &str, longest: usize) -> String {
    let mut shown = String::new();
    let (mut length, mut space, mut marks) = (0, false, 0);
    for c in text.chars().take(READ) {
        if c.is_whitespace() {
            space = length > 0;
            continue;
        }
        if c.general_category_group() == GeneralCategoryGroup::Other || is_blank(c) {
            continue;
        }
        marks = if is_mark(c) { marks + 1 } else { 0 };
        // A mark without a letter would sit on what stands before the text.
        if marks > MARKS || (marks > 0 && (length == 0 || space)) {
            continue;
        }
        if length + usize::from(space) >= longest {
            shown.push('…');
            break;
        }
        if std::mem::take(&mut space) {
            shown.push(' ');
            length += 1;
        }
        shown.push(c);
        length += 1;
    }
    shown
}

fn is_mark(c: char) -> bool {
    matches!(c.general_category(), GeneralCategory::NonspacingMark | GeneralCategory::EnclosingMark)
}

/// Letters and marks that are seen as nothing: fillers, blank patterns, variation selectors.
const fn is_blank(c: char) -> bool {
    matches!(
        c,
        '\u{34f}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{2800}'
            | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffc}' | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oa97_what_is_not_seen_or_turns_text_is_not_shown() {
        for (written, shown) in [
            ("Desk", "Desk"),
            ("  My \t\r\n App  ", "My App"),
            ("De\u{202e}ks", "Deks"),
            ("\u{2066}De\u{200b}s\u{200d}k\u{feff}\u{2069}", "Desk"),
            ("De\0\u{7}sk\u{1b}[31m", "Desk[31m"),
            ("\u{e000}\u{fff9}a", "a"),
            ("\u{3164}\u{115f}\u{200b}", "(without a name)"),
            ("", "(without a name)"),
            ("\u{301}\u{489}x", "x"),
            ("Büro 漢字 🙂 עברית", "Büro 漢字 🙂 עברית"),
            ("<img src=x onerror=alert(1)>", "<img src=x onerror=alert(1)>"),
        ] {
            assert_eq!(Shown::name(written).as_str(), shown, "{written:?}");
        }
    }

    #[test]
    fn oa97_what_is_shown_is_short() {
        let long = Shown::name(&"x".repeat(1 << 20));
        assert_eq!(long.as_str(), format!("{}…", "x".repeat(64)));
        assert_eq!(Shown::name(&"x".repeat(64)).as_str(), "x".repeat(64));
        assert_eq!(Shown::name(&format!("{} y", "x".repeat(63))).as_str(), format!("{}…", "x".repeat(63)));
        assert_eq!(Shown::line(&"é ".repeat(5000)).as_str().chars().count(), 300);
        assert_eq!(Shown::uri(&"a".repeat(5000)).as_str().chars().count(), 201);
    }

    #[test]
    fn oa98_of_a_long_host_the_end_is_shown() {
        let long = Shown::host(&format!("{}.evil.example", "good.example.".repeat(5000)));
        assert!(long.as_str().starts_with('…') && long.as_str().ends_with(".evil.example"), "{long}");
        assert_eq!(long.as_str().chars().count(), 261);
        let longest = format!("{}.example:65535", "a".repeat(245));
        assert_eq!(Shown::host(&longest).as_str(), longest);
    }

    #[test]
    fn oa97_marks_are_not_piled_up() {
        let piled = format!("Z{}o", "\u{301}".repeat(500));
        assert_eq!(Shown::name(&piled).as_str(), format!("Z{}o", "\u{301}".repeat(MARKS)));
    }

    #[test]
    fn oa97_a_host_of_look_alikes_is_shown_by_its_codes() {
        assert_eq!(Shown::host("\u{430}pple.com").as_str(), "\\u{430}pple.com");
        assert_eq!(Shown::uri("a.example/\u{202e}x y").as_str(), "a.example/\\u{202e}x\\u{20}y");
    }

    #[test]
    fn oa97_shown_text_is_shown_as_it_is() {
        for text in ["De\u{202e}ks  x", &"ab ".repeat(999)] {
            let once = Shown::line(text);
            assert_eq!(seen(once.as_str(), 301), once.as_str());
        }
    }
}
