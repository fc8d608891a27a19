//! Sessions, streams and broken connections, before a server that does as a test says.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{initialize, initialized, legacy, modern, words};
use crate::support::{
    bridged::Bridged,
    fake_http::{Answer, Fake, Seen, answer, events, held, json as answer_json},
};

fn result(seen: &Seen, result: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": seen.body["id"], "result": result})
}

/// A server that opens the sessions `s1`, `s2`, …, and leaves the rest to `rest`.
async fn sessions(rest: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> Fake {
    let opened = AtomicUsize::new(0);
    Fake::start(move |seen| match (seen.method.as_str(), seen.rpc()) {
        (_, "initialize") => {
            let id = opened.fetch_add(1, Ordering::Relaxed) + 1;
            let body = result(seen, json!({"protocolVersion": "2025-06-18", "capabilities": {}})).to_string();
            answer("200 OK", &format!("content-type: application/json\r\nmcp-session-id: s{id}\r\n"), &body)
        }
        ("POST", method) if method.starts_with("notifications/") => answer("202 Accepted", "", ""),
        ("DELETE", _) => answer("204 No Content", "", ""),
        _ => rest(seen),
    })
    .await
}

/// Waits until the server has seen what `enough` asks for.
fn until(fake: &Fake, what: &str, enough: impl Fn(&[Seen]) -> bool) -> Vec<Seen> {
    let begun = Instant::now();
    loop {
        let seen = fake.seen();
        if enough(&seen) {
            return seen;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{what} is not seen: {seen:#?}");
        std::thread::yield_now();
    }
}

fn open(fake: &Fake) -> Bridged {
    let mut bridge = Bridged::start(&fake.url, Some("pc_at_x"));
    bridge.ask(&initialize(json!(0)));
    bridge.say(&initialized());
    bridge
}

fn not_offered() -> Answer {
    answer("405 Method Not Allowed", "allow: POST\r\n", "")
}

#[tokio::test(flavor = "multi_thread")]
async fn cl16_every_later_message_is_of_the_session_and_its_end_is_said() {
    let fake = sessions(|seen| match seen.method.as_str() {
        "GET" => not_offered(),
        _ => answer_json(&result(seen, json!({}))),
    })
    .await;
    let mut bridge = open(&fake);
    bridge.ask(&legacy(1, "tools/list", json!({})));
    until(&fake, "GET", |seen| seen.iter().any(|seen| seen.method == "GET"));
    assert!(bridge.end().0.success());
    let seen = fake.seen();
    let mut said: Vec<_> = seen.iter().map(|seen| (seen.method.as_str(), seen.rpc())).collect();
    // The stream is asked for while the client goes on.
    said.retain(|(method, _)| *method != "GET");
    let expected =
        [("POST", "initialize"), ("POST", "notifications/initialized"), ("POST", "tools/list"), ("DELETE", "")];
    assert_eq!(said, expected);
    for (nth, seen) in seen.iter().enumerate() {
        assert_eq!(seen.headers["authorization"], "Bearer pc_at_x");
        assert_eq!(seen.headers.get("mcp-session-id").map(String::as_str), (nth > 0).then_some("s1"));
        assert_eq!(seen.headers.get("mcp-protocol-version").map(String::as_str), (nth > 0).then_some("2025-06-18"));
        assert!(!seen.headers.contains_key("mcp-method"));
        if seen.method == "POST" {
            assert_eq!(seen.headers["accept"], "application/json, text/event-stream");
            assert_eq!(seen.headers["content-type"], "application/json");
        }
    }
    assert_eq!(seen[0].body, initialize(json!(0)), "the client's own words");
}

#[tokio::test(flavor = "multi_thread")]
async fn cl16_what_the_session_s_stream_says_is_heard_and_its_requests_are_answered() {
    let fake = sessions(|seen| match (seen.method.as_str(), seen.rpc()) {
        ("GET", _) => held(
            "id: 7\ndata:\n\ndata: {\"jsonrpc\":\"2.0\",\ndata: \"id\":\"theirs\",\"method\":\"roots/list\"}\n\ndata: no message\n\n",
        ),
        // An answer of the client's.
        ("POST", "") => answer("202 Accepted", "", ""),
        _ => answer_json(&result(seen, json!({}))),
    })
    .await;
    let mut bridge = open(&fake);
    let asked = bridge.hear();
    assert_eq!((&asked["id"], &asked["method"]), (&json!("theirs"), &json!("roots/list")));
    let roots = json!({"jsonrpc": "2.0", "id": "theirs", "result": {"roots": []}});
    bridge.say(&roots);
    let seen = until(&fake, "the answer", |seen| seen.iter().any(|seen| seen.body == roots));
    let posted = seen.iter().find(|seen| seen.body == roots).unwrap();
    assert_eq!(posted.headers["mcp-session-id"], "s1");
    let (status, rest) = bridge.end();
    assert!(status.success() && rest.is_empty(), "{rest:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn cl16_a_forgotten_session_is_opened_again_once_and_the_request_repeated() {
    let fake = sessions(|seen| match (seen.method.as_str(), seen.headers.get("mcp-session-id").map(String::as_str)) {
        ("GET", _) => not_offered(),
        (_, Some("s1")) if seen.body["id"] != 1 => answer("404 Not Found", "", ""),
        (_, Some("s3")) => answer("404 Not Found", "", ""),
        (_, Some("s2")) if seen.body["id"] == 99 => answer("404 Not Found", "", ""),
        _ => answer_json(&result(seen, json!({"in": seen.headers["mcp-session-id"]}))),
    })
    .await;
    let mut bridge = open(&fake);
    assert_eq!(bridge.ask(&legacy(1, "tools/call", json!({"name": "x"})))["result"]["in"], "s1");
    // Many at once open one session.
    for id in 10..20 {
        bridge.say(&legacy(id, "tools/call", json!({"name": "x"})));
    }
    for _ in 10..20 {
        let answer = bridge.hear();
        assert_eq!(answer["result"]["in"], "s2", "{answer}");
    }
    let opened = |seen: &[Seen]| {
        seen.iter().filter(|seen| seen.rpc() == "initialize").map(|seen| seen.body.clone()).collect::<Vec<_>>()
    };
    assert_eq!(opened(&fake.seen()), [initialize(json!(0)), initialize(json!(0))]);
    // One that is forgotten again at once is not opened for ever.
    let refused = bridge.ask(&legacy(99, "tools/call", json!({"name": "x"})));
    assert!(words(&refused).contains("HTTP status 404"), "{refused}");
    assert_eq!(opened(&fake.seen()).len(), 3);
    assert!(bridge.end().0.success());
    assert!(bridge.log().contains("had forgotten the session"), "{}", bridge.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn tr27_tr28_a_request_taken_back_ends_its_stream_or_is_told_of_by_era() {
    let fake = sessions(|seen| match seen.method.as_str() {
        "GET" => not_offered(),
        _ => held(": working\n\n"),
    })
    .await;
    let mut bridge = open(&fake);
    let cancel = |id: u64| json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}});
    let has = |seen: &[Seen], method: &str| seen.iter().any(|seen| seen.rpc() == method);
    bridge.say(&modern(1, "tools/call", json!({"name": "x"})));
    until(&fake, "the call", |seen| has(seen, "tools/call"));
    bridge.say(&cancel(1));
    let seen = until(&fake, "the stream's end", |seen| seen.iter().any(|seen| seen.method == "END"));
    assert!(!has(&seen, "notifications/cancelled"), "{seen:#?}");
    bridge.say(&legacy(2, "prompts/get", json!({"name": "x"})));
    until(&fake, "the request", |seen| has(seen, "prompts/get"));
    bridge.say(&cancel(2));
    let seen = until(&fake, "the cancellation", |seen| has(seen, "notifications/cancelled"));
    assert_eq!(seen.iter().find(|seen| seen.rpc() == "notifications/cancelled").unwrap().body, cancel(2));
    // Neither is answered.
    let (status, rest) = bridge.end();
    assert!(status.success() && rest.is_empty(), "{rest:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn cl14_a_broken_answer_is_an_error_and_nothing_is_repeated() {
    let fake = sessions(|seen| match (seen.method.as_str(), seen.body["id"].as_u64()) {
        ("GET", _) => not_offered(),
        (_, Some(1)) => events("data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{}}\n\n"),
        (_, Some(2)) => {
            Answer::Last(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{".into())
        }
        (_, Some(3)) => Answer::Last(Vec::new()),
        (_, Some(4)) => answer("200 OK", "content-type: text/html\r\n", "<html>"),
        (_, Some(5)) => answer("302 Found", "location: https://elsewhere.example/\r\n", ""),
        (_, Some(6)) => answer_json(&json!({"jsonrpc": "2.0", "id": 600, "result": {}})),
        (_, Some(7)) => answer("502 Bad Gateway", "content-type: text/plain\r\n", "no"),
        _ => answer(
            "500 Internal Server Error",
            "content-type: application/json\r\n",
            "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-1,\"message\":\"as it\\nis\",\n\"data\":1.0}}",
        ),
    })
    .await;
    let mut bridge = open(&fake);
    bridge.say(&legacy(1, "tools/call", json!({"name": "x"})));
    assert_eq!(bridge.hear()["method"], "notifications/progress");
    let broken = bridge.hear();
    assert!(words(&broken).contains("broke before the answer had come") && broken["id"] == 1, "{broken}");
    for (id, expected) in
        [(2, "broke"), (3, "broke"), (4, "not MCP"), (5, "redirects"), (6, "not MCP"), (7, "HTTP status 502")]
    {
        let failed = bridge.ask(&legacy(id, "tools/call", json!({"name": "x"})));
        assert_eq!(failed["error"]["code"], -32603, "{failed}");
        assert!(words(&failed).contains(expected) && words(&failed).contains(&fake.url), "{failed}");
    }
    let passed = bridge.ask(&legacy(8, "tools/call", json!({"name": "x"})));
    assert_eq!(passed["error"], json!({"code": -1, "message": "as it\nis", "data": 1.0}));
    assert_eq!(fake.seen().iter().filter(|seen| seen.rpc() == "tools/call").count(), 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn cl09_arguments_are_mirrored_once_a_list_has_said_so() {
    let fake = sessions(|seen| match seen.rpc() {
        "tools/list" => {
            let region = json!({"type": "string", "x-mcp-header": "Region"});
            let schema = json!({"type": "object", "properties": {"region": region}});
            answer_json(&result(seen, json!({"tools": [{"name": "query", "inputSchema": schema}]})))
        }
        _ => answer_json(&result(seen, json!({}))),
    })
    .await;
    let mut bridge = Bridged::start(&fake.url, None);
    let call = |id| modern(id, "tools/call", json!({"name": "query", "arguments": {"region": "eu west"}}));
    bridge.ask(&call(1));
    bridge.ask(&modern(2, "tools/list", json!({})));
    bridge.ask(&call(3));
    let seen = fake.seen();
    assert_eq!(seen[0].headers.get("mcp-param-region"), None);
    assert_eq!(seen[2].headers["mcp-param-region"], "eu west");
    assert_eq!((seen[2].headers["mcp-method"].as_str(), seen[2].headers["mcp-name"].as_str()), ("tools/call", "query"));
    assert!(!seen[2].headers.contains_key("authorization"));
}

#[tokio::test(flavor = "multi_thread")]
async fn large_messages_pass_both_ways_and_larger_ones_are_refused() {
    let fake = sessions(|seen| match seen.body["id"].as_u64() {
        Some(3) => answer_json(&result(seen, json!({"text": "z".repeat(17 << 20)}))),
        _ => answer_json(&result(seen, seen.body["params"].clone())),
    })
    .await;
    let mut bridge = Bridged::start(&fake.url, None);
    let large = json!({"text": "x\u{e9}".repeat(5 << 20)});
    assert_eq!(bridge.ask(&legacy(1, "tools/call", large.clone()))["result"], large);
    bridge.say(&legacy(2, "tools/call", json!({"text": "x".repeat(17 << 20)})));
    let refused = bridge.hear();
    assert_eq!((&refused["id"], words(&refused)), (&Value::Null, "the message is larger than 16 MiB"));
    let refused = bridge.ask(&legacy(3, "tools/call", json!({})));
    assert!(words(&refused).contains("more than is taken"), "{refused}");
    assert_eq!(bridge.ask(&legacy(4, "tools/call", json!({"a": 1})))["result"], json!({"a": 1}));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_the_input_ends_streams_and_a_signal_ends_all() {
    let fake = sessions(|seen| match seen.method.as_str() {
        "GET" => held(""),
        _ => held(": working\n\n"),
    })
    .await;
    let has = |seen: &[Seen], method: &str| seen.iter().any(|seen| seen.rpc() == method);
    // A stream that would never end is not waited for.
    let mut bridge = Bridged::start(&fake.url, None);
    bridge.say(&modern(1, "subscriptions/listen", json!({})));
    until(&fake, "the stream", |seen| has(seen, "subscriptions/listen"));
    let begun = Instant::now();
    let (status, rest) = bridge.end();
    assert!(status.success() && rest.is_empty() && begun.elapsed() < Duration::from_secs(5), "{rest:?}");
    // A call is waited for, until we are told not to.
    let mut bridge = open(&fake);
    bridge.say(&legacy(2, "tools/call", json!({"name": "x"})));
    until(&fake, "the call", |seen| has(seen, "tools/call"));
    let begun = Instant::now();
    let (status, rest) = bridge.stop();
    assert!(status.success() && begun.elapsed() < Duration::from_secs(5));
    let [answer] = rest.as_slice() else { panic!("{rest:?}") };
    assert!(answer["id"] == 2 && words(answer).contains("being stopped"), "{answer}");
    until(&fake, "the session's end", |seen| seen.iter().any(|seen| seen.method == "DELETE"));
}
