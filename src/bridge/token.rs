//! Where the token comes from, and whether there is a newer one.
//!
//! A file is read at the start and again when its token is refused: whoever renews it need not start
//! the bridge anew. Without a file a person is asked, once a gateway wants a token.
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

use http::{HeaderMap, HeaderValue};

use super::{
    challenge::Challenge,
    sign_in::{Ask, SignIn, SignInError},
};
use crate::tasks::Tasks;

/// More than any token has.
const LONGEST: u64 = 16 * 1024;

/// Where the token comes from.
#[derive(Debug)]
pub(crate) enum Token {
    /// A file.
    File(TokenFile),
    /// A person, if the gateway wants one at all.
    SignIn(Arc<SignIn>),
}

/// What to name when a token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source<'t> {
    /// This file.
    File(&'t Path),
    /// A sign-in.
    SignIn,
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
    /// Nobody signed in.
    #[error(transparent)]
    SignIn(#[from] SignInError),
}

impl Token {
    /// The token in a file.
    pub(crate) fn file(path: PathBuf) -> Result<Self, TokenError> {
        let held = Mutex::new(Arc::new(read(&path)?));
        Ok(Self::File(TokenFile { path, held }))
    }

    /// The token as it was last read or given, renewed where that is due.
    pub(super) async fn current(&self, tasks: &Tasks) -> Option<Arc<Bearer>> {
        match self {
            Self::File(file) => Some(file.held.lock().unwrap_or_else(PoisonError::into_inner).clone()),
            Self::SignIn(sign_in) => sign_in.current(tasks).await,
        }
    }

    /// Another token than the one that was refused with these header fields, if there is one. It may have been
    /// renewed for another request meanwhile.
    pub(super) async fn renewed(
        &self,
        refused: Option<&Arc<Bearer>>,
        said: &HeaderMap,
        ask: Ask,
        tasks: &Tasks,
    ) -> Result<Option<Arc<Bearer>>, TokenError> {
        match self {
            Self::File(file) => file.renewed(refused),
            Self::SignIn(sign_in) => Ok(sign_in.another(refused, Challenge::of(said), ask, tasks).await?),
        }
    }

    /// A token that has the scopes, too, which these header fields say are lacking; nothing where it is not to be had.
    pub(super) async fn widened(
        &self,
        refused: &Arc<Bearer>,
        said: &HeaderMap,
        tasks: &Tasks,
    ) -> Result<Option<Arc<Bearer>>, TokenError> {
        match (self, Challenge::of(said).lacking()) {
            (Self::SignIn(sign_in), Some(_)) => Ok(sign_in.wider(refused, Challenge::of(said), tasks).await?),
            (Self::SignIn(_), None) | (Self::File(_), _) => Ok(None),
        }
    }

    /// What to name when it is refused.
    pub(super) fn source(&self) -> Source<'_> {
        match self {
            Self::File(file) => Source::File(&file.path),
            Self::SignIn(_) => Source::SignIn,
        }
    }

    /// A file that is not read, for what is said of it.
    #[cfg(test)]
    pub(super) fn file_of(path: &str) -> Self {
        let held = Mutex::new(Arc::new(Bearer::of("x").unwrap()));
        Self::File(TokenFile { path: path.into(), held })
    }
}

impl TokenFile {
    fn renewed(&self, refused: Option<&Arc<Bearer>>) -> Result<Option<Arc<Bearer>>, TokenError> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if refused.is_some_and(|refused| Arc::ptr_eq(refused, &held)) {
            let read = read(&self.path)?;
            if read == **held {
                return Ok(None);
            }
            *held = Arc::new(read);
        }
        Ok(Some(held.clone()))
    }
}

impl Bearer {
    /// Of a token, if it is of the form of one.
    pub(super) fn of(token: &str) -> Option<Self> {
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return None;
        }
        let mut header = HeaderValue::try_from(format!("Bearer {token}")).ok()?;
        header.set_sensitive(true);
        Some(Self(header))
    }

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
    let token = std::str::from_utf8(bytes.trim_ascii())
        .ok()
        .filter(|_| u64::try_from(length).is_ok_and(|length| length <= LONGEST));
    token.and_then(Bearer::of).ok_or_else(not_a_token)
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

    #[test]
    fn a_token_is_renewed_only_where_the_file_has_another() {
        let folder = tempfile::tempdir().unwrap();
        let Token::File(token) = Token::file(file(folder.path(), "one\n", 0o600)).unwrap() else { panic!() };
        let one = token.held.lock().unwrap().clone();
        assert_eq!(one.header(), "Bearer one");
        assert!(!format!("{token:?}").contains("one\""));
        assert!(token.renewed(Some(&one)).unwrap().is_none());
        file(folder.path(), "two", 0o600);
        let two = token.renewed(Some(&one)).unwrap().unwrap();
        assert_eq!(two.header(), "Bearer two");
        // Another request that was refused with the first one does not read again.
        std::fs::remove_file(folder.path().join("token")).unwrap();
        assert!(Arc::ptr_eq(&token.renewed(Some(&one)).unwrap().unwrap(), &two));
        assert!(token.renewed(Some(&two)).is_err());
    }
}
