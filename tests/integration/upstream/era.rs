//! Which era a server speaks: found out once, remembered, and found out again when it no longer fits.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use portcullis::{
    mcp::{Era, Kind},
    upstream::Trouble,
};

use super::*;
use crate::support::{
    fake_http::{Answer, Fake, Seen, answer, events, json as answer_json},
    fixture_upstream, hostile_upstream, is_there, until,
};

fn result(seen: &Seen, result: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": seen.body["id"], "result": result})
}

fn error(seen: &Seen, code: i32) -> String {
    json!({"jsonrpc": "2.0", "id": seen.body["id"], "error": {"code": code, "message": "no"}}).to_string()
}

const JSON: &str = "content-type: application/json\r\n";

/// Answers as a modern server of these tools does, and leaves calls to `call`.
fn modern(seen: &Seen, tools: &Value, call: impl Fn(&Seen) -> Answer) -> Answer {
    match seen.rpc() {
        "server/discover" => answer_json(&result(
            seen,
            json!({"resultType": "complete", "supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}}),
        )),
        "tools/list" => answer_json(&result(seen, json!({"tools": tools, "ttlMs": 60_000, "cacheScope": "public"}))),
        "tools/call" => call(seen),
        _ => answer("404 Not Found", JSON, &error(seen, -32601)),
    }
}

/// Answers as a legacy server does.
fn legacy(seen: &Seen) -> Answer {
    match seen.rpc() {
        "initialize" => answer_json(&result(seen, json!({"protocolVersion": "2025-11-25", "capabilities": {}}))),
        "tools/call" if seen.headers.get("mcp-protocol-version").is_some_and(|version| version == "2025-11-25") => {
            answer_json(&result(seen, json!({"era": "legacy"})))
        }
        method if method.starts_with("notifications/") => answer("202 Accepted", "", ""),
        _ => answer("400 Bad Request", JSON, r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"?"}}"#),
    }
}

fn asked(fake: &Fake) -> Vec<String> {
    fake.seen().iter().map(|seen| seen.rpc().to_owned()).collect()
}

#[tokio::test]
async fn cl06_what_is_no_modern_error_leads_to_initialize_over_http() {
    for (status, headers, body) in [
        ("400 Bad Request", "", String::new()),
        ("400 Bad Request", JSON, r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"?"}}"#.into()),
        ("404 Not Found", "content-type: text/html\r\n", "<p>no".into()),
        ("405 Method Not Allowed", "", String::new()),
        ("500 Oh", "", String::new()),
        ("200 OK", JSON, "{}".into()),
    ] {
        let said = body.clone();
        let fake = Fake::start(move |seen| match seen.rpc() {
            "server/discover" => answer(status, headers, &said),
            _ => legacy(seen),
        })
        .await;
        let upstreams = build(&over_http(&fake.url), options());
        assert_eq!(call(&upstreams, "echo").await.unwrap(), json!({"era": "legacy"}), "{status} {body}");
        assert_eq!(asked(&fake), ["server/discover", "initialize", "notifications/initialized", "tools/call"]);
        let seen = fake.seen();
        assert_eq!(seen[0].headers["mcp-protocol-version"], "2026-07-28");
        assert_eq!(seen[0].headers["mcp-method"], "server/discover");
        assert!(!seen[1].headers.contains_key("mcp-protocol-version") && !seen[3].headers.contains_key("mcp-method"));
    }
}

#[tokio::test]
async fn cl06_a_modern_error_never_leads_to_initialize() {
    for (code, why) in [(-32022, Trouble::Version), (-32020, Trouble::Uninitialized)] {
        let fake = Fake::start(move |seen| answer("400 Bad Request", JSON, &error(seen, code))).await;
        assert_eq!(call(&build(&over_http(&fake.url), options()), "echo").await.unwrap_err().why, why);
        assert_eq!(asked(&fake), ["server/discover"]);
    }
    // And what says nothing of the protocol is no reason to try the other.
    let fake = Fake::start(|_| answer("503 Busy", "", "")).await;
    assert_eq!(call(&build(&over_http(&fake.url), options()), "echo").await.unwrap_err().why, Trouble::Status(503));
    assert_eq!(asked(&fake), ["server/discover"]);
}

#[tokio::test]
async fn cl07_an_upgrade_and_a_downgrade_in_place_are_noticed() {
    let is_modern = Arc::new(AtomicBool::new(false));
    let now = is_modern.clone();
    let fake = Fake::start(move |seen| {
        if !now.load(Ordering::SeqCst) {
            return legacy(seen);
        }
        if seen.headers.get("mcp-protocol-version").is_none_or(|version| version != "2026-07-28") {
            return answer("400 Bad Request", JSON, &error(seen, -32022));
        }
        modern(seen, &json!([]), |seen| answer_json(&result(seen, json!({"era": "modern"}))))
    })
    .await;
    let upstreams = build(&over_http(&fake.url), options());
    assert_eq!(call(&upstreams, "echo").await.unwrap(), json!({"era": "legacy"}));
    is_modern.store(true, Ordering::SeqCst);
    assert_eq!(call(&upstreams, "echo").await.unwrap(), json!({"era": "modern"}), "refused undone, so asked again");
    is_modern.store(false, Ordering::SeqCst);
    assert_eq!(call(&upstreams, "echo").await.unwrap_err().why, Trouble::Status(400));
    assert_eq!(call(&upstreams, "echo").await.unwrap(), json!({"era": "legacy"}), "after one failure");
}

#[tokio::test]
async fn cl05_a_silent_or_frail_server_is_started_anew_with_initialize_over_stdio() {
    for mode in ["mute", "frail"] {
        let mut quick = options();
        quick.probe_timeout = Duration::from_millis(300);
        let upstreams = build(&stdio(&[&hostile_upstream(), mode], &[]), quick);
        let first = call(&upstreams, "about").await.unwrap()["pid"].as_u64().unwrap();
        assert_eq!(evil(&upstreams).about().await.unwrap().era, Era::Legacy, "{mode}");
        // What it showed itself to be is remembered: its next life is not asked.
        assert_eq!(call(&upstreams, "crash").await.unwrap_err().why, Trouble::Crashed);
        let begun = std::time::Instant::now();
        let second = call(&upstreams, "about").await.unwrap()["pid"].as_u64().unwrap();
        assert!(begun.elapsed() < LONG && first != second);
        upstreams.shutdown().await;
        assert!(!is_there(second));
    }
}

#[tokio::test]
async fn cl05_a_slow_start_is_not_misjudged_and_a_wrong_guess_is_mended() {
    let slow = stdio(&[&fixture_upstream(), "--era", "modern", "--start-after", "1500"], &[]);
    let upstreams = build(&slow, options());
    assert_eq!(evil(&upstreams).about().await.unwrap().era, Era::Modern);
    upstreams.shutdown().await;
    // Taken for legacy because it was silent; `initialize` is refused with -32022, and it is asked again.
    let mut hasty = options();
    hasty.probe_timeout = Duration::from_millis(100);
    let upstreams = build(&slow, hasty);
    assert_eq!(evil(&upstreams).about().await.unwrap().era, Era::Modern);
    upstreams.shutdown().await;
}

#[tokio::test]
async fn an_era_that_is_configured_is_not_asked_for() {
    for (era, choice, other) in
        [("legacy", EraChoice::Legacy, EraChoice::Modern), ("modern", EraChoice::Modern, EraChoice::Legacy)]
    {
        let server = stdio(&[&fixture_upstream(), "--era", era], &[]);
        let right = build(&Server { era: choice, ..server.clone() }, options());
        assert_eq!(evil(&right).about().await.unwrap().era == Era::Modern, era == "modern");
        right.shutdown().await;
        let wrong = build(&Server { era: other, ..server }, options());
        let why = evil(&wrong).about().await.unwrap_err().why;
        assert!(matches!(why, Trouble::Version | Trouble::Uninitialized), "{era}: {why}");
        wrong.shutdown().await;
    }
}

#[tokio::test]
async fn cl08_cl09_cl10_px28_px29_a_modern_request_says_in_its_fields_what_its_body_says() {
    let tools = json!([
        {"name": "run", "inputSchema": {"properties": {"region": {"type": "string", "x-mcp-header": "Region"},
                                                        "n": {"type": "integer", "x-mcp-header": "N"}}}},
        {"name": "bad", "inputSchema": {"properties": {"x": {"type": "number", "x-mcp-header": "X"}}}},
    ]);
    let listed = tools.clone();
    let fake = Fake::start(move |seen| modern(seen, &listed, |seen| answer_json(&result(seen, json!({"n": 1}))))).await;
    let upstreams = build(&over_http(&fake.url), options());
    let list = evil(&upstreams).list(Kind::Tools).await.unwrap();
    assert_eq!(list.entries().iter().map(|tool| tool.key()).collect::<Vec<_>>(), ["run"]);
    assert_eq!(list.entries()[0].json(), tools[0].to_string(), "its annotations are untouched");
    assert_eq!((list.ttl_ms(), list.public()), (Some(60_000), true));
    let run = outgoing("run", &json!({"region": "Zürich", "n": 42.0}), LONG);
    assert_eq!(ask(&upstreams, run).await.unwrap(), json!({"n": 1}));
    call(&upstreams, "tool with ü").await.unwrap();
    let seen = fake.seen();
    let run = &seen[2];
    for (field, value) in [
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "tools/call"),
        ("mcp-name", "run"),
        ("mcp-param-region", "=?base64?WsO8cmljaA==?="),
        ("mcp-param-n", "42"),
        ("accept", "application/json, text/event-stream"),
        ("x-api-key", "hunter2"),
    ] {
        assert_eq!(run.headers.get(field).map(String::as_str), Some(value), "{field}");
    }
    assert!(!run.headers.contains_key("mcp-session-id"));
    assert_eq!(run.body["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"], "2026-07-28");
    assert_eq!(run.body["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"], json!({}));
    assert!(seen[3].headers["mcp-name"].starts_with("=?base64?"));
    assert!(!seen[3].headers.contains_key("mcp-param-region"));
    upstreams.shutdown().await;
    assert_eq!(fake.seen().len(), 4, "there is no session to end");
}

#[tokio::test]
async fn cl11_a_call_that_lacks_a_field_goes_out_once_more_with_the_list_of_now() {
    let plain = json!([{"name": "run", "inputSchema": {"properties": {"region": {"type": "string"}}}}]);
    let annotated =
        json!([{"name": "run", "inputSchema": {"properties": {"region": {"type": "string", "x-mcp-header": "R"}}}}]);
    let lists = AtomicUsize::new(0);
    let fake = Fake::start(move |seen| {
        let first = seen.rpc() == "tools/list" && lists.fetch_add(1, Ordering::SeqCst) == 0;
        modern(seen, if first { &plain } else { &annotated }, |seen| match seen.headers.get("mcp-param-r") {
            Some(_) => answer_json(&result(seen, json!({"ran": true}))),
            None => answer("400 Bad Request", JSON, &error(seen, -32020)),
        })
    })
    .await;
    let upstreams = build(&over_http(&fake.url), options());
    evil(&upstreams).list(Kind::Tools).await.unwrap();
    let run = || outgoing("run", &json!({"region": "eu"}), LONG);
    assert_eq!(ask(&upstreams, run()).await.unwrap(), json!({"ran": true}));
    // Once: a server that always says so is believed.
    assert_eq!(call(&upstreams, "run").await.unwrap()["error"]["code"], -32020);
    let calls = asked(&fake).iter().filter(|method| *method == "tools/call").count();
    assert_eq!(calls, 4);
}

#[tokio::test]
async fn cl12_cl17_a_modern_server_is_never_answered_and_an_unknown_type_is_no_answer() {
    let fake = Fake::start(|seen| {
        modern(seen, &json!([]), |seen| match seen.body["params"]["name"].as_str() {
            Some("weird") => answer_json(&result(seen, json!({"resultType": "weird"}))),
            Some("bare") => answer_json(&result(seen, json!({"n": 1}))),
            Some("asks") => answer_json(&result(
                seen,
                json!({"resultType": "input_required", "inputRequests": {"a": {"method": "roots/list"}}}),
            )),
            _ => {
                let ask = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"});
                events(&format!("data: {ask}\n\ndata: {}\n\n", result(seen, json!({"n": 2}))))
            }
        })
    })
    .await;
    let upstreams = build(&over_http(&fake.url), options());
    assert_eq!(call(&upstreams, "weird").await.unwrap_err().why, Trouble::Garbage);
    assert_eq!(call(&upstreams, "bare").await.unwrap(), json!({"n": 1}));
    assert_eq!(call(&upstreams, "asks").await.unwrap_err().why, Trouble::Undeclared, "PX-13");
    assert_eq!(call(&upstreams, "pings").await.unwrap(), json!({"n": 2}));
    assert_eq!(call(&upstreams, "bare").await.unwrap(), json!({"n": 1}));
    assert!(fake.seen().iter().all(|seen| seen.body.get("method").is_some()), "nothing was answered");
}

#[tokio::test]
async fn cl15_a_modern_request_is_cancelled_as_its_transport_has_it() {
    let dir = tempfile::tempdir().unwrap();
    let record = dir.path().join("record");
    let entries = || std::fs::read_to_string(&record).unwrap_or_default();
    let path = record.to_str().unwrap();
    let wait = || outgoing("test_wait", &json!({"ms": 60_000}), Duration::from_millis(300));
    let http = super::cells::Served::start(&["--era", "modern", "--record", path]).await;
    let upstreams = build(&over_http(&http.url), options());
    evil(&upstreams).about().await.unwrap();
    assert!(matches!(ask(&upstreams, wait()).await.unwrap_err().why, Trouble::TimedOut(_)));
    until("the stream is closed", || entries().contains("\"closed\"")).await;
    assert!(!entries().contains("notifications/cancelled"));
    std::fs::remove_file(&record).unwrap();
    let upstreams = build(&stdio(&[&fixture_upstream(), "--era", "modern", "--record", path], &[]), options());
    evil(&upstreams).about().await.unwrap();
    assert!(matches!(ask(&upstreams, wait()).await.unwrap_err().why, Trouble::TimedOut(_)));
    until("it is told", || entries().contains("notifications/cancelled")).await;
    upstreams.shutdown().await;
}
