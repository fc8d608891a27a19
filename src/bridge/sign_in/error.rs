//! Why nobody could be signed in, in words that go on from "`URL` wants a token, and".
//!
//! INVARIANT: no code, token or verifier is in a message, and what the other side says is short and visible.

use std::{io, path::PathBuf, sync::Arc};

use crate::egress::EgressError;

/// Why there is no token. Cloned, since all that wait for one sign-in hear the same.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum SignInError {
    /// A document or an endpoint did not answer.
    #[error("its {what} at `{url}` cannot be asked: {why}; try again, or use `--token-file FILE`")]
    Unreachable {
        /// What was asked.
        what: &'static str,
        /// Where.
        url: String,
        /// Why not.
        why: EgressError,
    },
    /// It names a URL that is not gone to.
    #[error("it names a URL as its {what} that is not asked, because it {why}: `{url}`; tell whoever runs the gateway")]
    Url {
        /// What the URL is for.
        what: &'static str,
        /// The URL.
        url: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A document is not there, or does not say what it must.
    #[error("its {what} at `{url}` {wrong}; tell whoever runs the gateway, or use `--token-file FILE`")]
    Document {
        /// Which document.
        what: &'static str,
        /// Where it was looked for.
        url: String,
        /// What is wrong.
        wrong: String,
    },
    /// The authorization server lets nobody sign in.
    #[error("its authorization server `{0}` lets nobody sign in; run `portcullis connect` with `--token-file FILE`")]
    NoSignIn(String),
    /// The authorization server wants to know us first.
    #[error(
        "its authorization server `{0}` registers no clients by itself; ask whoever runs it for a client id that may redirect to `http://127.0.0.1/callback`, and give it with `--client-id ID`"
    )]
    NoRegistration(String),
    /// An endpoint refused, in words of OAuth.
    #[error("its {what} answered `{code}`{said}; {help}")]
    Refused {
        /// Which endpoint.
        what: &'static str,
        /// The code.
        code: String,
        /// What it says besides, with what joins it to the code.
        said: String,
        /// What to do.
        help: &'static str,
    },
    /// An endpoint answered something else.
    #[error("its {what} answered {wrong}; tell whoever runs it, or use `--token-file FILE`")]
    Answer {
        /// Which endpoint.
        what: &'static str,
        /// What it answered.
        wrong: String,
    },
    /// The person said no.
    #[error("access was declined in the browser; start the client again to be asked once more")]
    Declined,
    /// The answer in the browser came from somebody else.
    #[error(
        "the answer in the browser came from another authorization server than `{0}`, which was asked; nothing was done with it. Whoever runs the gateway should hear of this"
    )]
    OtherIssuer(String),
    /// Nobody answered.
    #[error("nobody signed in within five minutes; call again to be asked once more")]
    NobodyCame,
    /// It was tried a moment ago.
    #[error("{0} (the sign-in a moment ago; the next is not begun within a minute of it)")]
    JustNow(Arc<Self>),
    /// A person would have to be asked, and nobody waits for what is on its way.
    #[error("a person must sign in, which the next request begins")]
    NotNow,
    /// No port could be opened for the browser's answer.
    #[error("no port of 127.0.0.1 can be opened for the browser's answer: {0}")]
    Landing(Arc<io::Error>),
    /// Tokens could not be kept.
    #[error("tokens cannot be kept: {0}")]
    Keep(#[from] KeepError),
    /// The system has no randomness, or the bridge is being stopped.
    #[error("{0}")]
    Gone(&'static str),
}

/// Why tokens cannot be kept, or those that are cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum KeepError {
    /// No directory is known.
    #[error("neither XDG_DATA_HOME nor HOME says where; set one, or use `--token-file FILE`")]
    Nowhere,
    /// A file or directory cannot be used.
    #[error("`{}` cannot be used: {why}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        why: Arc<io::Error>,
    },
    /// Others may read or write there.
    #[error("others may use `{}`; run `chmod {mode} {}`", path.display(), path.display())]
    Open {
        /// Which file or directory.
        path: PathBuf,
        /// How it should be.
        mode: &'static str,
    },
    /// The file holds something else, or tokens for another URL.
    #[error("`{}` {wrong}; delete it to sign in anew", path.display())]
    NotOurs {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        wrong: &'static str,
    },
}

impl SignInError {
    /// Whether asking the same again may go well: the person was not asked, or said nothing.
    pub(super) const fn is_final(&self) -> bool {
        matches!(self, Self::Declined)
    }
}
