//! The accept loop: what one connection may cost, from its first byte.
//!
//! poem's own server sets no header timeout and no limits, so connections are served by hyper here
//! and handed to poem's endpoint. `places` says who may be connected at once, `connection` what a
//! request must be before it is anybody's.
//!
//! INVARIANT: nothing is read without a deadline. The TLS handshake has one; a connection without an
//! open request has one, and one that does not take its answer (`places`); the body has one (`http/mcp`).

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{
        conn::auto,
        graceful::{GracefulShutdown, Watcher},
    },
};
use poem::{Endpoint, EndpointExt, Response};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig};

use super::{
    connection::Connection,
    forwarded::Proxies,
    outgoing::Outgoing,
    places::{Place, Places},
    turns::Turns,
};
use crate::{config::Limits, tasks::Tasks};

/// Streams that one HTTP/2 connection may have open.
const STREAMS: u32 = 128;
/// The longest that a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How often idle connections are looked for.
const SWEEP: Duration = Duration::from_millis(500);

/// How a listener speaks: by TLS or not, and whom it believes.
#[derive(Debug)]
pub(crate) struct Manner {
    /// Certificate and key, exchanged when they change.
    pub(crate) tls: Option<Arc<ArcSwap<ServerConfig>>>,
    /// Whose forwarding headers are believed.
    pub(crate) proxies: Proxies,
    /// What one connection may cost.
    pub(crate) limits: Limits,
    /// Which headers answers are given.
    pub(crate) outgoing: Arc<Outgoing>,
}

/// Serves `endpoint` on `listener` until `closing` turns true; then waits, at most `grace`, for the
/// requests in flight.
pub(crate) async fn serve<E>(
    listener: TcpListener,
    endpoint: E,
    manner: Manner,
    tasks: &Tasks,
    mut closing: watch::Receiver<bool>,
    grace: Duration,
) where
    E: Endpoint + 'static,
{
    let Manner { tls, proxies, limits, outgoing } = manner;
    let house = Arc::new(House {
        endpoint: Arc::new(endpoint.map_to_response()),
        http: builder(&limits),
        proxies: Arc::new(proxies),
        outgoing,
        tls,
        limits,
    });
    let places = Places::new(house.limits.connections);
    let graceful = GracefulShutdown::new();
    let mut sweep = tokio::time::interval(SWEEP.min(house.limits.idle));
    sweep.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    pause_after(&error, &places).await;
                    continue;
                }
            },
            _ = sweep.tick() => {
                places.dismiss(house.limits.idle, house.limits.request);
                continue;
            }
            _ = closing.wait_for(|closing| *closing) => break,
        };
        let place = tokio::select! {
            place = places.take() => place,
            _ = closing.wait_for(|closing| *closing) => break,
        };
        let Some(place) = place else { break };
        let (house, watcher, closing) = (Arc::clone(&house), graceful.watcher(), closing.clone());
        let conversation = async move {
            let guest = Arc::clone(place.guest());
            tokio::select! {
                () = house.receive(stream, peer, &place, watcher, closing) => {}
                () = guest.sent_away() => tracing::debug!(%peer, "a connection that only waited was closed"),
            }
        };
        tasks.spawn("connection", Turns::new(conversation));
    }
    drop(listener);
    if tokio::time::timeout(grace, graceful.shutdown()).await.is_err() {
        tracing::warn!(seconds = grace.as_secs(), "some requests did not finish in time and are cut off");
    }
}

/// What all connections share.
struct House<E> {
    endpoint: Arc<E>,
    http: auto::Builder<TokioExecutor>,
    proxies: Arc<Proxies>,
    outgoing: Arc<Outgoing>,
    tls: Option<Arc<ArcSwap<ServerConfig>>>,
    limits: Limits,
}

impl<E: Endpoint<Output = Response> + 'static> House<E> {
    async fn receive(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        place: &Place,
        watcher: Watcher,
        mut closing: watch::Receiver<bool>,
    ) {
        _ = stream.set_nodelay(true);
        let local = stream.local_addr().unwrap_or(peer);
        let connection = Connection {
            endpoint: Arc::clone(&self.endpoint),
            proxies: Arc::clone(&self.proxies),
            outgoing: Arc::clone(&self.outgoing),
            guest: Arc::clone(place.guest()),
            peer,
            local,
            tls: self.tls.is_some(),
            header_count: self.limits.header_count,
            header_bytes: self.limits.header_bytes,
        };
        let Some(tls) = &self.tls else { return self.converse(stream, connection, watcher).await };
        let handshake = TlsAcceptor::from(tls.load_full()).accept(stream);
        let shaken = tokio::select! {
            shaken = tokio::time::timeout(HANDSHAKE.min(self.limits.idle), handshake) => shaken,
            _ = closing.wait_for(|closing| *closing) => return,
        };
        match shaken {
            Ok(Ok(stream)) => self.converse(stream, connection, watcher).await,
            Ok(Err(error)) => tracing::debug!(%peer, %error, "a TLS handshake failed"),
            Err(_) => tracing::debug!(%peer, "a TLS handshake took too long"),
        }
    }

    async fn converse<S>(&self, stream: S, connection: Connection<E>, watcher: Watcher)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let peer = connection.peer;
        let connection = Arc::new(connection);
        let service = service_fn(move |request| {
            let connection = Arc::clone(&connection);
            async move { Ok::<_, Infallible>(connection.answer(request).await) }
        });
        let connection = self.http.serve_connection(TokioIo::new(stream), service).into_owned();
        // A connection that breaks is the peer's affair; what was decided on it is in the trail.
        if let Err(error) = watcher.watch(connection).await {
            tracing::debug!(%peer, %error, "a connection ended early");
        }
    }
}

fn builder(limits: &Limits) -> auto::Builder<TokioExecutor> {
    let mut http = auto::Builder::new(TokioExecutor::new());
    http.http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.idle)
        .max_headers(limits.header_count)
        // hyper's floor is 8 KiB.
        .max_buf_size(limits.header_bytes.max(8192))
        // Not `pipeline_flush`: with it, what hyper says to a head it cannot read is never sent.
        .half_close(false);
    http.http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(32)
        .max_local_error_reset_streams(64)
        .keep_alive_interval(limits.idle)
        .keep_alive_timeout(Duration::from_secs(20));
    http
}

/// Out of descriptors: those who only wait go. Anything else is one peer's affair.
async fn pause_after(error: &io::Error, places: &Places) {
    let peers_affair = matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    );
    if !peers_affair {
        tracing::warn!(%error, "a connection could not be accepted");
        places.make_room();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
