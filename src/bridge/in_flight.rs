//! The requests that have no answer yet, by the client's ids, so that they can be taken back.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

use crate::mcp::{Era, Id};

/// The requests that have no answer yet.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    entries: Mutex<HashMap<Id, Entry>>,
}

#[derive(Debug)]
struct Entry {
    era: Era,
    cancel: Arc<Notify>,
}

/// A request's place, given up when dropped.
#[derive(Debug)]
pub(super) struct Flight {
    all: Arc<InFlight>,
    id: Id,
    cancel: Arc<Notify>,
}

impl InFlight {
    /// Takes in a request. Where the client uses an id twice at once, the newer can be taken back.
    pub(super) fn enter(self: &Arc<Self>, id: Id, era: Era) -> Flight {
        let cancel = Arc::new(Notify::new());
        self.lock().insert(id.clone(), Entry { era, cancel: cancel.clone() });
        Flight { all: self.clone(), id, cancel }
    }

    /// Takes a request back; says of which era it was, where it has no answer yet.
    pub(super) fn cancel(&self, id: &Id) -> Option<Era> {
        let entries = self.lock();
        let entry = entries.get(id)?;
        entry.cancel.notify_one();
        Some(entry.era)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Id, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Flight {
    pub(super) const fn id(&self) -> &Id {
        &self.id
    }

    /// Waits until the client takes the request back.
    pub(super) async fn cancelled(&self) {
        self.cancel.notified().await;
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let mut entries = self.all.lock();
        if entries.get(&self.id).is_some_and(|entry| Arc::ptr_eq(&entry.cancel, &self.cancel)) {
            entries.remove(&self.id);
        }
    }
}
