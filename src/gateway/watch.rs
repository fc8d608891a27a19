//! Who is told of which changes: what a stream hears of the servers behind us, and of a reload.
//!
//! A stream listens to the servers that its caller may reach, and to those alone. What it has not read
//! yet is kept as a set, so a reader that does not keep up misses how often something changed and
//! never that it did. With every revision who may hear what is decided anew.
//!
//! INVARIANT: nothing waits for an upstream here; a subscription is made beside (CG-05).
//! SPEC: MCP 2026-07-28, "Subscriptions"; SU-02, SU-05…SU-07, CG-05.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{
    Stream, StreamExt as _,
    stream::{self, SelectAll},
};
use tokio::sync::{broadcast, mpsc};

use super::{Endpoint, Facts, Gateway, Revision, offer::Ready, ready};
use crate::{
    identity::Caller,
    mcp::{Id, Kind, Method, envelope},
    name::{ScopeName, ServerName},
    policy::{Arguments, Moment, Question, Target, Verb},
    upstream::{Change, Subscribe, Subscription},
};

/// The least time between two messages of a stream: a server that changes all the time is heard of often
/// enough, and costs its readers little.
const CALM: Duration = Duration::from_millis(20);

/// Who listens, and where.
#[derive(Debug, Clone)]
pub(super) struct Listener {
    pub(super) endpoint: Endpoint,
    pub(super) caller: Option<Arc<Caller<Facts>>>,
    /// What its request named by `?tags=`.
    pub(super) named: Option<BTreeSet<ScopeName>>,
    pub(super) moment: Moment,
}

/// The lists of whose changes a stream is told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Lists {
    pub(super) tools: bool,
    pub(super) prompts: bool,
    /// And templates.
    pub(super) resources: bool,
}

impl Lists {
    /// All of them.
    pub(super) const ALL: Self = Self { tools: true, prompts: true, resources: true };

    fn methods(self) -> impl Iterator<Item = Method> {
        let all = [
            (self.tools, Method::ToolsListChanged),
            (self.prompts, Method::PromptsListChanged),
            (self.resources, Method::ResourcesListChanged),
        ];
        all.into_iter().filter(|(wanted, _)| *wanted).map(|(_, method)| method)
    }

    const fn told_by(self, kind: Kind) -> Option<Method> {
        let (wanted, method) = match kind {
            Kind::Tools => (self.tools, Method::ToolsListChanged),
            Kind::Prompts => (self.prompts, Method::PromptsListChanged),
            Kind::Resources | Kind::Templates => (self.resources, Method::ResourcesListChanged),
        };
        if wanted { Some(method) } else { None }
    }
}

/// What a stream listens for.
#[derive(Debug)]
pub(super) struct Ears {
    lists: Lists,
    resources: Mutex<BTreeMap<Arc<str>, Held>>,
}

/// A resource that is listened for.
#[derive(Debug)]
struct Held {
    server: ServerName,
    /// Nothing until the server has been asked.
    subscription: Option<Subscription>,
}

/// Why a stream is not told more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Its reader is gone.
    Gone,
    /// Its token is over, what it listened for may not be heard any more, or the gateway ends.
    Over,
}

impl Ears {
    /// Ears for some lists, and no resource yet.
    pub(super) fn new(lists: Lists) -> Self {
        Self { lists, resources: Mutex::default() }
    }

    /// Listens for a resource no more.
    pub(super) fn drop_resource(&self, uri: &str) {
        // The subscription is taken back outside of the lock.
        let held = self.lock().remove(uri);
        drop(held);
    }

    /// Listens for no resource any more.
    pub(super) fn drop_all(&self) {
        let held = std::mem::take(&mut *self.lock());
        drop(held);
    }

    /// How many resources it listens for.
    pub(super) fn resources(&self) -> usize {
        self.lock().len()
    }

    fn hears(&self, server: &ServerName, uri: &str) -> bool {
        self.lock().get(uri).is_some_and(|held| held.server == *server)
    }

    fn targets(&self) -> Vec<Target> {
        let held = self.lock();
        held.iter().filter_map(|(uri, held)| Some(Target::Resource(held.server.clone(), uri.parse().ok()?))).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Held>> {
        self.resources.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gateway {
    /// Tells a stream what changes, each once however often it did, until it must end. `tag` is the id
    /// of the request that opened it, where such a stream names it in all that it tells.
    pub(super) async fn tell(
        self: Arc<Self>,
        listener: Listener,
        ears: Arc<Ears>,
        tag: Option<Id>,
        out: mpsc::Sender<Bytes>,
    ) -> End {
        let over = self.over(listener.caller.as_ref());
        tokio::pin!(over);
        let mut reloaded = self.reloaded.subscribe();
        let mut pending = Pending::default();
        let mut calm = tokio::time::interval(CALM);
        calm.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut first = true;
        loop {
            reloaded.mark_unchanged();
            let revision = self.revision();
            let Some((ready, servers)) = reach(&listener, &revision) else { return End::Over };
            if !first {
                if !self.hears_on(&revision, &listener, &ready, &ears, tag.is_some()) {
                    return End::Over;
                }
                pending.lists.extend(ears.lists.methods());
            }
            first = false;
            let mut changes: SelectAll<_> =
                servers.iter().filter_map(|server| changes(&revision, server)).map(Box::pin).collect();
            // The revision that was may end: what is listened to now is this one's.
            drop((ready, revision));
            loop {
                tokio::select! {
                    biased;
                    () = &mut over => return End::Over,
                    () = out.closed() => return End::Gone,
                    _ = reloaded.changed() => break,
                    room = async { calm.tick().await; out.reserve().await }, if !pending.is_empty() => {
                        let Ok(room) = room else { return End::Gone };
                        if let Some(message) = pending.take(tag.as_ref()) {
                            room.send(message);
                        }
                    }
                    Some((server, change)) = changes.next() => pending.note(&ears, &server, change),
                }
            }
        }
    }

    /// Listens for a resource, if that is allowed; the server is asked beside.
    pub(super) fn hear(
        self: &Arc<Self>,
        revision: &Arc<Revision>,
        ready: &Ready,
        moment: &Moment,
        target: &Target,
        ears: &Arc<Ears>,
    ) -> crate::policy::Decision {
        let denied = |_| crate::policy::Decision::deny(crate::policy::Because::UnknownTool);
        let (engine, server) = (&revision.snapshot.engine, target.server());
        let Target::Resource(_, uri) = target else { return denied(()) };
        let Ok(inventory) = engine.inventory(server, [target.clone()]) else { return denied(()) };
        let verb = Verb::ResourcesSubscribe;
        let question =
            Question { asker: &ready.asker, verb, target, inventory: &inventory, moment, arguments: Arguments::NONE };
        let allowed = match engine.allow(&question, Subscribe { server: server.clone(), uri: uri.clone() }) {
            Ok(allowed) => allowed,
            Err(decision) => return decision,
        };
        let decision = allowed.decision().clone();
        let uri: Arc<str> = uri.as_str().into();
        {
            let mut resources = ears.lock();
            // Until the new one is there the old one, if there is one, goes on.
            let old = resources.remove(&uri).filter(|held| held.server == *server);
            let subscription = old.and_then(|held| held.subscription);
            resources.insert(Arc::clone(&uri), Held { server: server.clone(), subscription });
        }
        let (upstreams, ears, server) = (Arc::clone(&revision.upstreams), Arc::downgrade(ears), server.clone());
        self.parts.tasks.spawn("subscribe", async move {
            match upstreams.subscribe(allowed).await {
                Some(Ok(subscription)) => {
                    let Some(ears) = ears.upgrade() else { return };
                    let mut held = ears.lock();
                    if let Some(held) = held.get_mut(&uri).filter(|held| held.server == server) {
                        held.subscription = Some(subscription);
                    }
                }
                Some(Err(error)) => tracing::warn!(%error, uri = &*uri, "nothing will be heard of this resource"),
                None => {}
            }
        });
        decision
    }

    /// Decides anew what a stream may hear, after a reload. A stream of the modern era that may not hear
    /// all that it was promised ends (SU-06); another goes on with the rest.
    fn hears_on(
        self: &Arc<Self>,
        revision: &Arc<Revision>,
        listener: &Listener,
        ready: &Ready,
        ears: &Arc<Ears>,
        promised: bool,
    ) -> bool {
        let moment = Moment { now: self.parts.clock.now(), ..listener.moment.clone() };
        for target in ears.targets() {
            let known = revision.snapshot.config.servers.contains_key(target.server());
            if known && self.hear(revision, ready, &moment, &target, ears).is_allow() {
                continue;
            }
            ears.drop_resource(target.name());
            if promised {
                return false;
            }
        }
        true
    }
}

/// Who a listener is to a revision, and which servers it reaches; nothing where it may not listen.
fn reach(listener: &Listener, revision: &Arc<Revision>) -> Option<(Arc<Ready>, Vec<ServerName>)> {
    let snapshot = &revision.snapshot;
    // A caller without a token is one of the local mode, which may have been left.
    if listener.caller.is_none() && snapshot.engine.bundle().oauth() {
        return None;
    }
    let ready = ready(revision, listener.caller.as_deref(), &listener.endpoint, listener.named.as_ref()).ok()?;
    let reaches =
        |server: &&ServerName| revision.offers.reachable(&snapshot.engine, &ready, server, &listener.moment).is_some();
    let servers: Vec<ServerName> = match listener.endpoint.server() {
        None => snapshot.config.servers.keys().filter(reaches).cloned().collect(),
        Some(server) => {
            let server = snapshot.config.servers.get_key_value(server).map(|(server, _)| server).filter(reaches)?;
            vec![server.clone()]
        }
    };
    Some((ready, servers))
}

/// What changes at a server; nothing instead of a change where some were missed.
fn changes(
    revision: &Revision,
    server: &ServerName,
) -> Option<impl Stream<Item = (ServerName, Option<Change>)> + Send + use<>> {
    let watch = revision.upstreams.get(server)?.watch();
    let server = server.clone();
    Some(stream::unfold((watch, server), |(mut watch, server)| async move {
        let change = match watch.recv().await {
            Ok(change) => Some(change),
            Err(broadcast::error::RecvError::Lagged(_)) => None,
            Err(broadcast::error::RecvError::Closed) => return None,
        };
        Some(((server.clone(), change), (watch, server)))
    }))
}

/// What is still to be told.
#[derive(Debug, Default)]
struct Pending {
    lists: BTreeSet<Method>,
    resources: BTreeSet<Arc<str>>,
}

impl Pending {
    fn note(&mut self, ears: &Ears, server: &ServerName, change: Option<Change>) {
        match change {
            Some(Change::List(kind)) => self.lists.extend(ears.lists.told_by(kind)),
            Some(Change::Resource(uri)) => {
                if ears.hears(server, &uri) {
                    self.resources.insert(uri);
                }
            }
            // Some were missed: any of them may have been of use.
            None => {
                self.lists.extend(ears.lists.methods());
                let held = ears.lock();
                self.resources
                    .extend(held.iter().filter(|(_, held)| held.server == *server).map(|(uri, _)| uri.clone()));
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.lists.is_empty() && self.resources.is_empty()
    }

    /// One of what is to be told.
    fn take(&mut self, tag: Option<&Id>) -> Option<Bytes> {
        let (method, uri) = match self.lists.pop_first() {
            Some(method) => (method, None),
            None => (Method::ResourcesUpdated, Some(self.resources.pop_first()?)),
        };
        let mut params = Vec::new();
        if let Some(uri) = uri {
            params.extend_from_slice(b"{\"uri\":");
            Id::Text((*uri).into()).write(&mut params);
        }
        if let Some(tag) = tag {
            params.extend_from_slice(if params.is_empty() { b"{" } else { b"," });
            params.extend_from_slice(b"\"_meta\":");
            params.extend_from_slice(&tagged(tag));
        }
        if !params.is_empty() {
            params.push(b'}');
        }
        Some(envelope::notification(method, &params).into())
    }
}

/// The `_meta` that names a subscription, in the JSON type of the request's id (SU-01, CG-07).
pub(super) fn tagged(tag: &Id) -> Vec<u8> {
    let mut meta = br#"{"io.modelcontextprotocol/subscriptionId":"#.to_vec();
    tag.write(&mut meta);
    meta.push(b'}');
    meta
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(pending: &mut Pending, tag: Option<&Id>) -> Vec<String> {
        let mut all = Vec::new();
        while let Some(message) = pending.take(tag) {
            all.push(String::from_utf8(message.to_vec()).unwrap());
        }
        all
    }

    #[test]
    fn su02_only_what_was_asked_for_is_told_and_each_change_once() {
        let (ears, server) = (Ears::new(Lists { tools: true, ..Lists::default() }), "s".parse::<ServerName>().unwrap());
        let held = Held { server: server.clone(), subscription: None };
        ears.lock().insert("x://1".into(), held);
        let mut pending = Pending::default();
        for _ in 0..1000 {
            pending.note(&ears, &server, Some(Change::List(Kind::Tools)));
            pending.note(&ears, &server, Some(Change::List(Kind::Prompts)));
            pending.note(&ears, &server, Some(Change::Resource("x://1".into())));
            pending.note(&ears, &server, Some(Change::Resource("x://2".into())));
            pending.note(&ears, &"other".parse().unwrap(), Some(Change::Resource("x://1".into())));
        }
        let meta = r#""_meta":{"io.modelcontextprotocol/subscriptionId":7}"#;
        assert_eq!(
            told(&mut pending, Some(&Id::Number(7))),
            [
                format!(r#"{{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{{{meta}}}}}"#),
                format!(
                    r#"{{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{{"uri":"x://1",{meta}}}}}"#
                ),
            ]
        );
        // What was missed may have been any of it.
        pending.note(&ears, &server, None);
        assert_eq!(
            told(&mut pending, None),
            [
                r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#,
                r#"{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"x://1"}}"#,
            ]
        );
        ears.drop_resource("x://1");
        pending.note(&ears, &server, Some(Change::Resource("x://1".into())));
        assert_eq!((ears.resources(), pending.is_empty()), (0, true));
    }

    #[test]
    fn su01_cg07_a_subscription_is_named_in_the_type_of_its_id() {
        assert_eq!(tagged(&Id::Text("7".into())), br#"{"io.modelcontextprotocol/subscriptionId":"7"}"#);
        assert_eq!(tagged(&Id::Number(7)), br#"{"io.modelcontextprotocol/subscriptionId":7}"#);
    }
}
