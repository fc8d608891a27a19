//! The sessions of the legacy era, as requests use them: opened, found, told, answered and ended.
//!
//! A session of somebody else is as unknown as none (T-031): the answer is the same, and only the
//! record says who asked.
//!
//! SPEC: MCP 2025-11-25, transports; TR-05, TR-10, TR-28, TR-31, TR-32, T-025, T-031, T-032, T-035.

use std::{borrow::Cow, collections::BTreeSet, sync::Arc, time::Instant};

use bytes::Bytes;

use super::{
    Answer, Endpoint, Facts, Gateway, Inquiry, Pending, Received, Refusal, Said, Stop, accepts_stream,
    classify::{self, Act, Asked, Hello, Noted},
    denied, message, permitted,
    record::Known,
    session::{Opening, Owner, Session},
    stream::Stream,
    watch::Listener,
};
use crate::{
    chance,
    identity::Caller,
    mcp::{Era, Id, Kind, Outcome, Version, header},
    name::ScopeName,
    policy::{Arguments, Question, Verb},
    principal::Principal,
    upstream::Reply,
};

/// Bytes that a session keeps of what its caller says of itself.
const MOST_SAID: usize = 16 * 1024;
/// Resources that one session may be told of.
const MOST_RESOURCES: usize = 100;

type Who<'a> = Option<&'a Arc<Caller<Facts>>>;

impl Gateway {
    /// Whose a request is.
    pub(super) fn owner(&self, endpoint: &Endpoint, caller: Who<'_>) -> Owner {
        match caller {
            // A token is good at one resource alone, which is this endpoint.
            Some(caller) => Owner {
                principal: caller.principal.clone(),
                client: caller.client.clone(),
                resource: Arc::clone(&caller.resource),
            },
            None => {
                let snapshot = &self.revision.load().snapshot;
                let resource = snapshot.resource(endpoint).into();
                Owner { principal: Principal::Anonymous, client: None, resource }
            }
        }
    }

    /// The session that a request names.
    pub(super) fn session(&self, received: &Received, caller: Who<'_>) -> Result<Arc<Session>, Refusal> {
        let mut named = received.headers.get_all(header::SESSION_ID).iter();
        let id = match (named.next(), named.next()) {
            (None, _) => return Err(Refusal::NoSession),
            (Some(id), None) => id.to_str().map_err(|_| Refusal::UnknownSession)?,
            (Some(_), Some(_)) => return Err(Refusal::UnknownSession),
        };
        let owner = self.owner(&received.endpoint, caller);
        self.sessions.find(id, &owner, received.started).ok_or(Refusal::UnknownSession)
    }

    /// Opens a session with a caller who was let in.
    pub(super) fn welcome(
        &self,
        inquiry: &Inquiry<'_>,
        hello: &Hello<'_>,
        version: Version,
        mut answer: Answer,
    ) -> Result<Answer, Stop> {
        let stop = |refusal, answer: Answer| match answer.pending {
            Pending::Decided(open) => Stop::After(refusal, open),
            Pending::Nothing | Pending::Refused(..) => refusal.into(),
        };
        let size =
            [hello.capabilities, hello.client_info].into_iter().flatten().map(|part| part.get().len()).sum::<usize>();
        if size > MOST_SAID {
            let problem = format!("`params.capabilities` and `params.clientInfo` may have {MOST_SAID} bytes");
            return Err(stop(Refusal::BadParams(problem), answer));
        }
        let Ok(random) = chance::bytes() else { return Err(stop(Refusal::Internal, answer)) };
        let own = |part: Option<&serde_json::value::RawValue>| {
            part.map_or_else(Bytes::new, |part| Bytes::copy_from_slice(part.get().as_bytes()))
        };
        let opening = Opening { version, capabilities: own(hello.capabilities), client_info: own(hello.client_info) };
        let owner = self.owner(inquiry.endpoint, inquiry.caller);
        match self.sessions.open(owner, opening, random, Instant::now()) {
            Some(session) => {
                answer.session = Some(Arc::clone(session.id()));
                Ok(answer)
            }
            None => Err(stop(Refusal::Full("sessions"), answer)),
        }
    }

    /// Takes a notification.
    pub(super) fn noted(&self, received: &Received, caller: Who<'_>, noted: Noted) -> Result<Answer, Stop> {
        match noted.era {
            // A modern caller cancels by leaving; what it notes besides is of no consequence.
            Era::Modern => {}
            Era::Legacy => {
                let session = self.session(received, caller)?;
                if let Some(request) = noted.cancelled {
                    session.cancel(request);
                }
            }
        }
        Ok(taken(Said::Noted, Pending::Nothing))
    }

    /// Takes the answer to a question of ours.
    pub(super) fn answered(
        &self,
        received: &Received,
        caller: Who<'_>,
        id: &Id,
        outcome: &Outcome<'_>,
    ) -> Result<Answer, Stop> {
        let session = self.session(received, caller)?;
        let part = |raw: &serde_json::value::RawValue| received.body.slice_ref(raw.get().as_bytes());
        let reply = match outcome {
            Outcome::Result(result) => Reply::Result(part(result)),
            Outcome::Error(error) => Reply::Error(part(error)),
        };
        session.answered(id, reply, caller.cloned());
        Ok(taken(Said::Noted, Pending::Nothing))
    }

    /// Opens the stream of a session.
    pub(super) fn listen(
        self: &Arc<Self>,
        received: &Received,
        caller: Who<'_>,
        asked: Option<BTreeSet<ScopeName>>,
        known: &mut Known,
    ) -> Result<Answer, Stop> {
        let session = self.named(received, caller, known)?;
        if !accepts_stream(&received.headers) {
            return Err(Refusal::NoStream.into());
        }
        let (out, messages) = session.listen().map_err(|_| Refusal::StreamTaken)?;
        let open = self.write_decision(known, &permitted(Vec::new().into()))?;
        let listener = Listener {
            endpoint: received.endpoint.clone(),
            caller: caller.cloned(),
            named: asked,
            moment: received.moment(known.at),
        };
        let tell = Arc::clone(self).tell(listener, Arc::clone(session.ears()), None, out);
        // It ends with its reader, its token or the gateway.
        self.parts.tasks.spawn("stream", async move { _ = tell.await });
        let stream = Stream::new(messages, session.over());
        Ok(taken(Said::Stream(stream), Pending::Decided(open)))
    }

    /// Begins to tell a session of changes of a resource.
    pub(super) async fn watch(
        self: &Arc<Self>,
        inquiry: &Inquiry<'_>,
        asked: &Asked<'_>,
        uri: &str,
        known: &mut Known,
    ) -> Result<Answer, Stop> {
        let Some(session) = inquiry.session else { return Err(Refusal::Internal.into()) };
        let found = self.find(inquiry, &Act::on(Kind::Resources, Cow::Borrowed(uri)), known).await?;
        known.target = Some(found.target.clone());
        let ears = session.ears();
        if ears.resources() >= MOST_RESOURCES {
            return Err(Refusal::Full("subscriptions").into());
        }
        let (moment, findings) = inquiry.moment_of(&found);
        known.findings = findings;
        let decision = self.hear(inquiry.revision, inquiry.ready, &moment, &found.target, ears);
        let open = self.write_decision(known, &decision).inspect_err(|_| ears.drop_resource(uri))?;
        if !decision.is_allow() {
            let asked = Question {
                asker: &inquiry.ready.asker,
                verb: Verb::ResourcesSubscribe,
                target: &found.target,
                inventory: found.inventory(),
                moment: &moment,
                arguments: Arguments::NONE,
            };
            let unknown = Refusal::Unknown { kind: "resource", name: uri.to_owned() };
            return Err(Stop::After(denied(&decision, found.is_listed(inquiry, &asked), unknown), open));
        }
        Ok(message(asked, b"{}", open))
    }

    /// Takes that back, whether or not it was so.
    pub(super) fn unwatch(
        self: &Arc<Self>,
        inquiry: &Inquiry<'_>,
        asked: &Asked<'_>,
        uri: &str,
        known: &Known,
    ) -> Result<Answer, Stop> {
        let open = self.write_decision(known, &permitted(Vec::new().into()))?;
        if let Some(session) = inquiry.session {
            session.ears().drop_resource(uri);
        }
        Ok(message(asked, b"{}", open))
    }

    /// Ends a session.
    pub(super) fn end(
        self: &Arc<Self>,
        received: &Received,
        caller: Who<'_>,
        known: &mut Known,
    ) -> Result<Answer, Stop> {
        let session = self.named(received, caller, known)?;
        let open = self.write_decision(known, &permitted(Vec::new().into()))?;
        self.sessions.end(&session);
        Ok(taken(Said::Ended, Pending::Decided(open)))
    }

    /// The session that `GET` or `DELETE` is about; without one there is nothing to it.
    fn named(&self, received: &Received, caller: Who<'_>, known: &mut Known) -> Result<Arc<Session>, Refusal> {
        known.method = Some(received.way.as_str().to_owned());
        if classify::says_modern(&received.headers) {
            return Err(Refusal::NotAllowed);
        }
        let without = |refusal| if refusal == Refusal::NoSession { Refusal::NotAllowed } else { refusal };
        let session = self.session(received, caller).map_err(without)?;
        known.version = Some(session.opening().version);
        Ok(session)
    }

    /// Waits until a stream must end: its token is over, or the gateway is.
    pub(super) fn over(&self, caller: Who<'_>) -> impl Future<Output = ()> + Send + 'static + use<> {
        let mut closing = self.closing.subscribe();
        let token = caller.map(|caller| {
            let left = caller.expires_at.duration_since(self.parts.clock.now());
            let left = std::time::Duration::try_from(left).unwrap_or_default();
            (left, self.revoked(caller))
        });
        async move {
            let over = async {
                match token {
                    Some((left, revoked)) => {
                        tokio::select! {
                            () = tokio::time::sleep(left) => {}
                            () = revoked => {}
                        }
                    }
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = over => {}
                // An error means that nobody is left to say it.
                _ = closing.wait_for(|closing| *closing) => {}
            }
        }
    }

    /// Waits until a caller's token is revoked.
    pub(super) fn revoked(&self, caller: &Arc<Caller<Facts>>) -> impl Future<Output = ()> + Send + 'static + use<> {
        let revoked = self.parts.bearer.as_ref().map(|bearer| bearer.revoked(Arc::clone(caller)));
        async move {
            match revoked {
                Some(revoked) => revoked.await,
                None => std::future::pending().await,
            }
        }
    }
}

fn taken(outcome: Said, pending: Pending) -> Answer {
    Answer { outcome, pending, modern: false, session: None }
}
