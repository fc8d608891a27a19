//! Hostile requests at the door: refused with a clear answer, written down, and nobody else disturbed.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

use serde_json::json;

use super::DEMO;
use crate::support::running::{Running, request};

#[test]
fn t020_t021_t028_bodies_that_are_no_message_are_refused_for_every_method() {
    let gateway = Running::start(DEMO);
    let token = gateway.token("tag:clock", &[]);
    let bearer = format!("Bearer {token}");
    let headers = [("Content-Type", "application/json"), ("Authorization", bearer.as_str())];
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let long = "x".repeat(300);
    for body in [
        "",
        "{",
        "null",
        "[]",
        "1",
        "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"time__now\",\"name\":\"notes__read_note\"}}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"time__now\",\"arguments\":{\"a\":{\"b\":1,\"b\":2}}}}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}{}",
        "{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"ping\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":1.5,\"method\":\"ping\"}",
        "{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"ping\"}",
        "\u{feff}{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
        &format!("{{\"jsonrpc\":\"2.0\",\"id\":\"{long}\",\"method\":\"ping\"}}"),
        &format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":{{\"x\":{deep}}}}}"),
    ] {
        let refused = gateway.send("POST", "/mcp", &headers, body);
        assert_eq!(refused.status, 400, "{body:.80}: {refused:?}");
        assert!(refused.json()["error"]["message"].is_string());
        assert_eq!(gateway.last_decision()["decision"]["because"], "validation-failed", "{body:.80}");
    }
    assert!(gateway.call("/mcp", Some(&token), "time__now", json!({})).json()["result"].is_object());
}

#[test]
fn t116_t118_t122_t126_only_our_own_name_and_clear_framing() {
    let gateway = Running::start(DEMO);
    let list = request("tools/list", json!({})).to_string();
    for host in ["evil.test", "localhost.evil.test", "127.0.0.1"] {
        let refused = gateway.send("POST", "/mcp", &[("Host", host), ("Content-Type", "application/json")], &list);
        assert_eq!((refused.status, refused.json()["error"].as_str().unwrap()), (403, "bad-host"), "{host}");
    }
    let refused =
        gateway.send("POST", "/mcp", &[("Origin", "https://evil.test"), ("Content-Type", "text/plain")], &list);
    assert_eq!(refused.status, 403);
    let address = gateway.address();
    for raw in [
        "POST /mcp HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}".to_owned(),
        format!("POST /mcp HTTP/1.1\r\nHost: {address}\r\nHost: {address}\r\nContent-Length: 2\r\n\r\n{{}}"),
        format!("POST /mcp HTTP/1.1\r\nHost: {address}\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{{}}"),
        format!("POST /mcp HTTP/1.1\r\nHost: {address}\r\nContent-Length: +2\r\n\r\n{{}}"),
        format!(
            "POST /mcp HTTP/1.1\r\nHost: {address}\r\nTransfer-Encoding: chunked, identity\r\nContent-Length: 2\r\n\r\n{{}}"
        ),
        format!("POST /mcp HTTP/1.1\r\nHost : {address}\r\nContent-Length: 2\r\n\r\n{{}}"),
        format!("GET /mcp HTTP/1.0\r\nX-Forwarded-Host: {address}\r\n\r\n"),
    ] {
        let raw = raw.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
        let refused = gateway.raw(raw.as_bytes());
        // Closed without an answer is a refusal too.
        assert!(refused.status == 0 || (400..500).contains(&refused.status), "{raw}: {refused:?}");
    }
}

#[test]
fn t123_t124_paths_are_taken_as_written() {
    let gateway = Running::start(DEMO);
    let token = gateway.token("tag:clock", &[]);
    let list = request("tools/list", json!({}));
    for path in [
        "//mcp",
        "/./mcp",
        "/x/../mcp",
        "/mcp/",
        "/MCP",
        "/%6dcp",
        "/mcp/%74ime",
        "/mcp/time/",
        "/mcp/..",
        "/mcp;v=1",
        "/mcp/Time",
        "/mcp/time/x",
    ] {
        let refused = gateway.post(path, Some(&token), &list);
        assert!(matches!(refused.status, 400 | 401 | 404), "{path}: {refused:?}");
    }
    assert_eq!(gateway.send("GET", "/nowhere", &[], "").status, 404);
    assert!(!gateway.send("GET", "/nowhere", &[], "").body.contains("poem"));
}

#[test]
fn t191_t193_t195_bodies_are_bounded_in_size_and_time() {
    let yaml = DEMO.replace(
        "listen: {address: '{address}'}",
        "listen: {address: '{address}', limits: {body: 4KiB, header_bytes: 8KiB, request: 2s, idle: 2s}}",
    );
    let gateway = Running::start(&yaml);
    let token = gateway.token("tag:clock", &[]);
    let bearer = format!("Bearer {token}");
    let big = request("tools/call", json!({"name": "time__now", "arguments": {"x": "y".repeat(10_000)}})).to_string();
    let headers = [("Content-Type", "application/json"), ("Authorization", bearer.as_str())];
    assert_eq!(gateway.send("POST", "/mcp", &headers, &big).status, 413);
    // Counted as received where no length is said.
    let address = gateway.address();
    let mut chunked = format!("POST /mcp HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nAuthorization: {bearer}\r\nTransfer-Encoding: chunked\r\n\r\n").into_bytes();
    for _ in 0..20 {
        chunked.extend_from_slice(b"400\r\n");
        chunked.extend_from_slice(&[b'x'; 1024]);
        chunked.extend_from_slice(b"\r\n");
    }
    assert_eq!(gateway.raw(&chunked).status, 413);
    let encoded =
        [("Content-Type", "application/json"), ("Content-Encoding", "gzip"), ("Authorization", bearer.as_str())];
    assert_eq!(gateway.send("POST", "/mcp", &encoded, "x").status, 415);
    // A body and a header section that never end are cut off; nobody else waits for them.
    let mut slow_body = TcpStream::connect(address).unwrap();
    write!(
        slow_body,
        "POST /mcp HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{{"
    )
    .unwrap();
    let mut slow_head = TcpStream::connect(address).unwrap();
    write!(slow_head, "POST /mcp HTTP/1.1\r\nHost: {address}\r\nX-").unwrap();
    assert!(gateway.call("/mcp", Some(&token), "time__now", json!({})).json()["result"].is_object());
    let mut answer = String::new();
    slow_body.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    let mut answer = Vec::new();
    _ = slow_head.read_to_end(&mut answer);
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 408"), "{}", String::from_utf8_lossy(&answer));
    // Headers too large or too many.
    let large = "x".repeat(20_000);
    // The refusal may be lost in the reset of a connection that is still written to.
    assert!(matches!(gateway.send("POST", "/mcp", &[("X-Large", &large)], "{}").status, 0 | 431));
    let many: Vec<(String, &str)> = (0..200).map(|nth| (format!("X-{nth}"), "y")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    assert!(matches!(gateway.send("POST", "/mcp", &many, "{}").status, 0 | 431));
    assert!(gateway.call("/mcp", Some(&token), "time__now", json!({})).json()["result"].is_object());
}

#[test]
fn sm19_floods_of_bad_tokens_are_counted_not_written_one_by_one() {
    let gateway = Running::start(DEMO);
    let list = request("tools/list", json!({}));
    for _ in 0..200 {
        assert_eq!(gateway.post_in("/mcp", Some("pc_at_0nonsense"), None, &list).status, 401);
    }
    let refusals = gateway.audit().iter().filter(|record| record["refusal"] == "bad-token").count();
    assert!((1..=30).contains(&refusals), "{refusals} records for 200 refusals");
    let mut gateway = gateway;
    assert!(gateway.stop().success());
    let counted: u64 = gateway
        .audit()
        .iter()
        .filter(|record| record["refusal"] == "bad-token")
        .map(|record| record["count"].as_u64().unwrap_or(1))
        .sum();
    assert_eq!(counted, 200);
}
