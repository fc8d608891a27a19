//! Connections that one call at a time has for itself, so that whatever comes over one unasked is
//! that call's: questions to its caller, and log lines.
//!
//! They are kept by owner and by what the caller can do, the youngest is taken first, and one that
//! nobody uses for a while is closed. A call that did not end with an answer takes its connection with
//! it: what the server still says of it must not reach the next.
//!
//! INVARIANT: a connection never serves two owners, nor two calls at a time.
//! SPEC: sheet `mcp` §2.5; PX-18, PX-19, PX-22.

use std::{
    collections::VecDeque,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use bytes::Bytes;
use tokio::{sync::Notify, time::Instant};

use super::{
    Deadline, Health, Outgoing, Owner, Reply, Trouble,
    about::plain,
    background,
    link::Link,
    setting::{Purpose, Setting},
};
use crate::mcp::{LogLevel, Method};

/// The private connections of one server.
#[derive(Debug)]
pub(super) struct Pool {
    setting: Arc<Setting>,
    rooms: Mutex<Rooms>,
    /// A connection was given back or let go.
    freed: Notify,
}

#[derive(Debug, Default)]
struct Rooms {
    /// The oldest first.
    idle: VecDeque<Idle>,
    leased: Vec<(Owner, Weak<Link>)>,
    /// Whether somebody comes by to let the old ones go.
    watched: bool,
    closed: bool,
}

#[derive(Debug)]
struct Idle {
    line: Private,
    since: Instant,
}

/// A connection, and what is known of it.
#[derive(Debug)]
struct Private {
    owner: Owner,
    capabilities: Bytes,
    link: Arc<Link>,
    level: Option<LogLevel>,
}

/// A connection while a call has it. It goes back only with an answer.
#[derive(Debug)]
pub(super) struct Lease {
    pool: Arc<Pool>,
    line: Option<Private>,
}

impl Pool {
    pub(super) fn new(setting: Arc<Setting>) -> Arc<Self> {
        Arc::new(Self { setting, rooms: Mutex::default(), freed: Notify::new() })
    }

    /// A connection of the owner's, with these capabilities declared; a new one where none is kept.
    /// Waits where there are as many as may be.
    pub(super) async fn lease(
        self: &Arc<Self>,
        owner: &Owner,
        capabilities: &Bytes,
        deadline: Deadline,
    ) -> Result<Lease, Trouble> {
        loop {
            let mut freed = pin!(self.freed.notified());
            // Whoever is freed from here on is heard of.
            freed.as_mut().enable();
            if let Some(lease) = self.take(owner, capabilities)? {
                return Ok(lease);
            }
            deadline.bound(freed).await.map_err(|_| Trouble::Busy)?;
        }
    }

    fn take(self: &Arc<Self>, owner: &Owner, capabilities: &Bytes) -> Result<Option<Lease>, Trouble> {
        let mut rooms = self.lock();
        if rooms.closed {
            return Err(Trouble::Stopped);
        }
        rooms.leased.retain(|(_, link)| link.strong_count() > 0);
        let fits = |idle: &Idle| idle.line.owner == *owner && idle.line.capabilities == *capabilities;
        while let Some(at) = rooms.idle.iter().rposition(fits) {
            if let Some(Idle { line, .. }) = rooms.idle.remove(at)
                && line.link.health() == Health::Up
            {
                return Ok(Some(self.lend(&mut rooms, line)));
            }
        }
        let options = &self.setting.options;
        let of_one = rooms.leased.iter().filter(|(other, _)| other == owner).count();
        if rooms.leased.len() >= options.most_private || of_one >= options.most_of_one {
            return Ok(None);
        }
        // One that nobody uses makes room: of the same owner first, else the oldest.
        let kept = rooms.idle.iter().filter(|idle| idle.line.owner == *owner).count();
        if of_one + kept >= options.most_of_one
            && let Some(at) = rooms.idle.iter().position(|idle| idle.line.owner == *owner)
        {
            rooms.idle.remove(at);
        }
        if rooms.leased.len() + rooms.idle.len() >= options.most_private {
            rooms.idle.pop_front();
        }
        let link = Arc::new(Link::new(&self.setting, Purpose::Private(capabilities.clone())));
        let line = Private { owner: owner.clone(), capabilities: capabilities.clone(), link, level: None };
        Ok(Some(self.lend(&mut rooms, line)))
    }

    fn lend(self: &Arc<Self>, rooms: &mut Rooms, line: Private) -> Lease {
        rooms.leased.push((line.owner.clone(), Arc::downgrade(&line.link)));
        Lease { pool: self.clone(), line: Some(line) }
    }

    fn keep(self: &Arc<Self>, line: Private) {
        let mut rooms = self.lock();
        rooms.leased.retain(|(_, link)| !std::ptr::eq(link.as_ptr(), Arc::as_ptr(&line.link)));
        if rooms.closed {
            return;
        }
        rooms.idle.push_back(Idle { line, since: Instant::now() });
        if !std::mem::replace(&mut rooms.watched, true) {
            watch(Arc::downgrade(self), self.setting.options.private_idle);
        }
    }

    /// Lets go of what is kept for an owner who will not come back.
    pub(super) fn forget(&self, owner: &Owner) {
        self.lock().idle.retain(|idle| idle.line.owner != *owner);
        self.freed.notify_waiters();
    }

    /// Ends all of them, those that are lent out too.
    pub(super) async fn shutdown(&self) {
        let links: Vec<Arc<Link>> = {
            let mut rooms = self.lock();
            rooms.closed = true;
            let idle = std::mem::take(&mut rooms.idle).into_iter().map(|idle| idle.line.link);
            let leased = std::mem::take(&mut rooms.leased).into_iter().filter_map(|(_, link)| link.upgrade());
            idle.chain(leased).collect()
        };
        self.freed.notify_waiters();
        futures_util::future::join_all(links.iter().map(|link| link.shutdown())).await;
    }

    /// Lets the old ones go; says whether any are left.
    fn prune(&self) -> bool {
        let mut rooms = self.lock();
        let longest = self.setting.options.private_idle;
        rooms.idle.retain(|idle| idle.since.elapsed() < longest);
        rooms.watched = !rooms.idle.is_empty();
        rooms.watched
    }

    fn lock(&self) -> MutexGuard<'_, Rooms> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Comes by until no connection is kept, or there is no pool.
fn watch(pool: Weak<Pool>, every: std::time::Duration) {
    drop(background(async move {
        loop {
            tokio::time::sleep(every).await;
            if !pool.upgrade().is_some_and(|pool| pool.prune()) {
                return;
            }
        }
    }));
}

impl Lease {
    /// Asks and waits, with the log level that the caller wants. Only an answer gives the connection back.
    pub(super) async fn request(mut self, outgoing: &Outgoing, deadline: Deadline) -> Result<Reply, Trouble> {
        let Some(line) = &mut self.line else { return Err(Trouble::Stopped) };
        if let Some(level) = outgoing.manner.log_level.filter(|level| line.level != Some(*level)) {
            let about = line.link.about(deadline).await?;
            if about.era == crate::mcp::Era::Legacy && about.declares("logging") {
                let params = format!(r#"{{"level":"{level}"}}"#);
                let set = plain(Method::LoggingSetLevel, params.into(), deadline);
                // A server that refuses a level says what it likes; what is too low is dropped.
                line.link.request(&set, deadline).await?;
                line.level = Some(level);
            }
        }
        let reply = line.link.request(outgoing, deadline).await?;
        if let Some(line) = self.line.take() {
            self.pool.keep(line);
        }
        Ok(reply)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // A connection that goes with its call ends beside, and its room is free at once.
        if let Some(line) = self.line.take() {
            self.pool.lock().leased.retain(|(_, link)| !std::ptr::eq(link.as_ptr(), Arc::as_ptr(&line.link)));
        }
        self.pool.freed.notify_waiters();
    }
}
