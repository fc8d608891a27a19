//! Which configuration is meant: a file alone, or with the file of one environment laid over it.
//!
//! The environment `production` of `portcullis.yaml` is `portcullis.production.yaml` beside it. How
//! the two become one is `document/lay.rs`.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    path::{Path, PathBuf},
    sync::Arc,
};

use sha2::{Digest, Sha256};

use super::{Loaded, Override, findings, source};
use crate::{
    diagnostic::{Diagnostic, Place},
    name::EnvironmentName,
};

/// Which configuration is meant, and how it is read.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The file.
    pub path: PathBuf,
    /// What stands in it, where that is not to be read from it.
    pub bytes: Option<Arc<[u8]>>,
    /// What is laid over it.
    pub environments: Environments,
    /// What flags and variables say instead.
    pub overrides: Vec<Override>,
    /// Whether a variable without a value is only warned of: for checks where no values are. What is
    /// read so is never served.
    pub allow_missing: bool,
}

/// What is laid over a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Environments {
    /// Nothing.
    None,
    /// One environment.
    One(EnvironmentName),
    /// Nothing, and then each environment that there is.
    All,
}

impl Wanted {
    /// The file alone.
    #[must_use]
    pub fn of(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            bytes: None,
            environments: Environments::None,
            overrides: Vec::new(),
            allow_missing: false,
        }
    }

    /// The file with one environment laid over it.
    #[must_use]
    pub fn with(path: &Path, environment: EnvironmentName) -> Self {
        Self { environments: Environments::One(environment), ..Self::of(path) }
    }
}

/// The file of an environment: `portcullis.NAME.yaml` for `portcullis.yaml`.
#[must_use]
pub fn file_of(path: &Path, environment: &EnvironmentName) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let extension = path.extension().map(|extension| format!(".{}", extension.to_string_lossy()));
    path.with_file_name(format!("{stem}.{environment}{}", extension.unwrap_or_default()))
}

/// The environments that have a file beside `path`, sorted.
#[must_use]
pub fn environments(path: &Path) -> BTreeSet<EnvironmentName> {
    let stem = path.file_stem().map(|stem| format!("{}.", stem.to_string_lossy())).unwrap_or_default();
    let extension = path.extension().and_then(OsStr::to_str).map(|extension| format!(".{extension}"));
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    source::names(folder)
        .iter()
        .filter_map(|name| name.strip_prefix(&stem)?.strip_suffix(extension.as_deref().unwrap_or_default()))
        // `portcullis.test.yaml` holds the tests.
        .filter(|name| *name != "test")
        .filter_map(|name| name.parse().ok())
        .collect()
}

/// The file of an environment, read.
pub(super) struct Overlay {
    pub(super) name: EnvironmentName,
    pub(super) path: PathBuf,
    pub(super) bytes: Vec<u8>,
}

impl Overlay {
    /// Reads the file, or says that there is none and which there are.
    pub(super) fn read(path: &Path, name: &EnvironmentName) -> Result<Self, Box<Diagnostic>> {
        let file = file_of(path, name);
        match source::bytes(&file) {
            Ok(bytes) => Ok(Self { name: name.clone(), path: file, bytes }),
            Err(error) => {
                let place = Place::of_file(&file);
                let message =
                    format!("cannot read `{}`, the environment `{name}`: {}", file.display(), source::reason(&error));
                let known: Vec<String> = environments(path).iter().map(|name| format!("`{name}`")).collect();
                let help = if known.is_empty() {
                    format!("`{}` has no environments: write what differs into `{}`", path.display(), file.display())
                } else {
                    format!("`{}` has {}", path.display(), known.join(", "))
                };
                Err(Box::new(findings::YAML_SYNTAX.at(&place, message).help(help)))
            }
        }
    }
}

/// The digest of a configuration: of its file, and of what is laid over it.
pub(super) fn digest(bytes: &[u8], overlay: Option<&Overlay>) -> String {
    let mut digest = Sha256::new();
    match overlay {
        None => digest.update(bytes),
        Some(Overlay { name, path: _, bytes: over }) => {
            for part in [b"portcullis.environment.v1".as_slice(), name.as_str().as_bytes(), bytes, over] {
                digest.update((part.len() as u64).to_be_bytes());
                digest.update(part);
            }
        }
    }
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads a file alone and with each of its environments. The others stand beside the first.
pub(super) fn all(wanted: &Wanted, env: &dyn Fn(&str) -> Option<String>) -> Loaded {
    let one = |environments| super::load_wanted(&Wanted { environments, ..wanted.clone() }, env);
    let mut loaded = one(Environments::None);
    if !loaded.readable {
        return loaded;
    }
    for name in environments(&wanted.path) {
        let other = one(Environments::One(name));
        loaded.readable &= other.readable;
        loaded.sources.take(&other.sources);
        let known: BTreeSet<Place> = loaded.comments.iter().map(|comment| comment.place.clone()).collect();
        loaded.comments.extend(other.comments.iter().filter(|comment| !known.contains(&comment.place)).cloned());
        loaded.others.push(other);
    }
    loaded
}
