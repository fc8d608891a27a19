//! The guarded client against spellings, resolvers and redirects, with a canary inside.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use super::*;

#[expect(clippy::disallowed_methods, reason = "the canary ends with its test")]
/// A server inside that counts who comes, and answers what it is given.
async fn canary(answer: &'static str) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let hits = Arc::new(AtomicUsize::new(0));
    let count = hits.clone();
    drop(tokio::task::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            let mut head = [0; 1024];
            drop(stream.read(&mut head).await);
            drop(stream.write_all(answer.as_bytes()).await);
        }
    }));
    (port, hits)
}

fn resolver(addresses: &'static [&'static str]) -> Resolve {
    Resolve::by(move |_, port| {
        Box::pin(async move { Ok(addresses.iter().map(|ip| SocketAddr::new(ip.parse().unwrap(), port)).collect()) })
    })
}

async fn get(url: &str, reach: Reach, resolve: Resolve) -> Result<Response<Body>, EgressError> {
    let url: Uri = url.parse().unwrap();
    let egress = Egress::with_resolver(&url, reach, &Options::default(), resolve)?;
    egress.send(Request::get(url).body(Full::default()).unwrap()).await
}

use std::net::SocketAddr;

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// SE-06: whatever is fetched for OAuth goes through this client.
#[tokio::test]
async fn t107_a_literal_address_is_reached_only_where_the_configuration_gives_it() {
    let (port, hits) = canary(OK).await;
    let url = format!("http://127.0.0.1:{port}/");
    assert_eq!(get(&url, Reach::Public, Resolve::system()).await.unwrap_err(), EgressError::Forbidden);
    assert_eq!(hits.load(Ordering::SeqCst), 0);
    let reach = Reach::of_configured(&url.parse().unwrap());
    let answer = get(&url, reach, Resolve::system()).await.unwrap();
    assert_eq!(read(answer.into_body(), 2).await.unwrap(), "ok");
    for never in ["http://169.254.169.254/", "http://[fe80::1]/", "http://0.0.0.0/", "http://[fd00:ec2::254]/"] {
        let reach = Reach::of_configured(&never.parse().unwrap());
        assert_eq!(get(never, reach, Resolve::system()).await.unwrap_err(), EgressError::Forbidden, "{never}");
    }
    for (url, reach) in [("http://user:pw@example.com/", Reach::Public), ("ftp://example.com/", Reach::Public)] {
        assert_eq!(get(url, reach, Resolve::system()).await.unwrap_err(), EgressError::Url, "{url}");
    }
}

#[tokio::test]
async fn t108_other_spellings_are_decided_by_what_they_resolve_to() {
    let (port, hits) = canary(OK).await;
    for host in ["127.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.0.0.1.", "localhost"] {
        let refused = get(&format!("http://{host}:{port}/"), Reach::Public, Resolve::system()).await.unwrap_err();
        assert!(matches!(refused, EgressError::Forbidden | EgressError::Unresolved), "{host}: {refused}");
    }
    assert_eq!(hits.load(Ordering::SeqCst), 0);
}

/// SE-10: what was resolved and judged is what is connected to.
#[tokio::test]
async fn t110_a_public_name_with_an_inner_address_never_gets_inside() {
    let (port, hits) = canary(OK).await;
    let url = format!("http://rebind.example:{port}/");
    for inner in [
        &["127.0.0.1"][..],
        &["::ffff:127.0.0.1"][..],
        &["10.0.0.1", "127.0.0.1"][..],
        &["169.254.169.254"][..],
        &["0.0.0.0"][..],
    ] {
        assert_eq!(get(&url, Reach::Public, resolver(inner)).await.unwrap_err(), EgressError::Forbidden);
    }
    assert_eq!(hits.load(Ordering::SeqCst), 0);
    assert!(get(&url, Reach::Loopback, resolver(&["10.0.0.1", "127.0.0.1"])).await.is_ok());
}

#[tokio::test]
async fn t111_redirects_are_not_followed() {
    let (inside, hits) = canary(OK).await;
    let target = format!("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:{inside}/\r\ncontent-length: 0\r\n\r\n");
    let (port, _) = canary(target.leak()).await;
    let url = format!("http://127.0.0.1:{port}/");
    let answer = get(&url, Reach::of_configured(&url.parse().unwrap()), Resolve::system()).await.unwrap();
    assert_eq!(answer.status(), 302);
    assert_eq!(hits.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn https_never_falls_back_to_plain_text() {
    let (port, _) = canary(OK).await;
    let url = format!("https://127.0.0.1:{port}/");
    let reach = Reach::of_configured(&url.parse().unwrap());
    assert_eq!(get(&url, reach, Resolve::system()).await.unwrap_err(), EgressError::Tls);
}

#[tokio::test]
async fn t204_bodies_are_capped_and_closed_ports_are_told() {
    let (port, _) = canary(OK).await;
    let url = format!("http://127.0.0.1:{port}/");
    let reach = Reach::of_configured(&url.parse().unwrap());
    let answer = get(&url, reach.clone(), Resolve::system()).await.unwrap();
    assert_eq!(read(answer.into_body(), 1).await.unwrap_err(), EgressError::TooLarge);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    assert_eq!(get(&closed, reach, Resolve::system()).await.unwrap_err(), EgressError::Unreachable);
}

#[expect(clippy::disallowed_methods, reason = "the server ends with its test")]
/// A server that answers `most` requests of each connection, then ends it, and counts connections.
async fn keeper(most: usize, answer: &'static str) -> (Uri, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    let opened = Arc::new(AtomicUsize::new(0));
    let count = opened.clone();
    drop(tokio::task::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            drop(tokio::task::spawn(async move {
                let mut head = [0; 1024];
                for _ in 0..most {
                    if stream.read(&mut head).await.is_ok_and(|read| read > 0) {
                        drop(stream.write_all(answer.as_bytes()).await);
                    }
                }
            }));
        }
    }));
    (url, opened)
}

async fn asked(egress: &Egress, url: &Uri) -> Result<Bytes, EgressError> {
    let answer = egress.send(Request::get(url.clone()).body(Full::default()).unwrap()).await?;
    read(answer.into_body(), 100).await
}

#[tokio::test]
async fn a_connection_is_used_again_and_one_that_ended_meanwhile_is_not() {
    let (url, opened) = keeper(3, OK).await;
    let egress = Egress::new(&url, Reach::of_configured(&url), &Options::default()).unwrap();
    for _ in 0..3 {
        assert_eq!(asked(&egress, &url).await.unwrap(), "ok");
    }
    assert_eq!(opened.load(Ordering::SeqCst), 1);
    // The server has ended it; the next request has another.
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(asked(&egress, &url).await.unwrap(), "ok");
    assert_eq!(opened.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn exchanges_at_once_have_a_connection_each_and_share_them_after() {
    let (url, opened) = keeper(100, OK).await;
    let egress = Egress::new(&url, Reach::of_configured(&url), &Options::default()).unwrap();
    for _ in 0..3 {
        let all = futures_util::future::join_all((0..8).map(|_| asked(&egress, &url))).await;
        assert!(all.into_iter().all(|answer| answer.unwrap() == "ok"));
    }
    assert_eq!(opened.load(Ordering::SeqCst), 8);
}

#[tokio::test]
async fn an_answer_that_is_not_read_takes_its_connection_with_it_and_an_empty_one_does_not() {
    for (answer, connections) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok", 3),
        ("HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n", 1),
    ] {
        let (url, opened) = keeper(100, answer).await;
        let egress = Egress::new(&url, Reach::of_configured(&url), &Options::default()).unwrap();
        for _ in 0..3 {
            drop(egress.send(Request::get(url.clone()).body(Full::default()).unwrap()).await.unwrap());
        }
        assert_eq!(opened.load(Ordering::SeqCst), connections);
    }
}

#[tokio::test]
async fn idle_connections_are_let_go() {
    let (url, opened) = keeper(100, OK).await;
    let options = Options { idle: Duration::from_millis(20), ..Options::default() };
    let egress = Egress::new(&url, Reach::of_configured(&url), &options).unwrap();
    for _ in 0..2 {
        assert_eq!(asked(&egress, &url).await.unwrap(), "ok");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(opened.load(Ordering::SeqCst), 2);
}
