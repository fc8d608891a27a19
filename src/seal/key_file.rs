//! The key file beside a store: made once with a new store, read at every start after.
//!
//! INVARIANT: it appears whole or not at all, and never replaces one that is there.

use std::{
    ffi::OsString,
    fs,
    io::{ErrorKind, Read as _, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::SealError;
use crate::secret::Secret;

/// More than any key file of ours.
const LONGEST: u64 = 4096;

/// Where the key file of the store at `path` is.
pub(super) fn beside(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".key");
    PathBuf::from(name)
}

/// The key in the file, if there is a file.
pub(super) fn read(path: &Path) -> Result<Option<Secret<String>>, SealError> {
    let failed = |source| SealError::File { path: path.to_owned(), source };
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    if file.metadata().map_err(failed)?.permissions().mode() & 0o077 != 0 {
        return Err(SealError::OpenFile { path: path.to_owned() });
    }
    let mut text = String::new();
    file.take(LONGEST).read_to_string(&mut text).map_err(failed)?;
    Ok(Some(Secret::new(text)))
}

/// Makes the file with `key` in it; where another start was quicker, its key counts.
pub(super) fn make(path: &Path, key: [u8; 32], name: [u8; 8]) -> Result<Secret<String>, SealError> {
    let failed = |source| SealError::File { path: path.to_owned(), source };
    let text = format!("base64:{}\n", STANDARD.encode(key));
    let mut draft = OsString::from(path);
    draft.push(format!(".{:016x}", u64::from_be_bytes(name)));
    let linked = write_whole(Path::new(&draft), &text).and_then(|()| fs::hard_link(&draft, path));
    let removed = fs::remove_file(&draft);
    match linked {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        other => other.and(removed).map_err(failed)?,
    }
    sync_directory(path).map_err(failed)?;
    read(path)?.ok_or_else(|| failed(ErrorKind::NotFound.into()))
}

fn write_whole(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// A name is on the disk when its directory is.
fn sync_directory(path: &Path) -> std::io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_key_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = beside(&directory.path().join("store.db"));
        assert!(read(&path).unwrap().is_none());
        let first = make(&path, [1; 32], [1; 8]).unwrap();
        let second = make(&path, [2; 32], [2; 8]).unwrap();
        assert_eq!(first.expose(), second.expose());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "no draft stays behind");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn t211_a_key_file_that_others_can_read_stops_the_start() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("k");
        make(&path, [1; 32], [1; 8]).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(read(&path), Err(SealError::OpenFile { .. })));
    }
}
