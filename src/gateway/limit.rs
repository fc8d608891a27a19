//! From which rate tiers a request draws, and whether they have room.
//!
//! It is charged twice: for its address before anything of it is believed, and for its caller once that
//! and what is asked are known, before any policy says whether it may. Which tiers those are is asked of
//! the engine once for each kind of request and remembered, unless a policy reads the moment or the
//! address. Where it cannot be said, the request is refused.
//!
//! What names no server is charged as such; on `/mcp` a resource is about the server that offers it, which
//! `find` charges for. A tool is called by its server's name for it, whichever way the request came.
//!
//! INVARIANT: a request is charged before an upstream hears of it, once for its address and once for its
//! caller, and never gets anything back.
//! SPEC: design §3 *charge*; SM-16…SM-19; T-149, T-154.

use std::{
    collections::hash_map::RandomState,
    hash::BuildHasher,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use moka::sync::Cache;

use super::{
    Answer, Facts, Gateway, Peer, Received, Refusal, Revision, Stop,
    classify::{Classified, Unclear, What},
    name_space,
    record::Known,
    refused_unrecorded, standing,
};
use crate::{
    detect::Detectors,
    identity::Caller,
    limit::{Draw, Limiter, Over, Payer, TierId},
    mcp::Kind,
    name::{ClientId, ServerName, UserId},
    policy::{self, Because, Decision, Depends, EndpointClass, Engine, Standing, Tier},
    principal::Principal,
    record,
};

/// Kinds of requests whose tiers are remembered.
const KEPT: u64 = 10_000;

/// The tiers of a revision, and their counts.
#[derive(Debug)]
pub(crate) struct Limits {
    limiter: Limiter,
    /// What `now` is counted from. No clock that can be set has a say.
    since: Instant,
    /// Before the caller is known, and after.
    asked: [Remembered; 2],
}

/// The tiers that one kind of request draws from.
type Drawn = Arc<[(TierId, Arc<Tier>)]>;

/// A refusal, and the decision behind it.
type Refused = Box<(Refusal, Decision)>;

/// What a request's caller was charged for.
#[derive(Debug, Clone)]
pub(super) enum Paid {
    /// Nothing that need be known any more.
    Nothing,
    /// Nothing yet: which server it is about shows only when the resource is looked for.
    Late,
    /// Tiers that tighten after failures.
    Drawn { drawn: Drawn, server: Option<String>, tool: Option<String> },
}

/// A request as it comes in, nothing of it believed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entering<'a> {
    pub(crate) class: EndpointClass,
    /// The server that the path names, whether or not there is one.
    pub(crate) server: Option<&'a ServerName>,
    pub(crate) peer: &'a Peer,
    pub(crate) tls: bool,
    pub(crate) started: Instant,
}

/// A request at the authorization server, once it shows who asks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrived<'a> {
    pub(crate) class: EndpointClass,
    pub(crate) peer: &'a Peer,
    pub(crate) tls: bool,
    pub(crate) started: Instant,
    /// The client, as far as it is known.
    pub(crate) client: Option<&'a ClientId>,
    /// Who is signed in at the browser.
    pub(crate) user: Option<&'a UserId>,
}

/// What the engine has said.
#[derive(Debug)]
struct Remembered {
    depends: Depends,
    /// By class and TLS, where nothing else matters.
    plain: Vec<OnceLock<Drawn>>,
    /// By a digest of all that matters.
    kept: Cache<u64, Drawn>,
    seed: RandomState,
}

/// A request that is to be charged.
#[derive(Debug, Clone, Copy)]
struct Charge<'a> {
    class: EndpointClass,
    tls: bool,
    now: jiff::Timestamp,
    started: Instant,
    payer: Payer<'a>,
    stage: Stage<'a>,
}

/// How much is known of a request.
#[derive(Debug, Clone, Copy)]
enum Stage<'a> {
    /// Where it comes from.
    Entering,
    /// Who asks; nobody known where no token is needed.
    Known(Option<&'a Caller<Facts>>),
    /// Who asks at the authorization server.
    Arrived(&'a Standing),
}

impl Gateway {
    /// Charges a request for its address. Where its endpoint does not come to know who asks it is charged for its
    /// caller as well, who is nobody known.
    ///
    /// # Errors
    /// When a tier has no room.
    pub(crate) fn charge_entering(
        &self,
        revision: &Revision,
        entering: &Entering<'_>,
    ) -> Result<(), Box<(Refusal, Decision)>> {
        let engine = &revision.snapshot.engine;
        let charge = self.entering(revision, entering);
        revision.limits.charge(engine, &charge)?;
        if !learns_who(entering.class) {
            revision.limits.charge(engine, &Charge { stage: Stage::Known(None), ..charge })?;
        }
        Ok(())
    }

    /// Charges a request at the authorization server for who asks: once, by the endpoint itself.
    ///
    /// # Errors
    /// When a tier has no room.
    pub(crate) fn charge_arrived(
        &self,
        revision: &Revision,
        arrived: &Arrived<'_>,
    ) -> Result<(), Box<(Refusal, Decision)>> {
        let Arrived { class, peer, tls, started, client, user } = *arrived;
        let principal = user.map_or(Principal::Anonymous, |user| Principal::User(user.clone()));
        let standing = Standing { principal, client: client.cloned(), ..Standing::anonymous() };
        let payer = Payer { principal: &standing.principal, client, ..Payer::at(peer.address) };
        let now = self.parts.clock.now();
        let charge = Charge { class, tls, now, started, payer, stage: Stage::Arrived(&standing) };
        revision.limits.charge(&revision.snapshot.engine, &charge).map(drop)
    }

    /// The answer to a request for an endpoint of MCP that was refused as it came in; `head` is what detectors
    /// found in it.
    pub(crate) fn refused_entering(
        &self,
        peer: &Peer,
        started: Instant,
        (refusal, decision): (Refusal, Decision),
        head: Detectors,
        modern: bool,
    ) -> Answer {
        match Known::new(self.revision(), self.parts.clock.now(), started, peer.clone(), 0) {
            Ok(known) => {
                let findings = record::Found { head, message: Detectors::NONE };
                self.refuse(Stop::Before(refusal, Box::new(decision)), Known { findings, ..known }, modern)
            }
            Err(error) => {
                tracing::error!(%error, "no randomness for the id of a request");
                refused_unrecorded(Refusal::Internal)
            }
        }
    }

    /// Charges a request for its caller, as far as it shows what it is about.
    pub(super) fn charge_caller(
        &self,
        received: &Received,
        read: Option<&Result<Classified<'_>, Unclear>>,
        known: &mut Known,
    ) -> Result<(), Stop> {
        let asked = match read {
            Some(Ok(Classified::Asked(asked))) => Some(&asked.what),
            Some(Ok(Classified::Noted(_) | Classified::Answered(..)) | Err(_)) | None => None,
        };
        let named = match asked {
            Some(What::Act(act)) => Some((act.kind, act.name.as_ref())),
            Some(What::Complete(complete)) => Some((complete.kind, complete.name.as_ref())),
            Some(What::Watch(uri)) => Some((Kind::Resources, uri.as_ref())),
            Some(
                What::Initialize(_)
                | What::Discover
                | What::Ping
                | What::SetLevel(_)
                | What::Unwatch(_)
                | What::List(..)
                | What::Listen(_),
            )
            | None => None,
        };
        match (received.endpoint.server(), named) {
            (Some(server), named) => {
                let tool = named.and_then(|(kind, name)| tool(kind, name));
                self.pay(known, received.tls, Some(server), tool)
            }
            (None, Some((Kind::Resources | Kind::Templates, _))) => {
                known.paid = Paid::Late;
                Ok(())
            }
            (None, Some((kind, name))) => match name_space::split(name) {
                Some((server, name)) => self.pay(known, received.tls, Some(&server), tool(kind, name)),
                None => self.pay(known, received.tls, None, None),
            },
            (None, None) => self.pay(known, received.tls, None, None),
        }
    }

    /// Charges a request for its caller, once it is known which server it is about.
    pub(super) fn charge_late(&self, known: &mut Known, tls: bool, server: Option<&ServerName>) -> Result<(), Stop> {
        match known.paid {
            Paid::Late => self.pay(known, tls, server, None),
            Paid::Nothing | Paid::Drawn { .. } => Ok(()),
        }
    }

    /// What becomes of a request that is refused: nobody comes away without being charged, and failures
    /// count.
    pub(super) fn settle(&self, stop: Stop, received: &Received, known: &mut Known) -> Stop {
        if let Err(over) = self.charge_late(known, received.tls, None) {
            return over;
        }
        let (Stop::Before(refusal, _) | Stop::After(refusal, _)) = &stop;
        if !refusal.is_failure() {
            return stop;
        }
        let revision = Arc::clone(&known.revision);
        let (server, peer) = (received.endpoint.server(), &received.peer);
        let (class, tls, started) = (EndpointClass::Mcp, received.tls, received.started);
        let charge = self.entering(&revision, &Entering { class, server, peer, tls, started });
        revision.limits.failed_at(&revision.snapshot.engine, &charge);
        if let Paid::Drawn { drawn, server, tool } = &known.paid {
            let payer = payer(known, server.as_deref(), tool.as_deref());
            revision.limits.failed(drawn, &Charge { payer, ..charge });
        }
        stop
    }

    /// Counts the failure of a request against the address that it came from, where tiers tighten after failures.
    pub(crate) fn failed_entering(&self, revision: &Revision, entering: &Entering<'_>) {
        revision.limits.failed_at(&revision.snapshot.engine, &self.entering(revision, entering));
    }

    fn entering<'a>(&self, revision: &Revision, entering: &Entering<'a>) -> Charge<'a> {
        let Entering { class, server, peer, tls, started } = *entering;
        let server = server.filter(|server| revision.snapshot.config.servers.contains_key(*server));
        let payer = Payer { server: server.map(ServerName::as_str), ..Payer::at(peer.address) };
        Charge { class, tls, now: self.parts.clock.now(), started, payer, stage: Stage::Entering }
    }

    fn pay(&self, known: &mut Known, tls: bool, server: Option<&ServerName>, tool: Option<&str>) -> Result<(), Stop> {
        known.paid = Paid::Nothing;
        let revision = Arc::clone(&known.revision);
        // What is not there is nothing to be counted by.
        let server = server.filter(|server| revision.snapshot.config.servers.contains_key(*server));
        let (server, tool) = (server.map(ServerName::as_str), tool.filter(|_| server.is_some()));
        let payer = payer(known, server, tool);
        let (class, now, started) = (EndpointClass::Mcp, known.at, known.started);
        let charge = Charge { class, tls, now, started, payer, stage: Stage::Known(known.caller.as_deref()) };
        let drawn = revision.limits.charge(&revision.snapshot.engine, &charge).map_err(|refused| {
            let (refusal, decision) = *refused;
            Stop::Before(refusal, Box::new(decision))
        })?;
        if drawn.iter().any(|(_, tier)| tier.penalty.is_some()) {
            known.paid = Paid::Drawn { drawn, server: server.map(str::to_owned), tool: tool.map(str::to_owned) };
        }
        Ok(())
    }
}

/// Whether an endpoint comes to know who asks, and charges them itself.
const fn learns_who(class: EndpointClass) -> bool {
    match class {
        EndpointClass::Authorize
        | EndpointClass::Consent
        | EndpointClass::Introspect
        | EndpointClass::Mcp
        | EndpointClass::Register
        | EndpointClass::Revoke
        | EndpointClass::Token => true,
        EndpointClass::Elsewhere
        | EndpointClass::Grants
        | EndpointClass::Health
        | EndpointClass::Jwks
        | EndpointClass::Login
        | EndpointClass::Metadata => false,
    }
}

fn tool(kind: Kind, name: &str) -> Option<&str> {
    (kind == Kind::Tools).then_some(name)
}

fn payer<'a>(known: &'a Known, server: Option<&'a str>, tool: Option<&'a str>) -> Payer<'a> {
    let address = known.peer.address;
    match known.caller.as_deref() {
        None => Payer { server, tool, ..Payer::at(address) },
        Some(caller) => Payer {
            address,
            principal: &caller.principal,
            client: caller.client.as_ref(),
            token: Some(&caller.token_hash),
            server,
            tool,
        },
    }
}

impl Limits {
    /// The tiers of an engine. Those that are as they were keep the counts of the revision `before`.
    pub(super) fn new(engine: &Engine, before: Option<&Self>) -> Self {
        let tiers = engine.tiers().map(|tier| tier.as_ref().into());
        let asked = [false, true].map(|caller| Remembered::of(engine.charge_depends(caller)));
        match before {
            None => Self { limiter: Limiter::new(tiers), since: Instant::now(), asked },
            Some(before) => Self { limiter: before.limiter.after(tiers), since: before.since, asked },
        }
    }

    /// Charges a request for what is known of it; the tiers that it drew from.
    fn charge(&self, engine: &Engine, charge: &Charge<'_>) -> Result<Drawn, Refused> {
        let drawn = self.tiers(engine, charge).map_err(|decision| {
            tracing::error!(errors = ?decision.errors, "which limits apply cannot be said, so the answer is no");
            Box::new((Refusal::PolicyError, decision))
        })?;
        match self.limiter.charge(self.at(charge.started), &draws(&drawn, &charge.payer)) {
            Ok(_) => Ok(drawn),
            Err(over) => Err(Box::new(self.over(&over, &drawn))),
        }
    }

    /// Counts a failure against whatever a request is charged for.
    fn failed_at(&self, engine: &Engine, charge: &Charge<'_>) {
        if let Ok(drawn) = self.tiers(engine, charge) {
            self.failed(&drawn, charge);
        }
    }

    /// Counts a failure against the keys that a request was charged for.
    fn failed(&self, drawn: &Drawn, charge: &Charge<'_>) {
        self.limiter.failed(self.at(charge.started), &draws(drawn, &charge.payer));
    }

    fn at(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.since)
    }

    fn over(&self, over: &Over, drawn: &Drawn) -> (Refusal, Decision) {
        let reasons = drawn.iter().filter(|(id, _)| *id == over.tier).map(|(_, tier)| tier.reason.clone());
        let decision = Decision { reasons: reasons.collect(), ..Decision::deny(Because::RateLimited) };
        (Refusal::RateLimited(Box::new(over.fields(&self.limiter))), decision)
    }

    fn tiers(&self, engine: &Engine, charge: &Charge<'_>) -> Result<Drawn, Decision> {
        let [before, after] = &self.asked;
        let remembered = match charge.stage {
            Stage::Entering => before,
            Stage::Known(_) | Stage::Arrived(_) => after,
        };
        remembered.of_request(charge, || self.ask(engine, charge))
    }

    fn ask(&self, engine: &Engine, charge: &Charge<'_>) -> Result<Drawn, Decision> {
        let Charge { class, tls, now, started: _, payer, stage } = *charge;
        let Payer { address, principal: _, client: _, token: _, server, tool } = payer;
        let standing = match stage {
            Stage::Entering => None,
            Stage::Known(caller) => Some(standing(caller)),
            Stage::Arrived(standing) => Some(standing.clone()),
        };
        let tiers =
            engine.charge(&policy::Draw { class, standing: standing.as_ref(), server, tool, tls, address, now })?;
        let counted = tiers.iter().map(|tier| match self.limiter.find(&tier.name) {
            Some(id) => Ok((id, Arc::clone(tier))),
            // A tier that nobody counts would be no limit.
            None => Err(Decision {
                errors: vec![format!("nobody counts the tier `{}`", tier.name)],
                ..Decision::deny(Because::PolicyError)
            }),
        });
        counted.collect()
    }
}

impl Remembered {
    fn of(depends: Depends) -> Self {
        let plain = (0..EndpointClass::ALL.len() * 2).map(|_| OnceLock::new()).collect();
        Self { depends, plain, kept: Cache::new(KEPT), seed: RandomState::new() }
    }

    fn of_request(
        &self,
        charge: &Charge<'_>,
        ask: impl FnOnce() -> Result<Drawn, Decision>,
    ) -> Result<Drawn, Decision> {
        let Depends { moment, caller, server, tool } = self.depends;
        if moment {
            return ask();
        }
        if !caller && !server && !tool {
            let place = EndpointClass::ALL.iter().position(|class| *class == charge.class).unwrap_or_default();
            let Some(cell) = self.plain.get(place * 2 + usize::from(charge.tls)) else { return ask() };
            if let Some(drawn) = cell.get() {
                return Ok(Arc::clone(drawn));
            }
            let drawn = ask()?;
            return Ok(Arc::clone(cell.get_or_init(|| drawn)));
        }
        let who = match charge.stage {
            Stage::Entering | Stage::Known(None) => None,
            Stage::Known(caller) => caller,
            // Kept by token, which there is none of.
            Stage::Arrived(_) if caller => return ask(),
            Stage::Arrived(_) => None,
        };
        let key = self.seed.hash_one((
            charge.class,
            charge.tls,
            who.filter(|_| caller).map(|caller| caller.token),
            charge.payer.server.filter(|_| server),
            charge.payer.tool.filter(|_| tool),
        ));
        if let Some(drawn) = self.kept.get(&key) {
            return Ok(drawn);
        }
        let drawn = ask()?;
        self.kept.insert(key, Arc::clone(&drawn));
        Ok(drawn)
    }
}

fn draws<'p>(drawn: &Drawn, payer: &Payer<'p>) -> Vec<Draw<'p>> {
    drawn.iter().map(|(id, tier)| Draw { tier: *id, key: payer.key(tier.by) }).collect()
}
