//! The pages of the authorization server: view models in, HTML out.
//!
//! A page is what a person decides by, so it says who asks, how we know that, where the answer goes and
//! what is opened, and nothing that a client says of itself gets in but through [`Shown`] and the escaping
//! of askama. Pages have no script, no style of their own and nothing of other places: they fit the policy
//! for content that `compile/header` sends with them. They work without JavaScript and by keyboard.
//!
//! INVARIANT: no function here reads, writes or decides; what a form sends back is believed by nobody but
//! for the ticks, the choice and the secrets in it.
//! SPEC: oauth §5.3; SM-12, SM-33; OA-94 to OA-98, T-065 to T-067, T-073; AS-24, AS-33.
//! To add a page: a view model, a template beside it, a line in `tests/gallery.rs`.

mod answer;
mod asset;
mod client;
mod consent;
mod done;
mod frame;
mod grants;
mod lasting;
mod problem;
mod shown;
mod sign_in;
#[cfg(test)]
mod tests;

pub(crate) use asset::{ASSETS, Asset};
pub(crate) use client::{Back, Client, Destination, KnownBy};
pub(crate) use consent::{Consent, Effect, Lifetime, Offer, Opens, Renewal, Tool, consent};
pub(crate) use done::{Done, done};
#[cfg(test)]
pub(crate) use frame::SignedIn;
pub(crate) use frame::{Frame, Html};
pub(crate) use grants::{Grant, Grants, grants};
pub(crate) use problem::{Problem, problem};
pub(crate) use shown::Shown;
pub(crate) use sign_in::{Failed, Link, Owner, Password, link, owner, password};

/// Where forms are sent to and links lead.
pub(crate) mod path {
    /// Takes the decision about a request.
    pub(crate) const CONSENT: &str = "/oauth/consent";
    /// Lists what a person has allowed.
    pub(crate) const GRANTS: &str = "/grants";
    /// Takes one grant back, or all.
    pub(crate) const REVOKE: &str = "/grants/revoke";
    /// Asks who somebody is; goes on with what they came for where that is known.
    pub(crate) const LOGIN: &str = "/login";
    /// Asks somebody who is signed in to prove it anew.
    pub(crate) const FRESH: &str = "/login/fresh";
    /// Takes a one-time link.
    pub(crate) const LINK: &str = crate::oauth::owner::PATH;
    /// Ends a sign-in.
    pub(crate) const SIGN_OUT: &str = "/login/out";
}

/// The names of the fields that forms send, and the words of the choice.
pub(crate) mod field {
    /// The secret without which no form is taken.
    pub(crate) const CSRF: &str = "csrf";
    /// The sealed request that is decided.
    pub(crate) const HANDLE: &str = "handle";
    /// A scope that is ticked; once for each.
    pub(crate) const SCOPE: &str = "scope";
    /// The choice.
    pub(crate) const DECISION: &str = "decision";
    /// The choice to allow what is ticked.
    pub(crate) const ALLOW: &str = "allow";
    /// The choice to allow nothing.
    pub(crate) const DENY: &str = "deny";
    /// The sealed request that a browser came for.
    pub(crate) const WAITING: &str = "request";
    /// The name of an account.
    pub(crate) const NAME: &str = "name";
    /// Its password.
    pub(crate) const PASSWORD: &str = "password";
    /// The secret of a one-time link.
    pub(crate) const LINK: &str = crate::oauth::owner::PARAMETER;
    /// The grant that is taken back.
    pub(crate) const GRANT: &str = "grant";
    /// Says that all grants are taken back.
    pub(crate) const ALL: &str = "all";
}
