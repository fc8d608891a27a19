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
mod drift;
mod filter;
mod legacy;
mod limit;
mod list;
mod listens;
mod name_space;
mod offer;
mod open;
mod page;
mod record;
mod refusal;
mod revision;
mod session;
mod sessions;
mod sieve;
mod stream;
mod subscribe;
mod watch;

use std::{collections::BTreeSet, sync::Arc, time::Instant};

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::HeaderMap;
use tokio::sync::watch as latest;

pub(crate) use crate::endpoint::Endpoint;
pub(crate) use call::Messages;
pub(crate) use classify::says_modern;
pub(crate) use limit::{Arrived, Entering};
pub(crate) use record::{Peer, Pending};
pub(crate) use refusal::Refusal;
pub(crate) use revision::{Facts, Revision};
pub(crate) use session::{Owner, Session};
pub(crate) use stream::{News, Stream};

use crate::{
    audit::Trail,
    clock::Clock,
    detect::Detectors,
    identity::{BadToken, Bearer, Caller, Outcome},
    mcp::{Era, Id, Version},
    name::{ScopeName, ServerName},
    oauth,
    policy::{
        Arguments, Because, Consent, Decision, Denial, Engine, Moment, Question, Standing, Target, Verb, Verdict,
    },
    principal::Principal,
    record as trail, seal,
    store::Opening,
    tasks::Tasks,
};
use call::Parked;
use classify::{Asked, Classified, What};
use listens::Listens;
use offer::Ready;
use record::Known;
use sessions::Sessions;

/// What the gateway works with.
#[derive(Debug)]
pub(crate) struct Parts {
    /// Nothing where OAuth was off at the start.
    pub(crate) bearer: Option<Arc<Bearer<Facts>>>,
    pub(crate) trail: Arc<Trail>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) tasks: Arc<Tasks>,
    /// The instance, stable over restarts.
    pub(crate) instance: &'static str,
    /// Keys the digest of arguments in the audit trail.
    pub(crate) digest_key: [u8; 32],
    /// The authorization server; nothing where OAuth was off at the start.
    pub(crate) office: Option<oauth::Office>,
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

/// What HTTP is to do with an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Take a message.
    Post,
    /// Open the stream of a legacy session.
    Get,
    /// End a legacy session.
    Delete,
}

impl Way {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Get => "GET",
            Self::Delete => "DELETE",
        }
    }
}

/// A request as HTTP hands it over.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) way: Way,
    pub(crate) endpoint: Endpoint,
    pub(crate) query: Option<String>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) peer: Peer,
    pub(crate) tls: bool,
    pub(crate) started: Instant,
    /// What was found in its path, query and header fields.
    pub(crate) found: Detectors,
}

impl Received {
    /// The circumstances of a request.
    fn moment(&self, now: jiff::Timestamp) -> Moment {
        Moment { now, address: self.peer.address, tls: self.tls, findings: BTreeSet::new(), drifted: false }
    }
}

/// What goes back, and what is still to be written of it.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) outcome: Said,
    pub(crate) pending: Pending,
    /// Whether errors have HTTP statuses of their own.
    pub(crate) modern: bool,
    /// The session that was opened.
    pub(crate) session: Option<Arc<str>>,
}

/// What goes back.
#[derive(Debug)]
pub(crate) enum Said {
    /// A whole JSON-RPC message.
    Message(Message),
    /// The messages of a call; its record is closed by the stream.
    Messages(Messages),
    /// The stream of a session.
    Stream(Stream),
    /// Nothing: a notification or an answer was taken.
    Noted,
    /// Nothing: the session is over.
    Ended,
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
    revision: Arc<ArcSwap<Revision>>,
    sessions: Arc<Sessions>,
    listens: Arc<Listens>,
    parked: Arc<Parked>,
    closing: latest::Sender<bool>,
    /// How often another revision came into force.
    reloaded: latest::Sender<u64>,
}

/// A request whose caller is known: what every stage after that reads.
struct Inquiry<'a> {
    /// Whether the caller can read a stream.
    streams: bool,
    revision: &'a Arc<Revision>,
    ready: &'a Ready,
    endpoint: &'a Endpoint,
    /// The scopes of the tags that its query names.
    named: Option<&'a BTreeSet<ScopeName>>,
    moment: Moment,
    /// What was found in its path, query and header fields.
    arrived: Detectors,
    /// What was found in its message, whomever it is for.
    found: Detectors,
    caller: Option<&'a Arc<Caller<Facts>>>,
    /// The session, where there is one.
    session: Option<&'a Arc<Session>>,
    /// The whole message, of which parts are passed on as they are.
    body: &'a Bytes,
    headers: &'a HeaderMap,
}

impl Inquiry<'_> {
    fn engine(&self) -> &Engine {
        &self.revision.snapshot.engine
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
    pub(crate) fn new(parts: Parts, revision: Revision) -> Arc<Self> {
        let (closing, reloaded) = (latest::Sender::new(false), latest::Sender::new(0));
        let revision = Arc::new(ArcSwap::from_pointee(revision));
        let (current, parked) = (Arc::clone(&revision), Arc::default());
        // Who has left needs no connections of its own.
        let sessions = Sessions::new(move |session| current.load().upstreams.forget(session.upstream()));
        let sessions = Arc::new(sessions);
        let listens = Arc::default();
        Arc::new(Self { parts, revision, sessions, listens, parked, closing, reloaded })
    }

    /// Starts what it does beside requests.
    pub(crate) fn start(&self) {
        let tasks = &self.parts.tasks;
        tasks.spawn("sessions", Arc::clone(&self.sessions).keep(tasks.stop()));
        tasks.spawn("parked", Arc::clone(&self.parked).keep(tasks.stop()));
    }

    /// Ends what would never end by itself: the streams that wait for news.
    pub(crate) fn end_streams(&self) {
        self.closing.send_replace(true);
    }

    /// The parts it works with.
    pub(crate) const fn parts(&self) -> &Parts {
        &self.parts
    }

    /// Puts another revision into force, and gives the one before it. Requests in flight finish with theirs;
    /// streams are told.
    pub(crate) fn install(&self, revision: Revision) -> Arc<Revision> {
        let before = self.revision.swap(Arc::new(revision));
        self.reloaded.send_modify(|times| *times += 1);
        before
    }

    /// The revision in force.
    pub(crate) fn revision(&self) -> Arc<Revision> {
        self.revision.load_full()
    }

    /// The way of a request: who, what, may they, do it, say it.
    pub(crate) async fn handle(self: &Arc<Self>, received: Received) -> Answer {
        let now = self.parts.clock.now();
        let known = Known::new(self.revision(), now, received.started, received.peer.clone(), received.body.len());
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
            Err(stop) => {
                let stop = self.settle(stop, &received, &mut known);
                self.refuse(stop, known, modern)
            }
        }
    }

    /// What a request is answered whose body is not to be read, where who sends it is nobody: that comes before
    /// what is wrong with the body (AZ-09, OA-70).
    pub(crate) async fn turned_away(&self, received: &Received) -> Option<Answer> {
        let now = self.parts.clock.now();
        let mut known = Known::new(self.revision(), now, received.started, received.peer.clone(), 0).ok()?;
        let stop = self.authenticate(received, &mut known).await.err()?;
        let stop = self.settle(stop, received, &mut known);
        Some(self.refuse(stop, known, says_modern(&received.headers)))
    }

    async fn answer(
        self: &Arc<Self>,
        received: &Received,
        known: &mut Known,
        modern: &mut bool,
    ) -> Result<Answer, Stop> {
        let revision = Arc::clone(&known.revision);
        known.server = received.endpoint.server().map(ToString::to_string);
        known.view = received.endpoint.view().cloned();
        let caller = self.authenticate(received, known).await?;
        let heard = revision.sieve.listener();
        let read = (received.way == Way::Post).then(|| classify::read(&received.body, &received.headers, &heard));
        let found = heard.found();
        known.findings = trail::Found { head: received.found, message: revision.sieve.plain(found) };
        if let Err(stop) = self.charge_caller(received, read.as_ref(), known) {
            match read {
                Some(Ok(Classified::Asked(asked))) => {
                    note(known, modern, Some(asked.id), Some(asked.method.as_str()), asked.version.era())
                }
                Some(Err(unclear)) => {
                    note(known, modern, unclear.id, unclear.method.as_deref(), era_of(unclear.modern))
                }
                Some(Ok(Classified::Noted(_) | Classified::Answered(..))) | None => {}
            }
            return Err(stop);
        }
        if !revision.snapshot.config.has(&received.endpoint) {
            return Err(Refusal::NoEndpoint.into());
        }
        let named = filter::parse(received.query.as_deref())?;
        let ready = ready(&revision, caller.as_deref(), &received.endpoint, named.as_ref())?;
        let read = match (received.way, read) {
            (Way::Post, Some(read)) => read,
            (Way::Delete, _) => return self.end(received, caller.as_ref(), known),
            (Way::Get | Way::Post, _) => return self.listen(received, caller.as_ref(), named, known),
        };
        let classified = match read {
            Ok(classified) => classified,
            Err(unclear) => {
                note(known, modern, unclear.id, unclear.method.as_deref(), era_of(unclear.modern));
                if unclear.of_session {
                    drop(self.session(received, caller.as_ref())?);
                }
                return Err(unclear.refusal.into());
            }
        };
        let mut asked = match classified {
            Classified::Asked(asked) => asked,
            Classified::Noted(noted) => return self.noted(received, caller.as_ref(), noted),
            Classified::Answered(id, outcome) => return self.answered(received, caller.as_ref(), &id, &outcome),
        };
        note(known, modern, Some(asked.id.clone()), Some(asked.method.as_str()), asked.version.era());
        let session = match (&asked.what, asked.version.era()) {
            (What::Initialize(_), _) | (_, Era::Modern) => None,
            (_, Era::Legacy) => Some(self.session(received, caller.as_ref())?),
        };
        if let Some(session) = &session {
            asked.version = session.opening().version;
        }
        known.version = Some(asked.version);
        let inquiry = Inquiry {
            streams: accepts_stream(&received.headers),
            revision: &revision,
            ready: &ready,
            endpoint: &received.endpoint,
            named: named.as_ref(),
            moment: received.moment(known.at),
            arrived: received.found,
            found,
            caller: caller.as_ref(),
            session: session.as_ref(),
            body: &received.body,
            headers: &received.headers,
        };
        match &asked.what {
            What::Initialize(hello) => {
                let version = Version::negotiate(&hello.version);
                let answer = self.open(&inquiry, &asked, known, version).await?;
                self.welcome(&inquiry, hello, version, answer)
            }
            What::Discover => self.open(&inquiry, &asked, known, asked.version).await,
            What::Ping => {
                let open = self.write_decision(known, &permitted(Vec::new().into()))?;
                Ok(message(&asked, b"{}", open))
            }
            What::SetLevel(level) => {
                let open = self.write_decision(known, &permitted(Vec::new().into()))?;
                if let Some(session) = &session {
                    session.set_level(*level);
                }
                Ok(message(&asked, b"{}", open))
            }
            What::Watch(uri) => self.watch(&inquiry, &asked, uri, known).await,
            What::Unwatch(uri) => self.unwatch(&inquiry, &asked, uri, known),
            What::List(kind, cursor) => self.list(&inquiry, &asked, (*kind, cursor.as_deref()), known).await,
            What::Complete(complete) => self.complete(&inquiry, &asked, complete, known).await,
            What::Listen(filter) => self.subscribe(&inquiry, &asked, filter, known).await,
            What::Act(act) => self.act(&inquiry, &asked, act, known).await,
        }
    }

    async fn authenticate(&self, received: &Received, known: &mut Known) -> Result<Option<Arc<Caller<Facts>>>, Stop> {
        let snapshot = &known.revision.snapshot;
        let Some(bearer) = self.parts.bearer.as_ref().filter(|_| snapshot.engine.bundle().oauth()) else {
            return Ok(None);
        };
        let resource = snapshot.resource(&received.endpoint);
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
            Ok(Outcome::Failed(BadToken::Repeated)) => Err(Refusal::TokenRepeated.into()),
            Ok(Outcome::Failed(bad)) => Err(Stop::Before(Refusal::BadToken, Box::new(Decision::deny(bad.because())))),
            Err(error) => {
                tracing::error!(%error, id = %known.id, "the store cannot be read, so no token is good");
                Err(Refusal::NoStore.into())
            }
        }
    }

    /// Whether the caller may reach this server at all; written down either way.
    fn may_discover(
        self: &Arc<Self>,
        inquiry: &Inquiry<'_>,
        server: &ServerName,
        known: &mut Known,
    ) -> Result<record::Open, Stop> {
        let offer = inquiry.revision.offers.server(inquiry.engine(), server).map_err(|error| unready(&error))?;
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
        Answer { outcome: Said::Refused { refusal, id, decision: decision_id }, pending, modern, session: None }
    }
}

/// Puts on record what a message says of itself.
fn note(known: &mut Known, modern: &mut bool, id: Option<Id>, method: Option<&str>, era: Era) {
    *modern = era == Era::Modern;
    known.rpc_id = id;
    known.method = method.map(str::to_owned);
}

const fn era_of(modern: bool) -> Era {
    if modern { Era::Modern } else { Era::Legacy }
}

/// A refusal that not even the trail can be asked about.
fn refused_unrecorded(refusal: Refusal) -> Answer {
    Answer {
        outcome: Said::Refused { refusal, id: None, decision: String::new() },
        pending: Pending::Nothing,
        modern: true,
        session: None,
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

/// A caller made ready to ask at an endpoint: once for each token and revision, unless the query names
/// tags. All that the query and the view name must be granted.
fn ready(
    revision: &Revision,
    caller: Option<&Caller<Facts>>,
    endpoint: &Endpoint,
    named: Option<&BTreeSet<ScopeName>>,
) -> Result<Arc<Ready>, Stop> {
    let engine = &revision.snapshot.engine;
    let view = match endpoint.view().map(|view| engine.bundle().view(view)) {
        // It may have been there when the request came, and be gone by now.
        Some(None) => return Err(Refusal::NoEndpoint.into()),
        Some(view) => view,
        None => None,
    };
    let standing = || engine.narrowed(standing(caller), view, named);
    if view.is_some() || named.is_some() {
        let standing = standing();
        match engine.may_name(&standing) {
            Ok(()) => {}
            Err(Denial::InsufficientScope) => {
                let needed = standing.named.into_iter().flatten().collect();
                return Err(Refusal::InsufficientScope(needed).into());
            }
            Err(_) => {
                let what = if named.is_some() { "`?tags=`" } else { "the view" };
                return Err(Refusal::BadQuery(format!("{what} names a tag that this token cannot have")).into());
            }
        }
    }
    let make = || Ready::new(engine, standing(), caller.and_then(|caller| consent(revision, caller)));
    let made = match (named, caller) {
        (None, None) => revision.open_to_all(endpoint).map_or_else(|| make().map(Arc::new), Ok),
        // A token is good at one endpoint alone, so what was made ready is of this one.
        (None, Some(caller)) => caller.facts.ready(revision, make),
        (Some(_), _) => make().map(Arc::new),
    };
    made.map_err(|error| unready(&error))
}

/// Who a caller is to the engine, whatever the request names.
fn standing(caller: Option<&Caller<Facts>>) -> Standing {
    let Some(caller) = caller else { return Standing::anonymous() };
    let client = match &caller.principal {
        Principal::Client(client) => Some(client.clone()),
        Principal::User(_) | Principal::Anonymous => caller.client.clone(),
    };
    Standing {
        principal: caller.principal.clone(),
        client,
        groups: caller.groups.iter().cloned().collect(),
        scopes: caller.scopes.iter().cloned().collect(),
        named: None,
    }
}

/// What the person behind a token agreed to, where one was asked and it counts.
fn consent(revision: &Revision, caller: &Caller<Facts>) -> Option<Consent> {
    let later = revision.snapshot.config.oauth.authorization.scope_drift.later()?;
    let opened = caller.opened.as_deref()?.iter();
    let opened = opened.flat_map(|(scope, all)| all.iter().map(move |one| (scope, one)));
    Some(Consent::new(opened.map(|(scope, Opening { server, risk })| (scope.clone(), server.clone(), *risk)), later))
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
        consent: None,
    }
}

/// How a denial is told: what a scope could turn, and what failed, as such; what is not `listed` as `unknown`.
fn denied(decision: &Decision, listed: bool, unknown: Refusal) -> Refusal {
    match Denial::of(decision.because, listed) {
        Denial::Unauthenticated => Refusal::Unauthenticated,
        Denial::BadToken => Refusal::BadToken,
        Denial::InsufficientScope => Refusal::InsufficientScope(decision.needed.clone()),
        Denial::Forbidden => {
            let checks = decision.checks();
            match decision.misfit.clone() {
                Some(misfit) => Refusal::Unfit(misfit),
                None if !checks.is_empty() => Refusal::Suspect(checks),
                None => Refusal::Forbidden(decision.because),
            }
        }
        // Limits are asked of before, and of other policies.
        Denial::PolicyError | Denial::RateLimited => Refusal::PolicyError,
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
        session: None,
    }
}
