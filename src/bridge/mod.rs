//! Between a client that speaks over stdin and stdout and a gateway that speaks HTTP.
//!
//! Each line of the input is one message and one POST; each answer and each message in between is one
//! line of the output. Both eras pass, at once if a client likes: a request that names its version
//! gets the header fields of the modern era, all else those of the session that `initialize` opened.
//! The bridge decides nothing and keeps nothing of what passes but a session's id, the `initialize`
//! by which it can be opened again, and which arguments of tools are mirrored in header fields.
//!
//! INVARIANT: what is kept is bounded: messages in size and number, and the input waits beyond.
//! SPEC: MCP transports, "stdio" and "Streamable HTTP", 2025-11-25 and 2026-07-28.

mod answer;
mod challenge;
mod endpoint;
mod failure;
mod in_flight;
mod lines;
mod link;
mod output;
mod parameters;
mod session;
mod sign_in;
mod spoken;
mod token;

use std::{pin::pin, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{Semaphore, oneshot, watch},
};

pub(crate) use endpoint::Endpoint;
pub(crate) use sign_in::{Browser, Ended, Manner, SignIn};
pub(crate) use token::Token;

use crate::{
    mcp::{Era, Method, code, envelope},
    tasks::Tasks,
};
use lines::{Line, Lines};
use link::Link;
use output::Output;
use spoken::{Kind, Spoken};

/// The largest message that is taken, from either side.
const LARGEST: usize = 16 << 20;
/// How many requests may be without an answer; beyond, the input waits.
const MOST_REQUESTS: u32 = 256;
/// How many other messages may be on their way.
const MOST_TOLD: u32 = 64;
/// How many bytes of the client's may be on their way.
const MOST_BYTES: u32 = 64 << 20;
/// How long requests may take once the input has ended.
const GRACE: Duration = Duration::from_secs(30);
/// How long they may take once we are told to stop: clients that do so wait about two seconds.
const HURRY: Duration = Duration::from_millis(300);

/// What ended the bridge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The client has nothing more to say.
    Input,
    /// We were told to.
    Told,
    /// The client does not listen any more.
    Gone,
}

/// Passes messages until the input ends, nobody reads the output, or `told` comes.
pub(crate) async fn run(
    endpoint: Arc<Endpoint>,
    token: Token,
    input: impl AsyncRead + Unpin,
    output: impl AsyncWrite + Unpin,
    told: impl Future<Output = ()>,
) {
    let (out, queue) = Output::new();
    let tasks = Arc::new(Tasks::new());
    let link = Arc::new(Link::new(endpoint, token, out.clone(), tasks.clone()));
    let bridge = Bridge::new(link, out, tasks);
    let (over, ended) = oneshot::channel::<()>();
    let life = async {
        bridge.live(Lines::new(input, LARGEST), told).await;
        drop(over);
    };
    let writing = async {
        tokio::select! {
            () = output::write(output, queue) => {}
            // A client that does not read is not waited for.
            () = async { drop(ended.await); tokio::time::sleep(HURRY).await } => {}
        }
    };
    tokio::join!(life, writing);
}

struct Bridge {
    link: Arc<Link>,
    out: Output,
    tasks: Arc<Tasks>,
    requests: Arc<Semaphore>,
    told: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    closing: watch::Sender<bool>,
}

impl Bridge {
    fn new(link: Arc<Link>, out: Output, tasks: Arc<Tasks>) -> Self {
        let room = |many: u32| Arc::new(Semaphore::new(many as usize));
        Self {
            link,
            out,
            tasks,
            requests: room(MOST_REQUESTS),
            told: room(MOST_TOLD),
            bytes: room(MOST_BYTES),
            closing: watch::Sender::new(false),
        }
    }

    async fn live(self, lines: Lines<impl AsyncRead + Unpin>, told: impl Future<Output = ()>) {
        let mut told = pin!(told);
        let end = tokio::select! {
            biased;
            () = &mut told => End::Told,
            () = self.out.gone() => End::Gone,
            () = self.read(lines) => End::Input,
        };
        self.closing.send_replace(true);
        let quiet = async {
            let requests = self.requests.acquire_many(MOST_REQUESTS).await;
            let others = self.told.acquire_many(MOST_TOLD).await;
            drop((requests, others));
        };
        let hurry = async {
            match end {
                End::Input => {
                    let late = tokio::time::timeout(GRACE, async {
                        tokio::select! {
                            () = told => {}
                            () = self.out.gone() => {}
                        }
                    });
                    if late.await.is_ok() {
                        tokio::time::sleep(HURRY).await;
                    }
                }
                End::Told => tokio::time::sleep(HURRY).await,
                End::Gone => {}
            }
        };
        tokio::select! {
            () = quiet => {}
            () = hurry => {}
        }
        let cut = self.tasks.shut_down(HURRY).await;
        if !cut.is_empty() {
            tracing::debug!(?cut, "cut off");
        }
        self.link.close().await;
    }

    async fn read(&self, mut lines: Lines<impl AsyncRead + Unpin>) {
        while let Some(line) = lines.next().await {
            let read = match line {
                Line::Text(line) => Spoken::read(line, &self.link.parameters).map_err(|error| {
                    let object = envelope::error_object(error.problem.code(), &error.to_string(), None);
                    envelope::error(error.id.as_ref(), &object)
                }),
                Line::TooLong => {
                    let why = format!("the message is larger than {} MiB", LARGEST >> 20);
                    Err(envelope::error(None, &envelope::error_object(code::INVALID_REQUEST, &why, None)))
                }
            };
            match read {
                Ok(spoken) => self.take(spoken).await,
                Err(refusal) => self.out.say(refusal.into()).await,
            }
        }
    }

    /// Sends a message on its way, once there is room for it.
    async fn take(&self, spoken: Spoken) {
        if let Kind::Cancelled(id) = &spoken.kind {
            let era = id.as_ref().and_then(|id| self.link.in_flight.cancel(id));
            // The end of the stream has said it, or nobody needs to hear it any more.
            if era == Some(Era::Modern) || (era.is_none() && self.link.sessions.current().is_none()) {
                return;
            }
        }
        let size = u32::try_from(spoken.body.len()).unwrap_or(MOST_BYTES).min(MOST_BYTES);
        let bytes = self.bytes.clone().acquire_many_owned(size).await;
        let room = match &spoken.kind {
            Kind::Request(..) => self.requests.clone().acquire_owned().await,
            Kind::Cancelled(_) | Kind::Notification(_) | Kind::Response => self.told.clone().acquire_owned().await,
        };
        // What opens a session is waited for by what comes after it.
        let opens = match &spoken.kind {
            Kind::Request(_, method) => *method == Some(Method::Initialize),
            Kind::Notification(method) => *method == Some(Method::Initialized),
            Kind::Cancelled(_) | Kind::Response => false,
        };
        let (gate, closed) = match spoken.era() {
            Era::Modern => (None, None),
            Era::Legacy if opens => {
                let (gate, closed) = self.link.sessions.close();
                (gate, Some(closed))
            }
            Era::Legacy => (self.link.sessions.gate(), None),
        };
        let link = self.link.clone();
        let (stop, closing) = (self.tasks.stop(), self.closing.subscribe());
        if let Kind::Request(id, _) = &spoken.kind {
            let flight = self.link.in_flight.enter(id.clone(), spoken.era());
            self.tasks.spawn("request", async move {
                link.ask(spoken, flight, gate, stop, closing).await;
                drop((closed, bytes, room));
            });
        } else {
            self.tasks.spawn("message", async move {
                link.tell(spoken, gate, closed).await;
                drop((bytes, room));
            });
        }
    }
}
