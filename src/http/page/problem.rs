//! The error page: what went wrong before anybody could be told by a redirect, and what to do.
//!
//! SPEC: OAuth 2.1 §4.1.2.1 (E-local); OA-01, OA-95; AS-10.

use askama::Template;

use super::{
    client::{Back, Destination},
    frame::{Frame, Html},
    path,
    shown::Shown,
};

/// Something that went wrong.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    /// What, in a few words of ours.
    pub(crate) title: &'static str,
    /// What exactly.
    pub(crate) message: Shown,
    /// What to do.
    pub(crate) help: Shown,
    /// The OAuth error code or our own, which the documentation and the audit trail know.
    pub(crate) code: Shown,
    /// What the audit trail and the log know it by.
    pub(crate) request: Option<Shown>,
    /// How to tell the client, where it may be told and is not told at once.
    pub(crate) back: Option<Back>,
}

/// The error page.
pub(crate) fn problem(frame: &Frame<'_>, problem: &Problem) -> Html {
    Html::of(&Page { frame, problem })
}

#[derive(Template)]
#[template(path = "problem.html", config = "src/http/page/askama.toml")]
struct Page<'a> {
    frame: &'a Frame<'a>,
    problem: &'a Problem,
}
