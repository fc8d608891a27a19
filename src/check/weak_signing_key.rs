//! PC402 `weak-signing-key`: a key that can be guessed.
//!
//! Reads what is written under `encryption`, `oauth` and `audit` as `key`, `keys`, `signing_key` or
//! `secret`. Keys that the environment or a file holds are judged where they are read, at start; one
//! that is absent is made by Portcullis at random (CWE-326).
//!
//! INVARIANT: nothing of the key is printed.

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};

use super::{Check, Page, Subject, page::and, written};
use crate::{
    config::secrecy,
    diagnostic::{About, Class, Diagnostic, Level},
    guessable::guessable,
};

pub(super) struct WeakSigningKey;

const ABOUT: About = About {
    code: "PC402",
    name: "weak-signing-key",
    class: Class::Security(Level::Critical),
    summary: "a key that is short, repeats itself or can be guessed",
    help: "write `{env: NAME}`, and put the output of `openssl rand -base64 32` after `base64:` into that variable",
};

const PAGE: Page = Page {
    tags: &["CWE-326"],
    ..Page::new(
        "whoever guesses the key makes tokens of their own, and reads what it encrypts",
        and!(
            r#"encryption: {key: changeme-changeme-changeme}
"#
        ),
        and!(
            r#"encryption: {key: {env: PORTCULLIS_ENCRYPTION_KEY}}
"#
        ),
    )
};

impl Check for WeakSigningKey {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn run(&self, subject: &Subject<'_>, findings: &mut Vec<Diagnostic>) {
        for section in ["audit", "encryption", "oauth"] {
            let Some(tree) = subject.tree.and_then(|tree| tree.get(section)) else { continue };
            written::walk(tree, &mut |path, value| {
                let is_key = path.last().is_some_and(|key| matches!(*key, "key" | "keys" | "secret" | "signing_key"));
                let Some(text) = value.text().filter(|_| is_key && !value.from_env) else { return };
                // The master key goes through scrypt, which a signing key does not.
                let least = if section == "encryption" { 16 } else { 32 };
                if let Some(weakness) = weakness(text, least) {
                    let path: Vec<String> = path.iter().map(|key| secrecy::shown("", key)).collect();
                    let message = format!("`{section}.{}` {weakness}", path.join("."));
                    findings.push(ABOUT.at(&value.place, message));
                }
            });
        }
    }
}

/// What is weak about a key of which a passphrase needs at least so many characters.
fn weakness(text: &str, least: usize) -> Option<String> {
    let raw = match text.strip_prefix("base64:") {
        Some(encoded) => STANDARD_NO_PAD.decode(encoded.trim_end_matches('=')).ok(),
        None => text.strip_prefix("hex:").and_then(unhex),
    };
    match raw {
        Some(bytes) if bytes.len() < 32 => Some("is shorter than 32 bytes".to_owned()),
        Some(bytes) => repeats(&bytes).then(|| "is one pattern over and over".to_owned()),
        None if text.chars().count() < least => Some(format!("is shorter than {least} characters")),
        None => guessable(text).then(|| "can be guessed".to_owned()),
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = text.chars().map(|c| c.to_digit(16)).collect();
    let pairs = digits?;
    pairs.chunks(2).map(|pair| u8::try_from(pair.iter().fold(0, |byte, digit| byte * 16 + digit)).ok()).collect()
}

fn repeats(bytes: &[u8]) -> bool {
    (1..=bytes.len() / 2).any(|period| bytes.iter().zip(bytes.iter().skip(period)).all(|(a, b)| a == b))
}
