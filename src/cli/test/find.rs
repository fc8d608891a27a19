//! Which test files there are, and what each may name.

use std::{
    fs,
    path::{Component, Path, PathBuf},
};

use anyhow::bail;

/// The ending of a test file.
const ENDING: &str = ".test.yaml";
/// The most folders that are looked through.
const MOST_FOLDERS: usize = 10_000;
/// Folders that hold what others wrote.
const OTHERS: [&str; 2] = ["node_modules", "target"];

/// A test file, and the folders within which it may name files.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) path: PathBuf,
    roots: Vec<PathBuf>,
}

/// The test files at some paths, sorted, each once. Without any path, those of the configuration's folder.
pub(super) fn files(paths: &[PathBuf], config: &Path) -> anyhow::Result<Vec<Found>> {
    let home = folder_of(config);
    let default = [home.clone()];
    let paths = if paths.is_empty() { &default } else { paths };
    let mut found: Vec<Found> = Vec::new();
    for path in paths {
        let (files, root) = if path.is_dir() {
            let mut files = Vec::new();
            let mut budget = MOST_FOLDERS;
            walk(path, &mut files, &mut budget);
            if budget == 0 {
                bail!("there are more than {MOST_FOLDERS} folders under `{}`: name one with fewer", path.display());
            }
            (files, path.clone())
        } else if path.is_file() {
            (vec![path.clone()], folder_of(path))
        } else {
            bail!("cannot read `{}`: there is no such file or folder", path.display());
        };
        for path in files {
            if !found.iter().any(|other| other.path == path) {
                let roots = vec![folder_of(&path), root.clone(), home.clone()];
                found.push(Found { path, roots });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

/// Every test file of a folder. Links are not followed: they may lead anywhere.
fn walk(folder: &Path, files: &mut Vec<PathBuf>, budget: &mut usize) {
    let Some(left) = budget.checked_sub(1) else { return };
    *budget = left;
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut entries: Vec<_> = entries.filter_map(Result::ok).collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (Ok(kind), Ok(name)) = (entry.file_type(), entry.file_name().into_string()) else { continue };
        // `.` alone before a path is noise.
        let path = if folder == Path::new(".") { PathBuf::from(&name) } else { folder.join(&name) };
        if kind.is_dir() && !name.starts_with('.') && !OTHERS.contains(&name.as_str()) {
            walk(&path, files, budget);
        } else if kind.is_file() && name.ends_with(ENDING) {
            files.push(path);
        }
    }
}

/// The folder of a file.
pub(super) fn folder_of(file: &Path) -> PathBuf {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        Some(_) | None => PathBuf::from("."),
    }
}

impl Found {
    /// The path of a file that the test names, tidied. An error, in words, where it leads outside.
    pub(super) fn named(&self, written: &str, external: bool) -> Result<PathBuf, String> {
        let path = tidy(&folder_of(&self.path).join(written));
        if external {
            return Ok(path);
        }
        if Path::new(written).is_absolute() {
            return Err("an absolute path".into());
        }
        // What is not there leads nowhere, and reading it says so.
        let Ok(real) = fs::canonicalize(&path) else { return Ok(path) };
        let within = |root: &PathBuf| fs::canonicalize(root).is_ok_and(|root| real.starts_with(root));
        if self.homes().any(within) { Ok(path) } else { Err("a path that leads out of the folder of the tests".into()) }
    }

    /// The folders that the test itself stands in.
    fn homes(&self) -> impl Iterator<Item = &PathBuf> {
        let own = fs::canonicalize(&self.path).ok();
        self.roots.iter().filter(move |root| {
            own.as_ref().zip(fs::canonicalize(root).ok()).is_some_and(|(own, root)| own.starts_with(root))
        })
    }
}

/// A path without `.` and, where that is safe to see, without `..`.
fn tidy(path: &Path) -> PathBuf {
    let mut tidied = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir
                if matches!(tidied.components().next_back(), Some(Component::Normal(_))) && !tidied.is_symlink() =>
            {
                tidied.pop();
            }
            part => tidied.push(part),
        }
    }
    tidied
}
