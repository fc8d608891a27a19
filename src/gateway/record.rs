//! How a request is written into the audit trail: what is known of it, gathered as it becomes known.
//!
//! A decision is written before anything is sent upstream; how the request was answered is written
//! before the answer leaves. A request refused before a policy was asked has one record, written when
//! its status is known.

use std::{net::IpAddr, sync::Arc, time::Instant};

use jiff::Timestamp;

use super::{Facts, Gateway, Revision, drift::Drifted, limit::Paid, refusal::Refusal};
use crate::{
    audit::TrailError,
    chance,
    detect::Detectors,
    id::Id,
    identity::Caller,
    mcp::{self, Method, Version},
    name::{ServerName, ViewName},
    policy::{Because, Decision, Target},
    principal::Principal,
    record::{self, Access, Decided, Refused, Response, Who},
};

/// From where a request came.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    /// The peer's address.
    pub(crate) address: IpAddr,
    /// Its `User-Agent`, as it says.
    pub(crate) agent: Option<String>,
}

/// What is known of a request so far.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    /// What it is decided by, to its end.
    pub(crate) revision: Arc<Revision>,
    pub(crate) id: Id,
    pub(crate) at: Timestamp,
    pub(crate) started: Instant,
    pub(crate) peer: Peer,
    pub(crate) caller: Option<Arc<Caller<Facts>>>,
    pub(crate) method: Option<String>,
    pub(crate) server: Option<String>,
    /// The view that it came to.
    pub(crate) view: Option<ViewName>,
    pub(crate) target: Option<Target>,
    pub(crate) version: Option<Version>,
    pub(crate) rpc_id: Option<mcp::Id>,
    pub(crate) digest: Option<String>,
    /// What has drifted of the target.
    pub(crate) drift: Option<Arc<Drifted>>,
    /// What detectors found in it.
    pub(crate) findings: record::Found,
    /// What its caller was charged for.
    pub(super) paid: Paid,
    pub(crate) size: usize,
}

impl Known {
    /// What is known when a request comes in.
    pub(crate) fn new(
        revision: Arc<Revision>,
        at: Timestamp,
        started: Instant,
        peer: Peer,
        size: usize,
    ) -> Result<Self, getrandom::Error> {
        let id = Id::new(at, chance::bytes()?);
        Ok(Self {
            revision,
            id,
            at,
            started,
            peer,
            caller: None,
            method: None,
            server: None,
            view: None,
            target: None,
            version: None,
            rpc_id: None,
            digest: None,
            drift: None,
            findings: record::Found::default(),
            paid: Paid::Nothing,
            size,
        })
    }
}

impl Known {
    /// What is known of a part of a request that is decided by itself, under an id of its own.
    pub(super) fn beside(&self, method: Method, started: Instant) -> Result<Self, Refusal> {
        let id = Id::new(self.at, chance::bytes().map_err(|_| Refusal::Internal)?);
        Ok(Self {
            revision: Arc::clone(&self.revision),
            id,
            at: self.at,
            started,
            peer: self.peer.clone(),
            caller: self.caller.clone(),
            method: Some(method.as_str().to_owned()),
            server: None,
            view: self.view.clone(),
            target: None,
            version: self.version,
            rpc_id: self.rpc_id.clone(),
            digest: None,
            drift: None,
            findings: record::Found::default(),
            paid: Paid::Nothing,
            size: 0,
        })
    }
}

/// What is still to be written of a request.
#[derive(Debug)]
pub(crate) enum Pending {
    /// Nothing: a notification.
    Nothing,
    /// The refusal, when its status is known.
    Refused(Box<Known>, Box<Decision>, &'static str),
    /// What came of the decision.
    Decided(Open),
}

/// A decision that was written, and what came of it was not. Dropped like that, the record says that
/// the outcome is unknown.
#[derive(Debug)]
pub(crate) struct Open {
    gateway: Arc<Gateway>,
    id: Id,
    started: Instant,
    closed: bool,
    /// The servers that a merged list had to leave out.
    without: Vec<ServerName>,
}

impl Gateway {
    /// Writes a decision.
    pub(super) fn write_decision(self: &Arc<Self>, known: &Known, decision: &Decision) -> Result<Open, Refusal> {
        self.decided(known, decision, None, |decided| self.parts.trail.decision(decided))
            .map_err(|error| lost(&error))?;
        Ok(Open { gateway: Arc::clone(self), id: known.id, started: known.started, closed: false, without: Vec::new() })
    }

    /// Writes how a request was answered, before the answer leaves.
    ///
    /// # Errors
    /// When the trail cannot take it: the answer must not leave then.
    pub(crate) fn close(&self, pending: Pending, response: Response) -> Result<(), Refusal> {
        match pending {
            Pending::Nothing => Ok(()),
            Pending::Refused(known, decision, kind) => {
                let us = micros(known.started);
                let refused = Some(Refused { kind, response: Response { us, ..response } });
                let often = known.caller.is_none() || decision.because == Because::RateLimited;
                self.decided(&known, &decision, refused, |decided| match often {
                    // Without a token, or over the limit, anybody can ask as often as they like: many become
                    // one record.
                    true => self.parts.trail.refusal(decided),
                    false => self.parts.trail.decision(decided),
                })
                .map_err(|error| lost(&error))
            }
            Pending::Decided(open) => open.close(response),
        }
    }

    /// Writes the refusal of a request that was not even read.
    ///
    /// # Errors
    /// When the trail cannot take it.
    pub(crate) fn refused_early(
        &self,
        peer: Peer,
        started: Instant,
        (kind, status): (&str, u16),
        decision: &Decision,
        findings: Detectors,
    ) -> Result<(), Refusal> {
        let known = self.known_by_its_head(peer, started, findings)?;
        let response = Response { status, code: None, is_error: None, bytes: 0, us: micros(started) };
        // Anybody can ask as often as they like: many become one record.
        self.decided(&known, decision, Some(Refused { kind, response }), |decided| self.parts.trail.refusal(decided))
            .map_err(|error| lost(&error))
    }

    /// Writes what was found in the head of a request that may come in and has no record of its own. Many of one
    /// address become one.
    ///
    /// # Errors
    /// When the trail cannot take it.
    pub(crate) fn reported(
        &self,
        peer: Peer,
        started: Instant,
        decision: &Decision,
        findings: Detectors,
    ) -> Result<(), Refusal> {
        let known = self.known_by_its_head(peer, started, findings)?;
        self.decided(&known, decision, None, |decided| self.parts.trail.refusal(decided)).map_err(|error| lost(&error))
    }

    /// What is known of a request that was not read, but for what was found in its head.
    fn known_by_its_head(&self, peer: Peer, started: Instant, head: Detectors) -> Result<Known, Refusal> {
        let known = Known::new(self.revision(), self.parts.clock.now(), started, peer, 0);
        let findings = record::Found { head, message: Detectors::NONE };
        Ok(Known { findings, ..known.map_err(|_| Refusal::Internal)? })
    }

    fn decided<T>(
        &self,
        known: &Known,
        decision: &Decision,
        refused: Option<Refused<'_>>,
        write: impl FnOnce(&Decided<'_>) -> T,
    ) -> T {
        let snapshot = &known.revision.snapshot;
        let who = known.caller.as_deref().map(|caller| Who {
            principal: &caller.principal,
            client: caller.client.as_ref(),
            scopes: &caller.scopes,
            method: "bearer",
            token: Some(&caller.token_hash),
        });
        let open = Who { principal: &Principal::Anonymous, client: None, scopes: &[], method: "none", token: None };
        let who = who.or_else(|| (!snapshot.engine.bundle().oauth()).then_some(open));
        let target = known.target.as_ref().and_then(|target| match target {
            Target::Server(_) => None,
            Target::Tool(_, name) => Some(record::Target::Tool(name.as_str())),
            Target::Prompt(_, name) => Some(record::Target::Prompt(name.as_str())),
            Target::Resource(_, uri) => Some(record::Target::Resource(uri.as_str())),
        });
        let rpc_id = known.rpc_id.as_ref().map(|id| {
            let mut text = Vec::new();
            id.write(&mut text);
            String::from_utf8(text).unwrap_or_default()
        });
        let request = known.method.as_deref().map(|method| record::Request {
            method,
            server: known.target.as_ref().map(|target| target.server().as_str()).or(known.server.as_deref()),
            view: known.view.as_ref().map(ViewName::as_str),
            target,
            protocol: known.version.map(Version::as_str),
            rpc_id: rpc_id.as_deref(),
            read: &[],
            digest: known.digest.as_deref(),
            drift: known.drift.as_deref().map(Drifted::record),
            size: known.size as u64,
        });
        write(&Decided {
            id: known.id,
            at: known.at,
            gateway: self.parts.instance(),
            revision: Some(record::Revision {
                config: &snapshot.config.digest,
                bundle: snapshot.engine.bundle().digest(),
            }),
            caller: who,
            peer: Some(record::Peer { address: known.peer.address, agent: known.peer.agent.as_deref() }),
            request,
            findings: known.findings,
            decision,
            refused,
        })
    }
}

impl Open {
    /// Writes how the request was answered.
    pub(crate) fn close(mut self, response: Response) -> Result<(), Refusal> {
        let us = micros(self.started);
        self.write(Some(Response { us, ..response })).map_err(|error| lost(&error))
    }

    /// Marks the answer as one without these servers.
    pub(super) fn leave_out(&mut self, servers: Vec<ServerName>) {
        self.without = servers;
    }

    /// The id of the decision.
    pub(crate) const fn id(&self) -> Id {
        self.id
    }

    fn write(&mut self, response: Option<Response>) -> Result<(), TrailError> {
        self.closed = true;
        let parts = &self.gateway.parts;
        parts.trail.access(Access {
            id: self.id,
            at: parts.clock.now(),
            gateway: parts.instance(),
            response,
            without: &self.without,
        })
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if !self.closed
            && let Err(error) = self.write(None)
        {
            tracing::error!(%error, id = %self.id, "the outcome of a call could not be recorded");
        }
    }
}

fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}

fn lost(error: &TrailError) -> Refusal {
    tracing::error!(%error, "the audit trail cannot be written; requests are refused until it can");
    Refusal::NoAudit
}
