//! Endpoints over HTTP: sessions, streams, and what they cannot do to us.

use std::sync::atomic::{AtomicUsize, Ordering};

use portcullis::{
    egress::EgressError,
    mcp::Kind,
    upstream::{Side, Told, Trouble},
};

use super::*;
use crate::support::{
    fake_http::{Answer, Fake, Seen, answer, events, json as answer_json},
    until,
};

fn result(seen: &Seen, result: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": seen.body["id"], "result": result})
}

/// Opens sessions as a server should, and leaves the rest to `rest`.
async fn fake(rest: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> Fake {
    Fake::start(move |seen| match seen.rpc() {
        "initialize" => {
            let about = json!({"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}});
            let body = result(seen, about).to_string();
            answer("200 OK", "content-type: application/json\r\nmcp-session-id: s1\r\n", &body)
        }
        method if method.starts_with("notifications/") => answer("202 Accepted", "", ""),
        _ => rest(seen),
    })
    .await
}

/// The server is known to be legacy; how that is found out is tested in `era`.
async fn upstreams(fake: &Fake) -> Upstreams {
    build(&legacy(&fake.url), options())
}

fn legacy(url: &str) -> Server {
    Server { era: EraChoice::Legacy, ..over_http(url) }
}

async fn why(rest: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> Trouble {
    let fake = fake(rest).await;
    let error = call(&upstreams(&fake).await, "echo").await.unwrap_err();
    let said = error.to_string();
    for secret in ["hunter2", "127.0.0.1", "attacker", "realm"] {
        assert!(!said.contains(secret), "{said}");
    }
    error.why
}

#[tokio::test]
async fn cl08_cl16_a_session_is_opened_kept_and_closed() {
    let fake = fake(|seen| answer_json(&result(seen, json!({"ok": true})))).await;
    let upstreams = upstreams(&fake).await;
    assert_eq!(call(&upstreams, "echo").await.unwrap(), json!({"ok": true}));
    assert_eq!(call(&upstreams, "echo").await.unwrap(), json!({"ok": true}));
    upstreams.shutdown().await;
    let seen = fake.seen();
    let methods: Vec<_> = seen.iter().map(|seen| (seen.method.as_str(), seen.rpc())).collect();
    assert_eq!(
        methods,
        [
            ("POST", "initialize"),
            ("POST", "notifications/initialized"),
            ("POST", "tools/call"),
            ("POST", "tools/call"),
            ("DELETE", "")
        ]
    );
    assert!(!seen[0].headers.contains_key("mcp-session-id"));
    for later in &seen[1..] {
        assert_eq!(later.headers["mcp-session-id"], "s1");
        assert_eq!(later.headers["mcp-protocol-version"], "2025-06-18");
    }
    for message in &seen {
        assert_eq!(message.headers["x-api-key"], "hunter2");
        assert_eq!(message.headers["accept"], "application/json, text/event-stream");
        assert!(!message.headers.contains_key("authorization"));
    }
    assert_ne!(seen[2].body["id"], seen[3].body["id"]);
}

#[tokio::test]
async fn cl16_a_forgotten_session_is_opened_again_once() {
    let calls = AtomicUsize::new(0);
    let fake = fake(move |seen| match calls.fetch_add(1, Ordering::SeqCst) {
        0 => answer("404 Not Found", "", ""),
        _ => answer_json(&result(seen, json!({}))),
    })
    .await;
    assert_eq!(call(&upstreams(&fake).await, "echo").await.unwrap(), json!({}));
    assert_eq!(fake.seen().iter().filter(|seen| seen.rpc() == "initialize").count(), 2);
    assert_eq!(why(|_| answer("404 Not Found", "", "")).await, Trouble::Status(404));
}

#[tokio::test]
async fn t030_streams_are_read_event_by_event() {
    let fake = fake(|seen| {
        let token = &seen.body["params"]["_meta"]["progressToken"];
        let progress = json!({"jsonrpc": "2.0", "method": "notifications/progress",
                              "params": {"progressToken": token, "progress": 1}});
        let strange = json!({"jsonrpc": "2.0", "id": 999_999, "result": {"n": "not yours"}});
        let answer = result(seen, json!({"n": "yours", "text": "a\ndata: b\r\n\r\n"}));
        events(&format!(
            ": hello\nid: 1\nevent: message\ndata: {progress}\n\ndata: {strange}\r\n\r\ndata: no json\r\r\
             data: {answer}\n\ndata: {strange}\n\n"
        ))
    })
    .await;
    let upstreams = upstreams(&fake).await;
    let (side, mut heard) = Side::open(4);
    let params = json!({"name": "echo"}).to_string();
    let streamed = Outgoing { params: Bytes::from(params), side: Some(side), ..outgoing("echo", &json!({}), LONG) };
    assert_eq!(ask(&upstreams, streamed).await.unwrap()["text"], "a\ndata: b\r\n\r\n");
    let Told::Progress(params) = heard.recv().await.unwrap() else { panic!("no progress") };
    assert!(params.ends_with(b"\"progress\":1}"));
    assert!(heard.recv().await.is_none());
}

#[tokio::test]
async fn a_connection_is_used_again_after_json_and_after_a_stream() {
    let fake = fake(|seen| {
        let event = format!("data: {}\n\n", result(seen, json!({})));
        let chunk = format!("{:x}\r\n{event}\r\n0\r\n\r\n", event.len());
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
        Answer::Bytes(format!("{head}{chunk}").into())
    })
    .await;
    let upstreams = upstreams(&fake).await;
    for _ in 0..20 {
        assert_eq!(call(&upstreams, "echo").await.unwrap(), json!({}));
    }
    let connections: Vec<_> = fake.seen().iter().map(|seen| seen.connection).collect();
    assert!(connections.iter().all(|number| *number < 4), "{connections:?}");
}

#[tokio::test]
async fn px12_a_refusal_of_our_credentials_is_never_the_callers() {
    let challenge = "www-authenticate: Bearer realm=\"x\", resource_metadata=\"http://attacker/\"\r\n";
    assert_eq!(why(move |_| answer("401 Unauthorized", challenge, "")).await, Trouble::Refused);
    assert_eq!(why(|_| answer("403 Forbidden", "", "attacker")).await, Trouble::Refused);
}

#[tokio::test]
async fn t099_t111_redirects_are_not_followed() {
    let canary = fake(|seen| answer_json(&result(seen, json!({})))).await;
    for status in ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let location = format!("location: {}\r\n", canary.url);
        assert_eq!(why(move |_| answer(status, &location, "")).await, Trouble::Redirected);
    }
    assert!(canary.seen().is_empty());
}

#[tokio::test]
async fn t167_answers_that_are_none_are_told_apart() {
    let html = "content-type: text/html\r\n";
    let json_type = "content-type: application/json\r\n";
    assert_eq!(why(move |_| answer("200 OK", html, "<p>attacker")).await, Trouble::Garbage);
    assert_eq!(why(move |_| answer("200 OK", json_type, "{")).await, Trouble::Garbage);
    assert_eq!(why(move |_| answer("200 OK", "", "{}")).await, Trouble::Garbage);
    assert_eq!(why(|_| answer("202 Accepted", "", "")).await, Trouble::Garbage);
    assert_eq!(why(|_| answer("500 Oh", "", "attacker")).await, Trouble::Status(500));
    assert_eq!(why(|_| answer("429 Slow", "", "")).await, Trouble::Status(429));
    let other = json!({"jsonrpc": "2.0", "id": 77, "result": {}});
    assert_eq!(why(move |_| answer_json(&other)).await, Trouble::Garbage);
    assert_eq!(why(|_| events(": nothing\n\n")).await, Trouble::Crashed);
    assert_eq!(why(|_| Answer::Last(b"HTTP/1.1 200 OK\r\ncontent-le".to_vec())).await, Trouble::Crashed);
    let large = "x".repeat(2 * 1024 * 1024);
    let body = large.clone();
    assert_eq!(why(move |_| answer("200 OK", json_type, &body)).await, Trouble::TooLarge);
    assert_eq!(why(move |_| events(&format!("data: {large}"))).await, Trouble::TooLarge);
}

#[tokio::test]
async fn px11_an_error_of_the_protocol_is_an_answer_whatever_its_status() {
    for status in ["200 OK", "400 Bad Request", "404 Not Found"] {
        let fake = Fake::start(move |seen| match seen.rpc() {
            "initialize" => answer_json(&result(seen, json!({"protocolVersion": "2025-11-25", "capabilities": {}}))),
            "tools/call" => {
                let error =
                    json!({"jsonrpc": "2.0", "id": seen.body["id"], "error": {"code": -32602, "message": "no"}});
                answer(status, "content-type: application/json; charset=utf-8\r\n", &error.to_string())
            }
            _ => answer("202 Accepted", "", ""),
        })
        .await;
        assert_eq!(call(&upstreams(&fake).await, "echo").await.unwrap()["error"]["code"], -32602, "{status}");
    }
}

#[tokio::test]
async fn cl15_t204_who_waits_too_long_is_told_and_the_server_too() {
    let fake = fake(|_| Answer::Never).await;
    let upstreams = upstreams(&fake).await;
    evil(&upstreams).about().await.unwrap();
    let hang = outgoing("hang", &json!({}), Duration::from_millis(50));
    assert!(matches!(ask(&upstreams, hang).await.unwrap_err().why, Trouble::TimedOut(_)));
    until("the cancellation arrives", || fake.seen().iter().any(|seen| seen.rpc() == "notifications/cancelled")).await;
    let seen = fake.seen();
    assert_eq!(seen.last().unwrap().body["params"]["requestId"], seen[2].body["id"]);
}

#[tokio::test]
async fn px18_requests_within_a_stream_are_refused() {
    let fake = fake(|seen| match seen.rpc() {
        "tools/call" => {
            let asked = json!({"jsonrpc": "2.0", "id": "q", "method": "elicitation/create", "params": {}});
            events(&format!("data: {asked}\n\ndata: {}\n\n", result(seen, json!({}))))
        }
        _ => answer("202 Accepted", "", ""),
    })
    .await;
    assert_eq!(call(&upstreams(&fake).await, "echo").await.unwrap(), json!({}));
    let refusal = fake.seen().into_iter().find(|seen| seen.body["id"] == "q").unwrap();
    assert_eq!(refusal.body["error"]["code"], -32601);
}

#[tokio::test]
async fn tr37_px18_signs_of_life_within_a_stream_are_answered_however_many_and_questions_are_bounded() {
    let stream = |seen: &Seen, method: &str, many: usize| {
        let asked = |nth| json!({"jsonrpc": "2.0", "id": format!("{method}-{nth}"), "method": method});
        let asked: String = (0..many).map(|nth| format!("data: {}\n\n", asked(nth))).collect();
        events(&format!("{asked}data: {}\n\n", result(seen, json!({"done": true}))))
    };
    let fake = fake(move |seen| match (seen.rpc(), seen.body["params"]["name"].as_str()) {
        ("tools/call", Some("pings")) => stream(seen, "ping", 100),
        ("tools/call", _) => stream(seen, "sampling/createMessage", 100),
        _ => answer("202 Accepted", "", ""),
    })
    .await;
    let upstreams = upstreams(&fake).await;
    assert_eq!(call(&upstreams, "pings").await.unwrap(), json!({"done": true}));
    let lives = |seen: &Seen| seen.body["id"].as_str().is_some_and(|id| id.starts_with("ping-"));
    let answered: Vec<Seen> = fake.seen().into_iter().filter(lives).collect();
    assert!(answered.len() == 100 && answered.iter().all(|seen| seen.body["result"] == json!({})));
    assert_eq!(call(&upstreams, "questions").await.unwrap_err().why, Trouble::Garbage);
}

#[tokio::test]
async fn t107_an_endpoint_is_reached_only_where_the_configuration_gives_its_address() {
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = call(&build(&over_http(&format!("http://{closed}/")), options()), "echo").await.unwrap_err();
    assert_eq!(error.why, Trouble::Unavailable(EgressError::Unreachable));
    let secrets = |_: &SecretRef| Ok(Secret::new(String::new()));
    for url in ["http://169.254.169.254/mcp", "http://user:pw@127.0.0.1/", "ftp://x/", "not a url", "http://[fe80::1]/"]
    {
        let refused = Upstreams::build([(&name(), &over_http(url))], &secrets, options()).unwrap_err().to_string();
        assert!(refused.starts_with("server `evil`: ") && !refused.contains("pw"), "{refused}");
    }
}

#[tokio::test]
async fn lists_over_http_grow_old() {
    let fake = fake(|seen| answer_json(&result(seen, json!({"tools": [{"name": "a"}]})))).await;
    let mut quick = options();
    quick.list_age = Duration::ZERO;
    let (kept, aged) = (upstreams(&fake).await, build(&legacy(&fake.url), quick));
    for _ in 0..3 {
        assert!(evil(&kept).list(Kind::Tools).await.unwrap().get("a").is_some());
    }
    assert_eq!(fake.seen().iter().filter(|seen| seen.rpc() == "tools/list").count(), 1);
    for _ in 0..3 {
        assert!(evil(&aged).list(Kind::Tools).await.unwrap().get("a").is_some());
    }
    assert_eq!(fake.seen().iter().filter(|seen| seen.rpc() == "tools/list").count(), 4);
    assert!(evil(&kept).list(Kind::Prompts).await.unwrap().entries().is_empty(), "the capability is missing");
}
