//! The page after something is done where no other page follows.
//!
//! Somebody who denies a client that anybody could have registered is not sent there at once: the way
//! back is a link (oauth §5.3).

use askama::Template;

use super::{
    client::{Back, Client, Destination},
    frame::{Frame, Html},
    path,
};

/// What is done.
#[derive(Debug, Clone)]
pub(crate) enum Done {
    /// The person has denied a client everything.
    Denied {
        /// Whom.
        client: Client,
        /// How to tell it.
        back: Option<Back>,
    },
    /// The person is signed in, and had come for nothing else.
    SignedIn,
    /// The person is signed out.
    SignedOut,
}

/// The page after something is done.
pub(crate) fn done(frame: &Frame<'_>, done: &Done) -> Html {
    Html::of(&Page { frame, done })
}

#[derive(Template)]
#[template(path = "done.html", config = "src/http/page/askama.toml")]
struct Page<'a> {
    frame: &'a Frame<'a>,
    done: &'a Done,
}
