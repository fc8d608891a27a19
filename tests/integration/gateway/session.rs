//! Legacy sessions: opened by `initialize`, used by their owner alone, ended; and what the modern era
//! makes of all that, which is nothing.

use serde_json::{Value, json};

use super::DEMO;
use crate::support::{
    hostile_upstream,
    running::{Answer, Running, request},
};

/// A request about a session, of whatever method.
fn about(gateway: &Running, method: &str, path: &str, token: &str, session: &str, body: &str) -> Answer {
    let bearer = format!("Bearer {token}");
    let headers = [
        ("Content-Type", "application/json"),
        ("Accept", "application/json, text/event-stream"),
        ("Authorization", bearer.as_str()),
        ("Mcp-Session-Id", session),
    ];
    gateway.send(method, path, &headers, body)
}

fn list() -> String {
    request("tools/list", json!({})).to_string()
}

#[test]
fn tr31_tr32_t031_t035_a_session_is_needed_and_is_its_owners_alone() {
    let gateway = Running::start(DEMO);
    let token = gateway.token("tag:clock", &[]);
    let session = gateway.open("/mcp", Some(&token), json!({})).unwrap();
    assert!(session.len() >= 22 && session.bytes().all(|byte| byte.is_ascii_graphic()));
    assert_eq!(about(&gateway, "POST", "/mcp", &token, &session, &list()).status, 200);
    // SM-13: a new token of the same owner goes on.
    let refreshed = gateway.token("tag:clock", &[]);
    assert_eq!(about(&gateway, "POST", "/mcp", &refreshed, &session, &list()).status, 200);
    // None, and none that there is: every method alike, whatever it asks.
    for body in [
        list(),
        request("nonsense", json!({})).to_string(),
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#.into(),
        r#"{"jsonrpc":"2.0","id":1,"result":{}}"#.into(),
    ] {
        assert_eq!(
            gateway.post_in("/mcp", Some(&token), None, &serde_json::from_str(&body).unwrap()).status,
            400,
            "{body}"
        );
        let unknown = about(&gateway, "POST", "/mcp", &token, "made-up", &body);
        assert_eq!(unknown.status, 404, "{body}");
        assert!(unknown.header("mcp-session-id").is_none());
    }
    // Another principal, another client, another endpoint, no token.
    let robot = gateway.token("tag:clock", &["--client", "robot"]);
    let boss = gateway.token("tag:secret", &["--user", "boss"]);
    let resource = format!("http://{}/mcp/time", gateway.address());
    let elsewhere = gateway.token("tag:clock", &["--resource", &resource]);
    for (path, stranger) in [("/mcp", &robot), ("/mcp", &boss), ("/mcp/time", &elsewhere)] {
        for method in ["POST", "GET", "DELETE"] {
            let theirs = about(&gateway, method, path, stranger, &session, &list());
            let none = about(&gateway, method, path, stranger, "made-up", &list());
            let told = |answer: &Answer| answer.json()["error"]["message"].clone();
            assert_eq!((theirs.status, told(&theirs)), (404, told(&none)), "{path} {method}");
            assert_eq!(gateway.last_decision()["refusal"], "unknown-session");
        }
    }
    for method in ["POST", "GET", "DELETE"] {
        assert_eq!(
            gateway
                .send(method, "/mcp", &[("Mcp-Session-Id", &session), ("Content-Type", "application/json")], &list())
                .status,
            401
        );
    }
    // T-035: what a caller chooses is never adopted.
    let bearer = format!("Bearer {token}");
    let hello = request(
        "initialize",
        json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}),
    );
    let headers =
        [("Content-Type", "application/json"), ("Authorization", bearer.as_str()), ("Mcp-Session-Id", "mine")];
    let opened = gateway.send("POST", "/mcp", &headers, &hello.to_string());
    assert!(opened.header("mcp-session-id").is_some_and(|id| id != "mine" && id != session), "{opened:?}");
    // Ended, by its owner, once.
    assert_eq!(about(&gateway, "DELETE", "/mcp", &token, &session, "").status, 204);
    assert_eq!(about(&gateway, "DELETE", "/mcp", &token, &session, "").status, 404);
    assert_eq!(about(&gateway, "POST", "/mcp", &token, &session, &list()).status, 404);
    // T-034: the id is nowhere written down.
    for file in [".portcullis/audit.ndjson", "stderr.log"] {
        assert!(!crate::support::running::holds(&gateway.path(file), &session), "{file}");
    }
}

#[test]
fn tr33_tr29_a_modern_request_has_no_session_and_gets_none() {
    let gateway = Running::start(DEMO);
    let token = gateway.token("tag:clock", &[]);
    let bearer = format!("Bearer {token}");
    let params = json!({"_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}});
    let send = |method: &str, way: &str, params: &Value| {
        let headers = [
            ("Content-Type", "application/json"),
            ("Authorization", bearer.as_str()),
            ("MCP-Protocol-Version", "2026-07-28"),
            ("Mcp-Method", method),
            ("Mcp-Session-Id", "whatever"),
            ("Last-Event-ID", "7"),
            ("Accept", "text/event-stream, application/json"),
        ];
        gateway.send(way, "/mcp", &headers, &request(method, params.clone()).to_string())
    };
    let listed = send("tools/list", "POST", &params);
    assert_eq!((listed.status, listed.header("mcp-session-id")), (200, None), "{listed:?}");
    // TR-18, and what a caller of the other era has to know.
    let mut hello = params.clone();
    hello["protocolVersion"] = json!("2025-11-25");
    hello["capabilities"] = json!({});
    let gone = send("initialize", "POST", &hello);
    assert_eq!((gone.status, gone.code(), gone.header("mcp-session-id")), (404, -32601, None));
    assert!(gone.json()["error"]["message"].as_str().unwrap().contains("2026-07-28"));
    for method in ["ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe", "nonsense"] {
        let gone = send(method, "POST", &params);
        assert_eq!((gone.status, gone.code(), &gone.json()["id"]), (404, -32601, &json!(1)), "{method}");
    }
    // TR-01: no stream, no end.
    for way in ["GET", "DELETE"] {
        assert_eq!(send("tools/list", way, &params).status, 405, "{way}");
    }
    // TR-04: an answer is no request, and none of ours waits for one.
    let headers = [
        ("Content-Type", "application/json"),
        ("Authorization", bearer.as_str()),
        ("MCP-Protocol-Version", "2026-07-28"),
    ];
    assert_eq!(gateway.send("POST", "/mcp", &headers, r#"{"jsonrpc":"2.0","id":1,"result":{}}"#).status, 400);
    // A notification is taken.
    assert_eq!(
        gateway
            .send(
                "POST",
                "/mcp",
                &headers,
                r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#
            )
            .status,
        202
    );
}

#[test]
fn tr01_tr10_t032_a_session_has_one_stream_which_ends_with_it() {
    let gateway = Running::start(DEMO);
    let token = gateway.token("tag:clock", &[]);
    let session = gateway.open("/mcp", Some(&token), json!({})).unwrap();
    let bearer = format!("Bearer {token}");
    let headers =
        [("Accept", "text/event-stream"), ("Authorization", bearer.as_str()), ("Mcp-Session-Id", session.as_str())];
    let mut stream = gateway.events("GET", "/mcp", &headers, "");
    assert_eq!(stream.status, 200);
    assert_eq!(gateway.send("GET", "/mcp", &headers, "").status, 409);
    assert_eq!(gateway.send("GET", "/mcp", &[("Accept", "application/json"), headers[1], headers[2]], "").status, 406);
    assert_eq!(about(&gateway, "DELETE", "/mcp", &token, &session, "").status, 204);
    assert_eq!(stream.next(), None);
}

#[test]
fn tr32_sm13_a_stream_ends_with_the_token_that_opened_it() {
    let gateway = Running::start(DEMO);
    let token = gateway.token("tag:clock", &[]);
    let short = gateway.token("tag:clock", &["--ttl", "2s"]);
    let bearer = |token: &str| format!("Bearer {token}");
    let open = |token: &str| {
        let session = gateway.open("/mcp", Some(token), json!({})).unwrap();
        let authorization = bearer(token);
        let headers = [
            ("Accept", "text/event-stream"),
            ("Authorization", authorization.as_str()),
            ("Mcp-Session-Id", session.as_str()),
        ];
        gateway.events("GET", "/mcp", &headers, "")
    };
    let (mut expiring, mut revoked) = (open(&short), open(&token));
    assert_eq!(expiring.next(), None);
    assert!(gateway.command(&["token", "revoke", "--all"]).output().unwrap().status.success());
    assert_eq!(revoked.next(), None);
}

/// A server that never answers `hang`.
fn hanging() -> Running {
    let hostile = hostile_upstream();
    Running::start(&DEMO.replace(
        "grants:",
        &format!("  bad:\n    tags: [clock]\n    stdio: {{command: ['{hostile}', listed]}}\ngrants:"),
    ))
}

/// Begins a call that hangs, beside the test, and waits until it is decided.
fn hang(gateway: &Running, token: &str, session: &str, id: u64) -> std::thread::JoinHandle<Answer> {
    let (address, token, session) = (gateway.address(), token.to_owned(), session.to_owned());
    let before = gateway.audit().iter().filter(|record| record["request"]["tool"] == "hang").count();
    let call = std::thread::spawn(move || {
        use std::io::{Read as _, Write as _};
        let body = json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": "bad__hang", "arguments": {}}}).to_string();
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        write!(stream, "POST /mcp HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nAuthorization: Bearer {token}\r\nMcp-Session-Id: {session}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, headers: Vec::new(), body: body.to_owned() }
    });
    let begun = std::time::Instant::now();
    while gateway.audit().iter().filter(|record| record["request"]["tool"] == "hang").count() == before {
        assert!(begun.elapsed().as_secs() < 20, "the call was not decided");
    }
    call
}

#[test]
fn tr28_cl15_a_legacy_caller_cancels_its_own_call_and_nobody_elses() {
    let gateway = hanging();
    let token = gateway.token("tag:clock", &[]);
    let session = gateway.open("/mcp", Some(&token), json!({})).unwrap();
    let other = gateway.open("/mcp", Some(&token), json!({})).unwrap();
    let call = hang(&gateway, &token, &session, 7);
    let cancel = |session: &str, id: Value| {
        let cancelled = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}});
        assert_eq!(gateway.post_in("/mcp", Some(&token), Some(session), &cancelled).status, 202);
    };
    // Another session's call of the same id, another id, the same id of another type.
    cancel(&other, json!(7));
    cancel(&session, json!(8));
    cancel(&session, json!("7"));
    assert!(!call.is_finished());
    cancel(&session, json!(7));
    let answer = call.join().unwrap();
    assert_eq!((answer.status, answer.code()), (200, -31003), "{answer:?}");
    // The server was told.
    let seen = || {
        gateway
            .post_in(
                "/mcp",
                Some(&token),
                Some(&session),
                &request("tools/call", json!({"name": "bad__about", "arguments": {}})),
            )
            .json()
            .to_string()
    };
    assert!(seen().contains("result"));
}

#[test]
fn t086_a_call_ends_when_its_grant_is_revoked_and_others_go_on() {
    let gateway = hanging();
    let revoked = gateway.token("tag:clock", &[]);
    let session = gateway.open("/mcp", Some(&revoked), json!({})).unwrap();
    let call = hang(&gateway, &revoked, &session, 1);
    assert!(gateway.command(&["token", "revoke", "--all"]).output().unwrap().status.success());
    let answer = call.join().unwrap();
    assert_eq!((answer.status, answer.code()), (401, -31002), "{answer:?}");
    let token = gateway.token("tag:clock", &[]);
    assert!(gateway.call("/mcp", Some(&token), "time__now", json!({})).json()["result"].is_object());
}

#[test]
fn pc_logging_ping_and_what_is_merely_noted() {
    let gateway = Running::start(DEMO);
    let token = gateway.token("tag:clock", &[]);
    let ask = |method: &str, params: Value| gateway.post("/mcp", Some(&token), &request(method, params));
    // TR-37, PX-22.
    assert_eq!(ask("ping", json!({})).json()["result"], json!({}));
    assert_eq!(ask("logging/setLevel", json!({"level": "warning"})).json()["result"], json!({}));
    assert_eq!(ask("logging/setLevel", json!({"level": "loud"})).code(), -32602);
    for method in ["notifications/initialized", "notifications/roots/list_changed", "notifications/cancelled"] {
        let noted = gateway.post("/mcp", Some(&token), &json!({"jsonrpc": "2.0", "method": method}));
        assert_eq!((noted.status, noted.body.as_str()), (202, ""), "{method}");
    }
    // TR-05, T-025: an answer to nothing is of no consequence.
    let answer = gateway.post("/mcp", Some(&token), &json!({"jsonrpc": "2.0", "id": 1, "result": {}}));
    assert_eq!((answer.status, answer.body.as_str()), (202, ""));
    // An answer without an id answers nothing.
    let shapeless =
        gateway.post("/mcp", Some(&token), &json!({"jsonrpc": "2.0", "error": {"code": 1, "message": "x"}}));
    assert_eq!(shapeless.status, 400);
}

#[test]
fn t199_too_many_sessions_cost_their_owner_its_oldest_and_nobody_else_anything() {
    let gateway = Running::start(DEMO);
    let (token, robot) = (gateway.token("tag:clock", &[]), gateway.token("tag:clock", &["--client", "robot"]));
    let theirs = gateway.open("/mcp", Some(&robot), json!({})).unwrap();
    let sessions: Vec<String> = (0..70).map(|_| gateway.open("/mcp", Some(&token), json!({})).unwrap()).collect();
    let lives = |token: &str, session: &str| about(&gateway, "POST", "/mcp", token, session, &list()).status == 200;
    let living = sessions.iter().filter(|session| lives(&token, session)).count();
    assert_eq!(living, 64);
    assert!(!lives(&token, &sessions[0]) && lives(&token, &sessions[69]) && lives(&robot, &theirs));
    // Who is not let in opens none.
    for (path, token) in [("/mcp", "pc_at_0nonsense"), ("/mcp/nowhere", &token), ("/mcp/time", &token)] {
        assert!(gateway.open(path, Some(token), json!({})).is_none());
    }
}

#[test]
fn t199_what_a_session_keeps_is_bounded() {
    let gateway = Running::start(DEMO);
    let token = gateway.token("tag:clock", &[]);
    let hello = json!({"protocolVersion": "2025-11-25", "capabilities": {"experimental": {"x": "y".repeat(20_000)}},
                       "clientInfo": {"name": "test", "version": "1"}});
    let refused = gateway.post("/mcp", Some(&token), &request("initialize", hello));
    assert_eq!((refused.code(), refused.header("mcp-session-id")), (-32602, None), "{refused:?}");
}

#[test]
fn tr38_t026_ids_of_every_type_come_back_as_they_were_and_bad_ones_are_refused() {
    let gateway = Running::start(DEMO);
    let token = gateway.token("tag:clock", &[]);
    let session = gateway.open("/mcp", Some(&token), json!({})).unwrap();
    for id in [
        "0",
        "-1",
        "9007199254740993",
        "18446744073709551615",
        "-9223372036854775808",
        r#""0""#,
        r#""""#,
        r#""a\u0000\"b""#,
    ] {
        let answer = about(
            &gateway,
            "POST",
            "/mcp",
            &token,
            &session,
            &format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#),
        );
        assert!(answer.body.starts_with(&format!(r#"{{"jsonrpc":"2.0","id":{id},"result""#)), "{id}: {answer:?}");
    }
    for id in ["null", "1.5", "1e3", "true", "{}", "[]", "18446744073709551616"] {
        let answer = about(
            &gateway,
            "POST",
            "/mcp",
            &token,
            &session,
            &format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#),
        );
        assert_eq!((answer.status, answer.code()), (400, -32600), "{id}: {answer:?}");
    }
}

#[test]
fn t200_t193_large_deep_and_broken_messages_get_an_answer_and_disturb_nobody() {
    let gateway = Running::start(DEMO);
    let token = gateway.token("tag:clock", &[]);
    let session = gateway.open("/mcp", Some(&token), json!({})).unwrap();
    let send = |body: &str| about(&gateway, "POST", "/mcp", &token, &session, body);
    let deep = |levels: usize| {
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"time__now","arguments":{{"x":{}{}}}}}}}"#,
            "[".repeat(levels),
            "]".repeat(levels)
        )
    };
    assert_eq!(send(&deep(1000)).status, 400);
    assert_eq!(send(&deep(100_000)).status, 400);
    let string = |size: usize| {
        request("tools/call", json!({"name": "time__nonsense", "arguments": {"x": "y".repeat(size)}})).to_string()
    };
    assert_eq!(send(&string(4 << 20)).status, 413);
    assert_eq!(send(&string((4 << 20) - 1000)).code(), -32602);
    // Not UTF-8, in a string and in a key.
    for broken in
        [&b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\xff\"}"[..], b"{\"jsonrpc\":\"2.0\",\"id\":1,\"m\xc3\":1}"]
    {
        let mut raw = format!("POST /mcp HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: application/json\r\nAuthorization: Bearer {token}\r\nMcp-Session-Id: {session}\r\nContent-Length: {}\r\n\r\n", gateway.address(), broken.len()).into_bytes();
        raw.extend_from_slice(broken);
        let answer = gateway.raw(&raw);
        assert_eq!((answer.status, answer.code()), (400, -32700), "{answer:?}");
    }
    assert!(
        send(&request("tools/call", json!({"name": "time__now", "arguments": {}})).to_string()).json()["result"]
            .is_object()
    );
}
