//! Characters that are not seen, and letters that look like those of another script.
//!
//! SPEC: UTS #39 (confusables, scripts), and the general category *Format* of Unicode.

use unicode_properties::{GeneralCategory, UnicodeGeneralCategory as _};
use unicode_script::{Script, UnicodeScript as _};
use unicode_security::MixedScript as _;

/// Whether a character is not seen by itself: it joins, hides or turns what is around it.
pub(crate) fn is_unseen(character: char) -> bool {
    !character.is_ascii() && character.general_category() == GeneralCategory::Format
}

/// What is wrong with the first character of a name that is not what it seems, in words.
pub(crate) fn first(name: &str) -> Option<String> {
    if name.is_ascii() {
        return None;
    }
    if let Some(unseen) = name.chars().find(|character| is_unseen(*character)) {
        return Some(said(unseen));
    }
    name.split(|c: char| !c.is_alphanumeric()).find_map(word)
}

/// A character in words.
pub(crate) fn said(character: char) -> String {
    let code = u32::from(character);
    if is_unseen(character) {
        return format!("U+{code:04X} is not seen, and may change what is seen around it");
    }
    let script = character.script().full_name();
    match like(character) {
        Some(like) => format!("`{character}` is U+{code:04X}, of the script {script}, and looks like `{like}`"),
        None => format!("`{character}` is U+{code:04X}, of the script {script}"),
    }
}

/// A word mixes scripts that no language mixes, or is one of another script that looks like ASCII.
fn word(word: &str) -> Option<String> {
    if word.is_ascii() {
        return None;
    }
    let strange = |c: &char| !matches!(c.script(), Script::Latin | Script::Common | Script::Inherited);
    let whole = || word.chars().all(|c| c.is_ascii() || like(c).is_some()) && word.chars().any(|c| strange(&c));
    if word.is_single_script() && !whole() {
        return None;
    }
    word.chars().find(|c| strange(c) && like(*c).is_some()).or_else(|| word.chars().find(strange)).map(said)
}

/// The ASCII character that a character looks like.
fn like(character: char) -> Option<char> {
    let mut buffer = [0; 4];
    let mut seen = unicode_security::skeleton(character.encode_utf8(&mut buffer));
    let first = seen.next()?;
    (first.is_ascii_alphanumeric() && first != character && seen.next().is_none()).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pc011_look_alikes_and_what_is_not_seen() {
        for (name, part) in [
            ("g\u{456}thub", "U+0456, of the script Cyrillic, and looks like `i`"),
            ("\u{3bf}kta", "U+03BF, of the script Greek, and looks like `o`"),
            ("\u{430}\u{440}\u{435}", "looks like `a`"),
            ("read\u{200b}", "U+200B is not seen"),
            ("a\u{202e}b", "U+202E is not seen"),
            ("a-\u{456}", "U+0456"),
        ] {
            assert!(first(name).is_some_and(|said| said.contains(part)), "{name:?}: {:?}", first(name));
        }
        for name in [
            "github",
            "caf\u{e9}",
            "\u{438}\u{43d}\u{436}\u{435}\u{43d}\u{435}\u{440}\u{44b}",
            "\u{6771}\u{4eac}\u{306e}",
            "stra\u{df}e",
            "a/\u{438}\u{43c}\u{44f}",
        ] {
            assert_eq!(first(name), None, "{name}");
        }
    }
}
