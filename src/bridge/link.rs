//! One message on its way: posted with its header fields, once more where that is safe, and answered.
//!
//! Posted again is only what the gateway says it did not work on: a 401 where the token has been
//! renewed, a 403 where it now has the scopes, a 404 where the session was forgotten, each once.
//!
//! INVARIANT: nothing else is ever repeated (CL-14).
//! SPEC: MCP Streamable HTTP of both eras; CL-08, CL-15, CL-16, TR-27, TR-28.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method as Verb, Request, Response, StatusCode, header};
use http_body_util::Full;
use tokio::{sync::watch, time::Instant};

use super::{
    Endpoint, Token,
    answer::{self, Answer},
    failure::Failure,
    in_flight::{Flight, InFlight},
    output::Output,
    parameters::Parameters,
    session::{Closed, Gate, Session, Sessions},
    sign_in::Ask,
    spoken::{Kind, Spoken},
};
use crate::{
    egress::{Body, Content},
    mcp::{self, Era, Id, Message, Method, Outcome, envelope},
    tasks::{Stop, Tasks},
};

/// How long a message that nobody waits for may take.
const ASIDE: Duration = Duration::from_secs(30);
/// How long a request that was taken back may still be answered.
const LATE: Duration = Duration::from_secs(5);
/// How long the session's end may take.
const GOODBYE: Duration = Duration::from_millis(500);
/// How long to wait before the session's stream is opened again: at first, and at most.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// The way to the gateway.
#[derive(Debug)]
pub(super) struct Link {
    endpoint: Arc<Endpoint>,
    token: Token,
    out: Output,
    tasks: Arc<Tasks>,
    pub(super) in_flight: Arc<InFlight>,
    pub(super) parameters: Parameters,
    pub(super) sessions: Sessions,
    /// Whether the last attempt did not reach the gateway, which is said once.
    down: AtomicBool,
}

impl Link {
    pub(super) fn new(endpoint: Arc<Endpoint>, token: Token, out: Output, tasks: Arc<Tasks>) -> Self {
        Self {
            endpoint,
            token,
            out,
            tasks,
            in_flight: Arc::default(),
            parameters: Parameters::default(),
            sessions: Sessions::default(),
            down: AtomicBool::new(false),
        }
    }

    /// Asks, and says the answer or why there is none. A request taken back is not answered.
    pub(super) async fn ask(
        self: &Arc<Self>,
        spoken: Spoken,
        flight: Flight,
        gate: Option<Gate>,
        stop: Stop,
        closing: watch::Receiver<bool>,
    ) {
        let (era, endless) = (spoken.era(), spoken.asks() == Some(Method::SubscriptionsListen));
        let id = flight.id().clone();
        let mut work = Box::pin(async {
            wait(gate).await;
            self.answer(&spoken, &id).await
        });
        let failed = tokio::select! {
            biased;
            () = flight.cancelled() => {
                // In the modern era the end of the stream says it; in the legacy one a message does.
                if era == Era::Legacy {
                    drop(tokio::time::timeout(LATE, work).await);
                }
                return;
            }
            done = &mut work => done.err(),
            () = ended(stop, closing, endless) => (!endless).then_some(Failure::Stopping),
        };
        if let Some(failure) = failed {
            self.out.say(failure.answer(&id, &self.endpoint, &self.token)).await;
        }
    }

    /// Opens the client's session.
    pub(super) async fn initialize(self: &Arc<Self>, spoken: &Spoken, id: &Id) -> Result<(), Failure> {
        let response = self.send(spoken, None).await?;
        let headers = response.headers().clone();
        let answer = Answer::read(id, response, &self.out).await?;
        if let Some(session) = Session::of(&headers, &answer.message) {
            self.sessions.remember(spoken.body.clone());
            if let Some(before) = self.sessions.put(Some(Arc::new(session))) {
                let link = self.clone();
                self.tasks.spawn("goodbye", async move { link.goodbye(&before).await });
            }
        }
        self.out.say(answer.message.clone()).await;
        answer.finish().await;
        Ok(())
    }

    /// Tells; nobody answers.
    pub(super) async fn tell(self: &Arc<Self>, spoken: Spoken, gate: Option<Gate>, closed: Option<Closed>) {
        wait(gate).await;
        let posted = tokio::time::timeout(ASIDE, self.post(&spoken)).await;
        match posted {
            Ok(Ok((response, session))) if response.status().is_success() => {
                if let (Kind::Notification(Some(Method::Initialized)), Some(session)) = (&spoken.kind, session) {
                    self.listen(session);
                }
            }
            Ok(Ok((response, _))) => {
                tracing::warn!(status = response.status().as_u16(), "a notification or answer was not taken");
            }
            Ok(Err(failure)) => self.note(&failure),
            Err(_) => tracing::warn!("a notification or answer was not taken in time"),
        }
        drop(closed);
    }

    /// Ends the session that there is, if the gateway lets us.
    pub(super) async fn close(&self) {
        if let Some(session) = self.sessions.put(None) {
            self.goodbye(&session).await;
        }
    }

    async fn answer(self: &Arc<Self>, spoken: &Spoken, id: &Id) -> Result<(), Failure> {
        if spoken.asks() == Some(Method::Initialize) && spoken.era() == Era::Legacy {
            return self.initialize(spoken, id).await;
        }
        let (response, _) = self.post(spoken).await?;
        let answer = Answer::read(id, response, &self.out).await?;
        if spoken.asks() == Some(Method::ToolsList)
            && let Ok(Message::Response(mcp::Response { outcome: Outcome::Result(result), .. })) =
                Message::from_upstream(&answer.message)
        {
            self.parameters.learn(result.get());
        }
        self.out.say(answer.message.clone()).await;
        answer.finish().await;
        Ok(())
    }

    /// Posts a message in the session that there is, if it is of the legacy era; in a new one where
    /// the gateway has forgotten it.
    async fn post(self: &Arc<Self>, spoken: &Spoken) -> Result<(Response<Body>, Option<Arc<Session>>), Failure> {
        let mut session = self.session_of(spoken);
        let response = self.send(spoken, session.as_deref()).await?;
        let forgotten = response.status() == StatusCode::NOT_FOUND;
        match &session {
            // An answer or a cancellation is about what the forgotten session knew.
            Some(old)
                if forgotten && old.id.is_some() && !matches!(spoken.kind, Kind::Response | Kind::Cancelled(_)) =>
            {
                drop(response);
                self.reopen(old).await?;
                session = self.session_of(spoken);
                Ok((self.send(spoken, session.as_deref()).await?, session))
            }
            Some(_) | None => Ok((response, session)),
        }
    }

    fn session_of(&self, spoken: &Spoken) -> Option<Arc<Session>> {
        match spoken.era() {
            Era::Legacy => self.sessions.current(),
            Era::Modern => None,
        }
    }

    /// Opens the session again with the client's own words, unless somebody else has.
    async fn reopen(self: &Arc<Self>, old: &Arc<Session>) -> Result<(), Failure> {
        let _one = self.sessions.reopening.lock().await;
        if !self.sessions.is_current(old) {
            return Ok(());
        }
        let failed = |why: &str| Failure::Session(why.to_owned());
        let body = self.sessions.opened_by().ok_or_else(|| failed("nobody opened one"))?;
        let spoken = Spoken::read(body, &self.parameters).map_err(|_| failed("nobody opened one"))?;
        let Kind::Request(id, _) = &spoken.kind else { return Err(failed("nobody opened one")) };
        let response = self.send(&spoken, None).await?;
        let headers = response.headers().clone();
        let answer = Answer::read(id, response, &self.out).await?;
        let session = Session::of(&headers, &answer.message).ok_or_else(|| failed("the gateway refused it"))?;
        answer.finish().await;
        let body = envelope::notification(Method::Initialized, b"").into();
        let spoken = Spoken { body, kind: Kind::Notification(Some(Method::Initialized)), modern: None };
        let told = self.send(&spoken, Some(&session)).await?;
        if !told.status().is_success() {
            return Err(Failure::Status(told.status(), None));
        }
        let session = Arc::new(session);
        self.sessions.put(Some(session.clone()));
        tracing::info!("the gateway had forgotten the session; another was opened");
        self.listen(session);
        Ok(())
    }

    /// Keeps the session's own stream open, where the gateway has one.
    fn listen(self: &Arc<Self>, session: Arc<Session>) {
        if session.heard.swap(true, Ordering::Relaxed) {
            return;
        }
        let (link, mut stop) = (self.clone(), self.tasks.stop());
        self.tasks.spawn("stream", async move {
            tokio::select! {
                () = link.hear(&session) => {}
                () = stop.stopped() => {}
            }
        });
    }

    async fn hear(self: &Arc<Self>, session: &Arc<Session>) {
        let (first, most) = PAUSE;
        let mut pause = first;
        while self.sessions.is_current(session) {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, HeaderValue::from_static("text/event-stream"));
            session.write(&mut headers);
            match self.send_as(&Verb::GET, &headers, &Bytes::new(), Ask::Nobody).await {
                Ok(response)
                    if response.status() == StatusCode::OK && Content::of(response.headers()) == Content::Events =>
                {
                    let since = Instant::now();
                    if let Err(failure) = answer::pass_all(response.into_body(), &self.out).await {
                        tracing::debug!(?failure, "the session's stream broke");
                    }
                    if since.elapsed() > most {
                        pause = first;
                    }
                }
                Ok(response) if response.status() == StatusCode::NOT_FOUND && session.id.is_some() => {
                    // Whoever opens another session opens its stream, too.
                    if let Err(failure) = self.reopen(session).await {
                        self.note(&failure);
                    }
                }
                // A token may be renewed, and a gateway come back.
                Ok(response)
                    if response.status() == StatusCode::UNAUTHORIZED || response.status().is_server_error() => {}
                Ok(_) => return,
                Err(failure) => self.note(&failure),
            }
            tokio::time::sleep(pause).await;
            pause = most.min(pause * 2);
        }
    }

    async fn goodbye(&self, session: &Session) {
        if session.id.is_none() {
            return;
        }
        let mut headers = HeaderMap::new();
        session.write(&mut headers);
        drop(tokio::time::timeout(GOODBYE, self.send_as(&Verb::DELETE, &headers, &Bytes::new(), Ask::Nobody)).await);
    }

    /// Posts a message.
    async fn send(&self, spoken: &Spoken, session: Option<&Session>) -> Result<Response<Body>, Failure> {
        let mut headers = spoken.modern.clone().unwrap_or_default();
        if let Some(session) = session {
            session.write(&mut headers);
        }
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.send_as(&Verb::POST, &headers, &spoken.body, Ask::Person).await
    }

    /// Sends a request with the token; once more where there is another token now, and once more where it has
    /// the scopes that it lacked.
    async fn send_as(
        &self,
        verb: &Verb,
        headers: &HeaderMap,
        body: &Bytes,
        ask: Ask,
    ) -> Result<Response<Body>, Failure> {
        let mut bearer = self.token.current(&self.tasks).await;
        let (mut renewed, mut widened) = (false, ask == Ask::Nobody);
        loop {
            let mut request = Request::new(Full::new(body.clone()));
            *request.method_mut() = verb.clone();
            *request.uri_mut() = self.endpoint.url.clone();
            let mut headers = headers.clone();
            headers.insert(
                header::USER_AGENT,
                HeaderValue::from_static(concat!("portcullis-connect/", env!("CARGO_PKG_VERSION"))),
            );
            headers.extend(bearer.as_ref().map(|bearer| (header::AUTHORIZATION, bearer.header())));
            *request.headers_mut() = headers;
            let response = match self.endpoint.egress.send(request).await {
                Ok(response) => response,
                Err(error) => {
                    let failure = Failure::from(error);
                    if failure.is_down() {
                        self.note(&failure);
                    }
                    return Err(failure);
                }
            };
            if self.down.swap(false, Ordering::Relaxed) {
                tracing::info!("`{}` is there again", self.endpoint.shown());
            }
            let said = response.headers();
            let again = match (response.status(), &bearer) {
                (StatusCode::UNAUTHORIZED, _) if !std::mem::replace(&mut renewed, true) => {
                    self.token.renewed(bearer.as_ref(), said, ask, &self.tasks).await
                }
                (StatusCode::FORBIDDEN, Some(refused)) if !std::mem::replace(&mut widened, true) => {
                    self.token.widened(refused, said, &self.tasks).await
                }
                _ => Ok(None),
            };
            match again.map_err(Failure::Token)? {
                Some(another) => bearer = Some(another),
                None => return Ok(response),
            }
        }
    }

    /// Says on stderr what went wrong: of a gateway that is down, once.
    fn note(&self, failure: &Failure) {
        if !failure.is_down() || !self.down.swap(true, Ordering::Relaxed) {
            tracing::warn!("{}", failure.words(&self.endpoint, &self.token));
        }
    }
}

async fn wait(gate: Option<Gate>) {
    if let Some(gate) = gate {
        gate.opened().await;
    }
}

/// Waits for the end: that of the process, or of the input where a stream would never end by itself.
async fn ended(mut stop: Stop, mut closing: watch::Receiver<bool>, endless: bool) {
    if !endless {
        return stop.stopped().await;
    }
    // An error means that nobody is left to say it.
    drop(closing.wait_for(|closing| *closing).await);
}
