//! The answer of one exchange: a JSON text, or a stream of messages with the answer among them.
//!
//! What comes before the answer is passed on as it comes; what is no message is not.
//!
//! SPEC: MCP transports, "Sending Messages to the Server"; TR-06, CL-08, CL-14.

use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::BodyExt as _;

use super::{LARGEST, failure::Failure, output::Output};
use crate::{
    egress::{self, Body, Content, Events},
    mcp::{Id, Message, Outcome, envelope},
};

/// How large the body of a refusal may be.
const LARGEST_REFUSAL: usize = 1 << 20;
/// How long the end of an answered stream is waited for, so that its connection can be used again.
const LINGER: Duration = Duration::from_secs(1);

/// An answer, and what may still come behind it.
pub(super) struct Answer {
    pub(super) message: Bytes,
    rest: Option<Body>,
}

impl Answer {
    /// Reads to the answer of the request `id`.
    pub(super) async fn read(id: &Id, response: Response<Body>, out: &Output) -> Result<Self, Failure> {
        let (head, body) = response.into_parts();
        match Content::of(&head.headers) {
            _ if !head.status.is_success() => {
                // Who cannot read the body has the status.
                let read = egress::read(body, LARGEST_REFUSAL).await.unwrap_or_default();
                let failure = Failure::of_status(head.status, &head.headers, &read);
                match failure {
                    Failure::Status(..) => refusal(id, &read).map(Self::whole).ok_or(failure),
                    other => Err(other),
                }
            }
            _ if head.status == StatusCode::ACCEPTED => Err(Failure::Garbage),
            Content::Json => {
                let read = egress::read(body, LARGEST).await?;
                match answered(&read) {
                    Some(Some(answered)) if answered == *id => Ok(Self::whole(read)),
                    _ => refusal(id, &read).map(Self::whole).ok_or(Failure::Garbage),
                }
            }
            Content::Events => stream(id, body, out).await,
            Content::Other => Err(Failure::Garbage),
        }
    }

    const fn whole(message: Bytes) -> Self {
        Self { message, rest: None }
    }

    /// Reads the end of the stream, which is all that should come.
    pub(super) async fn finish(self) {
        if let Some(mut body) = self.rest {
            let ended = async { while body.frame().await.is_some_and(|frame| frame.is_ok()) {} };
            drop(tokio::time::timeout(LINGER, ended).await);
        }
    }
}

async fn stream(id: &Id, mut body: Body, out: &Output) -> Result<Answer, Failure> {
    let mut events = Events::new(LARGEST);
    loop {
        let event = next(&mut body, &mut events).await?.ok_or(Failure::Broken)?;
        match answered(&event) {
            Some(Some(answered)) if answered == *id => return Ok(Answer { message: event, rest: Some(body) }),
            _ => pass(event, out).await,
        }
    }
}

/// Passes on all that a stream without an answer holds, until it ends.
pub(super) async fn pass_all(mut body: Body, out: &Output) -> Result<(), Failure> {
    let mut events = Events::new(LARGEST);
    while let Some(event) = next(&mut body, &mut events).await? {
        pass(event, out).await;
    }
    Ok(())
}

/// The next event of a stream, if there is one.
async fn next(body: &mut Body, events: &mut Events) -> Result<Option<Bytes>, Failure> {
    loop {
        if let Some(event) = events.next().map_err(|_| Failure::TooLarge)? {
            return Ok(Some(event));
        }
        match body.frame().await {
            None => return Ok(None),
            Some(Err(_)) => return Err(Failure::Broken),
            Some(Ok(frame)) => frame.into_data().map(|data| events.push(&data)).unwrap_or_default(),
        }
    }
}

async fn pass(event: Bytes, out: &Output) {
    if Message::from_upstream(&event).is_ok() {
        out.say(event).await;
    } else if !event.is_empty() {
        tracing::debug!("an event that is no message was dropped");
    }
}

/// The id that a response answers, if it is a response; it may name none.
fn answered(message: &[u8]) -> Option<Option<Id>> {
    match Message::from_upstream(message) {
        Ok(Message::Response(response)) => Some(response.id),
        Ok(Message::Request(_) | Message::Notification(_)) | Err(_) => None,
    }
}

/// An error message as the answer to a request, whose id it need not have.
fn refusal(id: &Id, message: &[u8]) -> Option<Bytes> {
    let Ok(Message::Response(response)) = Message::from_upstream(message) else { return None };
    let Outcome::Error(error) = response.outcome else { return None };
    match response.id {
        Some(answered) if answered != *id => None,
        _ => Some(envelope::error(Some(id), error.get().as_bytes()).into()),
    }
}
