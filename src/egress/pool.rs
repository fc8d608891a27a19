//! The connections to one origin: kept while idle, and moved along by whoever uses them.
//!
//! No task stands between a request and its connection: the future that waits for the answer also
//! moves its bytes, and the body goes on doing so. That spares two switches between tasks a call. An
//! idle connection is looked at when it is taken; one that has ended meanwhile is let go.
//!
//! INVARIANT: a request is repeated only where not one byte of it was sent (CL-14).
//! INVARIANT: a connection serves one exchange at a time, and is kept only after its body has ended.

use std::{
    collections::VecDeque,
    future::poll_fn,
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, Uri, header::HOST, uri::PathAndQuery};
use http_body_util::Full;
use hyper::{
    body::{Body as _, Frame, Incoming, SizeHint},
    client::conn::http1::{self, Connection, SendRequest},
};
use hyper_rustls::HttpsConnector;
use tokio::time::Instant;
use tower_service::Service;

use super::{EgressError, connect::Guard, why};

type Connector = HttpsConnector<Guard>;
type Stream = <Connector as Service<Uri>>::Response;

/// The connections to one origin.
#[derive(Debug)]
pub(super) struct Pool {
    connector: Connector,
    idle_for: Duration,
    idle: Mutex<Idle>,
}

/// The oldest first; the youngest is taken.
#[derive(Debug, Default)]
struct Idle {
    lines: VecDeque<(Line, Instant)>,
    /// Whether somebody comes by to let the old ones go.
    watched: bool,
}

/// One connection with its two ends: what asks, and what moves the bytes.
#[derive(Debug)]
struct Line {
    sender: SendRequest<Full<Bytes>>,
    connection: Pin<Box<Connection<Stream, Full<Bytes>>>>,
}

/// The body of an answer, which moves its connection along while it is read.
#[derive(Debug)]
pub struct Body {
    incoming: Incoming,
    /// Nothing once the connection has ended or gone back.
    line: Option<Line>,
    pool: Arc<Pool>,
}

impl Pool {
    pub(super) fn new(connector: Connector, idle_for: Duration) -> Arc<Self> {
        Arc::new(Self { connector, idle_for, idle: Mutex::default() })
    }

    /// Sends a request and waits for the head of its answer.
    pub(super) async fn send(
        self: &Arc<Self>,
        mut request: Request<Full<Bytes>>,
    ) -> Result<Response<Body>, EgressError> {
        let url = address(&mut request)?;
        loop {
            let (mut line, kept) = match self.take().await {
                Some(line) => (line, true),
                None => (Box::pin(self.open(url.clone())).await?, false),
            };
            match line.exchange(request).await {
                Ok(answer) => {
                    let pool = Arc::clone(self);
                    return Ok(answer.map(|incoming| Body { incoming, line: Some(line), pool }));
                }
                // It ended while it was idle, before anything was sent.
                Err(Some(unsent)) if kept => request = unsent,
                Err(_) => return Err(EgressError::Broken),
            }
        }
    }

    /// The youngest idle connection that is still good.
    async fn take(&self) -> Option<Line> {
        loop {
            let (mut line, since) = self.idle().lines.pop_back()?;
            if since.elapsed() < self.idle_for && poll_fn(|cx| Poll::Ready(line.is_ready(cx))).await {
                return Some(line);
            }
        }
    }

    async fn open(&self, url: Uri) -> Result<Line, EgressError> {
        let mut connector = self.connector.clone();
        poll_fn(|cx| connector.poll_ready(cx)).await.map_err(|error| why(&*error))?;
        let stream = connector.call(url).await.map_err(|error| why(&*error))?;
        let (sender, connection) = http1::handshake(stream).await.map_err(|_| EgressError::Broken)?;
        let mut line = Line { sender, connection: Box::pin(connection) };
        // The first turn makes it ready to be asked.
        let ready = poll_fn(|cx| Poll::Ready(line.is_ready(cx))).await;
        if ready { Ok(line) } else { Err(EgressError::Broken) }
    }

    fn keep(self: &Arc<Self>, line: Line) {
        let mut idle = self.idle();
        idle.lines.push_back((line, Instant::now()));
        if !idle.watched && tokio::runtime::Handle::try_current().is_ok() {
            idle.watched = true;
            drop(idle);
            watch(Arc::downgrade(self), self.idle_for);
        }
    }

    /// Lets the old ones go; says whether any are left.
    fn prune(&self) -> bool {
        let mut idle = self.idle();
        while idle.lines.front().is_some_and(|(_, since)| since.elapsed() >= self.idle_for) {
            idle.lines.pop_front();
        }
        idle.watched = !idle.lines.is_empty();
        idle.watched
    }

    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Comes by until no connection is left, or no pool.
fn watch(pool: Weak<Pool>, every: Duration) {
    #[expect(
        clippy::disallowed_methods,
        reason = "it ends with the pool or its last idle connection, and holds neither"
    )]
    drop(tokio::spawn(async move {
        loop {
            tokio::time::sleep(every).await;
            if !pool.upgrade().is_some_and(|pool| pool.prune()) {
                return;
            }
        }
    }));
}

impl Line {
    /// Whether it can be asked now. Polls the connection, which is how its end is noticed.
    fn is_ready(&mut self, cx: &mut Context<'_>) -> bool {
        self.connection.as_mut().poll(cx).is_pending() && matches!(self.sender.poll_ready(cx), Poll::Ready(Ok(())))
    }

    /// Asks, and gives the head of the answer; the request itself where nothing of it was sent.
    async fn exchange(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, Option<Request<Full<Bytes>>>> {
        let mut answer = pin!(self.sender.try_send_request(request));
        let connection = &mut self.connection;
        let mut ended = false;
        poll_fn(|cx| {
            // An answer that is there is taken also from a connection that has ended.
            ended = ended || connection.as_mut().poll(cx).is_ready();
            answer.as_mut().poll(cx)
        })
        .await
        .map_err(|mut error| error.take_message())
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = &mut *self;
        let mut frame = Pin::new(&mut this.incoming).poll_frame(cx);
        if frame.is_pending() {
            if let Some(line) = &mut this.line
                && line.connection.as_mut().poll(cx).is_ready()
            {
                this.line = None;
            }
            frame = Pin::new(&mut this.incoming).poll_frame(cx);
        }
        let ended = match &frame {
            Poll::Ready(None) => true,
            Poll::Ready(Some(Ok(_))) => this.incoming.is_end_stream(),
            Poll::Ready(Some(Err(_))) | Poll::Pending => false,
        };
        // One more turn: a connection that ends with its answer is not kept.
        if ended
            && let Some(mut line) = this.line.take()
            && line.connection.as_mut().poll(cx).is_pending()
        {
            this.pool.keep(line);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        // What was not read to its end takes its connection with it.
        if self.incoming.is_end_stream()
            && let Some(line) = self.line.take()
        {
            self.pool.keep(line);
        }
    }
}

/// Takes the address out of a request and leaves it in the form that HTTP/1.1 asks for: the path in
/// the request line, the host in its field.
fn address(request: &mut Request<Full<Bytes>>) -> Result<Uri, EgressError> {
    let path = request.uri().path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
    let url = std::mem::replace(request.uri_mut(), Uri::from(path));
    let host = url.host().ok_or(EgressError::Url)?;
    let default = if url.scheme_str() == Some("https") { 443 } else { 80 };
    let named = match url.port_u16().filter(|port| *port != default) {
        Some(port) => HeaderValue::try_from(format!("{host}:{port}")),
        None => HeaderValue::try_from(host),
    };
    request.headers_mut().insert(HOST, named.map_err(|_| EgressError::Url)?);
    Ok(url)
}
