//! The accept loop: what one connection may cost, from its first byte.
//!
//! poem's own server sets no header timeout and no limits, so connections are served by hyper here
//! and handed to poem's endpoint. A connection above the cap waits in the backlog: it is not accepted
//! before another ends.
//!
//! INVARIANT: nothing is read without a deadline. The header section has one (slow headers), the
//! body has one (`http/mcp`), and so has the wait between requests.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use http_body_util::combinators::BoxBody;
use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
};
use poem::{
    Endpoint, EndpointExt,
    http::uri::Scheme,
    web::{LocalAddr, RemoteAddr},
};
use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
};

use crate::{config::Limits, tasks::Tasks};

/// Streams that one HTTP/2 connection may have open.
const STREAMS: u32 = 128;

/// Serves `endpoint` on `listener` until `closing` turns true; then waits, at most `grace`, for the
/// requests in flight.
pub(crate) async fn serve<E>(
    listener: TcpListener,
    endpoint: E,
    limits: &Limits,
    tasks: &Tasks,
    mut closing: watch::Receiver<bool>,
    grace: Duration,
) where
    E: Endpoint + 'static,
{
    let endpoint = Arc::new(endpoint.map_to_response());
    let http = Arc::new(builder(limits));
    let places = Arc::new(Semaphore::new(limits.connections));
    let graceful = GracefulShutdown::new();
    loop {
        let place = tokio::select! {
            place = Arc::clone(&places).acquire_owned() => place,
            _ = closing.wait_for(|closing| *closing) => break,
        };
        let Ok(place) = place else { break };
        let (stream, remote) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    pause_after(&error).await;
                    continue;
                }
            },
            _ = closing.wait_for(|closing| *closing) => break,
        };
        _ = stream.set_nodelay(true);
        let local = stream.local_addr().unwrap_or(remote);
        let service = {
            let endpoint = Arc::clone(&endpoint);
            service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
                let endpoint = Arc::clone(&endpoint);
                async move {
                    let addresses = (LocalAddr(local.into()), RemoteAddr(remote.into()));
                    let request = poem::Request::from((request, addresses.0, addresses.1, Scheme::HTTP));
                    let response: hyper::Response<BoxBody<bytes::Bytes, io::Error>> =
                        endpoint.get_response(request).await.into();
                    Ok::<_, std::convert::Infallible>(response)
                }
            })
        };
        let connection = http.serve_connection(TokioIo::new(stream), service).into_owned();
        let connection = graceful.watch(connection);
        tasks.spawn("connection", async move {
            // A connection that breaks is the peer's affair; what was decided on it is in the trail.
            if let Err(error) = connection.await {
                tracing::debug!(%remote, %error, "a connection ended early");
            }
            drop(place);
        });
    }
    drop(listener);
    if tokio::time::timeout(grace, graceful.shutdown()).await.is_err() {
        tracing::warn!(seconds = grace.as_secs(), "some requests did not finish in time and are cut off");
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
        .half_close(false)
        .pipeline_flush(true);
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

/// Out of descriptors: waiting a little lets some connection end. Anything else is one peer's affair.
async fn pause_after(error: &io::Error) {
    let peers_affair = matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    );
    if !peers_affair {
        tracing::warn!(%error, "a connection could not be accepted");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Binds the address, so that a taken port is a plain error before anything else starts.
///
/// # Errors
/// When the address cannot be bound.
pub(crate) async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).await
}
