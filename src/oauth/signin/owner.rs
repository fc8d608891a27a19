//! `owner`: one person, by a link that only they can see.
//!
//! A link is made by whoever can read the master key, which is who the gateway runs as: `portcullis login`, and
//! `serve` where it talks to a terminal. It carries its own end under a keyed digest, so that nothing of it is kept
//! until it is used; using it is one write, of which there is one.
//!
//! INVARIANT: a link opens one sign-in, within a minute of being made, and by an answer to a form alone.
//! SPEC: oauth §5.1; OA-106, T-223, T-225.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use subtle::ConstantTimeEq as _;

use super::{NotSignedIn, OpenedSession};
use crate::{
    config::Login,
    name::UserId,
    oauth::{
        issuer::{Issuer, OWNER},
        key::OAuthKeys,
    },
    secret::Secret,
    store::Once,
};

/// How long a link is good.
pub const GOOD_FOR: SignedDuration = SignedDuration::from_secs(60);
/// Where links lead.
pub(crate) const PATH: &str = "/login/link";
/// The parameter that carries a link's secret.
pub(crate) const PARAMETER: &str = "link";

/// The identity of a link, when it is over, and the digest of both.
const LENGTH: usize = 16 + 8 + 32;

/// A new link, to be told to the owner alone.
#[must_use]
pub fn link(keys: &OAuthKeys, public_url: &str, now: Timestamp, random: [u8; 16]) -> Secret<String> {
    let until = now.saturating_add(GOOD_FOR).unwrap_or(now).as_millisecond().to_be_bytes();
    let digest = keys.link(&random, &until);
    let text = URL_SAFE_NO_PAD.encode([&random[..], &until, &digest].concat());
    Secret::new(format!("{public_url}{PATH}?{PARAMETER}={text}"))
}

impl Issuer<'_> {
    /// Whether a link is one of ours that is not over. Whether it was used before, is seen when it is used.
    ///
    /// # Errors
    /// When it is not, or when there are no links here.
    pub fn look_at_link(&self, link: &str, now: Timestamp) -> Result<(), NotSignedIn> {
        self.once(link, now).map(drop)
    }

    /// Signs the owner in by a link, in place of what the browser `held` before.
    ///
    /// # Errors
    /// When the link is none, over or used, or the sign-in cannot be kept.
    pub async fn sign_in_by_link(
        &self,
        link: &str,
        held: Option<&str>,
        now: Timestamp,
    ) -> Result<OpenedSession, NotSignedIn> {
        let once = self.once(link, now)?;
        let owner: UserId = OWNER.parse().map_err(|_| NotSignedIn::LinkUnknown)?;
        self.open(owner, held, Some(once), now).await?.ok_or(NotSignedIn::LinkUsed)
    }

    fn once(&self, link: &str, now: Timestamp) -> Result<Once, NotSignedIn> {
        if self.login() != Login::Owner {
            return Err(NotSignedIn::LinkUnknown);
        }
        let bytes = URL_SAFE_NO_PAD.decode(link).map_err(|_| NotSignedIn::LinkUnknown)?;
        let Some((id, rest)) = bytes.split_first_chunk::<16>().filter(|_| bytes.len() == LENGTH) else {
            return Err(NotSignedIn::LinkUnknown);
        };
        let Some((until, digest)) = rest.split_first_chunk::<8>() else { return Err(NotSignedIn::LinkUnknown) };
        if !bool::from(self.keys.link(id, until).ct_eq(digest)) {
            return Err(NotSignedIn::LinkUnknown);
        }
        let until = Timestamp::from_millisecond(i64::from_be_bytes(*until)).map_err(|_| NotSignedIn::LinkUnknown)?;
        if now >= until {
            return Err(NotSignedIn::LinkExpired);
        }
        Ok(Once { name: "link", id: id.to_vec(), until })
    }
}
