//! The files of a configuration: found, bounded, read, and kept for showing their lines.
//!
//! INVARIANT: what [`Sources::shown`] gives holds no value that looks like a secret.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read},
    path::Path,
    sync::Arc,
};

use super::{findings, secrecy};
use crate::diagnostic::{Diagnostic, Place};

/// The most that is read of one file.
const LARGEST: u64 = 16 << 20;

/// The texts that findings point into.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    texts: BTreeMap<Arc<str>, Arc<str>>,
    hidden: Vec<Place>,
}

impl Sources {
    /// Keeps a text under the name that places give its file.
    pub fn keep(&mut self, file: Arc<str>, text: Arc<str>) {
        self.texts.insert(file, text);
    }

    /// The files that are kept, sorted.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.texts.keys().map(|file| &**file)
    }

    /// The text of a file with every secret in it made of stars, of the same length in bytes.
    #[must_use]
    pub fn shown(&self, file: &str) -> Option<String> {
        let text = self.texts.get(file)?;
        let mut spans: Vec<(usize, usize)> =
            self.hidden.iter().filter(|place| &*place.file == file).map(|place| (place.start, place.end)).collect();
        spans.extend(secrecy::marked(text).into_iter().map(|span| (span.start, span.end)));
        spans.extend(secret_lines(text));
        spans.extend(secrecy::userinfos(text).map(|span| {
            let user = text.get(span.clone()).and_then(|userinfo| userinfo.find(':')).map_or(0, |colon| colon + 1);
            (span.start + user, span.end)
        }));
        let mut secret = vec![false; text.len()];
        for (start, end) in spans {
            // Of a short secret four characters would be too much.
            let open = if end - start >= 16 { 4 } else { 0 };
            if let Some(span) = secret.get_mut(start + open..end) {
                span.fill(true);
            }
        }
        let mut shown = String::with_capacity(text.len());
        for (at, character) in text.char_indices() {
            if !character.is_whitespace() && secret.get(at).copied().unwrap_or_default() {
                shown.extend(std::iter::repeat_n('*', character.len_utf8()));
            } else if character == '\r' && text.get(at + 1..).is_some_and(|rest| rest.starts_with('\n')) {
                // The end of a line on some systems, and nothing to be shown.
                shown.push(' ');
            } else {
                shown.push(character);
            }
        }
        Some(shown)
    }

    /// The text of a file as it is: to be read and mended, never to be shown.
    pub(crate) fn text(&self, file: &str) -> Option<Arc<str>> {
        self.texts.get(file).cloned()
    }

    /// Takes over what another configuration keeps.
    pub(super) fn take(&mut self, other: &Self) {
        self.texts.extend(other.texts.iter().map(|(file, text)| (file.clone(), text.clone())));
        self.hidden.extend(other.hidden.iter().cloned());
    }

    pub(super) fn hide(&mut self, places: Vec<Place>) {
        self.hidden.extend(places);
    }
}

/// What follows `KEY:` on lines whose key is named for a secret. For texts that are no YAML.
fn secret_lines(text: &str) -> impl Iterator<Item = (usize, usize)> {
    text.lines().filter_map(move |line| {
        let (key, value) = line.split_once(": ")?;
        let value = value.trim();
        let key = key.rsplit(['{', ',', ' ', '"', '\'']).find(|word| !word.is_empty()).unwrap_or_default();
        let reference = value.starts_with(['{', '[', '$', '|', '>', '#']) || value.contains("${");
        if value.is_empty() || reference || !secrecy::names_a_secret(key) {
            return None;
        }
        let start = value.as_ptr() as usize - text.as_ptr() as usize;
        Some((start, start + value.len()))
    })
}

/// Reads one file, no more of it than is bearable.
pub(super) fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("not a file"));
    }
    bounded(&mut File::open(path)?)
}

/// Reads a stream, no more of it than is bearable.
pub(super) fn bounded(stream: &mut dyn Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    stream.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(io::Error::other(format!("larger than {} MiB", LARGEST >> 20)));
    }
    Ok(bytes)
}

/// The names of the files in a folder; none where there is no such folder.
pub(super) fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries
        .filter_map(Result::ok)
        .filter(|entry| entry.path().is_file())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect()
}

/// Why a file cannot be read, without the system's numbers.
pub(super) fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".into(),
        io::ErrorKind::PermissionDenied => "permission denied".into(),
        _ => error.to_string(),
    }
}

/// The text of a file's bytes. What is wrong with them is found, and the text shown as far as it goes.
pub(super) fn text(file: &Arc<str>, bytes: Vec<u8>) -> Result<Arc<str>, Box<(Arc<str>, Diagnostic)>> {
    let utf16 = bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]);
    match String::from_utf8(bytes) {
        Ok(text) => match text.find('\0') {
            None => Ok(text.into()),
            Some(at) => {
                let finding = findings::YAML_SYNTAX
                    .at(&position(file, &text, at), "the file holds a NUL character")
                    .help("this is no text; name the configuration file, not something compiled from it");
                Err(Box::new((text.into(), finding)))
            }
        },
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
            let message = if utf16 { "the file is UTF-16, not UTF-8" } else { "the file is not UTF-8" };
            let finding = findings::YAML_SYNTAX.at(&position(file, &text, at), message).help("save the file as UTF-8");
            Err(Box::new((text.into(), finding)))
        }
    }
}

/// The place of the character at a byte offset.
pub(crate) fn position(file: &Arc<str>, text: &str, at: usize) -> Place {
    let before = text.get(..at).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    let length = text.get(at..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
    Place {
        file: file.clone(),
        line: u32::try_from(line).unwrap_or(u32::MAX),
        column: u32::try_from(column).unwrap_or(u32::MAX),
        start: at,
        end: at + length,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pc401_secrets_are_shown_as_stars_of_the_same_length() {
        let mut sources = Sources::default();
        let text = "a: ghp_0123456789abcdefABCDEF\nb: [\npassword: hunter2hunter\nkey: {env: KEY}\n";
        sources.keep("f".into(), text.into());
        let shown = sources.shown("f").unwrap();
        assert_eq!(shown.len(), text.len());
        assert_eq!(shown, "a: ghp_**********************\nb: [\npassword: *************\nkey: {env: KEY}\n");
    }

    #[test]
    fn t105_the_password_of_a_url_is_shown_as_stars() {
        let mut sources = Sources::default();
        sources.keep("f".into(), "url: 'https://ada:hunter2@docs.example/mcp?a=b@c'\n".into());
        assert_eq!(sources.shown("f").unwrap(), "url: 'https://ada:*******@docs.example/mcp?a=b@c'\n");
    }
}
