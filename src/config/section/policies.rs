//! `policies:`: hand-written Cedar beside the compiled.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    config::{
        document::Written,
        findings,
        resolve::{Resolver, good},
        source::{self, Sources},
    },
    diagnostic::{Place, Placed},
    name::Pattern,
};

/// The most files that the patterns may find.
const MOST: usize = 1_000;

/// One hand-written file, already read.
#[derive(Debug, Clone)]
pub struct PolicyFile {
    /// As the author would name it, `/` between parts.
    pub path: Arc<str>,
    /// Its text.
    pub text: Arc<str>,
    /// The pattern of `policies:` that found it.
    pub place: Place,
}

/// The files that the patterns find, read.
pub(crate) fn resolve(
    section: Option<Written<Vec<Written<String>>>>,
    sources: &mut Sources,
    cx: &mut Resolver<'_>,
) -> Vec<PolicyFile> {
    let mut files = BTreeMap::new();
    for pattern in good(section.and_then(|section| section.value).unwrap_or_default()) {
        for name in names(&pattern, cx) {
            if files.len() >= MOST {
                let finding =
                    findings::YAML_SYNTAX.at(&pattern.place, format!("`policies` finds more than {MOST} files"));
                cx.find(finding.help("name fewer files"));
                return files.into_values().collect();
            }
            if files.contains_key(&name) {
                continue;
            }
            if let Some(file) = read(&name, &pattern, sources, cx) {
                files.insert(name, file);
            }
        }
    }
    files.into_values().collect()
}

/// The names of the files that a pattern finds, relative to the configuration, sorted.
fn names(pattern: &Placed<String>, cx: &mut Resolver<'_>) -> Vec<String> {
    let written = pattern.value.as_str();
    let (folder, last) = written.rsplit_once('/').map_or(("", written), |(folder, last)| (folder, last));
    if folder.contains('*') || last.is_empty() || written.contains(['\\', '\0']) {
        let finding = findings::WRONG_TYPE
            .at(&pattern.place, format!("`{}` is no pattern of files", cx.shown("policies", pattern)));
        cx.find(finding.help("write a path such as `policies/*.cedar`: `/` between parts, `*` only in the last one"));
        return Vec::new();
    }
    if !last.contains('*') {
        return vec![written.to_owned()];
    }
    let Some(glob) = cx.named(&pattern.place, last.parse::<Pattern>()) else { return Vec::new() };
    let prefix = if written.contains('/') { format!("{folder}/") } else { String::new() };
    let mut found: Vec<String> = source::names(&cx.path(if prefix.is_empty() { "." } else { &prefix }))
        .into_iter()
        .filter(|name| glob.value.matches(name) && (!name.starts_with('.') || last.starts_with('.')))
        .map(|name| format!("{prefix}{name}"))
        .collect();
    found.sort();
    if found.is_empty() {
        let finding = findings::EMPTY_SELECTOR.at(&pattern.place, format!("`{written}` finds no file"));
        cx.find(
            finding.help(format!("it is looked for from `{}`; mend the pattern, or remove it", shown_base(cx.base()))),
        );
    }
    found
}

fn read(name: &str, pattern: &Placed<String>, sources: &mut Sources, cx: &mut Resolver<'_>) -> Option<PolicyFile> {
    let path: Arc<str> = name.into();
    let full: PathBuf = cx.path(name);
    let bytes = match source::bytes(&full) {
        Ok(bytes) => bytes,
        Err(error) => {
            let message = format!("cannot read `{}`: {}", full.display(), source::reason(&error));
            cx.find(
                findings::YAML_SYNTAX.at(&pattern.place, message).help("mend the path, or remove it from `policies`"),
            );
            return None;
        }
    };
    match source::text(&path, bytes) {
        Ok(text) => {
            sources.keep(path.clone(), text.clone());
            Some(PolicyFile { path, text, place: pattern.place.clone() })
        }
        Err(refused) => {
            let (text, finding) = *refused;
            sources.keep(path, text);
            cx.find(finding);
            None
        }
    }
}

fn shown_base(base: &Path) -> String {
    if base.as_os_str().is_empty() { ".".into() } else { base.display().to_string() }
}
