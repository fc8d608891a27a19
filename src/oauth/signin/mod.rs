//! Who the person at a browser is: opening a sign-in, finding it again, ending it.
//!
//! A browser holds 256 random bits; the store has a keyed digest of them and when it is over. Every sign-in has
//! new ones, and what the browser held before is good for nothing from then on. Without TLS whatever runs on this
//! machine may see what browsers send, so that a sign-in is short there.
//!
//! INVARIANT: a sign-in is opened by a way of signing in (one file each here) and by nothing else; no token of a
//! client opens one.
//! SPEC: oauth §5.1; SM-11; OA-100, OA-106, T-074.
//! To add a way: a variant of `config::Login`, a file here, then follow the compiler.

pub mod owner;
pub mod users;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};

use super::{
    consent::SignedIn,
    error::OAuthError,
    issuer::{Issuer, down},
    key::OAuthKeys,
};
use crate::{
    chance,
    config::Login,
    id::Id,
    name::UserId,
    secret::Secret,
    store::{self, Once, OpenSignIn, SignInRow},
};

/// How long a browser may stay away before it has to be seen again is written down.
const SEEN_EVERY: SignedDuration = SignedDuration::from_hours(1);

/// A person who is signed in, in one browser.
#[derive(Debug, Clone)]
pub struct Session {
    /// Its name, for the audit trail.
    pub id: Id,
    /// Who.
    pub person: SignedIn,
    /// How they signed in.
    pub way: Login,
    /// The digest of what the browser holds. It names this sign-in and no other.
    pub mac: [u8; 32],
    /// When they last proved who they are: by a link, or by a password.
    pub opened_at: Timestamp,
}

/// A sign-in that was just opened.
#[derive(Debug)]
pub struct OpenedSession {
    /// The sign-in.
    pub session: Session,
    /// What the browser is to hold. It is nowhere else.
    pub held: Secret<String>,
    /// How long it is good at most.
    pub lasts: SignedDuration,
}

/// Why nobody was signed in.
#[derive(Debug)]
pub enum NotSignedIn {
    /// The link is none of ours, or there are no links here.
    LinkUnknown,
    /// The link is over.
    LinkExpired,
    /// The link was used before.
    LinkUsed,
    /// There is no account by that name.
    AccountUnknown,
    /// The account is disabled.
    AccountDisabled(UserId),
    /// The password is another.
    PasswordWrong(UserId),
    /// There were too many wrong ones; nothing was looked at.
    TooMany {
        /// When it may be tried again.
        until: Timestamp,
    },
    /// Too many are tried just now.
    Busy,
    /// We failed.
    Fault(OAuthError),
}

impl NotSignedIn {
    /// Why exactly, in the audit trail's permanent words. The person is told less.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::LinkUnknown => "link-unknown",
            Self::LinkExpired => "link-expired",
            Self::LinkUsed => "link-used",
            Self::AccountUnknown => "account-unknown",
            Self::AccountDisabled(_) => "account-disabled",
            Self::PasswordWrong(_) => "password-wrong",
            Self::TooMany { .. } => "too-many-tries",
            Self::Busy => "sign-in-busy",
            Self::Fault(error) => error.why().as_str(),
        }
    }

    /// Whose account it is, where there is one.
    #[must_use]
    pub const fn user(&self) -> Option<&UserId> {
        match self {
            Self::AccountDisabled(user) | Self::PasswordWrong(user) => Some(user),
            Self::LinkUnknown
            | Self::LinkExpired
            | Self::LinkUsed
            | Self::AccountUnknown
            | Self::TooMany { .. }
            | Self::Busy
            | Self::Fault(_) => None,
        }
    }
}

impl From<OAuthError> for NotSignedIn {
    fn from(error: OAuthError) -> Self {
        Self::Fault(error)
    }
}

/// How long a sign-in lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Lasting {
    /// Without the browser being seen.
    idle: SignedDuration,
    /// Whatever happens.
    whole: SignedDuration,
}

impl Lasting {
    const fn of(tls: bool) -> Self {
        if tls {
            Self { idle: SignedDuration::from_hours(7 * 24), whole: SignedDuration::from_hours(30 * 24) }
        } else {
            Self { idle: SignedDuration::from_mins(15), whole: SignedDuration::from_mins(15) }
        }
    }
}

impl Issuer<'_> {
    /// How people sign in here.
    #[must_use]
    pub fn login(&self) -> Login {
        self.settings.way()
    }

    /// Whether browsers come here by TLS, ours or that of a proxy before us.
    #[must_use]
    pub fn tls(&self) -> bool {
        self.url.starts_with("https://")
    }

    /// Opens a sign-in in place of what the browser `held` before. Nothing where the link was used before.
    ///
    /// # Errors
    /// When it cannot be kept.
    pub(super) async fn open(
        &self,
        user: UserId,
        held: Option<&str>,
        once: Option<Once>,
        now: Timestamp,
    ) -> Result<Option<OpenedSession>, OAuthError> {
        let Some(groups) = self.groups(&user).await? else { return Err(OAuthError::internal()) };
        let (Ok(secret), Ok(random)) = (chance::bytes::<32>(), chance::bytes()) else {
            return Err(OAuthError::internal());
        };
        let (way, Lasting { idle, whole }) = (self.login(), Lasting::of(self.tls()));
        let (mac, id) = (self.keys.sign_in(&secret), Id::new(now, random));
        let row = SignInRow {
            id,
            user: user.clone(),
            method: way.as_str().to_owned(),
            created_at: now,
            proved_at: now,
            idle_expires_at: now.saturating_add(idle).unwrap_or(now),
            expires_at: now.saturating_add(whole).unwrap_or(now),
        };
        let replaces = held.and_then(|held| digest(self.keys, held));
        let ask = OpenSignIn { mac, row, replaces, once, now };
        Ok(match self.store.open_sign_in(ask).await.map_err(down)? {
            store::SignedIn::Done => Some(OpenedSession {
                session: Session { id, person: SignedIn { user, groups }, way, mac, opened_at: now },
                held: Secret::new(URL_SAFE_NO_PAD.encode(secret)),
                lasts: whole,
            }),
            store::SignedIn::Used => None,
        })
    }

    /// The sign-in of a browser, by what it holds; nothing where it is over, of another way than people sign in
    /// by now, or of somebody who may not sign in any more.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn session(&self, held: &str, now: Timestamp) -> Result<Option<Session>, OAuthError> {
        let Some(mac) = digest(self.keys, held) else { return Ok(None) };
        let Some(row) = self.store.sign_in(&mac, now).await.map_err(down)? else { return Ok(None) };
        let SignInRow { id, user, method, created_at: _, proved_at, idle_expires_at, expires_at } = row;
        let way = self.login();
        if method != way.as_str() {
            return Ok(None);
        }
        let Some(groups) = self.groups(&user).await? else { return Ok(None) };
        let idle_until = now.saturating_add(Lasting::of(self.tls()).idle).unwrap_or(now).min(expires_at);
        if idle_until.duration_since(idle_expires_at) >= SEEN_EVERY {
            self.store.see_sign_in(&mac, idle_until, now).await.map_err(down)?;
        }
        Ok(Some(Session { id, person: SignedIn { user, groups }, way, mac, opened_at: proved_at }))
    }

    /// Ends a sign-in. Whether there was one.
    ///
    /// # Errors
    /// When it goes on.
    pub async fn sign_out(&self, session: &Session) -> Result<bool, OAuthError> {
        self.store.end_sign_in(&session.mac).await.map_err(down)
    }

    /// The secret without which no form of this browser is taken: bound to `browser`, and to the sign-in where
    /// there is one.
    #[must_use]
    pub fn csrf(&self, browser: &[u8; 16], session: Option<&Session>) -> Secret<String> {
        Secret::new(URL_SAFE_NO_PAD.encode(self.keys.form(browser, session.map(|session| &session.mac))))
    }
}

/// The digest of what a browser holds; nothing for what cannot be of ours.
fn digest(keys: &OAuthKeys, held: &str) -> Option<[u8; 32]> {
    let secret = URL_SAFE_NO_PAD.decode(held).ok()?;
    Some(keys.sign_in(secret.first_chunk::<32>().filter(|_| secret.len() == 32)?))
}
