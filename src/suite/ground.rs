//! What tests run on: a compiled configuration, its engine, and what its servers are known to offer.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use super::{ask::Ask, who::Who};
use crate::{
    config::Sources,
    lock::Lock,
    name::{ScopeName, ServerName, ViewName},
    policy::{
        Arguments, Asker, Because, Decision, Denial, Engine, Inventory, Moment, Question, Standing, Target, Verb,
    },
    reach::Reach,
};

/// A configuration to be tested.
#[derive(Debug)]
pub struct Ground<'c> {
    reach: &'c Reach<'c>,
    sources: &'c Sources,
    options: Vec<String>,
    inventories: RefCell<BTreeMap<ServerName, Rc<Inventory>>>,
}

/// What the gateway answers to a request.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The engine's decision.
    pub decision: Decision,
    /// What a denied caller is told.
    pub denial: Option<Denial>,
}

impl Answer {
    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.denial.map_or(200, Denial::status)
    }

    /// The JSON-RPC code, where it is an error.
    #[must_use]
    pub fn code(&self) -> Option<i32> {
        self.denial.map(Denial::code)
    }
}

impl<'c> Ground<'c> {
    /// Makes a configuration ready to be tested. `options` are those by which commands find it.
    #[must_use]
    pub fn new(reach: &'c Reach<'c>, sources: &'c Sources, options: Vec<String>) -> Self {
        Self { reach, sources, options, inventories: RefCell::default() }
    }

    /// The options by which commands find this configuration.
    #[must_use]
    pub fn options(&self) -> &[String] {
        &self.options
    }

    /// What can be enumerated.
    #[must_use]
    pub const fn reach(&self) -> &'c Reach<'c> {
        self.reach
    }

    /// The engine that decides.
    #[must_use]
    pub fn engine(&self) -> &'c Engine {
        self.reach.engine()
    }

    /// What servers are known to offer, if anything is.
    #[must_use]
    pub const fn lock(&self) -> Option<&'c Lock> {
        self.reach.lock()
    }

    /// The texts behind the places of policies.
    #[must_use]
    pub const fn sources(&self) -> &'c Sources {
        self.sources
    }

    /// What the gateway answers to a request of a test.
    ///
    /// # Errors
    /// When Cedar refuses the facts, in words.
    pub fn answer(&self, who: &Who, ask: &Ask) -> Result<Answer, String> {
        let standing = self.standing(who, ask.view.as_ref(), ask.named.as_ref())?;
        let asker = self.engine().asker(standing.clone())?;
        let arguments = ask.arguments();
        let mut moment = ask.moment.clone();
        if let Some(args) = ask.args.as_ref().and_then(|args| serde_json::from_str(args.get()).ok()) {
            moment.findings.extend(self.reach.config().validation.found_in(&args, &ask.target));
        }
        let mut decision = self.decide(&asker, ask.verb, &ask.target, (&moment, arguments))?;
        let listed = self.decide(&asker, ask.verb.shown_by(&ask.target), &ask.target, (&moment, arguments))?.is_allow();
        let denial = match self.engine().admits(&standing, &ask.target) {
            Err(denial) => {
                if denial == Denial::Unauthenticated {
                    // The gateway does not even look for what is asked.
                    decision.because = Because::Unauthenticated;
                }
                Some(denial)
            }
            Ok(()) if decision.is_allow() => None,
            Ok(()) => Some(Denial::of(decision.because, listed && ask.verb.acts())),
        };
        Ok(Answer { decision, denial })
    }

    /// Somebody who asks through a view, naming tags.
    ///
    /// # Errors
    /// When there is no such view.
    pub fn standing(
        &self,
        who: &Who,
        view: Option<&ViewName>,
        named: Option<&BTreeSet<ScopeName>>,
    ) -> Result<Standing, String> {
        let known = |view: &ViewName| {
            self.engine().bundle().view(view).ok_or_else(|| format!("there is no view `{view}` in the configuration"))
        };
        Ok(self.engine().narrowed(who.standing.clone(), view.map(known).transpose()?, named))
    }

    /// The entries of a list that a caller sees.
    ///
    /// # Errors
    /// When Cedar refuses the facts, in words.
    pub fn shown(
        &self,
        standing: Standing,
        verb: Verb,
        server: &ServerName,
        moment: &Moment,
    ) -> Result<Vec<(Target, Decision)>, String> {
        let asker = self.engine().asker(standing)?;
        let entries = self.offered(server).into_iter().filter(|target| verb.takes(target.kind()));
        entries
            .map(|target| {
                let decision = self.decide(&asker, verb, &target, (moment, Arguments::NONE))?;
                Ok((target, decision))
            })
            .collect()
    }

    /// What a server is known to offer; nothing where there is no inventory of it.
    #[must_use]
    pub fn offered(&self, server: &ServerName) -> Vec<Target> {
        let Some(offered) = self.lock().and_then(|lock| lock.server(server)) else { return Vec::new() };
        crate::policy::targets(server, offered.tools.keys(), offered.prompts.keys(), offered.resources.keys())
    }

    /// Whether there is an inventory of a server.
    #[must_use]
    pub fn is_known(&self, server: &ServerName) -> bool {
        self.lock().is_some_and(|lock| lock.server(server).is_some())
    }

    fn decide(
        &self,
        asker: &Asker,
        verb: Verb,
        target: &Target,
        (moment, arguments): (&Moment, Arguments<'_>),
    ) -> Result<Decision, String> {
        let inventory = self.inventory(target)?;
        Ok(self.engine().decide(&Question { asker, verb, target, inventory: &inventory, moment, arguments }))
    }

    /// What a target's server offers. Of a server without an inventory, whatever a test names is taken
    /// to be there.
    fn inventory(&self, target: &Target) -> Result<Rc<Inventory>, String> {
        let server = target.server();
        if !self.is_known(server) {
            return Ok(Rc::new(self.engine().inventory(server, [target.clone()])?));
        }
        if let Some(inventory) = self.inventories.borrow().get(server) {
            return Ok(inventory.clone());
        }
        let inventory = Rc::new(self.engine().inventory(server, self.offered(server))?);
        self.inventories.borrow_mut().insert(server.clone(), inventory.clone());
        Ok(inventory)
    }
}
