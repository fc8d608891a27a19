//! Which written values look like secrets, and how such a value may be shown.
//!
//! Two things make a value a secret: a prefix by which its issuer marks it, or a key that is
//! named for a secret together with text too random to be a word.
//!
//! INVARIANT: nothing here returns more than four characters of a secret.

use std::ops::Range;

use crate::diagnostic::Diagnostic;

/// Prefixes by which issuers mark their secrets.
const PREFIXES: &[&str] = &[
    "AIza",
    "AKIA",
    "ASIA",
    "dop_v1_",
    "eyJ",
    "ghp_",
    "gho_",
    "ghr_",
    "ghs_",
    "ghu_",
    "github_pat_",
    "glpat-",
    "hf_",
    "npm_",
    "pypi-",
    "sk-",
    "sk_live_",
    "sk_test_",
    "rk_live_",
    "xoxa-",
    "xoxb-",
    "xoxp-",
    "xoxs-",
];

/// Whether `value`, written under `key`, is a secret.
pub(crate) fn is_secret(key: &str, value: &str) -> bool {
    is_marked(value)
        || value.starts_with("-----BEGIN ")
        || (names_a_secret(key) && value.chars().count() >= 16 && entropy(value) >= 3.5)
}

/// What an argument of a command is called and what it says: `--token=VALUE`, or `--token VALUE`.
pub(crate) fn argument<'a>(before: Option<&'a str>, text: &'a str) -> (&'a str, &'a str) {
    match text.split_once('=') {
        Some((key, value)) if text.starts_with('-') => (key, value),
        _ => (before.filter(|flag| flag.starts_with('-') && !flag.contains('=')).unwrap_or_default(), text),
    }
}

/// Whether a key is named for something that should not be seen.
pub(crate) fn names_a_secret(key: &str) -> bool {
    const WORDS: &[&str] =
        &["token", "secret", "key", "password", "passwd", "passphrase", "authorization", "credential"];
    /// Endings by which a key is about a secret and holds none.
    const ABOUT: &[&str] = &["dir", "file", "name", "path", "url"];
    let key = key.to_lowercase();
    WORDS.iter().any(|word| key.contains(word)) && !ABOUT.iter().any(|ending| key.ends_with(ending))
}

/// `value` cut to what a message can hold, and to four characters if it may be a secret.
pub(crate) fn shown(key: &str, value: &str) -> String {
    if names_a_secret(key) || is_secret(key, value) {
        return masked(value);
    }
    let cut: String = value.chars().take(60).flat_map(char::escape_debug).collect();
    if value.chars().nth(60).is_some() { format!("{cut}…") } else { cut }
}

/// The first four characters of a secret, and of a short one none.
pub(crate) fn masked(value: &str) -> String {
    let shown = if value.chars().count() >= 16 { 4 } else { 0 };
    let head: String = value.chars().take(shown).flat_map(char::escape_debug).collect();
    format!("{head}…")
}

/// Whether issuers mark some part of the text as a secret.
pub(crate) fn is_marked(text: &str) -> bool {
    !marked(text).is_empty()
}

/// The parts of a text that issuers mark as secrets: a known prefix at the beginning of a word,
/// and what follows it.
pub(crate) fn marked(text: &str) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut before = ' ';
    for (at, character) in text.char_indices() {
        let begins = !before.is_ascii_alphanumeric() && before != '_';
        before = character;
        if !begins || found.last().is_some_and(|last| last.contains(&at)) {
            continue;
        }
        let rest = text.get(at..).unwrap_or_default();
        if PREFIXES.iter().any(|prefix| rest.starts_with(prefix)) {
            let inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '+' | '/' | '=' | '~');
            let word = rest.split(|c| !inside(c)).next().unwrap_or_default();
            if word.len() >= 16 && word.bytes().any(|b| b.is_ascii_digit()) {
                found.push(at..at + word.len());
            }
        }
    }
    found
}

/// The user and the password of every URL in a text, `user:password` or one of the two.
pub(crate) fn userinfos(text: &str) -> impl Iterator<Item = Range<usize>> {
    const ENDS: &[char] = &['/', '?', '#', '"', '\'', '<', '>', '{', '}', ',', ';', '|', '`'];
    text.match_indices("://").filter_map(move |(at, mark)| {
        let start = at + mark.len();
        let rest = text.get(start..)?;
        let end = rest.find(|c: char| ENDS.contains(&c) || c.is_whitespace()).unwrap_or(rest.len());
        let userinfo = rest.get(..end)?.rfind('@').filter(|end| *end > 0)?;
        Some(start..start + userinfo)
    })
}

/// The findings with every marked secret masked, wherever it came from.
pub(crate) fn scrub(findings: &mut [Diagnostic]) {
    for Diagnostic { code: _, name: _, class: _, confidence: _, message, help, labels, fixes: _ } in findings {
        let labels = labels.iter_mut().map(|label| &mut label.text);
        for text in std::iter::once(message).chain(help.as_mut()).chain(labels) {
            for span in marked(text).into_iter().rev() {
                let mask = masked(text.get(span.clone()).unwrap_or_default());
                text.replace_range(span, &mask);
            }
        }
    }
}

/// Shannon entropy in bits per character.
fn entropy(text: &str) -> f64 {
    let mut counts = std::collections::BTreeMap::<char, u32>::new();
    for character in text.chars() {
        *counts.entry(character).or_default() += 1;
    }
    let total: f64 = counts.values().copied().map(f64::from).sum();
    counts.values().map(|count| f64::from(*count) / total).map(|share| -share * share.log2()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pc401_known_prefixes_and_random_values_are_secrets() {
        for (key, value) in [
            ("X-Anything", "ghp_0123456789abcdefABCDEF0123456789abcd"),
            ("Authorization", "Bearer eyJhbGciOiJIUzI1NiJ9.e30.abcdefgh"),
            ("API_TOKEN", "k3J9xQ2mZ8vB7nL4"),
            ("cert", "-----BEGIN PRIVATE KEY-----"),
        ] {
            assert!(is_secret(key, value), "{key}");
        }
        for (key, value) in [
            ("LANG", "C"),
            ("TOKEN", "aaaaaaaaaaaaaaaaaaaa"),
            ("TOKEN_FILE", "/run/secrets/of-the-server"),
            ("password", "short"),
            ("X", "sk-1"),
        ] {
            assert!(!is_secret(key, value), "{key}");
        }
    }

    #[test]
    fn t105_a_url_tells_its_user_and_password() {
        let found =
            |text: &str| -> Vec<String> { userinfos(text).map(|range| text.get(range).unwrap().to_owned()).collect() };
        assert_eq!(found("postgres://ada:p:w@db/x and \"https://tok@h\""), ["ada:p:w", "tok"]);
        for none in ["https://docs.example.com/a@b", "://@x", "https://${USER}:${PASS}@x", "a@b", "https://x y@z"] {
            assert!(found(none).is_empty(), "{none}");
        }
    }

    #[test]
    fn pc401_at_most_four_characters_are_shown() {
        assert_eq!(shown("token", "k3J9xQ2mZ8vB7nL4"), "k3J9…");
        assert_eq!(shown("token", "hunter2"), "…");
        assert_eq!(shown("url", "plain"), "plain");
    }
}
