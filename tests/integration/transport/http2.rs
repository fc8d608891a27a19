//! HTTP/2: the same gateway, and streams that are opened to be reset.

use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::{Reason, client::SendRequest};
use tokio::net::TcpStream;

use super::{call, served, yaml};
use crate::{gateway::DEMO, support::running::Running};

fn block<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

async fn connect(gateway: &Running) -> (SendRequest<Bytes>, tokio::task::JoinHandle<Result<(), h2::Error>>) {
    let stream = TcpStream::connect(gateway.address()).await.unwrap();
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    (client, tokio::task::spawn(connection))
}

fn post(gateway: &Running) -> http::request::Builder {
    let (fields, _) = call("time__now");
    let head = http::Request::post(format!("http://{}/mcp", gateway.address()));
    fields.into_iter().fold(head, |head, (name, value)| head.header(name, value))
}

async fn ask(client: &mut SendRequest<Bytes>, head: http::Request<()>, body: &str) -> Result<(u16, String), h2::Error> {
    let mut ready = client.clone().ready().await?;
    let (response, mut stream) = ready.send_request(head, false)?;
    stream.send_data(body.to_owned().into(), true)?;
    let (parts, mut body) = response.await?.into_parts();
    let mut whole = Vec::new();
    while let Some(chunk) = body.data().await {
        let chunk = chunk?;
        body.flow_control().release_capacity(chunk.len())?;
        whole.extend_from_slice(&chunk);
    }
    Ok((parts.status.as_u16(), String::from_utf8(whole).unwrap()))
}

#[test]
fn http2_with_prior_knowledge_is_served_like_http1() {
    let gateway = Running::start(DEMO);
    let bearer = format!("Bearer {}", gateway.token("tag:clock", &[]));
    let (_, call) = call("time__now");
    block(async {
        let (mut client, connection) = connect(&gateway).await;
        let head = || post(&gateway);
        let (status, body) =
            ask(&mut client, head().header("authorization", &bearer).body(()).unwrap(), &call).await.unwrap();
        assert!(status == 200 && body.contains("\"result\""), "{status} {body}");
        assert_eq!(ask(&mut client, head().body(()).unwrap(), &call).await.unwrap().0, 401);
        // T-096, T-116: another name, in the target or beside it, is not ours here either.
        let evil = http::Request::post("http://evil.test/mcp").body(()).unwrap();
        assert_eq!(ask(&mut client, evil, &call).await.unwrap().0, 403);
        let two = head().header("host", "evil.test").body(()).unwrap();
        assert_eq!(ask(&mut client, two, &call).await.unwrap().0, 403);
        drop(client);
        _ = connection.await;
    });
}

#[test]
fn sm31_header_sections_are_bounded_over_http2_too() {
    let gateway = Running::start(&yaml("limits: {header_bytes: 8KiB, header_count: 20}"));
    block(async {
        let (mut client, _connection) = connect(&gateway).await;
        let many = (0..40).fold(post(&gateway), |head, nth| head.header(format!("x-{nth}"), "y"));
        assert_eq!(ask(&mut client, many.body(()).unwrap(), "{}").await.unwrap().0, 431);
        let large = post(&gateway).header("x-large", "y".repeat(9_000)).body(()).unwrap();
        // hyper answers this one itself, or ends the stream or the connection.
        assert!(matches!(ask(&mut client, large, "{}").await, Ok((431, _)) | Err(_)));
        let (mut client, _connection) = connect(&gateway).await;
        let few = http::Request::get(format!("http://{}/healthz", gateway.address())).body(()).unwrap();
        assert_eq!(ask(&mut client, few, "").await.unwrap().0, 200);
    });
}

#[test]
fn t197_rapid_reset_ends_the_connection_and_nobody_else() {
    let gateway = Running::start(DEMO);
    let token = gateway.token("tag:clock", &[]);
    served(&gateway, &token);
    let memory = gateway.peak_memory();
    let bearer = format!("Bearer {token}");
    let (_, call) = call("time__now");
    let (mut resets, mut ended) = (0_u32, None);
    let begun = Instant::now();
    block(async {
        while resets < 100_000 && begun.elapsed() < Duration::from_secs(10) {
            let (client, connection) = connect(&gateway).await;
            let outcome: Result<(), h2::Error> = async {
                loop {
                    let mut ready = client.clone().ready().await?;
                    let head = post(&gateway).header("authorization", &bearer).body(()).unwrap();
                    let (_response, mut stream) = ready.send_request(head, false)?;
                    stream.send_data(call.clone().into(), true)?;
                    // What is reset before it was written is never written.
                    tokio::task::yield_now().await;
                    stream.send_reset(Reason::CANCEL);
                    resets += 1;
                    if resets >= 100_000 || begun.elapsed() > Duration::from_secs(10) {
                        return Ok(());
                    }
                }
            }
            .await;
            if let Err(error) = outcome {
                ended = Some(error);
            }
            connection.abort();
        }
    });
    let ended = ended.expect("no connection was ended");
    println!("{resets} resets in {:?}, ended by {ended}", begun.elapsed());
    assert!(ended.is_go_away() || ended.is_io(), "{ended:?}");
    served(&gateway, &token);
    assert!(gateway.peak_memory() < memory + 64, "{memory} MiB and then {} MiB", gateway.peak_memory());
    // What was reset is cancelled: far fewer calls than streams came to a decision.
    let decided = gateway.audit().iter().filter(|record| record["request"]["method"] == "tools/call").count();
    assert!(decided < resets as usize / 2 + 100, "{decided} decisions for {resets} resets");
}

#[test]
fn t195_a_connection_without_streams_is_idle() {
    let gateway = Running::start(&yaml("limits: {idle: 1s}"));
    block(async {
        let (client, connection) = connect(&gateway).await;
        // It answers pings, and asks nothing.
        let ended = tokio::time::timeout(Duration::from_secs(20), connection).await;
        assert!(ended.is_ok(), "an idle connection is kept for ever");
        drop(client);
    });
}
