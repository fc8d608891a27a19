//! A place as programs want it: with its end, its path of keys, and a name relative to where we are.

use std::path::{Component, Path};

use serde::Serialize;

use super::Report;
use crate::{check::yaml_path, diagnostic::Place};

/// A place, and what is known of it besides.
#[derive(Debug, Serialize)]
pub(super) struct Spot<'a> {
    #[serde(flatten)]
    pub(super) place: &'a Place,
    /// The line of the character after the last.
    pub(super) end_line: u32,
    /// Its column, in characters.
    pub(super) end_column: u32,
    /// The keys that lead there; nothing in files that are no YAML of ours.
    pub(super) path: Option<String>,
}

impl Report<'_> {
    /// All that is known of a place.
    pub(super) fn spot<'p>(&self, place: &'p Place) -> Spot<'p> {
        let text = self.texts.get(&*place.file).and_then(|text| text.get(place.start..place.end)).unwrap_or_default();
        let wide = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let lines = wide(text.matches('\n').count());
        let last = wide(text.rsplit('\n').next().unwrap_or_default().chars().count());
        let path = self.tree_of(place).map(|tree| yaml_path(tree, place));
        let end_column = if lines == 0 { place.column.saturating_add(last) } else { last.saturating_add(1) };
        Spot { place, end_line: place.line.saturating_add(lines), end_column, path }
    }

    /// The name of a file as annotations want it: from where we are. Policy files go by their names
    /// beside the configuration, so its folder is put before them.
    pub(super) fn file(&self, file: &str) -> String {
        let path = Path::new(file);
        if path.is_absolute() || path.starts_with(&self.base) {
            relative(path)
        } else {
            relative(&self.base.join(path))
        }
    }
}

/// Relative, with forward slashes, and without `./`.
fn relative(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    let path = path.strip_prefix(&here).unwrap_or(path);
    let parts: Vec<_> = path
        .components()
        .filter_map(|part| match part {
            Component::CurDir => None,
            Component::RootDir => Some(String::new()),
            other => Some(other.as_os_str().to_string_lossy().into_owned()),
        })
        .collect();
    parts.join("/")
}

/// A path as a part of a URI.
pub(super) fn uri(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    uri
}
