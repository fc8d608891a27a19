//! A bearer token in the `Authorization` header: not asked, a caller, or failed.
//!
//! The cache knows tokens by a digest keyed for this process alone, holds good ones only, and each
//! use of an entry looks at expiry and audience anew. It is trusted only while the store's events
//! have been read within [`TRUSTED`]; a revocation in another process is an event. Without events
//! every request reads the store, so that a dead poller costs time and nothing else.
//!
//! INVARIANT: every bad token looks the same from outside; the reasons are for the audit trail.
//! SPEC: RFC 6750 §2.1, RFC 9110 §11.4, oauth §2.5 and §3.2.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
};

use http::{HeaderMap, header::AUTHORIZATION};
use jiff::{SignedDuration, Timestamp};
use moka::sync::Cache;
use tokio::sync::broadcast;

use super::Caller;
use crate::{
    id::Id,
    oauth::TokenKeys,
    policy::Because,
    store::{FoundToken, Reach, SKEW, Store, StoreError, StoredEvent, TokenRow},
};

/// How long the cache is believed after events were last read.
const TRUSTED: SignedDuration = SignedDuration::from_secs(2);
/// Tokens that are kept; about half a kilobyte each.
const CACHED: u64 = 10_000;
/// Bytes of a header value that are looked at.
const LONGEST: usize = 4096;

/// Revocations that may wait to be noticed by who outlives a request.
const MOST_REVOCATIONS: usize = 256;

/// Families that may wait to be told of; those beyond keep the longer grace.
const MOST_ARRIVALS: usize = 10_000;

/// What came of asking.
#[derive(Debug)]
pub enum Outcome<F = ()> {
    /// There is no credential.
    NotAsked,
    /// A good one.
    Caller(Arc<Caller<F>>),
    /// A bad one.
    Failed(BadToken),
}

/// Why a credential is bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadToken {
    /// Two `Authorization` headers; the one that is answered 400 (OA-71).
    Repeated,
    /// Another scheme than `Bearer`; answered as if there were none (OA-68).
    OtherScheme,
    /// No token of ours by its form.
    Malformed,
    /// The form is right and the store does not know it.
    Unknown,
    /// Its time is over.
    Expired,
    /// Its time has not come: a clock was set back.
    NotYet,
    /// It was revoked.
    Revoked,
    /// Good, and for another endpoint.
    WrongAudience,
}

impl BadToken {
    /// The reason as decisions name it.
    #[must_use]
    pub fn because(self) -> Because {
        match self {
            Self::OtherScheme => Because::Unauthenticated,
            Self::WrongAudience => Because::AudienceMismatch,
            Self::Repeated | Self::Malformed | Self::Unknown | Self::Expired | Self::NotYet | Self::Revoked => {
                Because::TokenInvalid
            }
        }
    }
}

impl fmt::Display for BadToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Repeated => "token-repeated",
            Self::OtherScheme => "token-other-scheme",
            Self::Malformed => "token-malformed",
            Self::Unknown => "token-unknown",
            Self::Expired => "token-expired",
            Self::NotYet => "token-not-yet",
            Self::Revoked => "token-revoked",
            Self::WrongAudience => "token-wrong-audience",
        })
    }
}

/// Authentication by bearer token.
pub struct Bearer<F = ()> {
    store: Arc<Store>,
    keys: TokenKeys,
    cache: Cache<[u8; 32], Arc<Caller<F>>>,
    cache_key: [u8; 32],
    /// Milliseconds of the last good reading of events.
    read_at: AtomicI64,
    /// The last event acted on.
    seq: AtomicI64,
    /// Counts the rounds of dropping entries; see [`Bearer::fetch`].
    rounds: AtomicU64,
    /// Tells what was revoked.
    revoked: broadcast::Sender<Reach>,
    /// Families of which a token was seen for the first time, and since when it was good.
    arrived: Mutex<HashMap<Id, Timestamp>>,
}

impl<F: Default + Send + Sync + 'static> Bearer<F> {
    /// `cache_key` is random and of this process; `seq` is the number of the newest event by now.
    #[must_use]
    pub fn new(store: Arc<Store>, keys: TokenKeys, cache_key: [u8; 32], seq: i64) -> Self {
        Self {
            store,
            keys,
            cache: Cache::new(CACHED),
            cache_key,
            read_at: AtomicI64::new(i64::MIN),
            seq: AtomicI64::new(seq),
            rounds: AtomicU64::new(0),
            revoked: broadcast::channel(MOST_REVOCATIONS).0,
            arrived: Mutex::default(),
        }
    }

    /// Waits until a caller's token is revoked, as far as this process hears; from now on, polled or not.
    pub fn revoked<G: Send + Sync + 'static>(
        &self,
        caller: Arc<Caller<G>>,
    ) -> impl Future<Output = ()> + Send + use<F, G> {
        let mut revoked = self.revoked.subscribe();
        async move {
            loop {
                match revoked.recv().await {
                    Ok(reach) if !caller.is_within(&reach) => {}
                    // Who missed some of them cannot say that it was not this one.
                    Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => return,
                    Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
                }
            }
        }
    }

    /// Who calls the endpoint whose URL is `resource`.
    ///
    /// # Errors
    /// When the store cannot be read; the request is to be refused then.
    pub async fn authenticate(
        &self,
        headers: &HeaderMap,
        resource: &str,
        now: Timestamp,
    ) -> Result<Outcome<F>, StoreError> {
        let token = match presented(headers) {
            Ok(Some(token)) => token,
            Ok(None) => return Ok(Outcome::NotAsked),
            Err(bad) => return Ok(Outcome::Failed(bad)),
        };
        let key = *blake3::keyed_hash(&self.cache_key, token.as_bytes()).as_bytes();
        let caller = match self.cache.get(&key).filter(|_| self.is_trusted(now)) {
            Some(caller) => caller,
            None => match self.fetch(token, key).await? {
                Ok(caller) => caller,
                Err(bad) => return Ok(Outcome::Failed(bad)),
            },
        };
        Ok(match examine(&caller, resource, now) {
            Ok(()) => Outcome::Caller(caller),
            Err(bad) => Outcome::Failed(bad),
        })
    }

    /// Reads the store's events and acts on them; [`super::keep_up`] alone calls it. Gives the
    /// events, each once, so that they can be recorded too.
    ///
    /// # Errors
    /// When the store cannot be read; nothing was acted on then and all will come again.
    pub async fn catch_up(&self, now: Timestamp) -> Result<Vec<StoredEvent>, StoreError> {
        let events = self.store.events_since(self.seq.load(Ordering::Acquire)).await?;
        let revoked: Vec<Reach> = events.iter().filter_map(|stored| stored.event.reach()).collect();
        if !revoked.is_empty() {
            self.drop_cached(|caller| revoked.iter().any(|reach| caller.is_within(reach)));
            for reach in revoked {
                drop(self.revoked.send(reach));
            }
        }
        let renewed: Vec<Id> = events.iter().filter_map(|stored| stored.event.renewed()).collect();
        if !renewed.is_empty() {
            self.read_anew(&renewed);
        }
        if let Some(last) = events.last() {
            self.seq.store(last.seq, Ordering::Release);
        }
        // A full page may have more behind it; the cache is not believed until that is read.
        if events.len() < 1000 {
            self.read_at.store(now.as_millisecond(), Ordering::Release);
        }
        Ok(events)
    }

    /// Drops what was revoked from the cache at once, for a revocation in this process; the others
    /// hear of it by the event (OA-86).
    pub fn forget(&self, reach: Reach) {
        self.drop_cached(|caller| caller.is_within(&reach));
        drop(self.revoked.send(reach));
    }

    /// Has the tokens of a grant read anew, for an approval in this process.
    pub fn renew(&self, grant: Id) {
        self.read_anew(&[grant]);
    }

    /// Tells the store of families whose tokens were seen for the first time: from then on their last
    /// refresh is answered again for a shorter while (OA-55). Not on the way of a request, and without a write
    /// where it is no news.
    ///
    /// # Errors
    /// When the store cannot be read or written; the rest is told the next time.
    pub async fn tell_arrivals(&self) -> Result<(), StoreError> {
        let waiting = || self.arrived.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let next = waiting().iter().next().map(|(family, issued_at)| (*family, *issued_at));
            let Some((family, issued_at)) = next else { return Ok(()) };
            self.store.note_successor_used(family, issued_at).await?;
            let mut waiting = waiting();
            if waiting.get(&family) == Some(&issued_at) {
                waiting.remove(&family);
            }
        }
    }

    /// Notes that a token is in use.
    fn saw(&self, row: &TokenRow) {
        let Some(family) = row.family else { return };
        let mut arrived = self.arrived.lock().unwrap_or_else(PoisonError::into_inner);
        if arrived.len() < MOST_ARRIVALS || arrived.contains_key(&family) {
            let last = arrived.entry(family).or_insert(row.issued_at);
            *last = row.issued_at.max(*last);
        }
    }

    fn drop_cached(&self, which: impl Fn(&Caller<F>) -> bool) {
        self.rounds.fetch_add(1, Ordering::SeqCst);
        for (key, caller) in &self.cache {
            if which(&caller) {
                caller.revoked.store(true, Ordering::Release);
                self.cache.invalidate(&*key);
            }
        }
    }

    /// Good tokens whose grant says something else than before.
    fn read_anew(&self, grants: &[Id]) {
        self.rounds.fetch_add(1, Ordering::SeqCst);
        for (key, caller) in &self.cache {
            if caller.grant.is_some_and(|grant| grants.contains(&grant)) {
                self.cache.invalidate(&*key);
            }
        }
    }

    fn is_trusted(&self, now: Timestamp) -> bool {
        now.as_millisecond()
            .checked_sub(self.read_at.load(Ordering::Acquire))
            .is_some_and(|age| u128::from(age.unsigned_abs()) <= TRUSTED.as_millis().unsigned_abs())
    }

    /// Asks the store, and keeps a good answer.
    async fn fetch(&self, token: &str, key: [u8; 32]) -> Result<Result<Arc<Caller<F>>, BadToken>, StoreError> {
        let Ok(looked) = self.keys.look(token) else { return Ok(Err(BadToken::Malformed)) };
        let round = self.rounds.load(Ordering::SeqCst);
        let Some(found) = self.store.find_token(&looked.mac).await? else { return Ok(Err(BadToken::Unknown)) };
        if found.row.revoked_at.is_some() {
            self.cache.invalidate(&key);
            return Ok(Err(BadToken::Revoked));
        }
        // An entry of before, only mistrusted for a while, keeps the facts worked out for it.
        let alike = |before: &Arc<Caller<F>>| {
            before.opened.as_deref() == found.opened.as_ref() && before.groups.iter().eq(&found.groups)
        };
        let before = self.cache.get(&key).filter(alike);
        let caller = match before {
            Some(before) => before,
            None => {
                self.saw(&found.row);
                Arc::new(self.caller(found))
            }
        };
        self.cache.insert(key, caller.clone());
        // A revocation acted on since the store was read did not see this entry.
        if self.rounds.load(Ordering::SeqCst) != round {
            self.cache.invalidate(&key);
        }
        Ok(Ok(caller))
    }

    fn caller(&self, found: FoundToken) -> Caller<F> {
        let FoundToken { row, opened, groups } = found;
        let TokenRow { id, principal, client, scopes, resource, family, grant, issued_at, expires_at, revoked_at } =
            row;
        Caller {
            principal,
            client,
            scopes: scopes.into(),
            groups: groups.into_iter().collect(),
            token: id,
            family,
            grant,
            opened: opened.map(Arc::new),
            token_hash: self.keys.audit_name(id).into(),
            issued_at,
            expires_at,
            resource: resource.into(),
            facts: F::default(),
            revoked: AtomicBool::new(revoked_at.is_some()),
        }
    }
}

impl<F> fmt::Debug for Bearer<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bearer").finish_non_exhaustive()
    }
}

/// The token presented, if one is.
fn presented(headers: &HeaderMap) -> Result<Option<&str>, BadToken> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(BadToken::Repeated);
    }
    let text = value.to_str().ok().filter(|text| text.len() <= LONGEST).ok_or(BadToken::Malformed)?;
    let (scheme, rest) = text.split_once(' ').unwrap_or((text, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(BadToken::OtherScheme);
    }
    // RFC 9110 has one or more spaces here, and never a tab.
    let token = rest.trim_start_matches(' ');
    let body = token.trim_end_matches('=');
    let token68 = !body.is_empty()
        && body.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~' | b'+' | b'/'));
    if token68 { Ok(Some(token)) } else { Err(BadToken::Malformed) }
}

fn examine<F>(caller: &Caller<F>, resource: &str, now: Timestamp) -> Result<(), BadToken> {
    if caller.revoked.load(Ordering::Acquire) {
        Err(BadToken::Revoked)
    } else if now >= caller.expires_at {
        Err(BadToken::Expired)
    } else if now.saturating_add(SKEW).is_ok_and(|soon| soon < caller.issued_at) {
        Err(BadToken::NotYet)
    } else if *caller.resource != *resource {
        Err(BadToken::WrongAudience)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (AUTHORIZATION, value.parse().unwrap())).collect()
    }

    #[test]
    fn oa68_only_the_bearer_scheme_counts_in_any_case() {
        for good in ["Bearer abc", "bearer abc", "BEARER abc", "bEaReR  abc", "Bearer abc=="] {
            assert!(matches!(presented(&header(&[good])), Ok(Some(token)) if token.starts_with("abc")), "{good}");
        }
        for other in ["Basic abc", "Token abc", "abc", "", "Bearerabc", " Bearer abc", "Bearer\tabc"] {
            assert_eq!(presented(&header(&[other])), Err(BadToken::OtherScheme), "{other}");
        }
        let long = format!("Bearer {}", "x".repeat(100_000));
        for bad in [
            "Bearer",
            "Bearer ",
            "Bearer =",
            "Bearer a b",
            "Bearer abc ",
            "Bearer a,b",
            "Bearer a\"",
            "Bearer \tabc",
            &long,
        ] {
            assert_eq!(presented(&header(&[bad])), Err(BadToken::Malformed), "{bad:.40}");
        }
        assert_eq!(presented(&header(&[])), Ok(None));
    }

    #[test]
    fn oa71_two_headers_are_one_too_many_even_when_alike() {
        assert_eq!(presented(&header(&["Bearer abc", "Bearer abc"])), Err(BadToken::Repeated));
        assert_eq!(presented(&header(&["Bearer abc", "Basic abc"])), Err(BadToken::Repeated));
    }
}
