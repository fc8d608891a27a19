//! The pages by which somebody says who they are: an owner by a one-time link, users by name and password.
//!
//! A link is taken by a button and never by opening it, since browsers and mail programs open links by
//! themselves. A wrong name and a wrong password are told alike.
//!
//! SPEC: oauth §5.1; OA-100, T-157, T-214, T-225.

use std::time::Duration;

use askama::Template;

use super::{
    client::{Client, KnownBy},
    field,
    frame::{Frame, Html},
    lasting, path,
    shown::Shown,
};
use crate::secret::Secret;

/// An owner who has no link yet.
#[derive(Debug, Clone)]
pub(crate) struct Owner {
    /// Who asks for something that only an owner can decide.
    pub(crate) client: Option<Client>,
    /// Whether the owner is signed in and needs a fresh link all the same, as to approve without TLS.
    pub(crate) fresh: bool,
    /// How long a link is good.
    pub(crate) good_for: Duration,
}

/// An owner who has opened a link.
#[derive(Debug)]
pub(crate) struct Link<'a> {
    /// The secret without which the form is not taken.
    pub(crate) csrf: &'a Secret<String>,
    /// The secret of the link.
    pub(crate) link: &'a Secret<String>,
    /// Who asks for something that only an owner can decide.
    pub(crate) client: Option<Client>,
    /// The sealed request that they go on with, so that each page goes on with its own.
    pub(crate) waiting: Option<&'a Secret<String>>,
}

/// A user who is to say name and password.
#[derive(Debug)]
pub(crate) struct Password<'a> {
    /// The secret without which the form is not taken.
    pub(crate) csrf: &'a Secret<String>,
    /// Who asks for something that only a user can decide.
    pub(crate) client: Option<Client>,
    /// The sealed request that they go on with, so that each page goes on with its own.
    pub(crate) waiting: Option<&'a Secret<String>>,
    /// The name that was given.
    pub(crate) name: Option<Shown>,
    /// Why they are asked again.
    pub(crate) failed: Option<Failed>,
}

/// Why a user is asked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failed {
    /// There is no such account, it is disabled, or the password is another.
    Wrong,
    /// There were too many tries.
    TooMany {
        /// How long to wait.
        wait: Duration,
    },
    /// The form was open for too long.
    Expired,
}

impl Failed {
    fn words(self) -> String {
        match self {
            Self::Wrong => "The name or the password is wrong.".to_owned(),
            Self::TooMany { wait } => {
                format!("There were too many tries. Wait {}, then try again.", lasting::waiting(wait))
            }
            Self::Expired => "This page was open for too long. Please sign in again.".to_owned(),
        }
    }
}

/// The page that tells an owner how to sign in.
pub(crate) fn owner(frame: &Frame<'_>, owner: &Owner) -> Html {
    let good_for = lasting::lasting(owner.good_for);
    Html::of(&OwnerPage { frame, client: owner.client.as_ref(), fresh: owner.fresh, good_for })
}

/// The page that a one-time link opens.
pub(crate) fn link(frame: &Frame<'_>, link: &Link<'_>) -> Html {
    let Link { csrf, link, client, waiting } = link;
    let waiting = waiting.map(|waiting| waiting.expose().as_str());
    Html::of(&LinkPage { frame, client: client.as_ref(), csrf: csrf.expose(), link: link.expose(), waiting })
}

/// The page that asks for name and password.
pub(crate) fn password(frame: &Frame<'_>, password: &Password<'_>) -> Html {
    let Password { csrf, client, waiting, name, failed } = password;
    let (failed, waiting) = (failed.map(Failed::words), waiting.map(|waiting| waiting.expose().as_str()));
    let (client, csrf) = (client.as_ref(), csrf.expose());
    Html::of(&PasswordPage { frame, client, csrf, waiting, name: name.as_ref(), failed })
}

#[derive(Template)]
#[template(path = "sign_in_owner.html", config = "src/http/page/askama.toml")]
struct OwnerPage<'a> {
    frame: &'a Frame<'a>,
    client: Option<&'a Client>,
    fresh: bool,
    good_for: String,
}

#[derive(Template)]
#[template(path = "sign_in_link.html", config = "src/http/page/askama.toml")]
struct LinkPage<'a> {
    frame: &'a Frame<'a>,
    client: Option<&'a Client>,
    csrf: &'a str,
    link: &'a str,
    waiting: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "sign_in_password.html", config = "src/http/page/askama.toml")]
struct PasswordPage<'a> {
    frame: &'a Frame<'a>,
    client: Option<&'a Client>,
    csrf: &'a str,
    waiting: Option<&'a str>,
    name: Option<&'a Shown>,
    failed: Option<String>,
}
