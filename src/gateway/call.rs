//! To act on one tool, prompt or resource: found, decided, recorded, and only then sent.
//!
//! The upstream gets an envelope of ours around the very bytes that were parsed. A modern caller who
//! goes away cancels the call; a legacy one does not (TR-27, TR-28).
//!
//! SPEC: PX-07, PX-08, PX-11, PX-12, TR-06, CL-13.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use tokio::sync::mpsc;

use super::{
    Answer, Endpoint, Gateway, Inquiry, Message, Pending, Refusal, Said, Stop, answer,
    classify::{Act, Asked},
    denied,
    list::Unoffered,
    name_space,
    offer::{Offer, acted_by, shown_by, target},
    record::{Known, Open},
    unready,
};
use crate::{
    mcp::{Era, Id, Kind, Method, Object, code, envelope},
    name::ServerName,
    policy::{Allowed, Arguments, Because, Decision, Inventory, Question, Target},
    record as trail, seal,
    tasks::Tasks,
    upstream::{Call, Manner, Outgoing, Reply, Side, Told, UpstreamError, Upstreams},
};

/// Progress notifications that may wait for a slow reader; more are dropped.
const ROOM: usize = 64;

/// How an answer is to be written.
#[derive(Debug, Clone)]
struct Form {
    id: Id,
    era: Era,
    kind: Kind,
    token: Option<Id>,
}

/// What comes back from a call, in order.
#[derive(Debug)]
enum Heard {
    Progress(Bytes),
    Done(Result<Reply, UpstreamError>),
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
        let inventory = found.alone.as_ref().unwrap_or(&found.offer.inventory);
        let verb = acted_by(act.kind);
        let question = Question {
            asker: &inquiry.ready.asker,
            verb,
            target: &found.target,
            inventory,
            moment: &inquiry.moment,
            arguments: Arguments::Given(act.arguments),
        };
        let (side, heard) = match asked.meta.progress_token() {
            Some(_) if inquiry.streams => {
                let (side, heard) = Side::open(ROOM);
                (Some(side), Some(heard))
            }
            Some(_) | None => (None, None),
        };
        let manner = Manner { meta: asked.meta.unreserved().into(), ..Manner::default() };
        let timeout = inquiry.snapshot.config.listen.limits.request;
        let outgoing =
            Outgoing { method: asked.method, params: params(act, found.target.name()).into(), manner, side, timeout };
        let call = Call { server: found.target.server().clone(), outgoing };
        let allowed = match inquiry.engine().allow(&question, call) {
            Ok(allowed) => allowed,
            Err(decision) => {
                let open = self.write_decision(known, &decision)?;
                let listed = Question { verb: shown_by(act.kind), ..question };
                let unknown = Refusal::Unknown { kind: singular(act.kind), name: act.name.as_ref().to_owned() };
                let refusal = denied(&decision, inquiry.engine().allows(&listed), unknown);
                return Err(Stop::After(refusal, open));
            }
        };
        let open = self.write_decision(known, allowed.decision())?;
        let form = Form {
            id: asked.id.clone(),
            era: asked.version.era(),
            kind: act.kind,
            token: asked.meta.progress_token().cloned(),
        };
        Ok(self.send(allowed, form, heard, open).await)
    }

    /// Sends a call and waits for what comes first: its answer, or progress.
    async fn send(
        self: &Arc<Self>,
        allowed: Allowed<Call>,
        form: Form,
        heard: Option<mpsc::Receiver<Told>>,
        open: Open,
    ) -> Answer {
        let upstreams = Arc::clone(&self.parts.upstreams);
        let modern = form.era == Era::Modern;
        if heard.is_none() {
            let reply = if modern {
                // Nothing outlives this future: dropping it is what cancels the call.
                forward(&upstreams, allowed).await
            } else {
                let call = Box::pin(async move { forward(&upstreams, allowed).await });
                Lasting { tasks: Arc::clone(&self.parts.tasks), call: Some(call) }.await
            };
            return whole(&form, reply, open);
        }
        let (events, mut coming) = mpsc::channel(ROOM);
        self.parts.tasks.spawn("call", run(upstreams, allowed, heard, events, modern));
        match coming.recv().await {
            Some(Heard::Progress(first)) => {
                let messages = Messages { form, first: Some(first), coming, open: Some(open) };
                Answer { outcome: Said::Stream(messages), pending: Pending::Nothing, modern }
            }
            Some(Heard::Done(reply)) => whole(&form, reply, open),
            None => refused(&form, Refusal::Internal, open),
        }
    }

    /// Finds what a name means at this endpoint.
    async fn find(self: &Arc<Self>, inquiry: &Inquiry<'_>, act: &Act<'_>, known: &mut Known) -> Result<Found, Stop> {
        let unknown = |because| {
            Stop::Before(
                Refusal::Unknown { kind: singular(act.kind), name: act.name.as_ref().to_owned() },
                Box::new(Decision::deny(because)),
            )
        };
        let (server, name) = match (inquiry.endpoint, act.kind) {
            (Endpoint::One(server), _) => (server.clone(), act.name.as_ref()),
            (Endpoint::All, Kind::Tools | Kind::Prompts) => {
                let (server, name) = name_space::split(&act.name).ok_or_else(|| unknown(Because::UnknownTool))?;
                (server, name)
            }
            (Endpoint::All, Kind::Resources | Kind::Templates) => {
                (self.owner(inquiry, &act.name).await?, act.name.as_ref())
            }
        };
        let Some(target) = target(&server, act.kind, name) else { return Err(unknown(Because::UnknownTool)) };
        if !inquiry.snapshot.config.servers.contains_key(&server) {
            return Err(unknown(Because::UnknownServer));
        }
        known.server = Some(server.to_string());
        let offer = match self.offer(inquiry, &server, act.kind).await {
            Ok(offer) => offer,
            Err(Unoffered::Engine(error)) => return Err(unready(&error)),
            // Only who may reach the server learns that it is down.
            Err(Unoffered::Upstream(error)) => {
                let open = self.may_discover(inquiry, &server, known)?;
                return Err(Stop::After(Refusal::Upstream(error.to_string()), open));
            }
        };
        if offer.inventory.knows(&target) {
            return Ok(Found { target, offer, alone: None });
        }
        // A resource need not be listed where a template makes it (PX-26).
        if act.kind == Kind::Resources
            && let Ok(templates) = self.offer(inquiry, &server, Kind::Templates).await
            && templates.fits_template(name)
        {
            let alone = inquiry.engine().inventory(&server, [target.clone()]).map_err(|error| unready(&error))?;
            return Ok(Found { target, offer, alone: Some(alone) });
        }
        known.target = Some(target);
        Err(unknown(Because::UnknownTool))
    }

    /// The one server, of those the caller may reach, that offers a URI.
    async fn owner(self: &Arc<Self>, inquiry: &Inquiry<'_>, uri: &str) -> Result<ServerName, Stop> {
        let reachable = self.reachable(inquiry);
        let offers = |kind| self.offers_of(inquiry, &reachable, kind);
        let lists = |offer: &Offer| offer.list().is_some_and(|list| list.get(uri).is_some());
        // Who lists a resource has it; a template only says what could be.
        let mut owners: Vec<_> = offers(Kind::Resources).await.into_iter().filter(|(_, offer)| lists(offer)).collect();
        if owners.is_empty() {
            owners = offers(Kind::Templates).await.into_iter().filter(|(_, offer)| offer.fits_template(uri)).collect();
        }
        match owners.as_slice() {
            [(owner, _)] => Ok((*owner).clone()),
            [] => Err(Refusal::Unknown { kind: "resource", name: uri.to_owned() }.into()),
            _ => {
                let problem = "more than one server offers this resource; read it at `/mcp/SERVER`";
                Err(Refusal::BadParams(problem.into()).into())
            }
        }
    }
}

/// What a name means.
struct Found {
    target: Target,
    offer: Arc<Offer>,
    /// The inventory of this target alone, where no list has it.
    alone: Option<Inventory>,
}

const fn singular(kind: Kind) -> &'static str {
    match kind {
        Kind::Tools => "tool",
        Kind::Prompts => "prompt",
        Kind::Resources | Kind::Templates => "resource",
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

/// The one way to an upstream: what is sent has been allowed.
async fn forward(upstreams: &Upstreams, allowed: Allowed<Call>) -> Result<Reply, Option<UpstreamError>> {
    upstreams.send(allowed).await.ok_or(None)?.map_err(Some)
}

/// A call that its caller waits for and does not cancel by leaving: dropped, it goes on beside.
struct Lasting {
    tasks: Arc<Tasks>,
    /// Nothing once it has ended.
    call: Option<Forwarding>,
}

type Forwarding = Pin<Box<dyn Future<Output = Result<Reply, Option<UpstreamError>>> + Send>>;

impl Future for Lasting {
    type Output = Result<Reply, Option<UpstreamError>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // Nobody polls a future that has ended; a call that is not there is our fault (`Err(None)`).
        let reply = self.call.as_mut().map_or(Poll::Ready(Err(None)), |call| call.as_mut().poll(cx));
        if reply.is_ready() {
            self.call = None;
        }
        reply
    }
}

impl Drop for Lasting {
    fn drop(&mut self) {
        // Without a runtime the process is about to end, and the call with it.
        if let Some(call) = self.call.take().filter(|_| tokio::runtime::Handle::try_current().is_ok()) {
            self.tasks.spawn("call", async move { drop(call.await) });
        }
    }
}

/// Runs a call beside its caller, so that progress can be passed on and a legacy caller may leave.
async fn run(
    upstreams: Arc<Upstreams>,
    allowed: Allowed<Call>,
    heard: Option<mpsc::Receiver<Told>>,
    events: mpsc::Sender<Heard>,
    modern: bool,
) {
    let request = forward(&upstreams, allowed);
    tokio::pin!(request);
    let mut heard = heard;
    loop {
        tokio::select! {
            biased;
            Some(told) = async { match &mut heard { Some(heard) => heard.recv().await, None => None } }, if heard.is_some() => {
                tell(&events, told);
            }
            reply = &mut request => {
                // Progress that came with the answer comes before it.
                while let Some(told) = heard.as_mut().and_then(|heard| heard.try_recv().ok()) {
                    tell(&events, told);
                }
                if let Ok(reply) = reply.map_or_else(|error| error.map(Err).ok_or(()), |reply| Ok(Ok(reply))) {
                    _ = events.send(Heard::Done(reply)).await;
                }
                return;
            }
            () = events.closed(), if modern => return,
        }
    }
}

/// Passes on what came before the answer.
fn tell(events: &mpsc::Sender<Heard>, told: Told) {
    match told {
        // A reader that does not keep up misses progress, never the answer.
        Told::Progress(params) => _ = events.try_send(Heard::Progress(params)),
        // Nothing is asked for that would be one of these; a question that is dropped is refused.
        Told::Log(_) | Told::Ask(_) => {}
    }
}

fn whole(form: &Form, reply: Result<Reply, impl Into<Option<UpstreamError>>>, open: Open) -> Answer {
    match reply.map_err(Into::into) {
        Ok(reply) => {
            let message = finish(form, &reply);
            Answer { outcome: Said::Message(message), pending: Pending::Decided(open), modern: form.era == Era::Modern }
        }
        Err(Some(error)) => refused(form, Refusal::Upstream(error.to_string()), open),
        Err(None) => refused(form, Refusal::Internal, open),
    }
}

fn refused(form: &Form, refusal: Refusal, open: Open) -> Answer {
    let decision = open.id().to_string();
    let outcome = Said::Refused { refusal, id: Some(form.id.clone()), decision };
    Answer { outcome, pending: Pending::Decided(open), modern: form.era == Era::Modern }
}

/// An upstream's reply as this caller's era has it.
fn finish(form: &Form, reply: &Reply) -> Message {
    match reply {
        Reply::Result(result) => {
            let text = std::str::from_utf8(result).unwrap_or("{}");
            let is_error = (form.kind == Kind::Tools).then(|| {
                Object::read(text).is_ok_and(|object| object.get("isError").is_some_and(|flag| flag.get() == "true"))
            });
            let body = match form.era {
                Era::Legacy => envelope::result(&form.id, result),
                Era::Modern => {
                    envelope::result(&form.id, answer::finish(text, form.era, form.kind == Kind::Resources).as_bytes())
                }
            };
            Message { body, code: None, is_error }
        }
        // No upstream of the legacy era gives such a result.
        Reply::InputRequired(_) => {
            let error = Refusal::Internal;
            let code = i64::from(error.code());
            Message { body: envelope::error(Some(&form.id), &error.error_object("")), code: Some(code), is_error: None }
        }
        Reply::Error(error) => {
            let text = std::str::from_utf8(error).unwrap_or("{}");
            let given = Object::read(text)
                .ok()
                .and_then(|object| object.get("code").and_then(|code| code.get().parse::<i64>().ok()));
            let not_found = given == Some(i64::from(code::RESOURCE_NOT_FOUND));
            if form.era == Era::Modern && not_found {
                let error = envelope::error_object(code::INVALID_PARAMS, "the server knows no such resource", None);
                let code = Some(i64::from(code::INVALID_PARAMS));
                return Message { body: envelope::error(Some(&form.id), &error), code, is_error: None };
            }
            Message { body: envelope::error(Some(&form.id), error), code: given.or(Some(0)), is_error: None }
        }
    }
}

/// The messages of a stream: progress, then the answer, whose record is written before it leaves.
#[derive(Debug)]
pub(crate) struct Messages {
    form: Form,
    first: Option<Bytes>,
    coming: mpsc::Receiver<Heard>,
    open: Option<Open>,
}

impl Messages {
    /// The next message; nothing after the answer.
    pub(crate) async fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            let heard = match self.first.take() {
                Some(first) => Heard::Progress(first),
                None if self.open.is_some() => self.coming.recv().await?,
                None => return None,
            };
            match heard {
                Heard::Progress(params) => {
                    if let Some(message) = self.progress(&params) {
                        return Some(message);
                    }
                }
                Heard::Done(reply) => return self.done(reply),
            }
        }
    }

    /// A progress notification under the caller's own token.
    fn progress(&self, params: &[u8]) -> Option<Vec<u8>> {
        let object = Object::read(std::str::from_utf8(params).ok()?).ok()?;
        let mut out = br#"{"progressToken":"#.to_vec();
        self.form.token.as_ref()?.write(&mut out);
        for field in ["progress", "total", "message"] {
            if let Some(value) = object.get(field) {
                out.extend_from_slice(format!(",\"{field}\":").as_bytes());
                out.extend_from_slice(value.get().as_bytes());
            }
        }
        out.push(b'}');
        Some(envelope::notification(Method::Progress, &out))
    }

    fn done(&mut self, reply: Result<Reply, UpstreamError>) -> Option<Vec<u8>> {
        let open = self.open.take()?;
        let refuse = |refusal: Refusal, decision: &str| {
            let code = Some(i64::from(refusal.code()));
            Message {
                body: envelope::error(Some(&self.form.id), &refusal.error_object(decision)),
                code,
                is_error: None,
            }
        };
        let decision = open.id().to_string();
        let message = match &reply {
            Ok(reply) => finish(&self.form, reply),
            Err(error) => refuse(Refusal::Upstream(error.to_string()), &decision),
        };
        let response = trail::Response {
            status: 200,
            code: message.code,
            is_error: message.is_error,
            bytes: message.body.len() as u64,
            us: 0,
        };
        match open.close(response) {
            Ok(()) => Some(message.body),
            Err(refusal) => Some(refuse(refusal, &decision).body),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn tr27_a_call_goes_on_when_its_caller_leaves() {
        let (answer, answered) = oneshot::channel();
        let (ended, end) = oneshot::channel();
        let call = async move {
            drop(answered.await);
            ended.send(()).unwrap();
            Err(None)
        };
        let mut call = Lasting { tasks: Arc::new(Tasks::new()), call: Some(Box::pin(call)) };
        let tasks = Arc::clone(&call.tasks);
        assert!(futures_util::poll!(&mut call).is_pending());
        drop(call);
        answer.send(()).unwrap();
        end.await.unwrap();
        assert!(tasks.shut_down(std::time::Duration::from_secs(10)).await.is_empty());
    }
}
