//! Many writers, one file: whoever finds nobody writing writes for all who wait.
//!
//! There is no thread of its own to hand records to and be woken by: one writer alone pays for its
//! `write(2)` and nothing else, and under load one write carries many records. The calls block for
//! a few microseconds and are made from async code directly.

use std::{
    cell::RefCell,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError},
};

use jiff::Timestamp;

use super::{file::Target, repeats::Repeats, tail::Tail};
use crate::record::{Access, Decided, Event, Record};

/// The audit trail could not take a record.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TrailError {
    /// The file cannot be opened or written.
    #[error("audit trail `{}`: {source}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: Arc<io::Error>,
    },
    /// Another process writes it.
    #[error("audit trail `{}` is written by another process", path.display())]
    Taken {
        /// Which file.
        path: PathBuf,
    },
    /// There is hardly any space left.
    #[error("audit trail `{}`: less than {left} bytes are left on its disk", path.display())]
    Space {
        /// Which file.
        path: PathBuf,
        /// How little.
        left: u64,
    },
    /// It was closed.
    #[error("the audit trail is closed")]
    Closed,
}

/// The audit trail.
#[derive(Debug)]
pub struct Trail {
    queue: Mutex<Queue>,
    written: Condvar,
    repeats: Mutex<Repeats>,
    tail: Tail,
}

#[derive(Debug)]
struct Queue {
    /// With whoever is writing, while somebody is.
    target: Option<Target>,
    /// The records that wait, one after another, and where each ends.
    bodies: Vec<u8>,
    ends: Vec<usize>,
    /// What came of them, for all who wait.
    outcome: Arc<OnceLock<Result<(), TrailError>>>,
    waiting: usize,
    closed: bool,
}

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl Trail {
    /// Opens the file at `path`, made with its directory where there is none, and reads its end.
    ///
    /// # Errors
    /// When it cannot be written or another process writes it.
    pub fn open(path: &Path) -> Result<Self, TrailError> {
        let (target, tail) = Target::open(path)?;
        Ok(Self {
            queue: Mutex::new(Queue {
                target: Some(target),
                bodies: Vec::new(),
                ends: Vec::new(),
                outcome: Arc::default(),
                waiting: 0,
                closed: false,
            }),
            written: Condvar::new(),
            repeats: Mutex::default(),
            tail,
        })
    }

    /// The ids of the allowed calls of which nobody knows what came: decisions near the end of the
    /// file as it was opened that have no access record.
    #[must_use]
    pub fn unfinished(&self) -> &[String] {
        &self.tail.unfinished
    }

    /// Whether the last line was not whole when the file was opened, and had to be closed off.
    #[must_use]
    pub fn was_torn(&self) -> bool {
        self.tail.torn
    }

    /// Writes a decision.
    ///
    /// # Errors
    /// When it is not in the file; the request is to be refused.
    pub fn decision(&self, decided: &Decided<'_>) -> Result<(), TrailError> {
        self.write(&Record::Decided(decided))
    }

    /// Writes what came of a call.
    ///
    /// # Errors
    /// When it is not in the file.
    pub fn access(&self, access: Access<'_>) -> Result<(), TrailError> {
        self.write(&Record::Access(access))
    }

    /// Writes what happened besides calls.
    ///
    /// # Errors
    /// When it is not in the file.
    pub fn event(&self, event: Event<'_>) -> Result<(), TrailError> {
        self.write(&Record::Event(event))
    }

    /// Writes a refusal of somebody unauthenticated, or counts it in a record to come where there
    /// are many of one kind and address.
    ///
    /// # Errors
    /// When it is not in the file.
    pub fn refusal(&self, decided: &Decided<'_>) -> Result<(), TrailError> {
        if self.repeats().admit(decided) { self.decision(decided) } else { Ok(()) }
    }

    /// Writes the records of the refusals that were only counted; to be called every ten seconds.
    ///
    /// # Errors
    /// When they are not in the file; they stay counted.
    pub fn flush(&self, now: Timestamp) -> Result<(), TrailError> {
        let due = self.repeats().take(now);
        let mut outcome = Ok(());
        for held in due {
            if outcome.is_ok() {
                outcome = self.append(&held.body());
            }
            if outcome.is_err() {
                self.repeats().restore(held);
            }
        }
        outcome
    }

    /// Brings what was written to the disk; to be called every second.
    ///
    /// # Errors
    /// When it is not there. The file is opened anew with the next record.
    pub fn sync(&self) -> Result<(), TrailError> {
        let Some(file) = self.queue_with_target().target.as_mut().and_then(Target::unsynced) else { return Ok(()) };
        match file.sync_data() {
            Ok(()) => Ok(()),
            Err(error) => {
                let mut queue = self.queue_with_target();
                match queue.target.as_mut() {
                    Some(target) => Err(target.forget(error)),
                    None => Err(TrailError::Closed),
                }
            }
        }
    }

    /// Whether a record would be taken, as far as can be told without writing one; for readiness.
    ///
    /// # Errors
    /// When it would not.
    pub fn ready(&self) -> Result<(), TrailError> {
        let mut queue = self.queue_with_target();
        if queue.closed {
            return Err(TrailError::Closed);
        }
        queue.target.as_mut().map_or(Ok(()), Target::ready)
    }

    /// Writes what is still counted, brings all to the disk, and takes no more.
    ///
    /// # Errors
    /// When something is not on the disk.
    pub fn close(&self, now: Timestamp) -> Result<(), TrailError> {
        self.repeats().close();
        let flushed = self.flush(now);
        let mut queue = self.queue_with_target();
        queue.closed = true;
        let file = queue.target.as_mut().and_then(Target::unsynced);
        drop(queue);
        let Some(file) = file else { return flushed };
        let synced = file.sync_data();
        let mut queue = self.queue_with_target();
        match (synced, queue.target.as_mut()) {
            (Err(error), Some(target)) => Err(target.forget(error)),
            _ => flushed,
        }
    }

    fn write(&self, record: &Record<'_>) -> Result<(), TrailError> {
        SCRATCH.with_borrow_mut(|scratch| {
            scratch.clear();
            record.write(scratch);
            self.append(scratch)
        })
    }

    fn append(&self, body: &[u8]) -> Result<(), TrailError> {
        let mut queue = self.queue();
        if queue.closed {
            return Err(TrailError::Closed);
        }
        queue.bodies.extend_from_slice(body);
        let end = queue.bodies.len();
        queue.ends.push(end);
        let outcome = queue.outcome.clone();
        loop {
            if let Some(outcome) = outcome.get() {
                return outcome.clone();
            }
            let Some(mut target) = queue.target.take() else {
                queue = self.wait(queue);
                continue;
            };
            let (mut bodies, mut ends) = (std::mem::take(&mut queue.bodies), std::mem::take(&mut queue.ends));
            let shared = std::mem::take(&mut queue.outcome);
            drop(queue);
            let result = target.write(&bodies, &ends);
            let set = shared.set(result);
            debug_assert!(set.is_ok(), "whoever takes the records is alone with their outcome");
            queue = self.queue();
            queue.target = Some(target);
            if queue.waiting > 0 {
                self.written.notify_all();
            } else if queue.bodies.is_empty() {
                // Nobody came meanwhile: the buffers serve again.
                bodies.clear();
                ends.clear();
                (queue.bodies, queue.ends) = (bodies, ends);
            }
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The queue at a moment when nobody writes.
    fn queue_with_target(&self) -> MutexGuard<'_, Queue> {
        let mut queue = self.queue();
        while queue.target.is_none() {
            queue = self.wait(queue);
        }
        queue
    }

    fn wait<'q>(&'q self, mut queue: MutexGuard<'q, Queue>) -> MutexGuard<'q, Queue> {
        queue.waiting += 1;
        let mut queue = self.written.wait(queue).unwrap_or_else(PoisonError::into_inner);
        queue.waiting -= 1;
        queue
    }

    fn repeats(&self) -> MutexGuard<'_, Repeats> {
        self.repeats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
