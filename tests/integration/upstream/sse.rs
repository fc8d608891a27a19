//! Servers that speak only HTTP+SSE of 2024-11-05.

use std::sync::{Arc, Mutex};

use portcullis::{mcp::Kind, upstream::Trouble};
use tokio::sync::mpsc;

use super::*;
use crate::support::fake_http::{Answer, Fake, Seen, answer, stream};

type End = Arc<Mutex<Option<mpsc::UnboundedSender<String>>>>;

/// A server that names `address` as where to post to, and answers on its stream.
async fn server(address: &'static str, refuse: bool) -> (Fake, End) {
    let end: End = Arc::default();
    let to = end.clone();
    let fake = Fake::start(move |seen| respond(seen, address, refuse, &to)).await;
    (fake, end)
}

fn respond(seen: &Seen, address: &str, refuse: bool, end: &End) -> Answer {
    if seen.method == "GET" {
        let (answer, sender) = stream();
        sender.send(format!("event: endpoint\ndata: {address}\n\n")).unwrap();
        *end.lock().unwrap() = Some(sender);
        return answer;
    }
    let id = &seen.body["id"];
    let result = match seen.rpc() {
        "initialize" => json!({"protocolVersion": "2024-11-05", "capabilities": {"tools": {}}}),
        "tools/list" => json!({"tools": [{"name": "echo"}]}),
        "tools/call" if refuse => return answer("500 Oh", "", ""),
        "tools/call" => seen.body["params"]["arguments"].clone(),
        _ => return answer("202 Accepted", "", ""),
    };
    let message = json!({"jsonrpc": "2.0", "id": id, "result": result});
    // Where the stream has ended nobody hears the answer.
    let end = end.lock().unwrap();
    drop(end.as_ref().map(|end| end.send(format!("event: message\ndata: {message}\n\n"))));
    answer("202 Accepted", "", "")
}

fn over_sse(url: &str) -> Server {
    let mut server = over_http(url);
    if let Transport::Http(http) = &mut server.transport {
        http.sse = true;
    }
    server
}

#[tokio::test]
async fn a_server_of_2024_is_asked_by_post_and_answers_on_its_stream() {
    let (fake, end) = server("/messages?session=1", false).await;
    let upstreams = build(&over_sse(&fake.url), options());
    assert!(evil(&upstreams).list(Kind::Tools).await.unwrap().get("echo").is_some());
    let calls = (0..20).map(|n| {
        let upstreams = &upstreams;
        async move {
            let mark = json!({"mark": n});
            assert_eq!(ask(upstreams, outgoing("echo", &mark, LONG)).await.unwrap(), mark);
        }
    });
    futures_util::future::join_all(calls).await;
    let seen = fake.seen();
    assert_eq!(seen[0].headers["accept"], "text/event-stream");
    assert!(seen.iter().all(|seen| seen.headers["x-api-key"] == "hunter2" && seen.rpc() != "server/discover"));
    // A stream that breaks fails who waits, and is opened again.
    *end.lock().unwrap() = None;
    let again = loop {
        match ask(&upstreams, outgoing("echo", &json!({"after": 1}), LONG)).await {
            Ok(answer) => break answer,
            Err(error) => assert!(matches!(error.why, Trouble::Crashed | Trouble::Restarting), "{error}"),
        }
    };
    assert_eq!(again, json!({"after": 1}));
    upstreams.shutdown().await;
    assert_eq!(call(&upstreams, "echo").await.unwrap_err().why, Trouble::Stopped);
}

#[tokio::test]
async fn t111_messages_never_go_to_another_origin() {
    let (canary, _) = server("/x", false).await;
    let elsewhere: &'static str = Box::leak(canary.url.clone().into_boxed_str());
    let (fake, _end) = server(elsewhere, false).await;
    let upstreams = build(&over_sse(&fake.url), options());
    assert_eq!(call(&upstreams, "echo").await.unwrap_err().why, Trouble::Redirected);
    assert!(canary.seen().is_empty());
    upstreams.shutdown().await;
}

#[tokio::test]
async fn t167_a_message_that_is_not_taken_fails_its_own_call_alone() {
    let (fake, _end) = server("/messages", true).await;
    let upstreams = build(&over_sse(&fake.url), options());
    assert_eq!(call(&upstreams, "echo").await.unwrap_err().why, Trouble::Status(500));
    assert!(evil(&upstreams).list(Kind::Tools).await.is_ok());
    upstreams.shutdown().await;
}
