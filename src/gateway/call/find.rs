//! What a name means at an endpoint: which server's, and what it is to the engine.
//!
//! On `/mcp` a tool's or prompt's server stands in its name, a resource's is the one that offers it.
//!
//! SPEC: PX-01, PX-26, CG-02.

use std::{borrow::Cow, collections::BTreeSet, sync::Arc};

use super::super::{
    Gateway, Inquiry, Refusal, Stop,
    classify::Act,
    drift::Drifted,
    list::Unoffered,
    name_space,
    offer::{Offer, target},
    record::Known,
    unready,
};
use crate::{
    mcp::Kind,
    name::ServerName,
    policy::{Arguments, Because, Decision, Inventory, Moment, Question, Target},
};

/// What a name means.
#[derive(Debug)]
pub(in crate::gateway) struct Found {
    pub(in crate::gateway) target: Target,
    pub(in crate::gateway) offer: Arc<Offer>,
    /// The inventory of this target alone, where no list has it.
    pub(in crate::gateway) alone: Option<Inventory>,
    /// What has drifted of it.
    pub(in crate::gateway) drift: Option<Arc<Drifted>>,
}

impl Found {
    /// The inventory that the engine is to be asked with.
    pub(in crate::gateway) fn inventory(&self) -> &Inventory {
        self.alone.as_ref().unwrap_or(&self.offer.inventory)
    }

    /// Whether it has drifted and may not be used.
    pub(in crate::gateway) fn is_refused(&self) -> bool {
        self.drift.as_ref().is_some_and(|drift| drift.refused)
    }

    /// Whether its list would show it to whoever asks this of it. What has drifted is listed to nobody.
    pub(in crate::gateway) fn is_listed(&self, inquiry: &Inquiry<'_>, asked: &Question<'_>) -> bool {
        let listed = Question { verb: asked.verb.shown_by(asked.target), arguments: Arguments::NONE, ..*asked };
        !self.is_refused() && inquiry.engine().allows(&listed)
    }

    /// The moment as it is for this target: the guard rail says no to what has drifted.
    pub(in crate::gateway) fn moment<'m>(&self, moment: &'m Moment) -> Cow<'m, Moment> {
        if self.is_refused() { Cow::Owned(Moment { drifted: true, ..moment.clone() }) } else { Cow::Borrowed(moment) }
    }
}

impl Gateway {
    /// Finds what a name means at this endpoint.
    pub(in crate::gateway) async fn find(
        self: &Arc<Self>,
        inquiry: &Inquiry<'_>,
        act: &Act<'_>,
        known: &mut Known,
    ) -> Result<Found, Stop> {
        let unknown = |because| {
            Stop::Before(
                Refusal::Unknown { kind: singular(act.kind), name: act.name.as_ref().to_owned() },
                Box::new(Decision::deny(because)),
            )
        };
        let (server, name) = match (inquiry.endpoint.server(), act.kind) {
            (Some(server), _) => (server.clone(), act.name.as_ref()),
            (None, Kind::Tools | Kind::Prompts) => {
                let (server, name) = name_space::split(&act.name).ok_or_else(|| unknown(Because::UnknownTool))?;
                (server, name)
            }
            (None, Kind::Resources | Kind::Templates) => (self.owner_of(inquiry, &act.name).await?, act.name.as_ref()),
        };
        self.charge_late(known, inquiry.moment.tls, Some(&server))?;
        let Some(target) = target(&server, act.kind, name) else { return Err(unknown(Because::UnknownTool)) };
        if !inquiry.revision.snapshot.config.servers.contains_key(&server) {
            return Err(unknown(Because::UnknownServer));
        }
        known.server = Some(server.to_string());
        let offer = match self.offer(inquiry, &server, act.kind).await {
            Ok(offer) => offer,
            Err(unoffered) => return Err(self.unoffered(unoffered, inquiry, &server, known)),
        };
        if offer.inventory.knows(&target) {
            let drift = offer.drift(name).cloned();
            known.drift.clone_from(&drift);
            return Ok(Found { target, offer, alone: None, drift });
        }
        // A resource need not be listed where a template makes it (PX-26).
        let templates = match act.kind {
            Kind::Resources => match self.offer(inquiry, &server, Kind::Templates).await {
                Ok(templates) => Some(templates),
                Err(unoffered) => return Err(self.unoffered(unoffered, inquiry, &server, known)),
            },
            Kind::Tools | Kind::Prompts | Kind::Templates => None,
        };
        if let Some(drift) = templates.as_ref().and_then(|templates| templates.fitting(name)) {
            let alone = inquiry.engine().inventory(&server, [target.clone()]).map_err(|error| unready(&error))?;
            let drift = drift.cloned();
            known.drift.clone_from(&drift);
            return Ok(Found { target, offer, alone: Some(alone), drift });
        }
        known.target = Some(target);
        Err(unknown(Because::UnknownTool))
    }

    /// Why a list could not be looked into. Only who may reach the server learns that it is down.
    fn unoffered(
        self: &Arc<Self>,
        unoffered: Unoffered,
        inquiry: &Inquiry<'_>,
        server: &ServerName,
        known: &mut Known,
    ) -> Stop {
        match unoffered {
            Unoffered::Engine(error) => unready(&error),
            Unoffered::Upstream(error) => match self.may_discover(inquiry, server, known) {
                Ok(open) => Stop::After(Refusal::Upstream(error.to_string()), open),
                Err(stop) => stop,
            },
        }
    }

    /// The one server, of those the caller may reach, that offers a URI.
    async fn owner_of(self: &Arc<Self>, inquiry: &Inquiry<'_>, uri: &str) -> Result<ServerName, Stop> {
        let reachable = self.reachable(inquiry);
        let mut missing = BTreeSet::new();
        let mut offers = async |kind| {
            let merged = self.offers_of(inquiry, &reachable, kind).await;
            missing.extend(merged.missing);
            merged.offered
        };
        let lists = |offer: &Offer| offer.list().is_some_and(|list| list.get(uri).is_some());
        // Who lists a resource has it; a template only says what could be.
        let mut owners: Vec<_> = offers(Kind::Resources).await.into_iter().filter(|(_, offer)| lists(offer)).collect();
        if owners.is_empty() {
            owners = offers(Kind::Templates).await.into_iter().filter(|(_, offer)| offer.fits_template(uri)).collect();
        }
        match owners.as_slice() {
            [(owner, _)] => Ok((*owner).clone()),
            [] if !missing.is_empty() => {
                let names: Vec<&str> = missing.iter().map(ServerName::as_str).collect();
                let problem = format!("no server that answers offers this resource; `{}` did not", names.join("`, `"));
                Err(Refusal::Upstream(problem).into())
            }
            [] => Err(Refusal::Unknown { kind: "resource", name: uri.to_owned() }.into()),
            _ => {
                let problem = "more than one server offers this resource; read it at `/mcp/SERVER`";
                Err(Refusal::BadParams(problem.into()).into())
            }
        }
    }
}

pub(in crate::gateway) const fn singular(kind: Kind) -> &'static str {
    match kind {
        Kind::Tools => "tool",
        Kind::Prompts => "prompt",
        Kind::Resources | Kind::Templates => "resource",
    }
}
