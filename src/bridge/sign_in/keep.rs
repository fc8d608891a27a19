//! The tokens as they are kept: one file a URL, which one bridge at a time may change.
//!
//! A file is written beside its place and moved there whole. Whoever renews or asks holds the lock beside it, so
//! that two bridges before the same URL share one sign-in, and neither uses up the other's refresh token.
//!
//! INVARIANT: directories are 0700 and files 0600; what others may use is not used.
//! INVARIANT: tokens kept for one URL are never sent to another.

use std::{
    collections::BTreeSet,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::error::KeepError;
use crate::secret::Secret;

/// More than any file of ours has.
const LONGEST: u64 = 256 << 10;
/// The form of the file.
const VERSION: u32 = 1;

/// Where the tokens for one URL are.
#[derive(Debug)]
pub(super) struct Keep {
    folder: Option<PathBuf>,
    name: String,
    url: String,
}

/// The tokens, and who gave them to whom.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) resource: String,
    pub(super) issuer: String,
    pub(super) token_endpoint: String,
    pub(super) revocation_endpoint: Option<String>,
    pub(super) client: Client,
    pub(super) access: Secret<String>,
    pub(super) refresh: Option<Secret<String>>,
    pub(super) scopes: BTreeSet<String>,
    /// From when on it is to be renewed, if that is known.
    pub(super) renew_at: Option<Timestamp>,
}

/// Who we are to an issuer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Client {
    pub(super) id: String,
    /// Whether it registered itself, and can do so again.
    pub(super) registered: bool,
}

/// As it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written<'t> {
    version: u32,
    url: String,
    resource: String,
    issuer: String,
    token_endpoint: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    revocation_endpoint: Option<String>,
    client: Client,
    access_token: std::borrow::Cow<'t, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<std::borrow::Cow<'t, str>>,
    scopes: BTreeSet<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    renew_at: Option<String>,
}

impl Keep {
    /// The place below the system's directory for data, if there is one.
    pub(super) fn of(data: Option<&Path>, url: &str) -> Self {
        let digest = Sha256::digest(url.as_bytes());
        let name = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        Self { folder: data.map(|data| data.join("connect")), name, url: url.to_owned() }
    }

    /// Waits until nobody else changes them.
    pub(super) async fn lock(&self) -> Result<Locked<'_>, KeepError> {
        let folder = self.folder.as_ref().ok_or(KeepError::Nowhere)?;
        make(folder)?;
        let path = folder.join(format!("{}.lock", self.name));
        let failed = |why| io_error(&path, why);
        let options = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).to_owned();
        let file = options.open(&path).map_err(failed)?;
        let locked = tokio::task::spawn_blocking(move || file.lock().map(|()| file)).await;
        let lock = locked.unwrap_or_else(|_| Err(io::ErrorKind::Interrupted.into())).map_err(failed)?;
        Ok(Locked { keep: self, path: folder.join(format!("{}.json", self.name)), _lock: lock })
    }

    /// What is kept, without waiting; somebody may be about to change it.
    pub(super) fn peek(&self) -> Result<Option<Kept>, KeepError> {
        match &self.folder {
            Some(folder) => self.read(&folder.join(format!("{}.json", self.name))),
            None => Ok(None),
        }
    }

    fn read(&self, path: &Path) -> Result<Option<Kept>, KeepError> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(why) => return Err(io_error(path, why)),
        };
        closed(path, &file, "600")?;
        let mut text = String::new();
        let read = file.take(LONGEST).read_to_string(&mut text);
        read.map_err(|why| io_error(path, why))?;
        let wrong = |wrong| KeepError::NotOurs { path: path.to_owned(), wrong };
        let written: Written<'_> = serde_json::from_str(&text).map_err(|_| wrong("does not hold what was kept"))?;
        let Written {
            version,
            url,
            resource,
            issuer,
            token_endpoint,
            revocation_endpoint,
            client,
            access_token,
            refresh_token,
            scopes,
            renew_at,
        } = written;
        if version != VERSION {
            return Err(wrong("was written by another version"));
        }
        if url != self.url {
            return Err(wrong("holds tokens for another URL"));
        }
        let renew_at = renew_at.map(|text| text.parse()).transpose().map_err(|_| wrong("holds no date"))?;
        Ok(Some(Kept {
            resource,
            issuer,
            token_endpoint,
            revocation_endpoint,
            client,
            access: Secret::new(access_token.into_owned()),
            refresh: refresh_token.map(|token| Secret::new(token.into_owned())),
            scopes,
            renew_at,
        }))
    }
}

/// What is kept, while nobody else may change it.
#[derive(Debug)]
pub(super) struct Locked<'k> {
    keep: &'k Keep,
    path: PathBuf,
    _lock: File,
}

impl Locked<'_> {
    pub(super) fn read(&self) -> Result<Option<Kept>, KeepError> {
        self.keep.read(&self.path)
    }

    pub(super) fn write(&self, kept: &Kept) -> Result<(), KeepError> {
        let Kept { resource, issuer, token_endpoint, revocation_endpoint, client, access, refresh, scopes, renew_at } =
            kept;
        let written = Written {
            version: VERSION,
            url: self.keep.url.clone(),
            resource: resource.clone(),
            issuer: issuer.clone(),
            token_endpoint: token_endpoint.clone(),
            revocation_endpoint: revocation_endpoint.clone(),
            client: client.clone(),
            access_token: access.expose().as_str().into(),
            refresh_token: refresh.as_ref().map(|token| token.expose().as_str().into()),
            scopes: scopes.clone(),
            renew_at: renew_at.map(|at| at.to_string()),
        };
        let beside = self.path.with_extension("new");
        let work = || {
            // Left by somebody who was stopped while writing.
            match fs::remove_file(&beside) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
            let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&beside)?;
            file.write_all(serde_json::to_string_pretty(&written)?.as_bytes())?;
            file.sync_all()?;
            fs::rename(&beside, &self.path)
        };
        work().map_err(|why| io_error(&self.path, why))
    }

    /// Forgets them; whether there were any.
    pub(super) fn remove(&self) -> Result<bool, KeepError> {
        match fs::remove_file(&self.path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(why) => Err(io_error(&self.path, why)),
        }
    }
}

/// The directory, made where it is missing.
fn make(folder: &Path) -> Result<(), KeepError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|why| io_error(folder, why))?;
    let file = File::open(folder).map_err(|why| io_error(folder, why))?;
    closed(folder, &file, "700")
}

fn closed(path: &Path, file: &File, mode: &'static str) -> Result<(), KeepError> {
    let found = file.metadata().map_err(|why| io_error(path, why))?;
    match found.permissions().mode() & 0o077 {
        0 => Ok(()),
        _ => Err(KeepError::Open { path: path.to_owned(), mode }),
    }
}

fn io_error(path: &Path, why: io::Error) -> KeepError {
    KeepError::Io { path: path.to_owned(), why: Arc::new(why) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(access: &str) -> Kept {
        Kept {
            resource: "https://gate.example/mcp".into(),
            issuer: "https://gate.example".into(),
            token_endpoint: "https://gate.example/oauth/token".into(),
            revocation_endpoint: None,
            client: Client { id: "me".into(), registered: true },
            access: Secret::new(access.into()),
            refresh: Some(Secret::new("again".into())),
            scopes: BTreeSet::from(["tag:a".into()]),
            renew_at: Some("2026-01-01T00:00:00Z".parse().unwrap()),
        }
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[tokio::test]
    async fn az23_what_is_kept_is_read_back_and_others_cannot() {
        let data = tempfile::tempdir().unwrap();
        let keep = Keep::of(Some(&data.path().join("portcullis")), "https://gate.example/mcp");
        assert!(keep.peek().unwrap().is_none());
        let locked = keep.lock().await.unwrap();
        locked.write(&kept("first")).unwrap();
        locked.write(&kept("second")).unwrap();
        let read = locked.read().unwrap().unwrap();
        assert_eq!((read.access.expose().as_str(), read.renew_at), ("second", kept("").renew_at));
        assert!(!format!("{read:?}").contains("second"));
        let folder = data.path().join("portcullis/connect");
        assert_eq!((mode(&data.path().join("portcullis")), mode(&folder), mode(&locked.path)), (0o700, 0o700, 0o600));
        assert!(locked.remove().unwrap() && !locked.remove().unwrap());
        locked.write(&kept("third")).unwrap();
        fs::set_permissions(&locked.path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(locked.read(), Err(KeepError::Open { mode: "600", .. })));
        drop(locked);
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o750)).unwrap();
        assert!(matches!(keep.lock().await, Err(KeepError::Open { mode: "700", .. })));
    }

    #[tokio::test]
    async fn tokens_for_another_url_are_not_used_even_where_their_file_is_moved() {
        let data = tempfile::tempdir().unwrap();
        let one = Keep::of(Some(data.path()), "https://one.example/mcp");
        let two = Keep::of(Some(data.path()), "https://two.example/mcp");
        let locked = one.lock().await.unwrap();
        locked.write(&kept("secret")).unwrap();
        let other = two.lock().await.unwrap();
        assert!(other.read().unwrap().is_none());
        fs::copy(&locked.path, &other.path).unwrap();
        let error = other.read().unwrap_err();
        assert!(error.to_string().ends_with("holds tokens for another URL; delete it to sign in anew"), "{error}");
        fs::write(&other.path, "{}").unwrap();
        assert!(matches!(other.read(), Err(KeepError::NotOurs { .. })));
        assert!(matches!(Keep::of(None, "x").lock().await, Err(KeepError::Nowhere)));
    }
}
