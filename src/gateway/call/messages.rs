//! The stream of a call: what it tells before its answer, the answer, and a sign of life in between.
//!
//! The answer's record is written before it leaves.
//!
//! SPEC: TR-06, TR-08, TR-11, PX-08, PX-18, PX-22.

use std::{sync::Arc, time::Duration};

use tokio::{sync::mpsc, time::Interval};

use super::{
    super::{Gateway, Message, News, Refusal, record::Open},
    form::Form,
    run::Heard,
    state::Bound,
};
use crate::{mcp::envelope, record as trail};

/// How long a stream is silent at most.
const SILENCE: Duration = Duration::from_secs(15);

/// The messages of a call.
#[derive(Debug)]
pub(crate) struct Messages {
    pub(super) gateway: Arc<Gateway>,
    pub(super) form: Form,
    /// What a state is bound to; modern callers only.
    pub(super) bound: Option<Arc<Bound>>,
    pub(super) first: Option<Heard>,
    /// Nothing once the answer is told.
    pub(super) coming: Option<mpsc::Receiver<Heard>>,
    pub(super) open: Option<Open>,
    pub(super) alive: Interval,
}

/// When a stream that began now is to give signs of life.
pub(super) fn alive() -> Interval {
    let mut alive = tokio::time::interval_at(tokio::time::Instant::now() + SILENCE, SILENCE);
    alive.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    alive
}

impl Messages {
    /// The next thing to say; nothing after the answer.
    pub(crate) async fn next(&mut self) -> Option<News> {
        loop {
            let heard = match (self.first.take(), self.coming.as_mut()) {
                (Some(first), _) => first,
                (None, Some(coming)) => {
                    tokio::select! {
                        biased;
                        heard = coming.recv() => heard?,
                        _ = self.alive.tick() => return Some(News::Alive),
                    }
                }
                (None, None) => return None,
            };
            let message = match heard {
                Heard::Progress(params) => self.form.progress(&params),
                Heard::Log(params) => self.form.log(&params),
                Heard::Request(request) => Some(request),
                Heard::Ask(ask) => {
                    let message = match (self.coming.take(), &self.bound) {
                        (Some(coming), Some(bound)) => self.gateway.park(&self.form, bound, ask, coming),
                        (Some(_) | None, _) => Err(Refusal::Internal),
                    };
                    self.last(message)
                }
                Heard::Done(reply) => {
                    self.coming = None;
                    let gateway = &self.gateway;
                    let bound = self.bound.as_deref();
                    let message = reply.and_then(|reply| gateway.message(&self.form, &reply, || bound.cloned()));
                    self.last(message)
                }
            };
            if let Some(message) = message {
                self.alive.reset();
                return Some(News::Message(message.into()));
            }
        }
    }

    /// The answer, once it is written down.
    fn last(&mut self, message: Result<Message, Refusal>) -> Option<Vec<u8>> {
        let open = self.open.take()?;
        let decision = open.id().to_string();
        let refuse = |refusal: &Refusal| {
            let code = Some(i64::from(refusal.code(self.form.era)));
            let body = envelope::error(Some(&self.form.id), &refusal.error_object(&decision, self.form.era));
            Message { body, code, is_error: None }
        };
        let message = message.unwrap_or_else(|refusal| refuse(&refusal));
        let response = trail::Response {
            status: 200,
            code: message.code,
            is_error: message.is_error,
            bytes: message.body.len() as u64,
            us: 0,
        };
        match open.close(response) {
            Ok(()) => Some(message.body),
            Err(refusal) => Some(refuse(&refusal).body),
        }
    }
}
