//! Connections that one call at a time has for itself, so that whatever comes over one unasked is
//! that call's: questions to its caller, and log lines.
//!
//! They are kept by owner and by what the caller can do, the youngest is taken first, and one that
//! nobody uses for a while is closed. A call that did not end with an answer takes its connection with
//! it: what the server still says of it must not reach the next. There are so many for an owner and so
//! many in all; who finds none free waits its turn, and whoever came first is served first.
//!
//! INVARIANT: a connection never serves two owners, nor two calls at a time.
//! SPEC: sheet `mcp` §2.5; PX-18, PX-19, PX-22.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use bytes::Bytes;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

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
    /// As many as may be lent out, in the order in which they were asked for.
    places: Arc<Semaphore>,
}

#[derive(Debug, Default)]
struct Rooms {
    /// The oldest first.
    idle: VecDeque<Idle>,
    leased: Vec<Lent>,
    /// As many as each owner may have, while it has some or waits.
    places: HashMap<Owner, Weak<Semaphore>>,
    /// Whether somebody comes by to let the old ones go.
    watched: bool,
    closed: bool,
}

/// A connection that some call has.
#[derive(Debug)]
struct Lent {
    owner: Owner,
    link: Weak<Link>,
    /// Its owner will not come back: it ends with its call.
    last: bool,
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
    /// Given back last, when the connection is where the next finds it.
    _place: Place,
}

/// A place among the owner's own, and one among all.
type Place = (OwnedSemaphorePermit, OwnedSemaphorePermit);

impl Pool {
    pub(super) fn new(setting: Arc<Setting>) -> Arc<Self> {
        let places = Arc::new(Semaphore::new(setting.options.most_private));
        Arc::new(Self { setting, rooms: Mutex::default(), places })
    }

    /// A connection of the owner's, with these capabilities declared; a new one where none is kept.
    /// Waits its turn where there are as many as may be.
    pub(super) async fn lease(
        self: &Arc<Self>,
        owner: &Owner,
        capabilities: &Bytes,
        deadline: Deadline,
    ) -> Result<Lease, Trouble> {
        let place = deadline.bound(self.place(owner)).await.map_err(|_| Trouble::Busy)??;
        self.take(owner, capabilities, place)
    }

    /// The owner's own places come first: who waits for one of those holds none that others could use.
    async fn place(&self, owner: &Owner) -> Result<Place, Trouble> {
        let own = self.lock().places_of(owner, self.setting.options.most_of_one);
        let own = own.acquire_owned().await.map_err(|_| Trouble::Stopped)?;
        let all = self.places.clone().acquire_owned().await.map_err(|_| Trouble::Stopped)?;
        Ok((own, all))
    }

    fn take(self: &Arc<Self>, owner: &Owner, capabilities: &Bytes, place: Place) -> Result<Lease, Trouble> {
        let mut rooms = self.lock();
        if rooms.closed {
            return Err(Trouble::Stopped);
        }
        let fits = |idle: &Idle| idle.line.owner == *owner && idle.line.capabilities == *capabilities;
        while let Some(at) = rooms.idle.iter().rposition(fits) {
            if let Some(Idle { line, .. }) = rooms.idle.remove(at)
                && line.link.health() == Health::Up
            {
                return Ok(self.lend(&mut rooms, line, place));
            }
        }
        let options = &self.setting.options;
        // One that nobody uses makes room: of the same owner first, else the oldest.
        let of_one = rooms.leased.iter().filter(|lent| lent.owner == *owner).count();
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
        Ok(self.lend(&mut rooms, line, place))
    }

    fn lend(self: &Arc<Self>, rooms: &mut Rooms, line: Private, place: Place) -> Lease {
        let link = Arc::downgrade(&line.link);
        rooms.leased.push(Lent { owner: line.owner.clone(), link, last: false });
        Lease { pool: self.clone(), line: Some(line), _place: place }
    }

    fn keep(self: &Arc<Self>, line: Private) {
        let mut rooms = self.lock();
        if rooms.came_back(&line.link) || rooms.closed {
            return;
        }
        rooms.idle.push_back(Idle { line, since: Instant::now() });
        if !std::mem::replace(&mut rooms.watched, true) {
            watch(Arc::downgrade(self), self.setting.options.private_idle);
        }
    }

    /// Lets go of what is kept for an owner who will not come back; what a call has ends with it.
    pub(super) fn forget(&self, owner: &Owner) {
        let mut rooms = self.lock();
        rooms.idle.retain(|idle| idle.line.owner != *owner);
        rooms.leased.iter_mut().filter(|lent| lent.owner == *owner).for_each(|lent| lent.last = true);
    }

    /// Ends all of them, those that are lent out too.
    pub(super) async fn shutdown(&self) {
        let links: Vec<Arc<Link>> = {
            let mut rooms = self.lock();
            rooms.closed = true;
            self.places.close();
            rooms.places.values().filter_map(Weak::upgrade).for_each(|own| own.close());
            let idle = std::mem::take(&mut rooms.idle).into_iter().map(|idle| idle.line.link);
            let leased = std::mem::take(&mut rooms.leased).into_iter().filter_map(|lent| lent.link.upgrade());
            idle.chain(leased).collect()
        };
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

impl Rooms {
    /// A connection is lent out no more; says whether that was its last call.
    fn came_back(&mut self, link: &Arc<Link>) -> bool {
        let is_it = |lent: &Lent| std::ptr::eq(lent.link.as_ptr(), Arc::as_ptr(link));
        let at = self.leased.iter().position(is_it);
        at.is_some_and(|at| self.leased.swap_remove(at).last)
    }

    /// The places of an owner, who has `most`.
    fn places_of(&mut self, owner: &Owner, most: usize) -> Arc<Semaphore> {
        if let Some(own) = self.places.get(owner).and_then(Weak::upgrade) {
            return own;
        }
        // Before it grows, those go whose owner has none and waits for none.
        if self.places.len() == self.places.capacity() {
            self.places.retain(|_, own| own.strong_count() > 0);
        }
        let own = Arc::new(Semaphore::new(most));
        self.places.insert(owner.clone(), Arc::downgrade(&own));
        own
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
            self.pool.lock().came_back(&line.link);
        }
    }
}
