//! `users`: people with names and passwords, whom the operator has made accounts for.
//!
//! A password goes through a keyed digest and then through argon2id: with the store alone nobody can try passwords.
//! A name without an account costs the same work, is told the same and is counted the same. What is wrong is counted
//! by account and by address; while either is over, the right password is not even looked at (T-157). Only so many
//! passwords are worked on at a time, and only so many wait: memory and cores stay for others.
//!
//! INVARIANT: nobody makes an account but by `portcullis user`, on this machine, with the master key.
//! SPEC: oauth §2.0 (10 wrong passwords), §3.4, §5.1; SM-27; T-157, T-214, T-223.

use std::sync::Arc;

use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{NotSignedIn, OpenedSession};
use crate::{
    config::Login,
    guessable::guessable,
    limit::network,
    name::UserId,
    oauth::{
        error::OAuthError,
        issuer::{Issuer, down},
    },
    seal::{self, Keys},
    secret::Secret,
    store::{AccountRow, Attempt, Counted, Opaque},
};

/// The fewest characters of a password.
pub const SHORTEST: usize = 12;
/// The most bytes of a password.
pub const LONGEST: usize = 1024;
/// Wrong passwords in a window, for one account and from one address each.
const MOST_WRONG: u32 = 10;
/// How long a window is.
const WINDOW: SignedDuration = SignedDuration::from_mins(15);
/// KiB, rounds and lanes of argon2id.
const MEMORY: u32 = 19_456;
const ROUNDS: u32 = 2;
const LANES: u32 = 1;
/// Passwords that wait for those that are worked on.
const WAITING: usize = 16;
/// Names without an account are counted in so many rows, however many there are.
const NOBODIES: u16 = 1024;

/// What no password gives: what a name without an account is compared with.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Makes and compares what is kept of passwords.
#[derive(Debug)]
pub struct Passwords {
    pepper: Secret<[u8; 32]>,
    /// Those that are worked on, and those that wait.
    places: Arc<Semaphore>,
    /// Those that are worked on.
    working: Arc<Semaphore>,
}

/// Why a password is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// It is short.
    #[error("the password has fewer than {SHORTEST} characters; use more, or `--generate`")]
    Short,
    /// It is beyond what is read.
    #[error("the password has more than {LONGEST} bytes")]
    Long,
    /// It is on every list.
    #[error(
        "the password is easy to guess: it repeats itself, runs in sequence or is made of common words; use another, or `--generate`"
    )]
    Guessable,
    /// It cannot be typed into a form.
    #[error("the password holds a character that no form can send, such as a line break")]
    Unsendable,
    /// The work cannot be done here.
    #[error("the password cannot be hashed: {0}")]
    Failed(argon2::password_hash::Error),
}

impl Passwords {
    /// Under the keys among `keys`.
    #[must_use]
    pub fn of(keys: &Keys) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from).clamp(1, 4);
        Self {
            pepper: Secret::new(*keys.pepper.expose()),
            places: Arc::new(Semaphore::new(cores + WAITING)),
            working: Arc::new(Semaphore::new(cores)),
        }
    }

    /// What is kept of a new password.
    ///
    /// # Errors
    /// When it is not a good one.
    pub fn hash(&self, password: &str, salt: [u8; 16]) -> Result<Opaque<String>, Unfit> {
        if password.chars().count() < SHORTEST {
            return Err(Unfit::Short);
        }
        if password.len() > LONGEST {
            return Err(Unfit::Long);
        }
        if password.chars().any(char::is_control) {
            return Err(Unfit::Unsendable);
        }
        if guessable(password) {
            return Err(Unfit::Guessable);
        }
        let hash = hasher().and_then(|hasher| hasher.hash_password_with_salt(&self.peppered(password), &salt));
        hash.map(|hash| Opaque::new(hash.to_string())).map_err(Unfit::Failed)
    }

    fn peppered(&self, password: &str) -> [u8; 32] {
        seal::mac(self.pepper.expose(), password.as_bytes())
    }

    /// Waits for a turn, unless too many wait already.
    async fn turn(&self) -> Result<Turn, NotSignedIn> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| NotSignedIn::Busy)?;
        let working = Arc::clone(&self.working).acquire_owned().await.map_err(|_| NotSignedIn::Busy)?;
        Ok(Turn { _place: place, _working: working })
    }
}

/// Leave to work on one password.
#[derive(Debug)]
struct Turn {
    _place: OwnedSemaphorePermit,
    _working: OwnedSemaphorePermit,
}

impl Turn {
    /// Whether a password is the one that `kept` is of. The turn is over when the work is, also where nobody waits
    /// for it any more.
    async fn compare(self, peppered: [u8; 32], kept: String) -> Result<(bool, Self), NotSignedIn> {
        let work = tokio::task::spawn_blocking(move || {
            let same = hasher().and_then(|hasher| hasher.verify_password(&peppered, kept.as_str()));
            (same.is_ok(), self)
        });
        work.await.map_err(|_| NotSignedIn::Fault(OAuthError::internal()))
    }
}

fn hasher() -> Result<Argon2<'static>, argon2::password_hash::Error> {
    let params = Params::new(MEMORY, ROUNDS, LANES, None)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// Who is trying.
#[derive(Debug, Clone, Copy)]
pub struct Trying<'a> {
    /// The name, as it was typed.
    pub name: &'a str,
    /// The password.
    pub password: &'a str,
    /// From where.
    pub address: std::net::IpAddr,
}

impl Issuer<'_> {
    /// Signs a person in by name and password, in place of what the browser `held` before.
    ///
    /// # Errors
    /// When they are not those of an account that may sign in, there were too many wrong ones, or too many are
    /// tried just now.
    pub async fn sign_in_by_password(
        &self,
        passwords: &Passwords,
        trying: Trying<'_>,
        held: Option<&str>,
        now: Timestamp,
    ) -> Result<OpenedSession, NotSignedIn> {
        let Trying { name, password, address } = trying;
        if self.login() != Login::Users {
            return Err(NotSignedIn::AccountUnknown);
        }
        let user = UserId::written(name.trim()).ok().filter(|user| user.as_str().starts_with("local/"));
        let account = match &user {
            Some(user) => self.store.account(user).await.map_err(down)?,
            None => None,
        };
        let by = [of_account(account.as_ref(), name, passwords), of_address(address)];
        let turn = passwords.turn().await?;
        // Looked at within the turn: of many at once, few are beyond the limit.
        for attempt in &by {
            if let Counted::Over { until } = self.store.counted(attempt.clone(), now).await.map_err(down)? {
                return Err(NotSignedIn::TooMany { until });
            }
        }
        let kept = account.as_ref().map_or(NOBODY, |account| account.password.expose()).to_owned();
        let (same, turn) = turn.compare(passwords.peppered(password), kept).await?;
        let refused = match (account, same) {
            (Some(account), true) if account.disabled_at.is_none() => {
                let [account_attempt, _] = by;
                drop(turn);
                return self.enter(account, account_attempt, held, now).await;
            }
            (Some(account), true) => NotSignedIn::AccountDisabled(account.user),
            (Some(account), false) => NotSignedIn::PasswordWrong(account.user),
            (None, _) => NotSignedIn::AccountUnknown,
        };
        for attempt in by {
            self.store.count(attempt, now).await.map_err(down)?;
        }
        drop(turn);
        Err(refused)
    }

    async fn enter(
        &self,
        account: AccountRow,
        attempt: Attempt,
        held: Option<&str>,
        now: Timestamp,
    ) -> Result<OpenedSession, NotSignedIn> {
        let user = account.user.clone();
        let Some(opened) = self.open(user.clone(), held, None, now).await? else {
            return Err(NotSignedIn::Fault(OAuthError::internal()));
        };
        // The password may have been set anew while the old one was compared.
        let standing = self.store.account(&user).await.map_err(down)?;
        let same = standing.is_some_and(|standing| {
            standing.disabled_at.is_none() && standing.password.expose() == account.password.expose()
        });
        if !same {
            self.sign_out(&opened.session).await?;
            return Err(NotSignedIn::PasswordWrong(user));
        }
        self.store.forget_count(attempt.name, attempt.key).await.map_err(down)?;
        Ok(opened)
    }
}

/// Wrong passwords of an account. Names without one share some rows, so that nobody fills the store.
fn of_account(account: Option<&AccountRow>, name: &str, passwords: &Passwords) -> Attempt {
    let key = match account {
        Some(account) => format!("account {}", account.user),
        None => {
            let [high, low, ..] = seal::mac(passwords.pepper.expose(), name.trim().as_bytes());
            format!("nobody {}", u16::from_be_bytes([high, low]) % NOBODIES)
        }
    };
    attempt(key)
}

/// Wrong passwords from an address.
fn of_address(address: std::net::IpAddr) -> Attempt {
    attempt(format!("address {}", network(address)))
}

fn attempt(key: String) -> Attempt {
    Attempt { name: "password", key: key.into_bytes(), limit: MOST_WRONG, window: WINDOW }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passwords(key: u8) -> Passwords {
        Passwords {
            pepper: Secret::new([key; 32]),
            places: Arc::new(Semaphore::new(3)),
            working: Arc::new(Semaphore::new(1)),
        }
    }

    #[tokio::test]
    async fn t212_what_is_kept_is_argon2id_under_the_pepper_and_salt() {
        let ours = passwords(1);
        let kept = ours.hash("correct horse staple", [7; 16]).unwrap();
        assert!(kept.expose().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", kept.expose());
        assert_ne!(kept.expose(), ours.hash("correct horse staple", [8; 16]).unwrap().expose());
        for (by, password, same) in [
            (&ours, "correct horse staple", true),
            (&ours, "correct horse stapler", false),
            (&passwords(2), "correct horse staple", false),
        ] {
            let (compared, _) =
                ours.turn().await.unwrap().compare(by.peppered(password), kept.expose().clone()).await.unwrap();
            assert_eq!(compared, same, "{password}");
        }
    }

    #[tokio::test]
    async fn t214_nobody_s_hash_costs_what_another_does_and_no_password_gives_it() {
        let parsed = argon2::password_hash::phc::PasswordHash::new(NOBODY).unwrap();
        assert_eq!(Params::try_from(&parsed).unwrap(), Params::new(MEMORY, ROUNDS, LANES, Some(32)).unwrap());
        let ours = passwords(1);
        let (same, _) = ours.turn().await.unwrap().compare(ours.peppered(""), NOBODY.to_owned()).await.unwrap();
        assert!(!same);
    }

    #[tokio::test]
    async fn beyond_those_that_wait_a_try_is_told_to_come_again() {
        let ours = passwords(1);
        let first = ours.turn().await.unwrap();
        let (mut second, mut third) = (Box::pin(ours.turn()), Box::pin(ours.turn()));
        assert!(futures_util::poll!(&mut second).is_pending() && futures_util::poll!(&mut third).is_pending());
        assert!(matches!(ours.turn().await, Err(NotSignedIn::Busy)));
        drop(first);
        let second = second.await.unwrap();
        drop(second);
        third.await.unwrap();
    }

    #[test]
    fn t223_a_password_that_lists_find_is_not_taken() {
        let hash = |password: &str| passwords(1).hash(password, [0; 16]).map(drop).unwrap_err();
        assert_eq!(hash("short"), Unfit::Short);
        assert_eq!(hash(&"x".repeat(2000)), Unfit::Long);
        assert_eq!(hash("passwordpassword"), Unfit::Guessable);
        assert_eq!(hash("aaaaaaaaaaaaaa"), Unfit::Guessable);
        assert_eq!(hash("correct\nhorse staple"), Unfit::Unsendable);
    }
}
