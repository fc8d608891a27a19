//! A page as an answer, and what stands around the pages of one revision.

use poem::{
    Response,
    http::{HeaderValue, StatusCode, header},
};

use super::{
    frame::{Frame, Html, SignedIn},
    shown::Shown,
};
use crate::{name::UserId, secret::Secret, snapshot::Snapshot};

impl Html {
    /// The page as an answer that nobody keeps. Its other fields come with every page (`http/outgoing`).
    pub(crate) fn answer(self, status: StatusCode) -> Response {
        let mut response = Response::builder().status(status).body(self.0);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

impl<'a> Frame<'a> {
    /// What stands around the pages of a revision, for somebody who is signed in or not: who, and the secret of
    /// their forms.
    pub(crate) fn new(snapshot: &Snapshot, person: Option<(&UserId, &'a Secret<String>)>) -> Self {
        let site = snapshot.public_url.split_once("://").map_or(&*snapshot.public_url, |(_, site)| site);
        let site = site.split('/').next().unwrap_or_default();
        let person = person.map(|(user, csrf)| SignedIn { name: Shown::name(user.as_str()), csrf });
        Self { site: Shown::host(site), person }
    }
}
