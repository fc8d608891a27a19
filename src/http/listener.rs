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
    outgoing::Give,
    places::{Place, Places},
};
use crate::{config::Limits, tasks::Tasks};

/// Streams that one HTTP/2 connection may have open.
const STREAMS: u32 = 128;
/// The longest that a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How often idle connections are looked for.
const SWEEP: Duration = Duration::from_millis(500);

/// How a listener speaks: by TLS or not, and whom it believes.
pub(crate) struct Manner {
    /// Certificate and key, exchanged when they change.
    pub(crate) tls: Option<Arc<ArcSwap<ServerConfig>>>,
    /// Whose forwarding headers are believed.
    pub(crate) proxies: Proxies,
    /// What one connection may cost.
    pub(crate) limits: Limits,
    /// Which headers answers are given.
    pub(crate) outgoing: Give,
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
        tasks.spawn("connection", async move {
            let guest = Arc::clone(place.guest());
            tokio::select! {
                () = house.receive(stream, peer, &place, watcher, closing) => {}
                () = guest.sent_away() => tracing::debug!(%peer, "a connection that only waited was closed"),
            }
        });
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
    outgoing: Give,
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

    use bytes::Bytes;
    use futures_util::StreamExt as _;
    use poem::Body;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// Counts itself while it is there.
    struct Here(Arc<AtomicU64>);

    impl Drop for Here {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Relaxed);
        }
    }

    #[tokio::test]
    async fn t196_who_does_not_take_a_stream_is_sent_away_and_who_waits_for_it_is_not() {
        let open = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&open);
        let endpoint = poem::endpoint::make_sync(move |request: poem::Request| {
            count.fetch_add(1, Relaxed);
            let here = Here(Arc::clone(&count));
            let endless = request.uri().path() == "/endless";
            let stream = futures_util::stream::unfold(here, move |here| async move {
                if !endless {
                    std::future::pending::<()>().await;
                }
                Some((Ok::<_, io::Error>(Bytes::from_static(&[b'x'; 4096])), here))
            });
            Response::builder().body(Body::from_bytes_stream(stream.boxed()))
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let limits =
            Limits { request: Duration::from_millis(100), idle: Duration::from_millis(300), ..Limits::default() };
        let outgoing: Give = Arc::new(|_, _, _, _| {});
        let manner = Manner { tls: None, proxies: Proxies::new(Vec::new(), false), limits, outgoing };
        let (tasks, (close, closing)) = (Arc::new(Tasks::new()), watch::channel(false));
        let served = Arc::clone(&tasks);
        let serving = async move { serve(listener, endpoint, manner, &served, closing, Duration::ZERO).await };
        let asking = async {
            let ask = async |path: &str| {
                let mut stream = TcpStream::connect(address).await.unwrap();
                stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await.unwrap();
                stream.read_exact(&mut [0; 12]).await.unwrap();
                stream
            };
            let (stalled, mut waits) = (ask("/endless").await, ask("/quiet").await);
            let patience = Duration::from_secs(30);
            let gone = async {
                while open.load(Relaxed) > 1 {
                    tokio::task::yield_now().await;
                }
            };
            tokio::time::timeout(patience, gone).await.expect("the one that does not read is still there");
            // The other is: it reads, and nothing came.
            let mut rest = vec![0; 4096];
            let more = async {
                loop {
                    let read = waits.read(&mut rest).await.unwrap();
                    assert!(read > 0, "the one that waits was sent away");
                }
            };
            assert!(tokio::time::timeout(Duration::from_millis(600), more).await.is_err());
            assert_eq!(open.load(Relaxed), 1);
            drop((stalled, waits));
            close.send_replace(true);
        };
        tokio::join!(serving, asking);
        drop(tasks.shut_down(Duration::from_secs(10)).await);
    }
}
