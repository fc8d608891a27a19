//! Wrong secrets of clients: after twenty the guesser waits, and whoever has the right one elsewhere does not.
//!
//! Counted by address, and by client: once a client's secret was guessed at that often, from wherever, an address
//! that was wrong about it before waits too. An address that was not has its try, so that nobody can lock a client
//! out. Who waits is not told whether this secret would have been right.
//!
//! It is the process's own and in memory: who is not authenticated writes nothing to the store.
//!
//! INVARIANT: a success forgives nothing, and no more than so many are remembered.
//! SPEC: oauth §2.0; OA-44, T-157.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp};

use super::Presented;
use crate::{
    limit::network,
    name::ClientId,
    oauth::{
        error::{OAuthError, Why},
        form::Form,
        issuer::Call,
    },
};

/// How many may be wrong.
const MOST: u32 = 20;
/// Within which time.
const WINDOW: SignedDuration = SignedDuration::from_mins(15);
/// The most counts that are kept.
const KEPT: usize = 20_000;

/// Whose wrong secrets are counted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Whose {
    Address(IpAddr),
    Client(ClientId),
    Both(ClientId, IpAddr),
}

#[derive(Debug, Clone, Copy)]
struct Count {
    wrong: u32,
    until: Timestamp,
}

/// The wrong secrets of a while.
#[derive(Debug, Default)]
pub(crate) struct Guesses(Mutex<HashMap<Whose, Count>>);

/// A call that shows a secret, from an address.
#[derive(Debug)]
pub(crate) struct Guess {
    client: ClientId,
    address: IpAddr,
}

impl Guess {
    /// What a call guesses at; nothing where it shows no secret.
    pub(crate) fn of(call: &Call<'_>, address: IpAddr) -> Option<Self> {
        let presented = Presented::read(call.authorization, &Form::read(call.body).ok()?).ok()?;
        presented.shows_a_secret().then(|| Self { client: presented.id, address: network(address) })
    }
}

impl Guesses {
    /// Whether a guess may be made.
    ///
    /// # Errors
    /// When whoever makes it has to wait.
    pub(crate) fn may(&self, guess: &Guess, now: Timestamp) -> Result<(), OAuthError> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let alive = |whose| counts.get(&whose).copied().filter(|count| now < count.until);
        let Guess { client, address } = guess;
        let over = |count: &Count| count.wrong >= MOST;
        let of_address = alive(Whose::Address(*address)).filter(over);
        let known = || alive(Whose::Both(client.clone(), *address));
        let held =
            of_address.or_else(|| alive(Whose::Client(client.clone())).filter(over).filter(|_| known().is_some()));
        match held {
            Some(count) => {
                let what = "too many wrong client secrets came from there; try again later";
                Err(OAuthError::too_many(Why::Guessing, what, count.until.duration_since(now).as_secs()))
            }
            None => Ok(()),
        }
    }

    /// Notes what came of a guess.
    pub(crate) fn came<T>(&self, guess: &Guess, outcome: &Result<T, OAuthError>, now: Timestamp) {
        let Err(error) = outcome else { return };
        let Guess { client, address } = guess;
        match error.why() {
            Why::ClientSecret => {
                self.count(Whose::Client(client.clone()), now);
                self.count(Whose::Both(client.clone(), *address), now);
            }
            // What is no client could be anything: it is counted by its address alone.
            Why::ClientUnknown | Why::AuthMethod => {}
            _ => return,
        }
        self.count(Whose::Address(*address), now);
    }

    fn count(&self, whose: Whose, now: Timestamp) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= KEPT && !counts.contains_key(&whose) {
            counts.retain(|_, count| now < count.until);
            if counts.len() >= KEPT {
                // Who has been wrong most often is remembered longest.
                let least = counts.values().map(|count| count.wrong).min().unwrap_or_default();
                counts.retain(|_, count| count.wrong > least);
            }
        }
        let until = now.saturating_add(WINDOW).unwrap_or(now);
        let count = counts.entry(whose).or_insert(Count { wrong: 0, until });
        if count.until <= now {
            *count = Count { wrong: 0, until };
        }
        count.wrong = count.wrong.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::error::ErrorCode;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn guess(client: &str, address: &str) -> Guess {
        Guess { client: client.parse().unwrap(), address: network(address.parse().unwrap()) }
    }

    fn wrong(why: Why) -> Result<(), OAuthError> {
        Err(OAuthError::new(ErrorCode::InvalidClient, why, "client authentication failed"))
    }

    #[test]
    fn oa44_t157_after_twenty_an_address_waits_and_another_does_not() {
        let guesses = Guesses::default();
        let (here, there) = (guess("bot", "2001:db8::1"), guess("bot", "192.0.2.1"));
        for nth in 0..20 {
            assert!(guesses.may(&here, at(nth)).is_ok(), "{nth}");
            guesses.came(&here, &wrong(Why::ClientSecret), at(nth));
        }
        let held = guesses.may(&here, at(20)).unwrap_err();
        assert_eq!((held.status(), held.retry_after()), (429, Some(880)));
        assert!(guesses.may(&guess("bot", "2001:db8::2"), at(20)).is_err(), "the same network");
        assert!(guesses.may(&guess("other", "2001:db8::1"), at(20)).is_err(), "the address, whatever the client");
        assert!(guesses.may(&there, at(20)).is_ok(), "who was never wrong is not locked out");
        guesses.came(&there, &Ok::<(), _>(()), at(20));
        guesses.came(&there, &wrong(Why::ClientSecret), at(21));
        assert!(guesses.may(&there, at(22)).is_err(), "but who was wrong once waits with the client");
        assert!(guesses.may(&guess("other", "192.0.2.1"), at(22)).is_ok());
        assert!(guesses.may(&here, at(900)).is_ok(), "and it ends");
    }

    #[test]
    fn oa44_ids_that_are_none_count_by_address_and_fill_nothing() {
        let guesses = Guesses::default();
        for nth in 0..20 {
            guesses.came(&guess(&format!("made-up-{nth}"), "192.0.2.1"), &wrong(Why::ClientUnknown), at(nth));
        }
        assert!(guesses.may(&guess("bot", "192.0.2.1"), at(20)).is_err());
        assert_eq!(guesses.0.lock().unwrap().len(), 1);
        guesses.came(&guess("bot", "192.0.2.2"), &wrong(Why::ParameterBad), at(20));
        assert_eq!(guesses.0.lock().unwrap().len(), 1, "what is no wrong secret counts for nothing");
    }

    #[test]
    fn t156_no_more_than_so_many_are_remembered_and_who_was_wrong_most_is() {
        let guesses = Guesses::default();
        let offender = guess("bot", "192.0.2.1");
        for nth in 0..20 {
            guesses.came(&offender, &wrong(Why::ClientUnknown), at(nth));
        }
        for nth in 0..30_000_u32 {
            let one = Guess { client: "bot".parse().unwrap(), address: IpAddr::V4(nth.into()) };
            guesses.came(&one, &wrong(Why::ClientUnknown), at(20));
        }
        assert!(guesses.0.lock().unwrap().len() <= KEPT);
        assert!(guesses.may(&offender, at(21)).is_err());
    }
}
