//! What callers say comes back as words at most, whatever it is and wherever they said it; and bad tokens
//! are all alike.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::{Duration, Instant},
};

use portcullis::plain::deceives;
use serde_json::{Value, json};

use super::DEMO;
use crate::support::running::{Running, parse, request};

/// What means harm to a terminal, a log, a header, a page or a reader.
const HOSTILE: [&str; 13] = [
    "\u{1b}[31mred\u{1b}[0m",
    "\u{1b}]0;title\u{7}",
    "a\r\nSet-Cookie: owned=1",
    "a\n{\"type\":\"decision\",\"verdict\":\"allow\"}",
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "\u{202e}gpj.exe\u{2066}",
    "zero\u{200b}width\u{feff}",
    "tag\u{e0041}\u{e0042}",
    "\u{9b}31m\u{85}\u{2028}",
    "nul\0byte",
    "%0d%0aSet-Cookie:%20owned=1",
    "{{7*7}}${jndi:ldap://x}`id`",
];

/// Every place of a message that something is said of in the answer.
fn messages(said: &str) -> Vec<Value> {
    let with_id = |mut message: Value, id: Value| {
        message["id"] = id;
        message
    };
    let mut unknown = request("ping", json!({}));
    unknown[said] = json!(1);
    vec![
        request("tools/call", json!({"name": said, "arguments": {}})),
        request("tools/call", json!({"name": format!("time__{said}"), "arguments": {}})),
        request("tools/call", json!({"name": format!("{said}__now"), "arguments": {}})),
        request("tools/call", json!({"name": "time__now", "arguments": {said: said}})),
        request("prompts/get", json!({"name": said})),
        request("resources/read", json!({"uri": said})),
        request("resources/subscribe", json!({"uri": said})),
        request(
            "completion/complete",
            json!({"ref": {"type": "ref/prompt", "name": said}, "argument": {"name": said, "value": said}}),
        ),
        request(
            "completion/complete",
            json!({"ref": {"type": said, "name": "x"}, "argument": {"name": "x", "value": "y"}}),
        ),
        request("tools/list", json!({"cursor": said})),
        request("logging/setLevel", json!({"level": said})),
        request(said, json!({})),
        request(
            "initialize",
            json!({"protocolVersion": said, "capabilities": {}, "clientInfo": {"name": said, "version": said}}),
        ),
        request(
            "tools/list",
            json!({"_meta": {"io.modelcontextprotocol/protocolVersion": said, "io.modelcontextprotocol/clientCapabilities": {}}}),
        ),
        with_id(request("tools/call", json!({"name": "x"})), json!(said)),
        json!({"jsonrpc": said, "id": 1, "method": "ping"}),
        unknown,
    ]
}

/// Answers as they stand on the wire.
fn raw(gateway: &Running, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(gateway.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    _ = stream.read_to_end(&mut answer);
    answer
}

fn post(gateway: &Running, path: &str, more: &[(&str, &str)], body: &str) -> Vec<u8> {
    let mut text = format!(
        "POST {path} HTTP/1.1\r\nContent-Type: application/json\r\nAccept: application/json\r\nConnection: close\r\nContent-Length: {}\r\n",
        body.len()
    );
    if !more.iter().any(|(name, _)| *name == "Host") {
        text.push_str(&format!("Host: {}\r\n", gateway.address()));
    }
    more.iter().for_each(|(name, value)| text.push_str(&format!("{name}: {value}\r\n")));
    raw(gateway, format!("{text}\r\n{body}").as_bytes())
}

/// Whatever was said, this is an answer in which nothing acts.
fn harmless(what: &str, answer: &[u8]) {
    if answer.is_empty() {
        return;
    }
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or_else(|| panic!("{what}: no head"));
    let (head, body) = answer.split_at(end + 4);
    assert!(head.iter().all(|b| matches!(b, b' '..=b'~' | b'\r' | b'\n')), "{what}: {}", String::from_utf8_lossy(head));
    let parsed = parse(answer);
    assert!(parsed.header("set-cookie").is_none() && parsed.header("x").is_none(), "{what}: {parsed:?}");
    assert!(parsed.status >= 200, "{what}");
    // What hyper refuses by itself has no body.
    if body.is_empty() {
        return;
    }
    let kind = parsed.header("content-type").unwrap_or_default();
    assert!(["application/json", "text/event-stream"].contains(&kind), "{what}: {kind}");
    assert_eq!(parsed.header("x-content-type-options"), Some("nosniff"), "{what}");
    let value = parsed.json();
    let error = &value["error"];
    let words = [&error["message"], &value["error_description"]].into_iter().find_map(Value::as_str);
    if !error.is_null() {
        // One form of error a surface.
        let of_rpc = value["jsonrpc"] == "2.0" && error["code"].is_i64() && error["message"].is_string();
        let plain = error.is_string() && value["error_description"].is_string() && value["jsonrpc"].is_null();
        assert!(of_rpc || plain, "{what}: {value}");
    }
    if let Some(words) = words {
        assert!(!words.chars().any(deceives), "{what}: {words:?}");
        // SM-32: nothing of our insides.
        for inside in ["/root/", "src/", ".rs:", "panicked", "SELECT", "sqlite", "cedar", "poem", "hyper"] {
            assert!(!words.contains(inside), "{what}: {words}");
        }
    }
}

#[test]
fn sm33_sm32_t215_nothing_that_a_caller_says_acts_in_an_answer_a_log_or_the_trail() {
    let mut gateway = Running::prepare(DEMO);
    gateway.launch_with(&["--log", "debug"]);
    let token = gateway.token("tag:clock,tag:notes", &[]);
    let session = gateway.open("/mcp", Some(&token), json!({})).unwrap();
    let bearer = format!("Bearer {token}");
    let mine = [("Authorization", bearer.as_str()), ("Mcp-Session-Id", &session)];
    for said in HOSTILE {
        for (nth, message) in messages(said).into_iter().enumerate() {
            let answer = post(&gateway, "/mcp", &mine, &message.to_string());
            harmless(&format!("{said:?} in message {nth}"), &answer);
        }
        // A key twice, and no JSON at all.
        let key = json!(said).to_string();
        for body in [
            format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":{{{key}:1,{key}:2}}}}"),
            said.to_owned(),
        ] {
            harmless(&format!("{said:?} as a body"), &post(&gateway, "/mcp", &mine, &body));
        }
        // One line of a request, as far as a request can hold it.
        let line: String = said.chars().map(|c| if matches!(c, '\r' | '\n' | '\0') { ' ' } else { c }).collect();
        let list = request("tools/list", json!({})).to_string();
        for name in [
            "Host",
            "Origin",
            "Authorization",
            "User-Agent",
            "Content-Type",
            "Accept",
            "Mcp-Session-Id",
            "Mcp-Method",
            "Mcp-Name",
            "MCP-Protocol-Version",
            "X-Forwarded-For",
            "Forwarded",
            "Cookie",
            "Last-Event-ID",
            "Content-Encoding",
            "Expect",
        ] {
            for value in [line.clone(), format!("Bearer {line}")] {
                harmless(&format!("{said:?} in {name}"), &post(&gateway, "/mcp", &[(name, &value)], &list));
            }
        }
        let encoded: String = said.bytes().map(|b| format!("%{b:02x}")).collect();
        let squeezed: String = line.split_whitespace().collect();
        for piece in [encoded, squeezed] {
            for path in [
                format!("/{piece}"),
                format!("/mcp/{piece}"),
                format!("/mcp/@{piece}"),
                format!("/mcp?tags={piece}"),
                format!("/mcp?{piece}=1"),
                format!("/.well-known/oauth-protected-resource/{piece}"),
                format!("/.well-known/oauth-protected-resource/mcp/{piece}"),
            ] {
                for headers in [&mine[..], &[]] {
                    harmless(&path, &post(&gateway, &path, headers, &list));
                }
                harmless(
                    &path,
                    &raw(
                        &gateway,
                        format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", gateway.address())
                            .as_bytes(),
                    ),
                );
            }
        }
    }
    assert_eq!(gateway.tools("/mcp", Some(&token)).len(), 5, "and it serves on");
    assert!(gateway.stop().success());
    for file in ["stderr.log", ".portcullis/audit.ndjson"] {
        let text = std::fs::read_to_string(gateway.path(file)).unwrap();
        let wild = text.chars().find(|c| *c != '\n' && deceives(*c));
        assert_eq!(wild, None, "{file}");
    }
    // Each line of the trail is one record of ours.
    assert!(gateway.audit().iter().all(|record| record["v"] == 1 && record["seq"].is_u64()));
}

/// One connection that is asked again and again.
struct Line(TcpStream, Vec<u8>);

impl Line {
    fn ask(&mut self, bearer: &str) -> (Duration, String) {
        let body = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
        let text = format!(
            "POST /mcp HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nAuthorization: Bearer {bearer}\r\nContent-Length: {}\r\n\r\n{body}",
            self.0.peer_addr().unwrap(),
            body.len()
        );
        self.1.clear();
        let begun = Instant::now();
        self.0.write_all(text.as_bytes()).unwrap();
        let mut chunk = [0; 4096];
        loop {
            let read = self.0.read(&mut chunk).unwrap();
            self.1.extend_from_slice(&chunk[..read]);
            let text = String::from_utf8_lossy(&self.1);
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let length = head
                .lines()
                .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ").map(str::to_owned));
            if body.len() >= length.unwrap().parse::<usize>().unwrap() {
                return (begun.elapsed(), text.into_owned());
            }
        }
    }
}

#[test]
fn sm27_t214_a_bad_token_is_like_any_other_in_words_and_in_time() {
    let gateway = Running::start(DEMO);
    let revoked = gateway.token("tag:clock", &[]);
    let revoke = |arguments: &[&str]| assert!(gateway.command(arguments).output().unwrap().status.success());
    revoke(&["token", "revoke", "--all"]);
    let expired = gateway.token("tag:clock", &["--ttl", "1s"]);
    let elsewhere = gateway.token("tag:clock", &["--resource", &format!("http://{}/mcp/time", gateway.address())]);
    // One that the store never had: issued by this very key, and taken out of the store.
    let unknown = gateway.token("tag:clock", &[]);
    let output = std::process::Command::new("python3")
        .args(["-c", "import sqlite3,sys; c=sqlite3.connect(sys.argv[1]); c.execute('delete from token where id = (select max(id) from token)'); c.commit()"])
        .arg(gateway.path(".portcullis/portcullis.db"))
        .output();
    let kinds: Vec<&str> = match output {
        Ok(output) if output.status.success() => vec![&revoked, &expired, &elsewhere, &unknown],
        other => {
            crate::support::skipped("the unknown token", &format!("{other:?}"));
            vec![&revoked, &expired, &elsewhere]
        }
    };
    let stream = TcpStream::connect(gateway.address()).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut line = Line(stream, Vec::new());
    gateway.until("the short one to expire", || line.ask(&expired).1.starts_with("HTTP/1.1 401"));
    // In words: to the byte, but for the id of the decision and the time of day.
    let words = |text: &str| -> String {
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let mut body: Value = serde_json::from_str(body).unwrap();
        body["error"]["data"]["decision_id"] = Value::Null;
        let head: Vec<&str> = head.lines().filter(|line| !line.to_ascii_lowercase().starts_with("date:")).collect();
        format!("{head:?} {body}")
    };
    let mut bad: Vec<String> = kinds.iter().map(|kind| kind.to_string()).collect();
    bad.extend(["nonsense".to_owned(), "pc_at_0nonsense".to_owned(), revoked.replace("pc_at_", "pc_rt_")]);
    let answers: Vec<String> = bad.iter().map(|bearer| words(&line.ask(bearer).1)).collect();
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:#?}");
    assert!(answers[0].contains("401"), "{}", answers[0]);
    // In time: asked in turns, so that whatever else goes on is the same for all; what the store does not
    // know takes as long as what it knows and refuses. Wide enough for any machine, and tried again. What is
    // good elsewhere, or was good until now, is answered from the cache: that tells its holder nothing new.
    let [Some(known), Some(none)] = [kinds.first(), kinds.get(3)] else { return };
    let kinds = [known, none];
    let spread = |line: &mut Line| {
        let mut times = [Vec::new(), Vec::new()];
        for _ in 0..250 {
            for (kind, times) in kinds.iter().zip(&mut times) {
                times.push(line.ask(kind).0);
            }
        }
        let medians: Vec<Duration> = times
            .iter_mut()
            .map(|times| {
                times.sort_unstable();
                times[times.len() / 2]
            })
            .collect();
        let (least, most) = (*medians.iter().min().unwrap(), *medians.iter().max().unwrap());
        (most.as_secs_f64() / least.as_secs_f64(), medians)
    };
    let mut seen = Vec::new();
    for _ in 0..4 {
        let (ratio, medians) = spread(&mut line);
        eprintln!("medians of bad tokens: {medians:?}, {ratio:.2} at most");
        if ratio < 1.3 {
            return;
        }
        seen.push((ratio, medians));
    }
    panic!("some bad tokens take longer than others: {seen:?}");
}
