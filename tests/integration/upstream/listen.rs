//! Changes over HTTP: streams that are not there, break, never begin or never end.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use portcullis::{
    mcp::Kind,
    upstream::{Change, Trouble},
};
use tokio::sync::mpsc;

use super::*;
use crate::support::{
    fake_http::{Answer, Fake, Seen, answer, json as answer_json, stream},
    until,
};

fn result(seen: &Seen, result: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": seen.body["id"], "result": result})
}

const CHANGED: &str = "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}\n\n";

/// A server of either era that leaves its stream of changes to `changes`.
async fn server(modern: bool, changes: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> Fake {
    Fake::start(move |seen| match (seen.method.as_str(), seen.rpc()) {
        ("GET", _) | (_, "subscriptions/listen") => changes(seen),
        (_, "server/discover") if modern => answer_json(&result(
            seen,
            json!({"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {"listChanged": true}, "resources": {}}}),
        )),
        (_, "initialize") => {
            let about = json!({"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}});
            let body = result(seen, about).to_string();
            answer("200 OK", "content-type: application/json\r\nmcp-session-id: s1\r\n", &body)
        }
        (_, "tools/call") => answer_json(&result(seen, json!({}))),
        (_, "tools/list") => answer_json(&result(seen, json!({"tools": []}))),
        (_, method) if method.starts_with("notifications/") => answer("202 Accepted", "", ""),
        _ => answer("400 Bad Request", "", ""),
    })
    .await
}

fn opened(fake: &Fake) -> usize {
    fake.seen().iter().filter(|seen| seen.method == "GET" || seen.rpc() == "subscriptions/listen").count()
}

#[tokio::test]
async fn cg05_a_stream_is_opened_only_for_who_watches_and_again_when_it_breaks() {
    for modern in [false, true] {
        let ends: Arc<Mutex<Vec<mpsc::UnboundedSender<String>>>> = Arc::default();
        let kept = ends.clone();
        let fake = server(modern, move |_| {
            let (answer, end) = stream();
            kept.lock().unwrap().push(end);
            answer
        })
        .await;
        let upstreams = build(&over_http(&fake.url), options());
        call(&upstreams, "echo").await.unwrap();
        evil(&upstreams).list(Kind::Tools).await.unwrap();
        assert_eq!(opened(&fake), 0, "nobody watches");
        let mut watch = evil(&upstreams).watch();
        until("the stream is opened", || opened(&fake) == 1).await;
        let say = |text: &str| ends.lock().unwrap().last().unwrap().send(text.to_owned()).is_ok();
        assert!(say(CHANGED));
        assert_eq!(watch.recv().await.unwrap(), Change::List(Kind::Tools));
        assert!(evil(&upstreams).known(Kind::Tools).is_none(), "CA-07");
        ends.lock().unwrap().clear();
        until("it is opened again", || opened(&fake) == 2).await;
        assert!(say(CHANGED));
        assert_eq!(watch.recv().await.unwrap(), Change::List(Kind::Tools));
        drop(watch);
        until("nobody listens any more", || !say(": still there?\n\n")).await;
        assert_eq!(opened(&fake), 2);
        upstreams.shutdown().await;
    }
}

#[tokio::test]
async fn cg05_a_stream_that_a_server_does_not_have_is_given_up_and_disturbs_nothing() {
    for (modern, status, headers) in [
        (false, "405 Method Not Allowed", ""),
        (false, "200 OK", "content-type: application/json\r\n"),
        (true, "200 OK", "content-type: application/json\r\n"),
        (true, "404 Not Found", ""),
        (true, "400 Bad Request", ""),
    ] {
        let fake = server(modern, move |_| answer(status, headers, "{}\n{}\n")).await;
        let upstreams = build(&over_http(&fake.url), options());
        let watch = evil(&upstreams).watch();
        until("it was tried", || opened(&fake) == 1).await;
        for _ in 0..20 {
            call(&upstreams, "echo").await.unwrap();
        }
        // Others who watch do not make it come back.
        let other = evil(&upstreams).watch();
        for _ in 0..20 {
            call(&upstreams, "echo").await.unwrap();
        }
        assert_eq!(opened(&fake), 1, "{modern} {status}");
        drop((watch, other));
        upstreams.shutdown().await;
    }
}

#[tokio::test]
async fn cg05_a_stream_that_never_begins_is_left_and_tried_again() {
    for hung in [true, false] {
        let fake = server(true, move |_| if hung { Answer::Never } else { drip(": nothing\n\n") }).await;
        let mut hasty = options();
        hasty.listen_timeout = Duration::from_millis(200);
        let upstreams = build(&over_http(&fake.url), hasty);
        let watch = evil(&upstreams).watch();
        until("it is tried again", || opened(&fake) >= 3).await;
        call(&upstreams, "echo").await.unwrap();
        drop(watch);
        upstreams.shutdown().await;
    }
}

/// A stream of the same for ever, as long as somebody reads it.
fn drip(what: &'static str) -> Answer {
    let (answer, end) = stream();
    drop(tokio::task::spawn(async move {
        while end.send(what.to_owned()).is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }));
    answer
}

#[tokio::test]
async fn t174_t204_a_stream_without_an_end_is_an_answer_to_nothing() {
    let calls = AtomicUsize::new(0);
    let fake = Fake::start(move |seen| match seen.rpc() {
        "initialize" => answer_json(&result(seen, json!({"protocolVersion": "2025-11-25", "capabilities": {}}))),
        "tools/call" => match calls.fetch_add(1, Ordering::SeqCst) {
            0 => drip("data"),
            1 => drip(": a comment\n"),
            _ => {
                let (answer, end) = stream();
                let log = json!({"jsonrpc": "2.0", "method": "notifications/message", "params": {"data": "x".repeat(100_000)}});
                while end.send(format!("data: {log}\n\n")).is_ok() && end.strong_count() == 1 {
                    if calls.fetch_add(1, Ordering::SeqCst) > 100 {
                        break;
                    }
                }
                answer
            }
        },
        "server/discover" => answer("400 Bad Request", "", ""),
        _ => answer("202 Accepted", "", ""),
    })
    .await;
    let upstreams = build(&over_http(&fake.url), options());
    evil(&upstreams).about().await.unwrap();
    for _ in 0..2 {
        let slow = outgoing("echo", &json!({}), Duration::from_millis(300));
        assert!(matches!(ask(&upstreams, slow).await.unwrap_err().why, Trouble::TimedOut(_)));
    }
    assert_eq!(
        call(&upstreams, "echo").await.unwrap_err().why,
        Trouble::TooLarge,
        "events that never end in an answer"
    );
}

#[tokio::test]
async fn a_modern_stream_is_opened_anew_for_what_is_wanted_and_asked_for_no_more() {
    let ends: Arc<Mutex<Vec<mpsc::UnboundedSender<String>>>> = Arc::default();
    let kept = ends.clone();
    let fake = server(true, move |_| {
        let (answer, end) = stream();
        kept.lock().unwrap().push(end);
        answer
    })
    .await;
    let upstreams = build(&over_http(&fake.url), options());
    let server = evil(&upstreams);
    let mut watch = server.watch();
    let filters = || -> Vec<Value> {
        let listens = fake.seen().into_iter().filter(|seen| seen.rpc() == "subscriptions/listen");
        listens.map(|seen| seen.body["params"]["notifications"].clone()).collect()
    };
    let lists = json!({"toolsListChanged": true, "resourcesListChanged": true});
    until("the lists are listened to", || filters().last() == Some(&lists)).await;
    let uri = "file:///a".parse().unwrap();
    let subscription = testing::subscribe(server, &uri).await.unwrap();
    let with = json!({"toolsListChanged": true, "resourcesListChanged": true, "resourceSubscriptions": ["file:///a"]});
    until("the resource too", || filters().last() == Some(&with)).await;
    let updated = |uri: &str| {
        let params = json!({"jsonrpc": "2.0", "method": "notifications/resources/updated", "params": {"uri": uri}});
        ends.lock().unwrap().last().unwrap().send(format!("data: {params}\n\n")).unwrap();
    };
    updated("file:///not-asked-for");
    updated("file:///a");
    let change = loop {
        if let Change::Resource(uri) = watch.recv().await.unwrap() {
            break uri;
        }
    };
    assert_eq!(&*change, "file:///a", "what nobody subscribed to is not told");
    drop(subscription);
    until("the lists alone again", || filters().last() == Some(&lists)).await;
    let listen = fake.seen().into_iter().find(|seen| seen.rpc() == "subscriptions/listen").unwrap();
    assert_eq!(listen.headers["mcp-method"], "subscriptions/listen");
    upstreams.shutdown().await;
}
