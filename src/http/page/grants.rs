//! What a person has allowed, and how to take it back.
//!
//! SPEC: oauth §5.4; OA-82 (what joined a tag since), T-225 (nothing is taken back by opening a link).

use askama::Template;
use jiff::Timestamp;

use super::{
    client::{Client, Destination, KnownBy},
    field,
    frame::{Frame, Html},
    lasting::When,
    path,
    shown::Shown,
};
use crate::{
    name::{ScopeName, ServerName},
    secret::Secret,
};

/// Everything that a person has allowed.
#[derive(Debug)]
pub(crate) struct Grants<'a> {
    /// The secret without which the forms are not taken.
    pub(crate) csrf: &'a Secret<String>,
    /// The grants, in the order to be shown.
    pub(crate) grants: Vec<Grant>,
    /// How many were just taken back.
    pub(crate) revoked: Option<usize>,
}

/// Something that a person has allowed.
#[derive(Debug, Clone)]
pub(crate) struct Grant {
    /// Its id, as the form sends it back.
    pub(crate) id: String,
    /// To whom.
    pub(crate) client: Client,
    /// Where its codes were sent, as far as that is known.
    pub(crate) destination: Option<Destination>,
    /// The resource that its tokens are good for.
    pub(crate) resource: Shown,
    /// The scopes, each with its description where it has one, and whether it is sensitive.
    pub(crate) scopes: Vec<(ScopeName, Option<Shown>, bool)>,
    /// Servers that joined a tag since, and stay closed until the person consents again.
    pub(crate) joined: Vec<ServerName>,
    /// When it was given.
    pub(crate) given: Timestamp,
    /// When it was last used.
    pub(crate) used: Option<Timestamp>,
    /// When it ends at the latest.
    pub(crate) ends: Timestamp,
}

/// The page of a person's grants.
pub(crate) fn grants(frame: &Frame<'_>, grants: &Grants<'_>) -> Html {
    let Grants { csrf, grants, revoked } = grants;
    let rows = grants.iter().map(Row::of).collect();
    Html::of(&Page { frame, csrf: csrf.expose(), rows, revoked: revoked.map(said_of) })
}

fn said_of(revoked: usize) -> String {
    match revoked {
        0 => "There was nothing to revoke.".to_owned(),
        1 => "Revoked. The client has lost its access.".to_owned(),
        many => format!("All {many} revoked. The clients have lost their access."),
    }
}

#[derive(Template)]
#[template(path = "grants.html", config = "src/http/page/askama.toml")]
struct Page<'a> {
    frame: &'a Frame<'a>,
    csrf: &'a str,
    rows: Vec<Row<'a>>,
    revoked: Option<String>,
}

struct Row<'a> {
    grant: &'a Grant,
    given: When,
    used: Option<When>,
    ends: When,
}

impl<'a> Row<'a> {
    fn of(grant: &'a Grant) -> Self {
        Self { grant, given: When::of(grant.given), used: grant.used.map(When::of), ends: When::of(grant.ends) }
    }
}
