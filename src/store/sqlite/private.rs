//! The files are ours alone: directory 0700, files 0600, made so and looked at anew at every start.
//!
//! What others may read is taken from them; what others may write stops the start, since they may
//! have put something of theirs there (T-211).

use std::{
    ffi::OsString,
    fs,
    io::ErrorKind,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use crate::store::StoreError;

const OTHERS: u32 = 0o077;
const OTHERS_WRITE: u32 = 0o022;
const STICKY: u32 = 0o1000;

/// Makes directory and file where there are none, and looks at those that are there.
pub(super) fn make(path: &Path) -> Result<(), StoreError> {
    let failed = |source| StoreError::File { path: path.to_owned(), source };
    let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed)?;
    let mode = fs::metadata(directory).map_err(failed)?.permissions().mode();
    // In a directory like /tmp nobody can replace what is another's.
    if mode & OTHERS_WRITE != 0 && mode & STICKY == 0 {
        return Err(StoreError::OpenToOthers { path: directory.to_owned(), mode: "700" });
    }
    match fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => tighten(path),
        Err(error) => Err(failed(error)),
    }
}

/// Looks at the files that SQLite keeps beside the store. It makes them with the store's own mode;
/// ones that were there before may have another.
pub(super) fn companions(path: &Path) -> Result<(), StoreError> {
    for ending in ["-wal", "-shm"] {
        let mut name = OsString::from(path);
        name.push(ending);
        let companion = PathBuf::from(name);
        if companion.try_exists().unwrap_or(true) {
            tighten(&companion)?;
        }
    }
    Ok(())
}

/// By path: a process that closes any descriptor of a file loses every lock that it holds on it, and
/// with SQLite's lock on `-shm` goes what keeps another process from emptying it under this one.
fn tighten(path: &Path) -> Result<(), StoreError> {
    let failed = |source| StoreError::File { path: path.to_owned(), source };
    let mode = fs::metadata(path).map_err(failed)?.permissions().mode();
    if mode & OTHERS_WRITE != 0 {
        return Err(StoreError::OpenToOthers { path: path.to_owned(), mode: "600" });
    }
    if mode & OTHERS != 0 {
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
    }
    Ok(())
}
