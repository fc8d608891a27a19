//! Who may be connected at once, and who goes when the house is full.
//!
//! A full house does not keep the next caller out: whoever has waited longest for its peer goes. A
//! connection waits for its peer as long as none of its requests is in our hands: come in whole, and not
//! answered whole. So silent ones, slow ones, idle ones and those that do not read go, and none whose
//! request is being worked on. Thousands that say nothing thus push out each other, and a caller who
//! speaks is served meanwhile.
//!
//! INVARIANT: a connection without an open request is closed after `listen.limits.idle`, whatever it
//! trickles: TLS handshake, version, header section, or nothing; and one that takes no answer a little
//! after `listen.limits.request`.
//! SPEC: T-195, T-197; SM-31.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// Of so many, one goes when the house is full: all are looked through for it, so not one by one.
const SHARE: usize = 64;
/// Beyond `limits.request`, so that whoever writes a body too slowly is told so first.
const MANNERS: Duration = Duration::from_secs(5);
/// How long to wait for a place before those inside are looked through again.
const AGAIN: Duration = Duration::from_millis(20);

/// The places of a listener.
#[derive(Debug)]
pub(super) struct Places {
    free: Arc<Semaphore>,
    guests: Mutex<HashMap<u64, Arc<Guest>>>,
    next: AtomicU64,
    opened: Instant,
}

/// A connection, as far as its place is concerned.
#[derive(Debug)]
pub(super) struct Guest {
    opened: Instant,
    /// Requests whose head came in and whose answer is not at its end.
    open: AtomicU32,
    /// Those of them that are in our hands.
    ours: AtomicU32,
    /// When it last began to wait for its peer, in milliseconds.
    since: AtomicU64,
    leave: Notify,
}

/// A place that is taken. Dropped, it is free.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    number: u64,
    guest: Arc<Guest>,
    _permit: OwnedSemaphorePermit,
}

/// One request of a guest. Dropped, it is at its end.
#[derive(Debug)]
pub(super) struct Visit {
    guest: Arc<Guest>,
    ours: AtomicBool,
}

impl Places {
    pub(super) fn new(count: usize) -> Arc<Self> {
        Arc::new(Self {
            free: Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS))),
            guests: Mutex::default(),
            next: AtomicU64::new(0),
            opened: Instant::now(),
        })
    }

    /// A place, as soon as there is one. In a full house those who wait longest go.
    pub(super) async fn take(self: &Arc<Self>) -> Option<Place> {
        loop {
            let permit = match Arc::clone(&self.free).try_acquire_owned() {
                Ok(permit) => permit,
                Err(_) => {
                    self.make_room();
                    match tokio::time::timeout(AGAIN, Arc::clone(&self.free).acquire_owned()).await {
                        Ok(permit) => permit.ok()?,
                        Err(_) => continue,
                    }
                }
            };
            let number = self.next.fetch_add(1, Relaxed);
            let guest = Arc::new(Guest {
                opened: self.opened,
                open: AtomicU32::new(0),
                ours: AtomicU32::new(0),
                since: AtomicU64::new(elapsed(self.opened)),
                leave: Notify::new(),
            });
            self.lock().insert(number, Arc::clone(&guest));
            return Some(Place { places: Arc::clone(self), number, guest, _permit: permit });
        }
    }

    /// Sends away who has waited longest for its peer, a share of all at once.
    pub(super) fn make_room(&self) {
        let guests = self.lock();
        let waiting = guests.values().filter(|guest| guest.ours.load(Relaxed) == 0);
        let mut waiting: Vec<(u64, &Arc<Guest>)> = waiting.map(|guest| (guest.since.load(Relaxed), guest)).collect();
        let count = (guests.len() / SHARE).max(1);
        if count < waiting.len() {
            waiting.select_nth_unstable_by_key(count, |(since, _)| *since);
        }
        for (_, guest) in waiting.into_iter().take(count) {
            guest.leave.notify_one();
        }
    }

    /// Sends away who has had no request open for `idle`, and who takes no answer for `request`.
    pub(super) fn dismiss(&self, idle: Duration, request: Duration) {
        let now = elapsed(self.opened);
        for guest in self.lock().values() {
            let most = match (guest.open.load(Relaxed), guest.ours.load(Relaxed)) {
                (0, _) => idle,
                (_, 0) => request.saturating_add(MANNERS),
                _ => continue,
            };
            if now.saturating_sub(guest.since.load(Relaxed)) > millis(most) {
                guest.leave.notify_one();
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Arc<Guest>>> {
        self.guests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    pub(super) const fn guest(&self) -> &Arc<Guest> {
        &self.guest
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.lock().remove(&self.number);
    }
}

impl Guest {
    /// Waits until it is sent away.
    pub(super) async fn sent_away(&self) {
        self.leave.notified().await;
    }

    /// Whether all that is open is up to the peer.
    #[cfg(test)]
    pub(super) fn waits_for_peer(&self) -> bool {
        self.ours.load(Relaxed) == 0
    }

    /// The head of a request came in.
    pub(super) fn visit(self: &Arc<Self>) -> Arc<Visit> {
        self.open.fetch_add(1, Relaxed);
        self.since.store(elapsed(self.opened), Relaxed);
        Arc::new(Visit { guest: Arc::clone(self), ours: AtomicBool::new(false) })
    }
}

impl Visit {
    /// The request came in whole: what happens next is up to us.
    pub(super) fn is_whole(&self) {
        if !self.ours.swap(true, Relaxed) {
            self.guest.ours.fetch_add(1, Relaxed);
        }
    }

    /// The whole answer is handed over: what happens next is up to the peer.
    pub(super) fn is_answered(&self) {
        self.guest.since.store(elapsed(self.guest.opened), Relaxed);
        if self.ours.swap(false, Relaxed) {
            self.guest.ours.fetch_sub(1, Relaxed);
        }
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.is_answered();
        self.guest.open.fetch_sub(1, Relaxed);
    }
}

fn elapsed(opened: Instant) -> u64 {
    millis(opened.elapsed())
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn goes(place: &Place) -> bool {
        let waker = std::task::Waker::noop();
        let sent = std::pin::pin!(place.guest.sent_away());
        sent.poll(&mut std::task::Context::from_waker(waker)).is_ready()
    }

    #[tokio::test]
    async fn t195_a_full_house_sends_away_who_has_waited_longest_and_never_who_is_served() {
        let places = Places::new(3);
        let first = places.take().await.unwrap();
        let served = first.guest().visit();
        served.is_whole();
        let second = places.take().await.unwrap();
        second.guest.since.store(1, Relaxed);
        let third = places.take().await.unwrap();
        third.guest.since.store(2, Relaxed);
        // The third speaks, but its body never ends: it still waits for its peer.
        let slow = third.guest().visit();
        third.guest.since.store(2, Relaxed);
        places.make_room();
        assert!(goes(&second) && !goes(&third) && !goes(&first));
        drop(second);
        let fourth = places.take().await.unwrap();
        fourth.guest.since.store(3, Relaxed);
        places.make_room();
        assert!(goes(&third) && !goes(&fourth) && !goes(&first));
        drop((slow, served));
        assert_eq!(first.guest.open.load(Relaxed), 0);
    }

    #[tokio::test]
    async fn t195_only_who_has_no_request_open_is_idle() {
        let places = Places::new(3);
        let idle = places.take().await.unwrap();
        let open = places.take().await.unwrap();
        let visit = open.guest().visit();
        // Both have waited since long ago, as far as the clock can tell.
        tokio::time::timeout(Duration::from_secs(5), async {
            while elapsed(places.opened) < 3 {
                tokio::task::yield_now().await;
            }
        })
        .await
        .unwrap();
        places.dismiss(Duration::from_millis(1), Duration::ZERO);
        assert!(goes(&idle) && !goes(&open));
        drop(visit);
        drop((idle, open));
        assert!(places.lock().is_empty());
    }
}
