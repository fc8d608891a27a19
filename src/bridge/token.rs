//! Where the token comes from, and whether there is a newer one.
//!
//! A file is read at the start and again when its token is refused: whoever renews it need not start
//! the bridge anew.
//!
//! INVARIANT: a token is shown nowhere, and a file that others may read is not read.
//! To add a source: a variant of [`Token`], then follow the compiler.

use std::{
    fs::File,
    io::{self, Read as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use http::HeaderValue;

/// More than any token has.
const LONGEST: u64 = 16 * 1024;

/// Where the token comes from.
#[derive(Debug)]
pub(crate) enum Token {
    /// Nowhere: the gateway wants none.
    None,
    /// A file.
    File(TokenFile),
}

/// A file and the token that it held when it was last read.
#[derive(Debug)]
pub(crate) struct TokenFile {
    path: PathBuf,
    held: Mutex<Arc<Bearer>>,
}

/// The value of `Authorization`; marked so that nothing prints it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Bearer(HeaderValue);

/// There is no usable token.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TokenError {
    /// It cannot be read.
    #[error("the token file `{}` cannot be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others may read it.
    #[error("the token file `{0}` may be read by others; run `chmod 600 {0}`", path.display())]
    Open {
        /// The file.
        path: PathBuf,
    },
    /// It holds something else.
    #[error("the token file `{}` must hold one token and nothing else", path.display())]
    NotAToken {
        /// The file.
        path: PathBuf,
    },
}

impl Token {
    /// The token in a file.
    pub(crate) fn file(path: PathBuf) -> Result<Self, TokenError> {
        let held = Mutex::new(Arc::new(read(&path)?));
        Ok(Self::File(TokenFile { path, held }))
    }

    /// The token as it was last read.
    pub(super) fn current(&self) -> Option<Arc<Bearer>> {
        match self {
            Self::None => None,
            Self::File(file) => Some(file.held.lock().unwrap_or_else(PoisonError::into_inner).clone()),
        }
    }

    /// Another token than the one that was refused, if there is one. It may have been renewed for
    /// another request meanwhile. Asynchronous for sources that must ask somebody.
    pub(super) async fn renewed(&self, refused: Option<&Arc<Bearer>>) -> Result<Option<Arc<Bearer>>, TokenError> {
        match self {
            Self::None => Ok(None),
            Self::File(file) => {
                let mut held = file.held.lock().unwrap_or_else(PoisonError::into_inner);
                if refused.is_some_and(|refused| Arc::ptr_eq(refused, &held)) {
                    let read = read(&file.path)?;
                    if read == **held {
                        return Ok(None);
                    }
                    *held = Arc::new(read);
                }
                Ok(Some(held.clone()))
            }
        }
    }

    /// What to name when it is refused.
    pub(super) fn path(&self) -> Option<&Path> {
        match self {
            Self::None => None,
            Self::File(file) => Some(&file.path),
        }
    }
}

impl Bearer {
    pub(super) fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

fn read(path: &Path) -> Result<Bearer, TokenError> {
    let failed = |source| TokenError::Unreadable { path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.permissions().mode() & 0o077 != 0 {
        return Err(TokenError::Open { path: path.to_owned() });
    }
    let not_a_token = || TokenError::NotAToken { path: path.to_owned() };
    let mut bytes = Vec::new();
    let length = file.take(LONGEST + 1).read_to_end(&mut bytes).map_err(failed)?;
    let token = bytes.trim_ascii();
    let fits = u64::try_from(length).is_ok_and(|length| length <= LONGEST);
    if !fits || token.is_empty() || !token.iter().all(u8::is_ascii_graphic) {
        return Err(not_a_token());
    }
    let mut header = HeaderValue::from_bytes(&[b"Bearer ", token].concat()).map_err(|_| not_a_token())?;
    header.set_sensitive(true);
    Ok(Bearer(header))
}

#[cfg(test)]
mod tests {
    use std::fs::{Permissions, set_permissions, write};

    use super::*;

    fn file(folder: &Path, text: &str, mode: u32) -> PathBuf {
        let path = folder.join("token");
        write(&path, text).unwrap();
        set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        path
    }

    #[test]
    fn a_file_that_others_may_read_or_that_holds_no_token_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for mode in [0o640, 0o604, 0o660, 0o644] {
            assert!(matches!(Token::file(file(folder.path(), "abc", mode)), Err(TokenError::Open { .. })), "{mode:o}");
            set_permissions(folder.path().join("token"), Permissions::from_mode(0o600)).unwrap();
        }
        for text in ["", " \n", "two words", "a\nb", "caf\u{e9}", &"x".repeat(20_000)] {
            let error = Token::file(file(folder.path(), text, 0o600)).unwrap_err();
            assert!(matches!(error, TokenError::NotAToken { .. }), "{text:?}");
            assert!(text.trim().is_empty() || !error.to_string().contains(text));
        }
        assert!(matches!(Token::file(folder.path().join("none")), Err(TokenError::Unreadable { .. })));
    }

    #[tokio::test]
    async fn a_token_is_renewed_only_where_the_file_has_another() {
        let folder = tempfile::tempdir().unwrap();
        let token = Token::file(file(folder.path(), "one\n", 0o600)).unwrap();
        let one = token.current().unwrap();
        assert_eq!(one.header(), "Bearer one");
        assert!(!format!("{token:?}").contains("one\""));
        assert!(token.renewed(Some(&one)).await.unwrap().is_none());
        file(folder.path(), "two", 0o600);
        let two = token.renewed(Some(&one)).await.unwrap().unwrap();
        assert_eq!(two.header(), "Bearer two");
        // Another request that was refused with the first one does not read again.
        std::fs::remove_file(folder.path().join("token")).unwrap();
        assert!(Arc::ptr_eq(&token.renewed(Some(&one)).await.unwrap().unwrap(), &two));
        assert!(token.renewed(Some(&two)).await.is_err());
    }
}
