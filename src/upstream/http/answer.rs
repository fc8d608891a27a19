//! What comes back over HTTP: one message, or a stream of them.
//!
//! INVARIANT: what is kept of an answer is bounded, and so is the stream of one answer as a whole; a
//! stream of changes has no end, and every event in it is bounded.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use tokio::{
    task::AbortHandle,
    time::{Instant, timeout, timeout_at},
};

use super::{Line, STREAM_FACTOR, Session, is_modern};
use crate::{
    egress::{self, Content, Events},
    mcp::{Id, Method},
    upstream::{
        Reply, Trouble, background,
        hearing::{Hearing, MOST_ASKED, answer, refusal},
        inbound::Inbound,
        supervise,
    },
};

/// How long the end of an answered stream is waited for.
const LINGER: Duration = Duration::from_secs(1);

/// Whether a status may come with an answer.
pub(super) fn by_status(status: StatusCode) -> Result<(), Trouble> {
    match status.as_u16() {
        200 | 400 | 404 | 422 | 500 => Ok(()),
        401 | 403 => Err(Trouble::Refused),
        300..=399 => Err(Trouble::Redirected),
        202 | 204 => Err(Trouble::Garbage),
        status => Err(Trouble::Status(status)),
    }
}

/// Who hears what comes before an answer, or without one.
pub(super) enum Heard<'h> {
    /// One call.
    Call(&'h mut Hearing),
    /// The call that has the session for itself just now, if there is one.
    Front,
}

/// How much a stream may hold, and how long it may take to begin.
struct Bounds {
    room: Option<usize>,
    patience: Option<Duration>,
}

impl Line {
    /// The one message of a body, which must be the answer.
    pub(super) async fn whole(
        &self,
        id: u64,
        modern: bool,
        response: Response<egress::Body>,
    ) -> Result<Reply, Trouble> {
        let failed = !response.status().is_success();
        let body = egress::read(response.into_body(), self.setting.options.largest_message).await?;
        match Inbound::read(&body) {
            Inbound::Answer(Some(answered), reply) if answered == id => Ok(reply),
            // A modern server says which request it refuses; a legacy one may not.
            Inbound::Answer(None, Reply::Error(error)) if failed && (!modern || is_modern(&error)) => {
                Ok(Reply::Error(error))
            }
            _ => Err(Trouble::Garbage),
        }
    }

    /// Reads the stream of one answer until the answer is in it.
    pub(super) async fn read(
        self: &Arc<Self>,
        session: Option<&Arc<Session>>,
        id: Option<u64>,
        heard: Heard<'_>,
        body: egress::Body,
    ) -> Result<Reply, Trouble> {
        let room = self.setting.options.largest_message.saturating_mul(STREAM_FACTOR);
        self.events(session, id, heard, body, Bounds { room: Some(room), patience: None }).await
    }

    /// Opens a stream of changes and reads it until it ends, or its answer comes.
    pub(super) async fn follow(
        self: &Arc<Self>,
        session: Option<&Arc<Session>>,
        id: Option<u64>,
        request: Request<Full<Bytes>>,
        patience: Option<Duration>,
    ) -> Result<Reply, Trouble> {
        let head = self.egress.send(request);
        let response = match patience {
            Some(patience) => timeout(patience, head).await.map_err(|_| Trouble::TimedOut(patience))??,
            None => head.await?,
        };
        let status = response.status();
        by_status(status)?;
        match (Content::of(response.headers()), id) {
            (Content::Events, _) if status.is_success() => {
                let bounds = Bounds { room: None, patience: patience.filter(|_| id.is_some()) };
                self.events(session, id, Heard::Front, response.into_body(), bounds).await
            }
            (Content::Json, Some(id)) if !status.is_success() => {
                self.whole(id, true, response).await.map_err(|_| Trouble::Status(status.as_u16()))
            }
            _ if !status.is_success() => Err(Trouble::Status(status.as_u16())),
            // An endless body of another type is given up unread.
            _ => Err(Trouble::Garbage),
        }
    }

    /// Reads what comes unasked over a legacy session until that stream ends.
    pub(super) async fn watch(self: &Arc<Self>, session: &Arc<Session>, patience: Duration) -> Trouble {
        let mut request = self.bare(Some(session), Bytes::new());
        *request.method_mut() = http::Method::GET;
        request.headers_mut().remove(header::CONTENT_TYPE);
        request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static("text/event-stream"));
        match self.follow(Some(session), None, request, Some(patience)).await {
            // Nothing is answered to nothing.
            Ok(_) => Trouble::Garbage,
            Err(why) => why,
        }
    }

    /// Reads what comes unasked over a private session for as long as it is open.
    pub(super) fn keep_following(self: Arc<Self>, session: Arc<Session>) -> AbortHandle {
        let task = background(async move {
            for failures in 1.. {
                let why = self.watch(&session, self.setting.options.listen_timeout).await;
                if !matches!(why, Trouble::Crashed | Trouble::TimedOut(_) | Trouble::Status(500..)) {
                    tracing::debug!(server = %self.setting.server, %why, "a private session has no stream of its own");
                    return;
                }
                tokio::time::sleep(supervise::pause(&self.setting.options, failures, supervise::chance())).await;
            }
        });
        task.abort_handle()
    }

    async fn events(
        self: &Arc<Self>,
        session: Option<&Arc<Session>>,
        id: Option<u64>,
        mut heard: Heard<'_>,
        mut body: egress::Body,
        bounds: Bounds,
    ) -> Result<Reply, Trouble> {
        let Bounds { mut room, patience } = bounds;
        let mut begin = patience.map(|patience| (Instant::now() + patience, patience));
        let mut events = Events::new(self.setting.options.largest_message);
        let mut asked = 0;
        let modern = session.is_none_or(|session| session.is_modern());
        loop {
            let frame = match begin {
                Some((by, patience)) => timeout_at(by, body.frame()).await.map_err(|_| Trouble::TimedOut(patience))?,
                None => body.frame().await,
            };
            let Some(frame) = frame else { return Err(Trouble::Crashed) };
            let Ok(data) = frame.map_err(|_| Trouble::Crashed)?.into_data() else { continue };
            if let Some(room) = &mut room {
                *room = room.checked_sub(data.len()).ok_or(Trouble::TooLarge)?;
            }
            events.push(&data);
            while let Some(event) = events.next().map_err(|_| Trouble::TooLarge)? {
                begin = None;
                match Inbound::read(&event) {
                    Inbound::Answer(Some(answered), reply) if Some(answered) == id => {
                        finish(body).await;
                        return Ok(reply);
                    }
                    Inbound::Garbage(Some(answered)) if Some(answered) == id => return Err(Trouble::Garbage),
                    Inbound::Progress(progress) => {
                        if let Heard::Call(hearing) = &mut heard {
                            hearing.progress(progress);
                        }
                    }
                    Inbound::Log(params) => {
                        if let Some(params) = self.setting.spec.credentials.hidden_in(&params) {
                            match &heard {
                                Heard::Call(hearing) => hearing.log(params),
                                Heard::Front => self.front.log(params),
                            }
                        }
                    }
                    Inbound::Changed(kinds) => self.setting.changes.note(kinds),
                    Inbound::Updated(uri) => self.setting.changes.updated(&uri),
                    Inbound::Ask(..) if modern => {
                        tracing::warn!(server = %self.setting.server, "ignored a request: a modern server has none to make");
                    }
                    Inbound::Ask(..) if room.is_some() && asked >= MOST_ASKED => return Err(Trouble::Garbage),
                    Inbound::Ask(theirs, question) => {
                        // A sign of life asks nobody anything, and a long call may bring many.
                        asked += u32::from(!matches!(question, Some((Method::Ping, _))));
                        self.asked(session, theirs, question, &mut heard).await?;
                    }
                    Inbound::Answer(..)
                    | Inbound::Acknowledged
                    | Inbound::Ended(_)
                    | Inbound::Unwanted
                    | Inbound::Garbage(_) => {
                        tracing::debug!(server = %self.setting.server, "ignored an event");
                    }
                }
            }
        }
    }

    /// Passes a question on to the call that it belongs to, or refuses it.
    async fn asked(
        self: &Arc<Self>,
        session: Option<&Arc<Session>>,
        id: Id,
        question: Option<(Method, Bytes)>,
        heard: &mut Heard<'_>,
    ) -> Result<(), Trouble> {
        let method = question.as_ref().map(|(method, _)| *method);
        let answered = question.and_then(|(method, params)| match heard {
            Heard::Call(hearing) => hearing.ask(method, params),
            Heard::Front => self.front.ask(method, params),
        });
        let Some(answered) = answered else { return self.tell(session.map(|s| &**s), refusal(&id, method)).await };
        let (line, session) = (self.clone(), session.cloned());
        // It ends with the question, which whoever holds it bounds.
        drop(background(async move {
            let said = answer(id, answered).await;
            if let Err(why) = line.tell(session.as_deref(), said).await {
                tracing::debug!(server = %line.setting.server, %why, "an answer was not taken");
            }
        }));
        Ok(())
    }
}

/// Reads the end of a stream whose answer is known, so that its connection can be used again.
async fn finish(mut body: egress::Body) {
    let mut rest = Box::pin(async move {
        // The end is all that should come; a server that goes on loses the connection.
        match body.frame().await {
            None => {}
            Some(_) => drop(body.frame().await),
        }
    });
    if futures_util::poll!(&mut rest).is_pending() {
        drop(background(timeout(LINGER, rest)));
    }
}
