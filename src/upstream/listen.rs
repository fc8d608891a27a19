//! Listening for changes, only while somebody wants to hear of them.
//!
//! A legacy server tells over its line, or over a GET stream; resources are subscribed to one by one.
//! A modern one tells over one `subscriptions/listen`, which is opened anew when other resources are
//! wanted. A stream that breaks is opened again after a pause that doubles; one that the server does
//! not have, or answers with something else, is given up until the server is spoken to anew. Nobody
//! ever waits for a stream.
//!
//! SPEC: MCP 2025-11-25, transports, "Listening for Messages"; 2026-07-28, patterns, "Subscriptions";
//! CG-05, SU-07, CA-08, CL-04.

use std::{
    collections::BTreeSet,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};

use super::{
    About, Deadline, Reply, Trouble,
    about::plain,
    background,
    change::Standing,
    link::Link,
    setting::Setting,
    supervise::{STABLE, chance, pause},
};
use crate::mcp::{Era, Id, Kind, Method};

/// As long as a stream may last: for ever.
const FOREVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// The one who listens to a server.
#[derive(Debug)]
pub(super) struct Listener {
    setting: Arc<Setting>,
    link: Arc<Link>,
    task: Mutex<Task>,
}

#[derive(Debug)]
enum Task {
    Unneeded,
    Running(JoinHandle<()>),
    Stopped,
}

impl Listener {
    pub(super) fn new(setting: Arc<Setting>, link: Arc<Link>) -> Self {
        Self { setting, link, task: Mutex::new(Task::Unneeded) }
    }

    /// Begins to listen if nobody does. Without a runtime there is nothing to hear.
    pub(super) fn start(&self) {
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*task, Task::Unneeded) && tokio::runtime::Handle::try_current().is_ok() {
            *task = Task::Running(background(listen(self.setting.clone(), self.link.clone())));
        }
    }

    /// Hears nothing any more.
    pub(super) fn stop(&self) {
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if let Task::Running(task) = std::mem::replace(&mut *task, Task::Stopped) {
            task.abort();
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn listen(setting: Arc<Setting>, link: Arc<Link>) {
    let ear = Ear { setting, link };
    let mut failures = 0;
    loop {
        if !ear.setting.changes.is_wanted() {
            ear.setting.changes.interest().await;
            continue;
        }
        match ear.link.about(Deadline::after(ear.setting.options.start_timeout)).await {
            Ok(about) => {
                failures = 0;
                match about.era {
                    Era::Legacy => ear.legacy().await,
                    Era::Modern => ear.modern(&about).await,
                }
            }
            Err(Trouble::Stopped) => return,
            Err(_) => {
                failures += 1;
                sleep(pause(&ear.setting.options, failures, chance())).await;
            }
        }
    }
}

struct Ear {
    setting: Arc<Setting>,
    link: Arc<Link>,
}

/// What to do about a stream that has ended.
enum Next {
    Again(Duration),
    GivenUp,
}

impl Ear {
    /// Listens to one life of a legacy server, until it has another or nobody wants to hear any more.
    async fn legacy(&self) {
        let changes = &self.setting.changes;
        let mut lives = changes.lives();
        let mut held = BTreeSet::new();
        let mut follow = pin!(self.follow());
        loop {
            self.reconcile(&mut held).await;
            if !changes.is_wanted() {
                return;
            }
            tokio::select! {
                () = changes.interest() => {}
                _ = lives.changed() => return,
                () = &mut follow => return,
            }
        }
    }

    /// Subscribes to what is wanted, and takes back what no longer is.
    async fn reconcile(&self, held: &mut BTreeSet<Arc<str>>) {
        let wanted: BTreeSet<Arc<str>> = self.setting.changes.wanted().into_iter().collect();
        for uri in held.difference(&wanted) {
            if let Err(why) = self.tell(Method::ResourcesUnsubscribe, uri).await {
                tracing::debug!(server = %self.setting.server, %why, "a subscription was not taken back");
            }
        }
        held.retain(|uri| wanted.contains(uri));
        for uri in wanted {
            if held.contains(&uri) {
                continue;
            }
            let standing = match self.tell(Method::ResourcesSubscribe, &uri).await {
                Ok(Reply::Result(_)) => Standing::Held,
                Ok(Reply::Error(_) | Reply::InputRequired(_)) => Standing::Refused(Trouble::Unsubscribable),
                Err(why) => Standing::Refused(why),
            };
            self.setting.changes.settle(&uri, standing);
            if standing == Standing::Held {
                held.insert(uri);
            }
        }
    }

    async fn tell(&self, method: Method, uri: &str) -> Result<Reply, Trouble> {
        let deadline = Deadline::after(self.setting.options.list_timeout);
        self.link.request(&plain(method, params(uri), deadline), deadline).await
    }

    /// Keeps the GET stream of a session open where there is one to open. Ends only with the session.
    async fn follow(&self) {
        let Link::Http(endpoint) = &*self.link else { return std::future::pending().await };
        let mut failures = 0;
        loop {
            let began = Instant::now();
            let why = endpoint.follow(self.setting.options.listen_timeout).await;
            if why == Trouble::Status(404) {
                // The session is gone, or there is no stream: which of both, a new session shows.
                sleep(self.pause(&mut failures, began)).await;
                return;
            }
            match self.next(why, &mut failures, began) {
                Next::Again(pause) => sleep(pause).await,
                Next::GivenUp => std::future::pending().await,
            }
        }
    }

    /// Listens to a modern server, until it shows itself another or nobody wants to hear any more.
    async fn modern(&self, about: &About) {
        let changes = &self.setting.changes;
        let patience = self.setting.options.listen_timeout;
        let mut lives = changes.lives();
        let mut failures = 0;
        loop {
            let wanted = changes.wanted();
            let filter = filter(about, &wanted);
            let outgoing = plain(Method::SubscriptionsListen, filter, Deadline::after(FOREVER));
            // The server says what it honours in its own time; nobody waits for that.
            wanted.iter().for_each(|uri| changes.settle(uri, Standing::Held));
            let began = Instant::now();
            let mut stream = pin!(async {
                let pause = match self.link.listen(&outgoing, patience).await {
                    Ok(Reply::Error(_)) => self.next(Trouble::Unsubscribable, &mut failures, began),
                    Ok(Reply::Result(_) | Reply::InputRequired(_)) => self.next(Trouble::Crashed, &mut failures, began),
                    Err(why) => self.next(why, &mut failures, began),
                };
                match pause {
                    Next::Again(pause) => sleep(pause).await,
                    Next::GivenUp => std::future::pending().await,
                }
            });
            loop {
                tokio::select! {
                    () = &mut stream => break,
                    _ = lives.changed() => return,
                    () = changes.interest() => {
                        if !changes.is_wanted() {
                            return;
                        }
                        if changes.wanted() != wanted {
                            break;
                        }
                    }
                }
            }
        }
    }

    /// Whether a stream that ended so is opened again, and when.
    fn next(&self, why: Trouble, failures: &mut u32, began: Instant) -> Next {
        let final_ = match why {
            Trouble::Garbage | Trouble::Refused | Trouble::Redirected | Trouble::Unsubscribable => true,
            Trouble::Status(status) => (400..=499).contains(&status) && !matches!(status, 408 | 429),
            _ => false,
        };
        if final_ {
            tracing::info!(server = %self.setting.server, %why, "does not tell of changes, and is not listened to");
            return Next::GivenUp;
        }
        tracing::debug!(server = %self.setting.server, %why, "a stream of changes ended");
        Next::Again(self.pause(failures, began))
    }

    fn pause(&self, failures: &mut u32, began: Instant) -> Duration {
        *failures = if began.elapsed() > STABLE { 1 } else { failures.saturating_add(1) };
        pause(&self.setting.options, *failures, chance())
    }
}

fn params(uri: &str) -> Bytes {
    let mut out = b"{\"uri\":".to_vec();
    Id::Text(uri.into()).write(&mut out);
    out.push(b'}');
    out.into()
}

/// What a modern server is asked to tell: the changes of all that it offers, and of these resources.
fn filter(about: &About, uris: &[Arc<str>]) -> Bytes {
    let mut members = Vec::new();
    for (kind, name) in [
        (Kind::Tools, "toolsListChanged"),
        (Kind::Prompts, "promptsListChanged"),
        (Kind::Resources, "resourcesListChanged"),
    ] {
        if about.offers(kind) {
            members.push(format!("\"{name}\":true").into_bytes());
        }
    }
    if !uris.is_empty() {
        let mut member = b"\"resourceSubscriptions\":[".to_vec();
        for (at, uri) in uris.iter().enumerate() {
            if at > 0 {
                member.push(b',');
            }
            Id::Text((&**uri).into()).write(&mut member);
        }
        member.push(b']');
        members.push(member);
    }
    [b"{\"notifications\":{".as_slice(), &members.join(&b','), b"}}"].concat().into()
}
