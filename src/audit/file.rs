//! The file behind the trail: opened, written, given up and opened again.
//!
//! A write that fails part way is taken back, so that the file ends on a whole line. A file that
//! was removed or moved away (log rotation) is made anew at its path; `seq` goes on.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{TrailError, tail::Tail};

/// Bytes at the end of a file that are read when it is opened.
const TAIL: u64 = 1 << 20;
/// Bytes that must be left on the disk for the trail to call itself ready.
const RESERVE: u64 = 16 << 20;
/// A buffer that grew beyond this is not kept.
const BUFFER: usize = 1 << 20;

#[derive(Debug)]
pub(super) struct Target {
    path: PathBuf,
    open: Option<Open>,
    /// The number of the next line.
    seq: u64,
    /// Written and not yet brought to the disk.
    unsynced: bool,
    lines: Vec<u8>,
}

#[derive(Debug)]
struct Open {
    file: Arc<File>,
    /// Length up to the last whole line; nothing for what is no regular file.
    length: Option<u64>,
}

impl Target {
    pub(super) fn open(path: &Path) -> Result<(Self, Tail), TrailError> {
        let mut target = Self { path: path.to_owned(), open: None, seq: 1, unsynced: false, lines: Vec::new() };
        let tail = target.reopen()?;
        target.seq = tail.last_seq + 1;
        Ok((target, tail))
    }

    /// Writes the records, all or none.
    pub(super) fn write(&mut self, bodies: &[u8], ends: &[usize]) -> Result<(), TrailError> {
        if self.open.as_ref().is_some_and(Open::is_removed) {
            self.open = None;
        }
        if self.open.is_none() {
            self.reopen()?;
        }
        let Some(open) = &mut self.open else { return Err(TrailError::Closed) };
        self.lines.clear();
        let mut start = 0;
        let mut seq = self.seq;
        for end in ends {
            write!(self.lines, "{{\"v\":1,\"seq\":{seq},").map_err(|error| failed(&self.path, error))?;
            self.lines.extend_from_slice(bodies.get(start..*end).unwrap_or_default());
            self.lines.push(b'\n');
            (start, seq) = (*end, seq + 1);
        }
        let written = (&*open.file).write_all(&self.lines);
        if let Err(error) = written {
            if open.take_back().is_err() {
                // Opening it again closes off the line, or finds something better at the path.
                self.open = None;
            }
            return Err(failed(&self.path, error));
        }
        if let Some(length) = &mut open.length {
            *length += self.lines.len() as u64;
        }
        self.seq = seq;
        self.unsynced = true;
        if self.lines.capacity() > BUFFER {
            self.lines = Vec::new();
        }
        Ok(())
    }

    /// The file, if it holds what the disk may not have yet. A file that is no longer the one at
    /// its path is let go after that.
    pub(super) fn unsynced(&mut self) -> Option<Arc<File>> {
        let open = self.open.as_ref()?;
        let file = self.unsynced.then(|| open.file.clone());
        if !open.is_at(&self.path) {
            self.open = None;
        }
        self.unsynced = false;
        file
    }

    /// Lets go of a file that the disk does not take.
    pub(super) fn forget(&mut self, error: io::Error) -> TrailError {
        self.open = None;
        failed(&self.path, error)
    }

    pub(super) fn ready(&mut self) -> Result<(), TrailError> {
        if self.open.is_none() {
            self.reopen()?;
        }
        let Some(open) = &self.open else { return Err(TrailError::Closed) };
        let disk = rustix::fs::fstatvfs(&*open.file).map_err(|error| failed(&self.path, error.into()))?;
        if open.length.is_some() && disk.f_bavail.saturating_mul(disk.f_frsize) < RESERVE {
            return Err(TrailError::Space { path: self.path.clone(), left: RESERVE });
        }
        Ok(())
    }

    fn reopen(&mut self) -> Result<Tail, TrailError> {
        let fail = |error| failed(&self.path, error);
        if let Some(directory) = self.path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(|error| {
                let words = format!("its directory cannot be made: {error}");
                fail(if directory.exists() {
                    io::ErrorKind::NotADirectory.into()
                } else {
                    io::Error::new(error.kind(), words)
                })
            })?;
        }
        let mut options = fs::OpenOptions::new();
        let mut file = match options.read(true).append(true).create(true).mode(0o600).open(&self.path) {
            Ok(file) => file,
            // A pipe or terminal may be open for writing only.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                options.read(false).open(&self.path).map_err(fail)?
            }
            Err(error) => return Err(fail(error)),
        };
        let about = file.metadata().map_err(fail)?;
        if !about.is_file() {
            self.open = Some(Open { file: Arc::new(file), length: None });
            return Ok(Tail::default());
        }
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(TrailError::Taken { path: self.path.clone() }),
            Err(TryLockError::Error(error)) => return Err(fail(error)),
        }
        if about.permissions().mode() & 0o077 != 0 {
            file.set_permissions(fs::Permissions::from_mode(0o600)).map_err(fail)?;
        }
        let start = about.len().saturating_sub(TAIL);
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(start)).map_err(fail)?;
        file.read_to_end(&mut bytes).map_err(fail)?;
        let tail = Tail::read(&bytes, start > 0);
        if tail.torn {
            file.write_all(b"\n").map_err(fail)?;
        }
        let length = file.metadata().map_err(fail)?.len();
        self.open = Some(Open { file: Arc::new(file), length: Some(length) });
        Ok(tail)
    }
}

impl Open {
    fn is_removed(&self) -> bool {
        self.length.is_some() && self.file.metadata().is_ok_and(|about| about.nlink() == 0)
    }

    fn is_at(&self, path: &Path) -> bool {
        if self.length.is_none() {
            return true;
        }
        let (Ok(ours), Ok(there)) = (self.file.metadata(), fs::metadata(path)) else { return false };
        (ours.dev(), ours.ino()) == (there.dev(), there.ino())
    }

    fn take_back(&self) -> io::Result<()> {
        let length = self.length.ok_or(io::ErrorKind::Unsupported)?;
        self.file.set_len(length)
    }
}

fn failed(path: &Path, error: io::Error) -> TrailError {
    TrailError::File { path: path.to_owned(), source: Arc::new(error) }
}
