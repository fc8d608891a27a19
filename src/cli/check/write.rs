//! A file replaced as a whole: who reads it sees the old text or the new one.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    path::Path,
};

/// Puts `bytes` in the place of what the file holds, its permissions kept. Links are followed.
pub(in crate::cli) fn whole(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let file = fs::canonicalize(file).or_else(|_| std::path::absolute(file))?;
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let beside = file.with_file_name(format!(".{name}.{}.new", std::process::id()));
    let written = (|| {
        let mut new = OpenOptions::new().write(true).create_new(true).open(&beside)?;
        if let Ok(old) = fs::metadata(&file) {
            new.set_permissions(old.permissions())?;
        }
        new.write_all(bytes)?;
        new.sync_all()?;
        fs::rename(&beside, &file)
    })();
    if written.is_err() {
        // What cannot be taken away again is in nobody's way.
        _ = fs::remove_file(&beside);
    }
    written
}
