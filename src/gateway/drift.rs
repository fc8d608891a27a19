//! What a server offers that `portcullis.lock` does not pin like that: known once for each list, told once.
//!
//! Where drift is refused, an entry that has drifted is shown to nobody and the engine is told that it
//! has, so that the guard rail says no and the trail says why. Where it is warned of, it is used, and
//! every record of that says so. Instructions that have drifted are withheld.
//!
//! SPEC: T-179; design §4 (guard rails).

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
};

use super::Parts;
use crate::{
    audit::Trail,
    chance,
    clock::Clock,
    config::Drift,
    id::Id,
    lock::{
        Offered, Part, Said,
        compare::{self, Change, How, Subject},
    },
    mcp::Kind,
    name::ServerName,
    record as trail,
    snapshot::Snapshot,
    upstream::List,
};

/// The most differences that are told; a server that thinks up ever new ones fills neither log nor disk.
const MOST_TOLD: usize = 10_000;

/// Something that differs from what was pinned.
#[derive(Debug)]
pub(crate) struct Drifted {
    change: Change,
    /// Whether it may not be used.
    pub(crate) refused: bool,
}

impl Drifted {
    /// As the record of a request has it.
    pub(crate) fn record(&self) -> trail::Drift<'_> {
        let Change { subject: _, how, pinned, seen } = &self.change;
        trail::Drift {
            how: how.word(),
            refused: self.refused,
            pinned: pinned.as_ref().map(|said| said.digest()),
            seen: seen.as_ref().map(|said| said.digest()),
        }
    }
}

/// What of a list has drifted, by the name of the entry.
pub(crate) type Drifts = HashMap<Box<str>, Arc<Drifted>>;

/// Compares what servers offer with what is pinned.
#[derive(Debug)]
pub(crate) struct Watch {
    snapshot: Arc<Snapshot>,
    trail: Arc<Trail>,
    clock: Arc<dyn Clock>,
    gateway: trail::Gateway<'static>,
    told: Mutex<HashSet<String>>,
}

impl Watch {
    pub(crate) fn new(parts: &Parts, snapshot: Arc<Snapshot>) -> Self {
        Self {
            snapshot,
            trail: Arc::clone(&parts.trail),
            clock: Arc::clone(&parts.clock),
            gateway: parts.instance(),
            told: Mutex::default(),
        }
    }

    /// What of a list has drifted.
    pub(crate) fn of(&self, server: &ServerName, list: &List) -> Drifts {
        let mut drifts = Drifts::new();
        let (Some(part), Some((refused, pinned))) = (Part::of(list.kind()), self.mode(server)) else { return drifts };
        for entry in list.entries().iter().filter(|entry| part.fits(entry.key()).is_ok()) {
            // What is no JSON is in no list.
            let Ok(said) = Said::read(entry.json()) else { continue };
            let Some(change) = compare::entry(pinned, part, entry.key(), said) else { continue };
            if pinned.is_some() {
                self.tell(server, &change, refused);
            }
            drifts.insert(entry.key().into(), Arc::new(Drifted { change, refused }));
        }
        if pinned.is_none() && !drifts.is_empty() {
            self.tell_unpinned(server, list.kind(), drifts.len(), refused);
        }
        drifts
    }

    /// The instructions of a server, unless they have drifted and that is refused.
    pub(crate) fn instructions<'a>(&self, server: &ServerName, said: Option<&'a str>) -> Option<&'a str> {
        let Some((refused, pinned)) = self.mode(server) else { return said };
        let Some(change) = compare::instructions(pinned, said) else { return said };
        if pinned.is_some() {
            self.tell(server, &change, refused);
        }
        said.filter(|_| !refused)
    }

    /// Whether drift of a server is refused, and what is pinned of it; nothing where nothing is compared.
    fn mode(&self, server: &ServerName) -> Option<(bool, Option<&Offered>)> {
        let lock = self.snapshot.lock.as_deref();
        let pinned = lock.and_then(|lock| lock.server(server));
        let configured = self.snapshot.config.servers.get(server)?;
        match configured.drift(pinned.is_some()) {
            Drift::Allow => None,
            Drift::Refuse => Some((true, pinned)),
            // Without a lock there is nothing to differ from, unless somebody says that he wants to hear.
            Drift::Warn if lock.is_none() && configured.drift.is_none() => None,
            Drift::Warn => Some((false, pinned)),
        }
    }

    fn tell(&self, server: &ServerName, change: &Change, refused: bool) {
        let Change { subject, how, pinned, seen } = change;
        let digest = |said: &Option<Arc<Said>>| said.as_ref().map(|said| said.digest().to_owned()).unwrap_or_default();
        let (kind, name, how) = (subject.word(), subject.name().unwrap_or_default(), how.word());
        let (pinned, seen) = (digest(pinned), digest(seen));
        if !self.is_news(format!("{server} {kind} {name} {seen}")) {
            return;
        }
        let fields = match change.how {
            How::Changed if *subject != Subject::Instructions => change.fields().join(", "),
            How::Changed | How::Added | How::Removed => String::new(),
        };
        tracing::warn!(%server, kind, name, how, fields, refused, "differs from portcullis.lock");
        let facts = [
            ("server", server.as_str()),
            ("kind", kind),
            ("name", name),
            ("how", how),
            ("fields", &fields),
            ("pinned", &pinned),
            ("seen", &seen),
            ("drift", if refused { "refuse" } else { "warn" }),
        ];
        self.write(&facts.into_iter().filter(|(_, value)| !value.is_empty()).collect::<Vec<_>>());
    }

    /// Of a server that is not in the lock at all, every entry would be news.
    fn tell_unpinned(&self, server: &ServerName, kind: Kind, count: usize, refused: bool) {
        let list = kind.field();
        if !self.is_news(format!("{server} {list}")) {
            return;
        }
        tracing::warn!(%server, list, count, refused, "is not in portcullis.lock");
        let count = count.to_string();
        let drift = if refused { "refuse" } else { "warn" };
        self.write(&[
            ("server", server.as_str()),
            ("kind", list),
            ("how", "unpinned"),
            ("count", &count),
            ("drift", drift),
        ]);
    }

    fn is_news(&self, what: String) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() >= MOST_TOLD {
            return false;
        }
        let news = told.insert(what);
        if told.len() == MOST_TOLD {
            tracing::error!("servers differ from portcullis.lock in too many ways; no more of them are told");
        }
        news
    }

    fn write(&self, facts: &[(&str, &str)]) {
        let now = self.clock.now();
        let written = chance::bytes().map_err(|error| error.to_string()).and_then(|random| {
            let event = trail::Event {
                id: Id::new(now, random),
                at: now,
                gateway: self.gateway,
                family: trail::Family::Config,
                what: "inventory-drift",
                facts,
            };
            self.trail.event(event).map_err(|error| error.to_string())
        });
        if let Err(error) = written {
            // The requests themselves are refused until it can be.
            tracing::error!(%error, "a difference from portcullis.lock could not be recorded");
        }
    }
}
