//! Requests whose length can be read in two ways: refused, or the last of their connection.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use super::{served, yaml};
use crate::{gateway::DEMO, support::running::Running};

/// All that is answered to bytes on one connection.
fn all(gateway: &Running, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(gateway.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// The second request of each connection, which must never be answered: it closes what it is on.
fn hidden(address: std::net::SocketAddr) -> String {
    format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")
}

#[test]
fn t126_no_hidden_request_is_answered() {
    let gateway = Running::start(&yaml("limits: {idle: 2s, request: 2s}"));
    let address = gateway.address();
    let hidden = hidden(address);
    let body = format!("0\r\n\r\n{hidden}");
    let length = body.len();
    let mut corpus = Vec::new();
    let chunked = [
        "Transfer-Encoding: chunked",
        "transfer-encoding:chunked",
        "Transfer-Encoding: Chunked",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: identity, chunked",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: \"chunked\"",
        "Transfer-Encoding: chunked;q=1",
        "Transfer-Encoding: identity",
        "Transfer-Encoding:",
        "Transfer-Encoding: chunked\x0b",
        "Transfer-Encoding\t: chunked",
        "Transfer-Encoding : chunked",
        " Transfer-Encoding: chunked",
        "X: y\r\n Transfer-Encoding: chunked",
        "Transfer-Encoding:\r\n chunked",
        "Transfer-Encoding: chun\rked",
        "Transfer\x00-Encoding: chunked",
        "Transfer-Encoding: chunked\x00",
    ];
    // Each beside a length, before it and after it, by both kinds of path.
    for path in ["/mcp", "/nowhere"] {
        for line in chunked {
            for lines in [
                format!("{line}\r\nContent-Length: {length}"),
                format!("Content-Length: {length}\r\n{line}"),
                format!("Content-Length: 5\r\n{line}"),
            ] {
                corpus.push(format!("POST {path} HTTP/1.1\r\nHost: {address}\r\n{lines}\r\n\r\n{body}"));
            }
        }
        for lines in [
            "Content-Length: 5\r\nContent-Length: 6".to_owned(),
            format!("Content-Length: 0\r\nContent-Length: {length}"),
            format!("Content-Length: 0, {length}"),
            "Content-Length: +5".to_owned(),
            "Content-Length: -5".to_owned(),
            "Content-Length: 0x5".to_owned(),
            "Content-Length: 5 5".to_owned(),
            "Content-Length: 5.0".to_owned(),
            "Content-Length: 18446744073709551621".to_owned(),
            "Content-Length : 5".to_owned(),
            "Content-Length\t: 5".to_owned(),
            "Content-Length:\r\n 5".to_owned(),
        ] {
            corpus.push(format!("POST {path} HTTP/1.1\r\nHost: {address}\r\n{lines}\r\n\r\n{body}"));
        }
        // HTTP/1.0 has no chunks.
        corpus.push(format!("POST {path} HTTP/1.0\r\nHost: {address}\r\nTransfer-Encoding: chunked\r\n\r\n{body}"));
    }
    // Chunks that are none.
    for chunk in [
        "5\nhello\r\n",
        "0x5\r\nhello\r\n",
        "+5\r\nhello\r\n",
        "5\r\nhellohello\r\n",
        "ffffffffffffffffff\r\n",
        "-1\r\n",
        "\r\n",
    ] {
        corpus.push(format!(
            "POST /mcp HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}{body}"
        ));
    }
    assert!(corpus.len() >= 80, "{}", corpus.len());
    for request in &corpus {
        let answers = all(&gateway, request.as_bytes());
        // The request itself may be answered, and then the connection is at its end.
        let count = answers.matches("HTTP/1.").count();
        assert!(count <= 1, "{request}\n--- was answered\n{answers}");
        assert!(!answers.contains("HTTP/1.1 200"), "{request}\n--- was answered\n{answers}");
        let clear = answers.is_empty() || answers.starts_with("HTTP/1.1 4");
        assert!(clear, "{request}\n--- was answered\n{answers}");
        if count == 1 {
            let closes = answers.to_ascii_lowercase().contains("connection: close");
            assert!(closes, "{request}\n--- was answered without an end\n{answers}");
        }
    }
    // A good one may be followed by another.
    let good = format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\n\r\n{hidden}");
    assert_eq!(all(&gateway, good.as_bytes()).matches("HTTP/1.1 200").count(), 2);
}

#[test]
fn t126_bare_line_ends_hide_nothing() {
    let gateway = Running::start(&yaml("limits: {idle: 2s, request: 2s}"));
    let address = gateway.address();
    for (request, most) in [
        // A carriage return alone ends nothing.
        (format!("GET /healthz HTTP/1.1\rHost: {address}\r\n\r\n"), 1),
        (format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\nX: a\rContent-Length: 5\r\n\r\n"), 1),
        (format!("GET /healthz HTTP/1.1\r\nHost: {address}\rX: a\r\n\r\n"), 1),
        // A line feed alone ends a line (RFC 9112 §2.2): what follows it is a field like any other.
        (format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\nX: a\nTransfer-Encoding: chunked, identity\r\n\r\n"), 1),
        (format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\nX: a\nHost: evil.test\r\n\r\n"), 1),
        (format!("GET /healthz HTTP/1.1\nHost: {address}\nContent-Length: 5\nContent-Length: 6\n\n"), 1),
    ] {
        let answers = all(&gateway, request.as_bytes());
        assert!(answers.matches("HTTP/1.").count() <= most, "{request:?}: {answers}");
        assert!(!answers.contains("HTTP/1.1 200"), "{request:?}: {answers}");
    }
}

#[test]
fn sm31_ten_thousand_headers() {
    let gateway = Running::start(DEMO);
    let token = gateway.token("tag:clock", &[]);
    let before = gateway.peak_memory();
    let mut request = format!("POST /mcp HTTP/1.1\r\nHost: {}\r\n", gateway.address());
    for nth in 0..10_000 {
        request.push_str(&format!("X-{nth}: y\r\n"));
    }
    request.push_str("\r\n");
    for _ in 0..20 {
        // The refusal may be lost in the reset of a connection that is still written to.
        let refused = gateway.raw(request.as_bytes());
        assert!(matches!(refused.status, 0 | 431), "{refused:?}");
    }
    // More than a hundred, in few bytes: every one is refused with its status.
    let fields = |count: usize| "A: b\r\n".repeat(count);
    let few = |count| {
        format!("GET /healthz HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{}\r\n", gateway.address(), fields(count))
    };
    assert_eq!(gateway.raw(few(98).as_bytes()).status, 200);
    assert_eq!(gateway.raw(few(99).as_bytes()).status, 431);
    served(&gateway, &token);
    assert!(gateway.peak_memory() < before + 16, "{before} MiB and then {} MiB", gateway.peak_memory());
}

#[test]
fn t193_a_gzip_bomb_is_not_unpacked() {
    let gateway = Running::start(DEMO);
    let token = gateway.token("tag:clock", &[]);
    let before = gateway.peak_memory();
    let bearer = format!("Bearer {token}");
    // 32 GiB of zeros would need a length that is not believed; what it unpacks to is never asked.
    let bomb = "\u{1f}".repeat(3 << 20);
    for encoding in ["gzip", "gzip, gzip", "br", "zstd", "deflate", "x-gzip", "identity, gzip"] {
        let headers =
            [("Content-Type", "application/json"), ("Content-Encoding", encoding), ("Authorization", bearer.as_str())];
        let refused = gateway.send("POST", "/mcp", &headers, &bomb);
        assert!(matches!(refused.status, 0 | 415), "{encoding}: {refused:?}");
        // In few bytes the refusal is always read.
        assert_eq!(gateway.send("POST", "/mcp", &headers, "x").status, 415, "{encoding}");
    }
    served(&gateway, &token);
    assert!(gateway.peak_memory() < before + 16, "{before} MiB and then {} MiB", gateway.peak_memory());
}
