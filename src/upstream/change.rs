//! What changes at a server: counted for our own lists, told to whoever watches.
//!
//! SPEC: sheet `mcp` SU-07, CA-07.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::sync::{Notify, broadcast, watch};

use super::Trouble;
use crate::mcp::Kind;

/// How many changes a watcher may be behind; who is further behind is told that it has missed some.
const ROOM: usize = 64;
/// How many resources of a server may be subscribed to at a time.
const MOST_WANTED: usize = 1000;

/// Something changed at an upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// One of its lists, by its own word or because it came up anew.
    List(Kind),
    /// A resource that somebody is subscribed to.
    Resource(Arc<str>),
}

/// A subscription to a resource. Dropped, it is taken back; the last one of a resource is taken back
/// at the server.
#[derive(Debug)]
pub struct Subscription {
    changes: Arc<Changes>,
    uri: Arc<str>,
}

impl Subscription {
    /// The resource.
    #[must_use]
    pub fn uri(&self) -> &Arc<str> {
        &self.uri
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut wanted = self.changes.lock();
        if let Some(want) = wanted.get_mut(&self.uri) {
            want.count = want.count.saturating_sub(1);
            if want.count == 0 {
                wanted.remove(&self.uri);
            }
        }
        drop(wanted);
        self.changes.interest.notify_one();
    }
}

/// What became of the wish to hear of a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// The server was not asked yet.
    Asked,
    /// It will tell.
    Held,
    /// It will not.
    Refused(Trouble),
}

#[derive(Debug)]
struct Want {
    count: usize,
    standing: watch::Sender<Standing>,
}

/// The changes of one server, and who wants to hear of which.
#[derive(Debug)]
pub(super) struct Changes {
    counts: [AtomicU64; 4],
    told: broadcast::Sender<Change>,
    wanted: Mutex<HashMap<Arc<str>, Want>>,
    /// How often a session was opened.
    lives: watch::Sender<u64>,
    interest: Notify,
}

impl Default for Changes {
    fn default() -> Self {
        Self {
            counts: Default::default(),
            told: broadcast::Sender::new(ROOM),
            wanted: Mutex::default(),
            lives: watch::Sender::new(0),
            interest: Notify::new(),
        }
    }
}

impl Changes {
    /// Everything that changes from now on.
    pub(super) fn watch(&self) -> broadcast::Receiver<Change> {
        let watch = self.told.subscribe();
        self.interest.notify_one();
        watch
    }

    /// One more who wants to hear of a resource, and what becomes of the wish.
    pub(super) fn want(self: &Arc<Self>, uri: &str) -> Result<(Subscription, watch::Receiver<Standing>), Trouble> {
        let uri: Arc<str> = uri.into();
        let mut wanted = self.lock();
        if wanted.len() >= MOST_WANTED && !wanted.contains_key(&uri) {
            return Err(Trouble::Busy);
        }
        let want = wanted
            .entry(uri.clone())
            .or_insert_with(|| Want { count: 0, standing: watch::Sender::new(Standing::Asked) });
        want.count += 1;
        let standing = want.standing.subscribe();
        drop(wanted);
        self.interest.notify_one();
        Ok((Subscription { changes: self.clone(), uri }, standing))
    }

    /// The resources that somebody wants to hear of, sorted.
    pub(super) fn wanted(&self) -> Vec<Arc<str>> {
        let mut uris: Vec<_> = self.lock().keys().cloned().collect();
        uris.sort();
        uris
    }

    /// Says what became of a wish, if it is still one.
    pub(super) fn settle(&self, uri: &str, standing: Standing) {
        if let Some(want) = self.lock().get(uri) {
            want.standing.send_replace(standing);
        }
    }

    /// Whether anybody wants to hear of anything.
    pub(super) fn is_wanted(&self) -> bool {
        self.told.receiver_count() > 0 || !self.lock().is_empty()
    }

    /// Waits until who wants what may have changed.
    pub(super) async fn interest(&self) {
        tokio::select! {
            () = self.interest.notified() => {}
            () = self.unwatched() => {}
        }
    }

    /// Waits until the last watcher goes, if there is one.
    async fn unwatched(&self) {
        if self.told.receiver_count() == 0 {
            std::future::pending::<()>().await;
        }
        self.told.closed().await;
    }

    /// A session was opened: what was known of the server is old.
    pub(super) fn opened(&self) {
        Kind::ALL.into_iter().for_each(|kind| self.bump(kind));
        self.lives.send_modify(|lives| *lives += 1);
    }

    /// How often a session was opened, from now on.
    pub(super) fn lives(&self) -> watch::Receiver<u64> {
        self.lives.subscribe()
    }

    /// Notes that lists changed.
    pub(super) fn note(&self, kinds: &[Kind]) {
        kinds.iter().for_each(|kind| self.bump(*kind));
    }

    /// Notes that a resource changed. What nobody wants to hear of is not told.
    pub(super) fn updated(&self, uri: &str) {
        let known = self.lock().get_key_value(uri).map(|(uri, _)| uri.clone());
        if let Some(uri) = known {
            // Without a watcher nobody is told.
            drop(self.told.send(Change::Resource(uri)));
        }
    }

    /// How often a list may have changed.
    pub(super) fn count(&self, kind: Kind) -> u64 {
        self.of(kind).load(Ordering::Acquire)
    }

    fn bump(&self, kind: Kind) {
        self.of(kind).fetch_add(1, Ordering::Release);
        drop(self.told.send(Change::List(kind)));
    }

    fn of(&self, kind: Kind) -> &AtomicU64 {
        let [tools, prompts, resources, templates] = &self.counts;
        match kind {
            Kind::Tools => tools,
            Kind::Prompts => prompts,
            Kind::Resources => resources,
            Kind::Templates => templates,
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, Want>> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
