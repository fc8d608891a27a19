//! A call of a legacy caller that a modern server answers in rounds: asked, decided and sent again.
//!
//! The caller knows nothing of rounds; it is asked over the stream of its call and answers by posts
//! of its session. Each round is a request of its own: under the token that came with the last
//! answer, decided anew, and in the audit trail.
//!
//! SPEC: sheet `mcp.md` §2.3; PX-13, PX-16, PX-17.

use std::{collections::BTreeSet, sync::Arc, time::Instant};

use futures_util::future::join_all;
use jiff::Timestamp;
use tokio::sync::mpsc;

use super::{
    super::{
        Facts, Gateway, Refusal, Stop, denied, ready,
        record::{Known, Open},
        session::Session,
    },
    find::singular,
    run::{Driver, PATIENCE, ROOM, Start},
    wanted::Wanted,
};
use crate::{
    detect::Detectors,
    endpoint::Endpoint,
    identity::Caller,
    mcp::{Era, Id, Kind, Method, Object},
    name::ScopeName,
    policy::{Allowed, Arguments, Moment, Question, Target, Verb},
    record as trail,
    upstream::{Ask, Call, Manner, Outgoing, Reply, Side, Told, Upstreams},
};

/// Rounds of one call, the first one not counted.
const MOST: usize = 10;

/// What it takes to send a call again: all that was decided on.
pub(super) struct Again {
    pub(super) gateway: Arc<Gateway>,
    pub(super) session: Arc<Session>,
    pub(super) caller: Option<Arc<Caller<Facts>>>,
    pub(super) named: Option<BTreeSet<ScopeName>>,
    /// Where it came to.
    pub(super) endpoint: Endpoint,
    pub(super) target: Target,
    pub(super) kind: Kind,
    pub(super) verb: Verb,
    pub(super) method: Method,
    /// The parameters of the first round, an object.
    pub(super) params: Vec<u8>,
    pub(super) manner: Manner,
    pub(super) timeout: std::time::Duration,
    pub(super) known: Known,
    pub(super) tls: bool,
    /// What was found in its message.
    pub(super) found: Detectors,
    pub(super) listens: bool,
}

/// One more round, allowed and written down.
struct Round {
    upstreams: Arc<Upstreams>,
    allowed: Allowed<Call>,
    heard: Option<mpsc::Receiver<Told>>,
    open: Open,
}

impl Driver {
    /// A call to its last round.
    pub(super) async fn through(&mut self, start: Start) -> Result<Reply, Refusal> {
        let mut reply = match start {
            Start::Send(allowed, heard) => self.send(*allowed, heard).await?,
            Start::Got(reply) => reply,
        };
        for _ in 0..MOST {
            let Reply::InputRequired(result) = &reply else { return Ok(reply) };
            if self.again.is_none() {
                return Ok(reply);
            }
            let wanted = Wanted::read(result).ok_or_else(|| {
                Refusal::Upstream(format!("server `{}` answered something that is not MCP", self.server))
            })?;
            let responses = self.answers(&wanted).await?;
            let Some(again) = &self.again else { return Err(Refusal::Internal) };
            let Round { upstreams, allowed, heard, open } = again.allow(&responses, wanted.state.as_deref())?;
            self.upstreams = upstreams;
            reply = self.send(allowed, heard).await?;
            let (bytes, code) = match &reply {
                Reply::Result(bytes) | Reply::InputRequired(bytes) => (bytes, None),
                Reply::Error(bytes) => (bytes, Some(0)),
            };
            open.close(trail::Response { status: 200, code, is_error: None, bytes: bytes.len() as u64, us: 0 })?;
        }
        match reply {
            Reply::InputRequired(_) => {
                Err(Refusal::Upstream(format!("server `{}` asks its caller again and again", self.server)))
            }
            Reply::Result(_) | Reply::Error(_) => Ok(reply),
        }
    }

    /// Asks the caller for everything that a result wants; the answers as an object by its keys.
    async fn answers(&mut self, wanted: &Wanted) -> Result<Vec<u8>, Refusal> {
        for wish in &wanted.questions {
            self.asking.admit(&self.server, wish.method, &wish.params)?;
        }
        let mut coming = Vec::new();
        for wish in &wanted.questions {
            let params = self.asking.show(wish.method, wish.params.clone());
            let (ask, answered) = Ask::new(wish.method, params);
            if !self.put(ask) {
                return Err(Refusal::Unanswered);
            }
            coming.push(answered);
        }
        let replies = tokio::select! {
            replies = tokio::time::timeout(PATIENCE, join_all(coming)) => replies.map_err(|_| Refusal::Unanswered)?,
            refusal = &mut self.watch => return Err(refusal),
        };
        let mut out = vec![b'{'];
        for (wish, reply) in wanted.questions.iter().zip(replies) {
            if out.len() > 1 {
                out.push(b',');
            }
            Id::Text(wish.key.as_str().into()).write(&mut out);
            out.push(b':');
            match reply {
                Ok(Reply::Result(result)) => out.extend_from_slice(&result),
                // A person who cannot be asked has not answered.
                Ok(Reply::Error(_)) if wish.method == Method::ElicitationCreate => {
                    out.extend_from_slice(br#"{"action":"cancel"}"#);
                }
                Ok(Reply::Error(_) | Reply::InputRequired(_)) | Err(_) => return Err(Refusal::Unanswered),
            }
        }
        out.push(b'}');
        Ok(out)
    }
}

impl Again {
    /// Decides and writes down the next round.
    fn allow(&self, responses: &[u8], state: Option<&str>) -> Result<Round, Refusal> {
        let now = self.gateway.parts().clock.now();
        let caller = self.session.answered_by().or_else(|| self.caller.clone());
        if caller.as_ref().is_some_and(|caller| !caller.is_good(now)) {
            return Err(Refusal::BadToken);
        }
        let known = self.known(now, caller)?;
        let revision = &known.revision;
        let ready = ready(revision, known.caller.as_deref(), &self.endpoint, self.named.as_ref());
        let ready = ready.map_err(|stop| match stop {
            Stop::Before(refusal, _) | Stop::After(refusal, _) => refusal,
        })?;
        let engine = &revision.snapshot.engine;
        let inventory = engine.inventory(self.target.server(), [self.target.clone()]).map_err(|error| {
            tracing::error!(%error, "the engine could not be asked");
            Refusal::PolicyError
        })?;
        let risk = revision.offers.risk(&self.target).zip(self.target.tool().and_then(|tool| tool.parse().ok()));
        let inventory = inventory.with_risks(risk.map(|(risk, tool)| (tool, risk)));
        let drift = revision.offers.drift(self.target.server(), self.kind, self.target.name());
        let drifted = drift.is_some_and(|drift| drift.refused);
        let counted = revision.sieve.meant_for(&revision.snapshot.config.validation, self.found, &self.target);
        let findings = revision.sieve.told(counted);
        let moment = Moment { now, address: known.peer.address, tls: self.tls, findings, drifted };
        // The very arguments that are sent: each round holds them against what is now in force.
        let params = std::str::from_utf8(&self.params).ok().and_then(|params| Object::read(params).ok());
        let arguments = params.ok_or(Refusal::Internal)?.get("arguments");
        let question = Question {
            asker: &ready.asker,
            verb: self.verb,
            target: &self.target,
            inventory: &inventory,
            moment: &moment,
            arguments: Arguments::Given(arguments),
        };
        let (side, heard) = match self.listens {
            true => {
                let (side, heard) = Side::open(ROOM);
                (Some(side), Some(heard))
            }
            false => (None, None),
        };
        let outgoing = Outgoing {
            method: self.method,
            params: with_answers(&self.params, responses, state).into(),
            manner: self.manner.clone(),
            side,
            timeout: self.timeout,
        };
        let call = Call { server: self.target.server().clone(), outgoing };
        match engine.allow(&question, call) {
            Ok(allowed) => {
                let open = self.gateway.write_decision(&known, allowed.decision())?;
                Ok(Round { upstreams: Arc::clone(&revision.upstreams), allowed, heard, open })
            }
            Err(decision) => {
                let open = self.gateway.write_decision(&known, &decision)?;
                let unknown = Refusal::Unknown { kind: singular(self.kind), name: self.target.name().to_owned() };
                let refusal = denied(&decision, true, unknown);
                let code = Some(i64::from(refusal.code(Era::Legacy)));
                open.close(trail::Response { status: 200, code, is_error: None, bytes: 0, us: 0 })?;
                Err(refusal)
            }
        }
    }

    fn known(&self, now: Timestamp, caller: Option<Arc<Caller<Facts>>>) -> Result<Known, Refusal> {
        let first = &self.known;
        let known = Known::new(self.gateway.revision(), now, Instant::now(), first.peer.clone(), first.size).map_err(
            |error| {
                tracing::error!(%error, "no randomness for the id of a request");
                Refusal::Internal
            },
        )?;
        Ok(Known {
            caller,
            method: first.method.clone(),
            server: first.server.clone(),
            target: first.target.clone(),
            version: first.version,
            rpc_id: first.rpc_id.clone(),
            digest: first.digest.clone(),
            findings: first.findings,
            ..known
        })
    }
}

/// The parameters of a request with what its caller was asked for.
pub(super) fn with_answers(params: &[u8], responses: &[u8], state: Option<&str>) -> Vec<u8> {
    let Some(open) = params.strip_suffix(b"}") else { return params.to_vec() };
    let mut out = open.to_vec();
    if !responses.is_empty() {
        out.extend_from_slice(br#","inputResponses":"#);
        out.extend_from_slice(responses);
    }
    if let Some(state) = state {
        out.extend_from_slice(br#","requestState":"#);
        Id::Text(state.into()).write(&mut out);
    }
    out.push(b'}');
    out
}

impl std::fmt::Debug for Again {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Again").finish_non_exhaustive()
    }
}
