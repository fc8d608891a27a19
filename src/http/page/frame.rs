//! What stands around every page, and the page as text.

use askama::Template;

use super::{asset, shown::Shown};
use crate::secret::Secret;

/// A page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Html(pub(crate) String);

/// What stands around a page.
#[derive(Debug, Clone)]
pub(crate) struct Frame<'a> {
    /// The gateway, as people know it: the host of its public URL.
    pub(crate) site: Shown,
    /// Who is looking, where that is known.
    pub(crate) person: Option<SignedIn<'a>>,
}

/// Somebody who is signed in.
#[derive(Debug, Clone)]
pub(crate) struct SignedIn<'a> {
    /// Who.
    pub(crate) name: Shown,
    /// The secret without which a form of theirs is not taken.
    pub(crate) csrf: &'a Secret<String>,
}

impl Html {
    /// What a template says. Nothing in it can fail but the memory for its text.
    pub(super) fn of(template: &impl Template) -> Self {
        Self(template.render().unwrap_or_else(|error| {
            tracing::error!(%error, "a page cannot be put together");
            "<!doctype html>\n<html lang=\"en\"><title>Error</title><h1>This page cannot be shown</h1></html>\n"
                .to_owned()
        }))
    }
}

impl Frame<'_> {
    pub(super) fn style(&self) -> &'static str {
        asset::style()
    }

    pub(super) fn icon(&self) -> &'static str {
        asset::icon()
    }
}
