//! To act on one tool, prompt or resource: found, decided, recorded, and only then sent.
//!
//! The upstream gets an envelope of ours around the very bytes that were parsed. `find` says what a
//! name means, `asking` what the server may ask the caller, `run` listens to a call, `rounds` drives
//! one of several rounds, `parked` keeps one that waits for its caller, `state` seals what a caller
//! carries, `form` writes the answer and `messages` streams it.
//!
//! SPEC: PX-07…PX-20, TR-06, TR-27, TR-28, TR-40.

mod asking;
mod complete;
mod find;
mod form;
mod messages;
mod parked;
mod rounds;
mod run;
mod state;
mod wanted;

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::{
    Answer, Gateway, Inquiry, Message, Pending, Refusal, Said, Stop,
    classify::{Act, Asked},
    denied,
    offer::acted_by,
    record::{Known, Open},
};
use crate::{
    chance,
    mcp::{Era, Id, Kind, LogLevel, Object},
    name::ServerName,
    policy::{Allowed, Arguments, Question, Target},
    seal,
    upstream::{self, Ask, Call, Manner, Outgoing, Reply, Side, Told},
};
use asking::Asking;
pub(in crate::gateway) use find::Found;
use find::singular;
use form::{Form, Sealing, whole};
pub(crate) use messages::Messages;
pub(crate) use parked::Parked;
use parked::Waiting;
use rounds::{Again, with_answers};
use run::{Driver, Heard, Lasting, PATIENCE, ROOM, Start, Watch, guarded};
use state::{Bound, State};
use wanted::Wanted;

/// Under which key a modern caller is asked what a legacy server asks.
const KEY: &str = "question";

/// What there is to know of a call besides what the engine is asked.
struct Plan<'a> {
    inquiry: &'a Inquiry<'a>,
    asked: &'a Asked<'a>,
    act: &'a Act<'a>,
    known: &'a Known,
    form: Form,
    asking: Asking,
    /// What an upstream's earlier answer gave.
    state: Option<String>,
}

impl Gateway {
    /// Acts, if it is allowed.
    pub(super) async fn act(
        self: &Arc<Self>,
        inquiry: &Inquiry<'_>,
        asked: &Asked<'_>,
        act: &Act<'_>,
        known: &mut Known,
    ) -> Result<Answer, Stop> {
        known.digest = act
            .arguments
            .map(|arguments| crate::policy::hex(&seal::mac(&self.parts.digest_key, arguments.get().as_bytes())));
        let found = self.find(inquiry, act, known).await?;
        known.target = Some(found.target.clone());
        let (moment, findings) = inquiry.moment_of(&found);
        known.findings = findings;
        let form = Form {
            id: asked.id.clone(),
            era: asked.version.era(),
            kind: act.kind,
            token: asked.meta.progress_token().cloned(),
            level: level(inquiry, asked)?,
        };
        let bound = || self.bound(inquiry, asked, act, &found.target);
        let (mut state, mut parked) = (None, None);
        if let Some(text) = &act.state {
            match bound().open(&self.parts.handles, text, known.at)? {
                State::Upstream(own) => state = Some(own),
                State::Parked(name) => parked = Some(name),
            }
        }
        let asking = asking(inquiry, asked, found.target.server());
        let plan = Plan { inquiry, asked, act, known, form, asking, state };
        let (call, heard) = plan.call(&found.target);
        let question = Question {
            asker: &inquiry.ready.asker,
            verb: acted_by(act.kind),
            target: &found.target,
            inventory: found.inventory(),
            moment: &moment,
            arguments: Arguments::Given(act.arguments),
        };
        let allowed = match inquiry.engine().allow(&question, call) {
            Ok(allowed) => allowed,
            Err(decision) => {
                let open = self.write_decision(known, &decision)?;
                let unknown = Refusal::Unknown { kind: singular(act.kind), name: act.name.as_ref().to_owned() };
                let refusal = denied(&decision, found.is_listed(inquiry, &question), unknown);
                return Err(Stop::After(refusal, open));
            }
        };
        let open = self.write_decision(known, allowed.decision())?;
        // Only who may call a tool learns which header fields it has.
        if let Err(refusal) = fields_agree(inquiry, act, &found) {
            return Err(Stop::After(refusal, open));
        }
        Ok(match parked {
            Some(name) => self.resume(plan, name, Arc::new(bound()), open).await,
            None => self.send(plan, allowed, heard, found, open).await,
        })
    }

    /// Sends a call and waits for what comes first: its answer, or something before it.
    async fn send(
        self: &Arc<Self>,
        plan: Plan<'_>,
        allowed: Allowed<Call>,
        heard: Option<mpsc::Receiver<Told>>,
        found: Found,
        open: Open,
    ) -> Answer {
        let modern = plan.form.era == Era::Modern;
        let start = if heard.is_none() {
            let ended = self.ended(plan.inquiry, &plan.form.id);
            let reply = if modern {
                // Nothing outlives this future: dropping it is what cancels the call.
                guarded(&plan.inquiry.revision.upstreams, allowed, ended).await
            } else {
                let upstreams = Arc::clone(&plan.inquiry.revision.upstreams);
                let call = Box::pin(async move { guarded(&upstreams, allowed, ended).await });
                Lasting { tasks: Arc::clone(&self.parts.tasks), call: Some(call) }.await
            };
            match reply {
                Ok(reply @ Reply::InputRequired(_)) if !modern => Start::Got(reply),
                reply => {
                    let bound = || Some(self.bound(plan.inquiry, plan.asked, plan.act, &found.target));
                    let message = reply.and_then(|reply| self.message(&plan.form, &reply, bound));
                    return whole(&plan.form, message, open);
                }
            }
        } else {
            Start::Send(Box::new(allowed), heard)
        };
        let bound = modern.then(|| Arc::new(self.bound(plan.inquiry, plan.asked, plan.act, &found.target)));
        let (events, coming) = mpsc::channel(ROOM);
        let (form, streams) = (plan.form.clone(), plan.inquiry.streams);
        let driver = self.driver(plan, found, events);
        self.parts.tasks.spawn("call", driver.run(start));
        self.follow(form, streams, bound, coming, open).await
    }

    /// Goes on with a call that waited for its caller.
    async fn resume(self: &Arc<Self>, plan: Plan<'_>, name: [u8; 16], bound: Arc<Bound>, open: Open) -> Answer {
        let Plan { inquiry, act, form, .. } = plan;
        let answer = act.responses.and_then(|responses| Object::read(responses.get()).ok()?.get(KEY));
        if answer.is_some_and(|answer| !answer.get().starts_with('{')) {
            let problem = format!("`params.inputResponses.{KEY}` must be an object");
            return whole(&form, Err(Refusal::BadParams(problem)), open);
        }
        let Some(Waiting { ask, coming }) = self.parked.take(name, &bound.owner) else {
            let problem = "the call that this `params.requestState` belongs to does not wait any more; call anew";
            return whole(&form, Err(Refusal::BadParams(problem.into())), open);
        };
        match answer {
            Some(answer) => {
                ask.answer(Reply::Result(inquiry.body.slice_ref(answer.get().as_bytes())));
                self.follow(form, inquiry.streams, Some(bound), coming, open).await
            }
            // Not answered: asked again.
            None => {
                let message = self.park(&form, &bound, ask, coming);
                whole(&form, message, open)
            }
        }
    }

    /// Waits for what a call says first, and answers with that or with a stream.
    async fn follow(
        self: &Arc<Self>,
        form: Form,
        streams: bool,
        bound: Option<Arc<Bound>>,
        mut coming: mpsc::Receiver<Heard>,
        open: Open,
    ) -> Answer {
        let message = loop {
            match coming.recv().await {
                Some(Heard::Done(reply)) => {
                    let bound = || bound.as_deref().cloned();
                    break reply.and_then(|reply| self.message(&form, &reply, bound));
                }
                Some(Heard::Ask(ask)) => {
                    break match &bound {
                        Some(bound) => self.park(&form, bound, ask, coming),
                        None => Err(Refusal::Internal),
                    };
                }
                Some(first) if streams => {
                    let messages = Messages {
                        gateway: Arc::clone(self),
                        bound,
                        first: Some(first),
                        coming: Some(coming),
                        open: Some(open),
                        alive: messages::alive(),
                        form,
                    };
                    let (outcome, pending, modern) = (Said::Messages(messages), Pending::Nothing, false);
                    return Answer { outcome, pending, modern, session: None };
                }
                // There is nowhere to say it.
                Some(Heard::Progress(_) | Heard::Log(_) | Heard::Request(_)) => {}
                None => break Err(Refusal::Internal),
            }
        };
        whole(&form, message, open)
    }

    /// What came of a call, for its caller. `bound` is asked for where a state is to be sealed.
    fn message(&self, form: &Form, reply: &Reply, bound: impl FnOnce() -> Option<Bound>) -> Result<Message, Refusal> {
        form.message(reply, |result| {
            let bound = bound().ok_or(Refusal::Internal)?;
            Sealing { handles: &self.parts.handles, bound: &bound, now: self.parts.clock.now() }.seal(result)
        })
    }

    /// Keeps a call until its caller comes back, and asks it to.
    fn park(&self, form: &Form, bound: &Bound, ask: Ask, coming: mpsc::Receiver<Heard>) -> Result<Message, Refusal> {
        let (now, name) = (self.parts.clock.now(), chance::bytes().map_err(|_| Refusal::Internal)?);
        let sealed = bound.seal(&self.parts.handles, &State::Parked(name), now)?;
        let result = Wanted::write(KEY, ask.method, &ask.params, &sealed);
        let waiting = Waiting { ask, coming };
        self.parked
            .park(name, &bound.owner, bound.target.server(), waiting, std::time::Instant::now())
            .map_err(|_| Refusal::Full("calls that wait for an answer"))?;
        let body = crate::mcp::envelope::result(&form.id, &result);
        Ok(Message { body, code: None, is_error: None })
    }

    /// What a call that may say something is driven with.
    fn driver(self: &Arc<Self>, plan: Plan<'_>, found: Found, events: mpsc::Sender<Heard>) -> Driver {
        let watch: Watch = Box::pin(self.ended(plan.inquiry, &plan.form.id));
        let server = found.target.server().clone();
        let again = plan.inquiry.session.map(|session| Again {
            gateway: Arc::clone(self),
            session: Arc::clone(session),
            caller: plan.inquiry.caller.cloned(),
            named: plan.inquiry.named.cloned(),
            endpoint: plan.inquiry.endpoint.clone(),
            kind: plan.act.kind,
            verb: acted_by(plan.act.kind),
            method: plan.asked.method,
            params: params(plan.act, found.target.name()),
            manner: plan.manner(),
            timeout: plan.timeout(),
            known: plan.known.clone(),
            tls: plan.inquiry.moment.tls,
            found: plan.inquiry.found,
            listens: plan.listens(),
            target: found.target,
        });
        Driver {
            upstreams: Arc::clone(&plan.inquiry.revision.upstreams),
            server,
            era: plan.form.era,
            work: plan.inquiry.revision.snapshot.config.listen.limits.request,
            watch,
            session: plan.inquiry.session.cloned(),
            again,
            asked: Vec::new(),
            events,
            asking: plan.asking,
        }
    }

    /// Waits until a call must end early: its token is revoked, or its legacy caller takes it back.
    fn ended(&self, inquiry: &Inquiry<'_>, id: &Id) -> impl Future<Output = Refusal> + Send + 'static + use<> {
        let revoked = inquiry.caller.map(|caller| self.revoked(caller));
        let cancelled = inquiry.session.map(|session| session.cancelled(id.clone()));
        async move {
            tokio::select! {
                () = async { match revoked { Some(revoked) => revoked.await, None => std::future::pending().await } } => Refusal::BadToken,
                () = async { match cancelled { Some(cancelled) => cancelled.await, None => std::future::pending().await } } => Refusal::Cancelled,
            }
        }
    }

    /// What a state of this request is bound to.
    fn bound(&self, inquiry: &Inquiry<'_>, asked: &Asked<'_>, act: &Act<'_>, target: &Target) -> Bound {
        let arguments = act.arguments.map_or_else(Bytes::new, |raw| inquiry.body.slice_ref(raw.get().as_bytes()));
        let owner = self.owner(inquiry.endpoint, inquiry.caller);
        Bound { owner, target: target.clone(), method: asked.method, arguments }
    }
}

impl Plan<'_> {
    /// The call, and where what comes before its answer is heard.
    fn call(&self, target: &Target) -> (Call, Option<mpsc::Receiver<Told>>) {
        let (side, heard) = if self.listens() {
            let (side, heard) = Side::open(ROOM);
            (Some(side), Some(heard))
        } else {
            (None, None)
        };
        let mut params = params(self.act, target.name());
        if self.act.responses.is_some() || self.state.is_some() {
            let responses = self.act.responses.map_or("", |responses| responses.get());
            params = with_answers(&params, responses.as_bytes(), self.state.as_deref());
        }
        let outgoing = Outgoing {
            method: self.asked.method,
            params: params.into(),
            manner: self.manner(),
            side,
            timeout: self.timeout(),
        };
        (Call { server: target.server().clone(), outgoing }, heard)
    }

    /// Whether anything that comes before the answer is of use.
    fn listens(&self) -> bool {
        let tells = self.form.token.is_some() || self.form.level.is_some();
        (self.inquiry.streams && tells) || !self.asking.is_empty()
    }

    /// How long the server has.
    fn timeout(&self) -> std::time::Duration {
        if self.asking.is_empty() { self.inquiry.revision.snapshot.config.listen.limits.request } else { PATIENCE }
    }

    fn manner(&self) -> Manner {
        let inquiry = self.inquiry;
        let client_info = match inquiry.session {
            Some(session) => session.opening().client_info.clone(),
            None => self
                .asked
                .meta
                .client_info()
                .map_or_else(Bytes::new, |info| inquiry.body.slice_ref(info.get().as_bytes())),
        };
        let owner = (!self.asking.is_empty()).then(|| match inquiry.session {
            Some(session) => session.upstream().clone(),
            None => upstream::Owner(owner_name(inquiry).into()),
        });
        Manner {
            meta: self.asked.meta.unreserved().into(),
            capabilities: self.asking.capabilities(),
            client_info,
            log_level: self.form.level.filter(|_| inquiry.streams),
            owner,
        }
    }
}

/// The name of a caller without a session towards upstreams' connections.
fn owner_name(inquiry: &Inquiry<'_>) -> String {
    let endpoint = inquiry.endpoint;
    match inquiry.caller {
        Some(caller) => {
            let client = caller.client.as_ref().map_or("-", |client| client.as_str());
            format!("{} {client} {endpoint}", caller.principal)
        }
        None => format!("anonymous {endpoint}"),
    }
}

/// What a server may ask this caller for.
fn asking(inquiry: &Inquiry<'_>, asked: &Asked<'_>, server: &ServerName) -> Asking {
    let Some(asks) = inquiry.revision.snapshot.config.servers.get(server).map(|server| &server.asks) else {
        return Asking::default();
    };
    if asks.is_empty() {
        return Asking::default();
    }
    let shown = if inquiry.endpoint.server().is_none() { Some(server.clone()) } else { None };
    match inquiry.session {
        // A legacy caller is asked over a stream.
        Some(session) if inquiry.streams => {
            let declared = std::str::from_utf8(&session.opening().capabilities).unwrap_or_default();
            Asking::new(asks, declared, shown)
        }
        Some(_) => Asking::new(asks, "", shown),
        None => Asking::new(asks, asked.meta.client_capabilities().map_or("", |declared| declared.get()), shown),
    }
}

/// Whether the header fields that mirror parameters say what the arguments say (TR-23). Modern only.
fn fields_agree(inquiry: &Inquiry<'_>, act: &Act<'_>, found: &Found) -> Result<(), Refusal> {
    if inquiry.session.is_some() || act.kind != Kind::Tools {
        return Ok(());
    }
    let params = found.offer.list().map_or(&[][..], |list| list.param_headers(found.target.name()));
    for param in params {
        let mut fields = inquiry.headers.get_all(param.field()).iter();
        let (field, second) = (fields.next(), fields.next());
        if second.is_some() || !param.agrees(field.map(http::HeaderValue::as_bytes), act.arguments) {
            return Err(Refusal::HeaderMismatch(format!("the header `{}` differs from the body", param.field())));
        }
    }
    Ok(())
}

/// From which level on a caller wants log notifications.
fn level(inquiry: &Inquiry<'_>, asked: &Asked<'_>) -> Result<Option<LogLevel>, Refusal> {
    match (inquiry.session, asked.meta.log_level()) {
        (Some(session), _) => Ok(session.level()),
        (None, Some(text)) => LogLevel::from_text(&text).map(Some).ok_or_else(|| {
            Refusal::BadParams("`_meta.io.modelcontextprotocol/logLevel` must be a level of logs".into())
        }),
        (None, None) => Ok(None),
    }
}

/// The parameters as the upstream gets them: its own name, the caller's very arguments.
fn params(act: &Act<'_>, name: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 + name.len() + act.arguments.map_or(0, |arguments| arguments.get().len()));
    out.extend_from_slice(if act.kind == Kind::Resources { b"{\"uri\":" } else { b"{\"name\":" });
    Id::Text(name.into()).write(&mut out);
    if let Some(arguments) = act.arguments {
        out.extend_from_slice(b",\"arguments\":");
        out.extend_from_slice(arguments.get().as_bytes());
    }
    out.push(b'}');
    out
}
