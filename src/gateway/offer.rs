//! What each server offers, as the engine and the lists need it, and who may see which of it.
//!
//! An offer is worked out once for each list that an upstream gives and kept until it gives another.
//! Entries of one *class* (see [`Engine::class`]) are decided once for an asker and remembered; an
//! asker belongs to one revision, so nothing is ever invalidated.

use std::{
    collections::HashMap,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use moka::sync::Cache;

use super::drift::{Drifted, Drifts, Watch};
use crate::{
    lock::Hints,
    mcp::Kind,
    name::{Pattern, ServerName},
    policy::{Arguments, Asker, Consent, Engine, Inventory, Moment, Question, Reason, Risk, Standing, Target, Verb},
    upstream::List,
};

/// A number that no two things of this process share.
pub(super) fn serial() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// An asker that answers may be remembered for.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(crate) asker: Asker,
    serial: u64,
}

impl Ready {
    /// Makes a standing ready to ask with, held to what a person agreed to where one was asked.
    pub(crate) fn new(engine: &Engine, standing: Standing, consent: Option<Consent>) -> Result<Self, String> {
        Ok(Self { asker: engine.asker(standing)?.consented(consent), serial: serial() })
    }
}

/// One list of one server.
#[derive(Debug)]
pub(crate) struct Offer {
    serial: u64,
    list: Option<Arc<List>>,
    /// For each entry of the list its class and what it is to the engine; nothing for one whose name
    /// the engine has no word for, which nobody sees.
    shown: Vec<Option<(Option<u64>, Target)>>,
    /// Patterns of the server's resource templates, and what has drifted of them.
    templates: Vec<(Pattern, Option<Arc<Drifted>>)>,
    /// What has drifted from the lock.
    drifts: Drifts,
    pub(crate) inventory: Inventory,
}

impl Offer {
    /// The list behind it.
    pub(crate) fn list(&self) -> Option<&Arc<List>> {
        self.list.as_ref()
    }

    /// Whether a URI fits one of the templates.
    pub(crate) fn fits_template(&self, uri: &str) -> bool {
        self.fitting(uri).is_some()
    }

    /// The template that a URI fits, one that has not drifted before others: what has drifted of it.
    pub(crate) fn fitting(&self, uri: &str) -> Option<Option<&Arc<Drifted>>> {
        let fitting = self.templates.iter().filter(|(template, _)| template.matches(uri)).map(|(_, drift)| drift);
        fitting.min_by_key(|drift| drift.as_ref().map(|drift| drift.refused)).map(Option::as_ref)
    }

    /// What has drifted of an entry.
    pub(crate) fn drift(&self, name: &str) -> Option<&Arc<Drifted>> {
        self.drifts.get(name)
    }
}

/// A list of a server, or the server itself.
type Key = (ServerName, Option<Kind>);

/// The offers of all servers, and what askers were told of them.
#[derive(Debug)]
pub(crate) struct Offers {
    pub(crate) watch: Watch,
    kept: RwLock<HashMap<Key, Arc<Offer>>>,
    visible: Cache<(u64, u64, u64, Risk), bool>,
    reachable: Cache<(u64, u64), Option<Arc<[Reason]>>>,
}

impl Offers {
    pub(crate) fn new(watch: Watch) -> Self {
        Self { watch, kept: RwLock::default(), visible: Cache::new(100_000), reachable: Cache::new(100_000) }
    }

    /// The server itself, without anything of its lists.
    pub(crate) fn server(&self, engine: &Engine, server: &ServerName) -> Result<Arc<Offer>, String> {
        let key = (server.clone(), None);
        if let Some(offer) = self.kept(&key) {
            return Ok(offer);
        }
        let inventory = engine.inventory(server, [])?;
        let (shown, templates, drifts) = Default::default();
        Ok(self.keep(key, Offer { serial: serial(), list: None, shown, templates, drifts, inventory }))
    }

    /// One list of a server, worked out anew where the upstream gave another since.
    pub(crate) fn of(&self, engine: &Engine, server: &ServerName, list: &Arc<List>) -> Result<Arc<Offer>, String> {
        let kind = list.kind();
        let key = (server.clone(), Some(kind));
        if let Some(offer) =
            self.kept(&key).filter(|offer| offer.list.as_ref().is_some_and(|known| Arc::ptr_eq(known, list)))
        {
            return Ok(offer);
        }
        let verb = shown_by(kind);
        let decided = |target: Target| (engine.class(verb, &target), target);
        let drifts = self.watch.of(server, list);
        let mut shown: Vec<Option<(Option<u64>, Target)>> =
            list.entries().iter().map(|entry| target(server, kind, entry.key()).map(decided)).collect();
        let targets = || shown.iter().flatten().map(|(_, target)| target);
        let templates = match kind {
            Kind::Templates => targets()
                .filter_map(|target| Some((pattern(target.name())?, drifts.get(target.name()).cloned())))
                .collect(),
            Kind::Tools | Kind::Prompts | Kind::Resources => Vec::new(),
        };
        if matches!(kind, Kind::Tools | Kind::Prompts) {
            super::name_space::warn_of_long_names(server, targets().map(Target::name));
        }
        let risks = list.entries().iter().filter(|_| kind == Kind::Tools);
        let risks = risks.filter_map(|entry| Some((entry.key().parse().ok()?, risk(entry.json()))));
        let inventory = engine.inventory(server, targets().cloned())?.with_risks(risks);
        // The engine knows what has drifted, and says no to it; nobody sees it.
        for (shown, entry) in shown.iter_mut().zip(list.entries()) {
            if drifts.get(entry.key()).is_some_and(|drift| drift.refused) {
                *shown = None;
            }
        }
        Ok(self
            .keep(key, Offer { serial: serial(), list: Some(Arc::clone(list)), shown, templates, drifts, inventory }))
    }

    /// Which entries of an offer an asker may see, in its order.
    pub(crate) fn visible(&self, engine: &Engine, ready: &Ready, offer: &Offer, moment: &Moment) -> Vec<bool> {
        let Some(kind) = offer.list.as_ref().map(|list| list.kind()) else { return Vec::new() };
        let verb = shown_by(kind);
        let decide = |target: &Target| {
            engine.allows(&Question {
                asker: &ready.asker,
                verb,
                target,
                inventory: &offer.inventory,
                moment,
                arguments: Arguments::NONE,
            })
        };
        // Neighbours are mostly of one class: that spares even the look into the cache.
        let mut last: Option<((u64, Risk), bool)> = None;
        let answers = offer.shown.iter().map(|shown| {
            let (class, target) = match shown {
                None => return false,
                Some((None, target)) => return decide(target),
                Some((Some(class), target)) => (*class, target),
            };
            let alike = (class, offer.inventory.risk(target));
            match last {
                Some((known, answer)) if known == alike => answer,
                Some(_) | None => {
                    let key = (ready.serial, offer.serial, alike.0, alike.1);
                    let answer = self.visible.get_with(key, || decide(target));
                    last = Some((alike, answer));
                    answer
                }
            }
        });
        answers.collect()
    }

    /// The policies by which an asker may reach a server at all, if it may.
    pub(crate) fn reachable(
        &self,
        engine: &Engine,
        ready: &Ready,
        server: &ServerName,
        moment: &Moment,
    ) -> Option<Arc<[Reason]>> {
        let offer = self.server(engine, server).ok()?;
        let target = Target::Server(server.clone());
        let decide = || {
            let verb = Verb::ServerDiscover;
            let decision = engine.decide(&Question {
                asker: &ready.asker,
                verb,
                target: &target,
                inventory: &offer.inventory,
                moment,
                arguments: Arguments::NONE,
            });
            decision.is_allow().then_some(decision.reasons)
        };
        if engine.class(Verb::ServerDiscover, &target).is_none() {
            return decide();
        }
        self.reachable.get_with((ready.serial, offer.serial), decide)
    }

    /// What a tool may do, as far as its list is known.
    pub(crate) fn risk(&self, target: &Target) -> Option<Risk> {
        let offer = self.kept(&(target.server().clone(), Some(Kind::Tools)))?;
        offer.inventory.knows(target).then(|| offer.inventory.risk(target))
    }

    /// What has drifted of an entry, as far as its list is known.
    pub(crate) fn drift(&self, server: &ServerName, kind: Kind, name: &str) -> Option<Arc<Drifted>> {
        self.kept(&(server.clone(), Some(kind)))?.drift(name).cloned()
    }

    fn kept(&self, key: &Key) -> Option<Arc<Offer>> {
        self.kept.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    fn keep(&self, key: Key, offer: Offer) -> Arc<Offer> {
        let offer = Arc::new(offer);
        self.kept.write().unwrap_or_else(PoisonError::into_inner).insert(key, Arc::clone(&offer));
        offer
    }
}

/// The verb that shows the entries of a list.
pub(crate) const fn shown_by(kind: Kind) -> Verb {
    match kind {
        Kind::Tools => Verb::ToolsList,
        Kind::Prompts => Verb::PromptsList,
        Kind::Resources | Kind::Templates => Verb::ResourcesList,
    }
}

/// The verb that acts on the entries of a list.
pub(crate) const fn acted_by(kind: Kind) -> Verb {
    match kind {
        Kind::Tools => Verb::ToolsCall,
        Kind::Prompts => Verb::PromptsGet,
        Kind::Resources | Kind::Templates => Verb::ResourcesRead,
    }
}

/// What an entry of a list is to the engine.
pub(crate) fn target(server: &ServerName, kind: Kind, name: &str) -> Option<Target> {
    let server = server.clone();
    Some(match kind {
        Kind::Tools => Target::Tool(server, name.parse().ok()?),
        Kind::Prompts => Target::Prompt(server, name.parse().ok()?),
        Kind::Resources | Kind::Templates => Target::Resource(server, name.parse().ok()?),
    })
}

/// What a tool may do, by what its server says of it.
fn risk(tool: &str) -> Risk {
    serde_json::from_str(tool).map_or_else(|_| Hints::default(), |tool| Hints::of_tool(&tool)).risk()
}

/// The pattern of a URI template: each expression stands for any characters.
fn pattern(template: &str) -> Option<Pattern> {
    let mut pattern = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (_, after) = after.split_once('}')?;
        pattern.push_str(before);
        pattern.push('*');
        rest = after;
    }
    pattern.push_str(rest);
    pattern.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_is_of_the_worst_risk_that_its_server_does_not_deny() {
        for (annotations, expected) in [
            ("", Risk::Destructive),
            (r#", "annotations": {"readOnlyHint": true}"#, Risk::Read),
            (r#", "annotations": {"destructiveHint": false}"#, Risk::Write),
            (r#", "annotations": {"readOnlyHint": "true"}"#, Risk::Destructive),
            (r#", "annotations": []"#, Risk::Destructive),
        ] {
            assert_eq!(risk(&format!(r#"{{"name": "t"{annotations}}}"#)), expected, "{annotations}");
        }
        assert_eq!(risk("no"), Risk::Destructive);
    }

    #[test]
    fn px26_templates_match_what_they_make() {
        let template = pattern("test://template/{id}/data").unwrap();
        assert!(template.matches("test://template/7/data"));
        assert!(!template.matches("test://template/7/other"));
        assert!(pattern("test://{open").is_none());
    }
}
