//! A call under way: sent, listened to, and ended early only by who may.
//!
//! A call that says nothing before its answer is simply waited for. One that may say something runs
//! beside its caller and tells what it hears. A modern caller cancels by leaving, a legacy one by
//! saying so (TR-27, TR-28), and a revoked token ends what it began.
//!
//! SPEC: PX-08, PX-18, PX-22, CL-15, TR-08, TR-27, TR-28, TR-39; T-185, T-196.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

use super::{
    super::{Refusal, session::Session},
    asking::Asking,
    rounds::Again,
};
use crate::{
    mcp::Era,
    name::ServerName,
    policy::Allowed,
    tasks::Tasks,
    upstream::{Ask, Call, Reply, Told, Trouble, UpstreamError, Upstreams},
};

/// What may wait for a slow reader; more progress and log lines are dropped.
pub(super) const ROOM: usize = 64;
/// How long a call may take in which a person or a model is asked.
pub(super) const PATIENCE: Duration = Duration::from_secs(600);

/// What comes back from a call, in order.
#[derive(Debug)]
pub(crate) enum Heard {
    /// The parameters of a progress notification.
    Progress(Bytes),
    /// The parameters of a log notification.
    Log(Bytes),
    /// A question, as the request that a legacy caller gets.
    Request(Vec<u8>),
    /// A question that a modern caller gets for an answer.
    Ask(Ask),
    /// What came of it.
    Done(Result<Reply, Refusal>),
}

/// Ends a call early, with what its caller is told.
pub(super) type Watch = Pin<Box<dyn Future<Output = Refusal> + Send>>;

/// The one way to an upstream: what is sent has been allowed.
pub(super) async fn forward(upstreams: &Upstreams, allowed: Allowed<Call>) -> Result<Reply, Refusal> {
    match upstreams.send(allowed).await {
        Some(Ok(reply)) => Ok(reply),
        Some(Err(error)) => Err(Refusal::Upstream(error.to_string())),
        None => Err(Refusal::Internal),
    }
}

/// Sends a call and waits for it, unless something ends it early.
pub(super) async fn guarded(
    upstreams: &Upstreams,
    allowed: Allowed<Call>,
    ended: impl Future<Output = Refusal>,
) -> Result<Reply, Refusal> {
    tokio::select! {
        biased;
        reply = forward(upstreams, allowed) => reply,
        refusal = ended => Err(refusal),
    }
}

/// A call that its caller waits for and does not cancel by leaving: dropped, it goes on beside.
pub(super) struct Lasting {
    pub(super) tasks: Arc<Tasks>,
    /// Nothing once it has ended.
    pub(super) call: Option<Forwarding>,
}

type Forwarding = Pin<Box<dyn Future<Output = Result<Reply, Refusal>> + Send>>;

impl Future for Lasting {
    type Output = Result<Reply, Refusal>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // Nobody polls a future that has ended; a call that is not there is our fault.
        let reply = self.call.as_mut().map_or(Poll::Ready(Err(Refusal::Internal)), |call| call.as_mut().poll(cx));
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

/// A call that runs beside its caller.
pub(super) struct Driver {
    pub(super) upstreams: Arc<Upstreams>,
    pub(super) server: ServerName,
    pub(super) era: Era,
    pub(super) asking: Asking,
    /// How long the server may work without asking anything.
    pub(super) work: Duration,
    pub(super) watch: Watch,
    /// The session of a legacy caller.
    pub(super) session: Option<Arc<Session>>,
    /// What it takes to send the call again; nothing where the caller does that itself.
    pub(super) again: Option<Again>,
    /// Questions in the session's keeping.
    pub(super) asked: Vec<u64>,
    pub(super) events: mpsc::Sender<Heard>,
}

/// Where a call begins to be driven.
pub(super) enum Start {
    /// It is to be sent.
    Send(Box<Allowed<Call>>, Option<mpsc::Receiver<Told>>),
    /// It was sent, and this was answered.
    Got(Reply),
}

type Answered = Pin<Box<dyn Future<Output = (Ask, Result<Reply, oneshot::error::RecvError>)> + Send>>;

impl Driver {
    /// Runs to the end and tells it.
    pub(super) async fn run(mut self, start: Start) {
        let outcome = self.through(start).await;
        // Nobody may be left to hear it.
        drop(self.events.send(Heard::Done(outcome)).await);
    }

    /// Sends once and tells what comes before the answer.
    pub(super) async fn send(
        &mut self,
        allowed: Allowed<Call>,
        mut heard: Option<mpsc::Receiver<Told>>,
    ) -> Result<Reply, Refusal> {
        let upstreams = Arc::clone(&self.upstreams);
        let request = forward(&upstreams, allowed);
        let work = tokio::time::sleep(self.work);
        tokio::pin!(request, work);
        let mut waiting: FuturesUnordered<Answered> = FuturesUnordered::new();
        let (modern, asks) = (self.era == Era::Modern, !self.asking.is_empty());
        loop {
            tokio::select! {
                biased;
                Some(told) = async { match &mut heard { Some(heard) => heard.recv().await, None => None } }, if heard.is_some() => {
                    waiting.extend(self.tell(told));
                }
                Some((ask, answer)) = waiting.next(), if !waiting.is_empty() => {
                    // A question that nobody answers is refused by being dropped.
                    if let Ok(reply) = answer {
                        ask.answer(reply);
                    }
                    work.as_mut().reset(Instant::now() + self.work);
                }
                reply = &mut request => {
                    // What came with the answer comes before it.
                    while let Some(told) = heard.as_mut().and_then(|heard| heard.try_recv().ok()) {
                        drop(self.tell(told));
                    }
                    return reply;
                }
                refusal = &mut self.watch => return Err(refusal),
                () = self.events.closed(), if modern => return Err(Refusal::Cancelled),
                () = &mut work, if asks && waiting.is_empty() => {
                    let late = UpstreamError { server: self.server.clone(), why: Trouble::TimedOut(self.work) };
                    return Err(Refusal::Upstream(late.to_string()));
                }
            }
        }
    }

    /// Passes on what came before the answer; a question gives what waits for its answer.
    fn tell(&mut self, told: Told) -> Option<Answered> {
        match told {
            // A reader that does not keep up misses these, never the answer.
            Told::Progress(params) => drop(self.events.try_send(Heard::Progress(params))),
            Told::Log(params) => drop(self.events.try_send(Heard::Log(params))),
            Told::Ask(ask) => {
                if let Err(refusal) = self.asking.admit(&self.server, ask.method, &ask.params) {
                    tracing::warn!(server = %self.server, method = %ask.method, why = refusal.message(), "refused a question to a caller");
                    return None;
                }
                let (passed, answered) = Ask::new(ask.method, self.asking.show(ask.method, ask.params.clone()));
                if self.put(passed) {
                    return Some(Box::pin(async move {
                        let reply = answered.await;
                        (ask, reply)
                    }));
                }
            }
        }
        None
    }

    /// Puts a question to the caller, if it reads and has room for one.
    pub(super) fn put(&mut self, ask: Ask) -> bool {
        let Some(session) = &self.session else { return self.events.try_send(Heard::Ask(ask)).is_ok() };
        let Some((number, request)) = session.ask(ask) else { return false };
        self.asked.push(number);
        self.events.try_send(Heard::Request(request)).is_ok()
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        for number in &self.asked {
            if let Some(session) = &self.session {
                session.take_back(*number);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn tr28_a_call_goes_on_when_its_caller_leaves() {
        let (answer, answered) = oneshot::channel();
        let (ended, end) = oneshot::channel();
        let call = async move {
            drop(answered.await);
            ended.send(()).unwrap();
            Err(Refusal::Internal)
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
