//! The enforcement point: the order of a call, in one function.
//!
//! [`Gateway::handle`] is that function. Who asks, what they ask, whether they may, and only then the
//! upstream; nothing hooks in from outside, so a new stage is a line here.
//!
//! INVARIANT: an upstream is sent only what is [`Allowed`](crate::policy::Allowed), and only after the
//! decision is in the audit trail.

#![warn(clippy::wildcard_enum_match_arm)]

mod answer;
mod call;
mod classify;
mod filter;
mod list;
mod name_space;
mod offer;
mod record;
mod refusal;

use std::{collections::BTreeSet, sync::Arc, time::Instant};

use bytes::Bytes;
use http::HeaderMap;

pub(crate) use offer::Ready;
pub(crate) use record::{Peer, Pending};
pub(crate) use refusal::Refusal;

use crate::{
    audit::Trail,
    clock::Clock,
    identity::{BadToken, Bearer, Caller, Outcome},
    mcp::{Era, Id, Version},
    name::{ScopeName, ServerName},
    policy::{Arguments, Because, Decision, Denial, Engine, Moment, Question, Standing, Target, Verb, Verdict},
    principal::Principal,
    record as trail, seal,
    snapshot::Snapshot,
    tasks::Tasks,
    upstream::Upstreams,
};
use classify::{Asked, Classified, What};
use offer::Offers;
use record::Known;

/// What the gateway works with.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) snapshot: Arc<Snapshot>,
    /// Nothing while OAuth is off.
    pub(crate) bearer: Option<Arc<Bearer<Ready>>>,
    pub(crate) upstreams: Arc<Upstreams>,
    pub(crate) trail: Arc<Trail>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) tasks: Arc<Tasks>,
    /// The instance, stable over restarts.
    pub(crate) instance: &'static str,
    /// Keys the digest of arguments in the audit trail.
    pub(crate) digest_key: [u8; 32],
    /// Seals cursors and states.
    pub(crate) handles: seal::Handles,
}

impl Parts {
    pub(crate) const fn instance(&self) -> trail::Gateway<'static> {
        trail::Gateway { instance: self.instance, version: env!("CARGO_PKG_VERSION"), cedar: CEDAR }
    }
}

/// The version of the Cedar language that policies are written in.
const CEDAR: &str = "4.14.1";

/// Which endpoint a request came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// `/mcp`: all servers in one.
    All,
    /// `/mcp/{server}`; whether there is such a server is not known yet.
    One(ServerName),
}

/// A request as HTTP hands it over.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) endpoint: Endpoint,
    pub(crate) query: Option<String>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) peer: Peer,
    pub(crate) tls: bool,
    pub(crate) started: Instant,
}

/// What goes back, and what is still to be written of it.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) outcome: Said,
    pub(crate) pending: Pending,
    /// Whether errors have HTTP statuses of their own.
    pub(crate) modern: bool,
}

/// What goes back.
#[derive(Debug)]
pub(crate) enum Said {
    /// A whole JSON-RPC message.
    Message(Message),
    /// A stream of messages; its record is closed by the stream.
    Stream(call::Messages),
    /// Nothing: a notification was taken.
    Noted,
    /// No.
    Refused {
        refusal: Refusal,
        /// The request's id, where it could be read.
        id: Option<Id>,
        /// The id of the record.
        decision: String,
    },
}

/// A whole JSON-RPC message that answers a request.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) body: Vec<u8>,
    /// The code, where it is an error.
    pub(crate) code: Option<i64>,
    /// An upstream's `isError`.
    pub(crate) is_error: Option<bool>,
}

/// The gateway.
#[derive(Debug)]
pub(crate) struct Gateway {
    parts: Parts,
    offers: Offers,
    anonymous: Arc<Ready>,
}

/// A request whose caller is known: what every stage after that reads.
struct Inquiry<'a> {
    /// Whether the caller can read a stream.
    streams: bool,
    snapshot: &'a Arc<Snapshot>,
    ready: &'a Ready,
    endpoint: &'a Endpoint,
    moment: Moment,
}

impl Inquiry<'_> {
    fn engine(&self) -> &Engine {
        &self.snapshot.engine
    }
}

/// How far a request came: a refusal carries what was already written of it.
enum Stop {
    /// No policy was asked, or its answer is not written yet.
    Before(Refusal, Box<Decision>),
    /// The decision is in the trail.
    After(Refusal, record::Open),
}

impl Stop {
    fn refused(refusal: Refusal) -> Self {
        let decision = Decision::deny(refusal.because());
        Self::Before(refusal, Box::new(decision))
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::refused(refusal)
    }
}

impl Gateway {
    /// Puts the gateway together.
    ///
    /// # Errors
    /// When the engine cannot make anybody ready to ask, in words.
    pub(crate) fn new(parts: Parts) -> Result<Arc<Self>, String> {
        let anonymous = Ready::new(&parts.snapshot.engine, Standing::anonymous())?;
        Ok(Arc::new(Self { parts, offers: Offers::new(), anonymous: Arc::new(anonymous) }))
    }

    /// The parts it works with.
    pub(crate) const fn parts(&self) -> &Parts {
        &self.parts
    }

    /// The way of a request: who, what, may they, do it, say it.
    pub(crate) async fn handle(self: &Arc<Self>, received: Received) -> Answer {
        let now = self.parts.clock.now();
        let known = Known::new(now, received.started, received.peer.clone(), received.body.len());
        let mut known = match known {
            Ok(known) => known,
            Err(error) => {
                tracing::error!(%error, "no randomness for the id of a request");
                return refused_unrecorded(Refusal::Internal);
            }
        };
        let mut modern = false;
        match self.answer(&received, &mut known, &mut modern).await {
            Ok(answer) => answer,
            Err(stop) => self.refuse(stop, known, modern),
        }
    }

    async fn answer(
        self: &Arc<Self>,
        received: &Received,
        known: &mut Known,
        modern: &mut bool,
    ) -> Result<Answer, Stop> {
        let snapshot = &self.parts.snapshot;
        known.server = match &received.endpoint {
            Endpoint::All => None,
            Endpoint::One(server) => Some(server.to_string()),
        };
        let caller = self.authenticate(received, known).await?;
        if let Endpoint::One(server) = &received.endpoint
            && !snapshot.config.servers.contains_key(server)
        {
            return Err(Refusal::NoEndpoint.into());
        }
        let named = filter::parse(received.query.as_deref())?;
        let filtered;
        let ready: &Ready = match (named, caller.as_deref()) {
            (None, None) => &self.anonymous,
            (None, Some(caller)) => self.ready(caller)?,
            (named, caller) => {
                filtered = self.filtered(caller, named)?;
                &filtered
            }
        };
        let classified = classify::read(&received.body, &received.headers).map_err(|unclear| {
            *modern = unclear.modern;
            known.rpc_id = unclear.id;
            known.method = unclear.method;
            unclear.refusal
        })?;
        let asked = match classified {
            Classified::Asked(asked) => asked,
            Classified::Noted => return Ok(Answer { outcome: Said::Noted, pending: Pending::Nothing, modern: false }),
        };
        *modern = asked.version.era() == Era::Modern;
        known.rpc_id = Some(asked.id.clone());
        known.method = Some(asked.method.as_str().to_owned());
        known.version = Some(asked.version);
        let moment = Moment {
            now: known.at,
            address: received.peer.address,
            tls: received.tls,
            findings: BTreeSet::new(),
            drifted: false,
        };
        let inquiry = Inquiry {
            streams: accepts_stream(&received.headers),
            snapshot,
            ready,
            endpoint: &received.endpoint,
            moment,
        };
        match &asked.what {
            What::Initialize(version) => self.open(&inquiry, &asked, known, Version::negotiate(version)).await,
            What::Discover => self.open(&inquiry, &asked, known, asked.version).await,
            What::Ping => {
                let open = self.write_decision(known, &permitted(Vec::new().into()))?;
                Ok(message(&asked, b"{}", open))
            }
            What::List(kind) => self.list(&inquiry, &asked, *kind, known).await,
            What::Act(act) => self.act(&inquiry, &asked, act, known).await,
        }
    }

    async fn authenticate(&self, received: &Received, known: &mut Known) -> Result<Option<Arc<Caller<Ready>>>, Stop> {
        let Some(bearer) = &self.parts.bearer else { return Ok(None) };
        let resource = match &received.endpoint {
            Endpoint::All => self.parts.snapshot.resource(None),
            Endpoint::One(server) => self.parts.snapshot.resource(Some(server.as_str())),
        };
        match bearer.authenticate(&received.headers, &resource, known.at).await {
            Ok(Outcome::Caller(caller)) => {
                known.caller = Some(Arc::clone(&caller));
                Ok(Some(caller))
            }
            Ok(Outcome::NotAsked) => Err(Refusal::Unauthenticated.into()),
            // Another scheme is no bearer token, good or bad (OA-68); two tokens are no request (OA-71).
            Ok(Outcome::Failed(bad @ BadToken::OtherScheme)) => {
                Err(Stop::Before(Refusal::Unauthenticated, Box::new(Decision::deny(bad.because()))))
            }
            Ok(Outcome::Failed(BadToken::Repeated)) => {
                Err(Refusal::BadQuery("`Authorization` is given twice".into()).into())
            }
            Ok(Outcome::Failed(bad)) => Err(Stop::Before(Refusal::BadToken, Box::new(Decision::deny(bad.because())))),
            Err(error) => {
                tracing::error!(%error, id = %known.id, "the store cannot be read, so no token is good");
                Err(Refusal::Internal.into())
            }
        }
    }

    /// A caller made ready to ask: once for each token.
    fn ready<'c>(&self, caller: &'c Caller<Ready>) -> Result<&'c Ready, Stop> {
        if let Some(ready) = caller.facts.get() {
            return Ok(ready);
        }
        let ready =
            Ready::new(&self.parts.snapshot.engine, standing(Some(caller), None)).map_err(|error| unready(&error))?;
        Ok(caller.facts.get_or_init(|| ready))
    }

    /// A caller who named tags: all of them must be granted.
    fn filtered(&self, caller: Option<&Caller<Ready>>, named: Option<BTreeSet<ScopeName>>) -> Result<Ready, Stop> {
        let engine = &self.parts.snapshot.engine;
        let standing = standing(caller, named);
        match engine.may_name(&standing) {
            Ok(()) => Ready::new(engine, standing).map_err(|error| unready(&error)),
            Err(Denial::InsufficientScope) => {
                Err(Refusal::InsufficientScope(standing.named.iter().flatten().cloned().collect()).into())
            }
            Err(_) => Err(Refusal::BadQuery("`?tags=` names a tag that this token cannot have".into()).into()),
        }
    }

    /// `initialize` and `server/discover`.
    async fn open(
        self: &Arc<Self>,
        inquiry: &Inquiry<'_>,
        asked: &Asked<'_>,
        known: &mut Known,
        version: Version,
    ) -> Result<Answer, Stop> {
        let every = serde_json::json!({ "tools": {}, "prompts": {}, "resources": {} });
        let (open, capabilities, instructions) = match inquiry.endpoint {
            Endpoint::All => (self.write_decision(known, &permitted(Vec::new().into()))?, every, None),
            Endpoint::One(server) => {
                let open = self.may_discover(inquiry, server, known)?;
                match self.parts.upstreams.get(server) {
                    Some(upstream) => match upstream.about().await {
                        Ok(about) => {
                            let offered = crate::mcp::Kind::ALL.into_iter().filter(|kind| about.offers(*kind));
                            let offered =
                                offered.map(|kind| (kind.capability().to_owned(), serde_json::json!({}))).collect();
                            (open, serde_json::Value::Object(offered), about.instructions.as_deref().map(str::to_owned))
                        }
                        Err(error) => return Err(Stop::After(Refusal::Upstream(error.to_string()), open)),
                    },
                    None => return Err(Stop::After(Refusal::Internal, open)),
                }
            }
        };
        let result = match version.era() {
            Era::Legacy => answer::initialized(version, &capabilities, instructions.as_deref()),
            Era::Modern => answer::discovered(&capabilities, instructions.as_deref()),
        };
        Ok(message(asked, &result, open))
    }

    /// Whether the caller may reach this server at all; written down either way.
    fn may_discover(
        self: &Arc<Self>,
        inquiry: &Inquiry<'_>,
        server: &ServerName,
        known: &mut Known,
    ) -> Result<record::Open, Stop> {
        let offer = self.offers.server(inquiry.engine(), server).map_err(|error| unready(&error))?;
        let target = Target::Server(server.clone());
        let verb = Verb::ServerDiscover;
        let question = Question {
            asker: &inquiry.ready.asker,
            verb,
            target: &target,
            inventory: &offer.inventory,
            moment: &inquiry.moment,
            arguments: Arguments::NONE,
        };
        let decision = inquiry.engine().decide(&question);
        known.target = Some(target);
        let open = self.write_decision(known, &decision)?;
        if decision.is_allow() {
            return Ok(open);
        }
        let unknown = Refusal::Unknown { kind: "server", name: server.to_string() };
        Err(Stop::After(denied(&decision, false, unknown), open))
    }

    fn refuse(&self, stop: Stop, known: Known, modern: bool) -> Answer {
        let decision_id = known.id.to_string();
        let id = known.rpc_id.clone();
        let (refusal, pending) = match stop {
            Stop::Before(refusal, decision) => {
                let word = refusal.word();
                (refusal, Pending::Refused(Box::new(known), decision, word))
            }
            Stop::After(refusal, open) => (refusal, Pending::Decided(open)),
        };
        Answer { outcome: Said::Refused { refusal, id, decision: decision_id }, pending, modern }
    }
}

/// A refusal that not even the trail can be asked about.
fn refused_unrecorded(refusal: Refusal) -> Answer {
    Answer {
        outcome: Said::Refused { refusal, id: None, decision: String::new() },
        pending: Pending::Nothing,
        modern: true,
    }
}

/// Whether a caller takes an event stream for an answer.
fn accepts_stream(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(http::header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|kind| {
        let kind = kind.split(';').next().unwrap_or_default().trim();
        ["text/event-stream", "text/*", "*/*"].iter().any(|stream| kind.eq_ignore_ascii_case(stream))
    })
}

/// Who a caller is to the engine.
fn standing(caller: Option<&Caller<Ready>>, named: Option<BTreeSet<ScopeName>>) -> Standing {
    let Some(caller) = caller else { return Standing { named, ..Standing::anonymous() } };
    let client = match &caller.principal {
        Principal::Client(client) => Some(client.clone()),
        Principal::User(_) | Principal::Anonymous => caller.client.clone(),
    };
    Standing {
        principal: caller.principal.clone(),
        client,
        groups: caller.groups.iter().cloned().collect(),
        scopes: caller.scopes.iter().cloned().collect(),
        named,
    }
}

/// The decision about what every caller with a good token may do.
fn permitted(reasons: Arc<[crate::policy::Reason]>) -> Decision {
    Decision {
        verdict: Verdict::Allow,
        because: Because::Permitted,
        reasons,
        errors: Vec::new(),
        missing: Vec::new(),
        needed: Vec::new(),
        misfit: None,
    }
}

/// How a denial is told: what a scope could turn, and what failed, as such; what is not `listed` as `unknown`.
fn denied(decision: &Decision, listed: bool, unknown: Refusal) -> Refusal {
    match Denial::of(decision.because, listed) {
        Denial::Unauthenticated => Refusal::Unauthenticated,
        Denial::BadToken => Refusal::BadToken,
        Denial::InsufficientScope => Refusal::InsufficientScope(decision.needed.clone()),
        Denial::Forbidden => {
            let misfit = decision.misfit.as_deref().cloned();
            misfit.map_or(Refusal::Forbidden(decision.because), Refusal::Unfit)
        }
        Denial::PolicyError => Refusal::PolicyError,
        Denial::BadQuery | Denial::NoEndpoint | Denial::Unknown => unknown,
    }
}

fn unready(error: &str) -> Stop {
    tracing::error!(%error, "the engine could not be asked");
    Stop::refused(Refusal::PolicyError)
}

fn message(asked: &Asked<'_>, result: &[u8], open: record::Open) -> Answer {
    let body = crate::mcp::envelope::result(&asked.id, result);
    let modern = asked.version.era() == Era::Modern;
    Answer {
        outcome: Said::Message(Message { body, code: None, is_error: None }),
        pending: Pending::Decided(open),
        modern,
    }
}
