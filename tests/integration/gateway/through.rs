//! What passes through between a caller and a server of either era: who has left, log lines, what
//! changes, and servers that take their time.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::TcpStream,
    process::{Child, Command, Stdio},
    time::Duration,
};

use serde_json::{Value, json};

use super::{
    DEMO,
    merged::{Server, yaml},
};
use crate::support::{
    fake_http::{Fake, held, stream},
    fixture_upstream, hostile_upstream, is_there,
    running::{Events, Reading, Running, request},
};

/// A gateway before the conformance fixture, which writes down all that it receives.
pub(super) struct Before {
    pub(super) gateway: Running,
    folder: tempfile::TempDir,
    pub(super) token: String,
    server: Option<Child>,
    is_left: bool,
}

impl Before {
    pub(super) fn new(era: &str, over: &str, asks: &str) -> Self {
        Self::with(era, over, asks, None)
    }

    /// The same, before a server that wants this `X-Api-Key`.
    pub(super) fn with(era: &str, over: &str, asks: &str, key: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let headers = key.map_or_else(String::new, |key| {
            let path = folder.path().join("key");
            std::fs::write(&path, key).unwrap();
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
            format!(", headers: {{X-Api-Key: {{file: '{}'}}}}", path.display())
        });
        let record = folder.path().join("record").to_str().unwrap().to_owned();
        let fixture = fixture_upstream();
        let (wire, server) = if over == "http" {
            let arguments = ["--era", era, "--http", "0", "--record", &record];
            let mut child = Command::new(fixture).args(arguments).stdout(Stdio::piped()).spawn().unwrap();
            let mut url = String::new();
            BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
            (format!("http: {{url: '{}'{headers}}}", url.trim()), Some(child))
        } else {
            (format!("stdio: {{command: ['{fixture}', --era, {era}, --record, '{record}']}}"), None)
        };
        let yaml =
            DEMO.replace("  time:", &format!("  wiki:\n    tags: [clock]\n    asks: {asks}\n    {wire}\n  time:"));
        let gateway = Running::start(&yaml);
        let token = gateway.token("tag:clock", &[]);
        Self { gateway, folder, token, server, is_left: (era, over) == ("modern", "http") }
    }

    pub(super) fn record(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.folder.path().join("record")).unwrap_or_default();
        // The last line may be half written.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The messages of a method that it received.
    pub(super) fn received(&self, method: &str) -> Vec<Value> {
        let bodies = self.record().into_iter().filter_map(|entry| serde_json::from_str(entry["body"].as_str()?).ok());
        bodies.filter(|message: &Value| message["method"] == method).collect()
    }

    /// The ids of those calls that it was told are not wanted any more, in the way of its kind: over
    /// HTTP a modern server is left, all others are told.
    fn ended(&self) -> Vec<Value> {
        let told = self.received("notifications/cancelled");
        if self.is_left {
            assert_eq!(told, [Value::Null; 0]);
            let left = self.record().into_iter().filter(|entry| entry["direction"] == "closed");
            return left.map(|entry| entry["id"].clone()).collect();
        }
        told.into_iter().map(|message| message["params"]["requestId"].clone()).collect()
    }

    /// Waits for the calls of a tool to have arrived, and gives the id of the last.
    fn arrived(&self, calls: usize) -> Value {
        self.gateway.until("the call", || self.received("tools/call").len() == calls);
        self.received("tools/call").pop().unwrap()["id"].clone()
    }

    fn modern(&self, tool: &str, arguments: Value, meta: Value) -> Reading {
        let params = json!({"name": format!("wiki__{tool}"), "arguments": arguments, "_meta": meta});
        self.gateway.ask("/mcp", Some(&self.token), "tools/call", params)
    }

    /// Sends a request in a legacy session and reads nothing yet.
    fn send(&self, session: &str, body: &Value) -> TcpStream {
        let mut stream = TcpStream::connect(self.gateway.address()).unwrap();
        let body = body.to_string();
        write!(
            stream,
            "POST /mcp HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\nAuthorization: Bearer {}\r\nMcp-Session-Id: {session}\r\nContent-Length: {}\r\n\r\n{body}",
            self.gateway.address(),
            self.token,
            body.len()
        )
        .unwrap();
        stream
    }

    /// A request in a legacy session, or its stream, read as it comes.
    fn events(&self, way: &str, session: &str, body: &str) -> Events {
        let bearer = format!("Bearer {}", self.token);
        let headers = [
            ("Content-Type", "application/json"),
            ("Accept", if way == "GET" { "text/event-stream" } else { "application/json, text/event-stream" }),
            ("Authorization", bearer.as_str()),
            ("Mcp-Session-Id", session),
        ];
        self.gateway.events(way, "/mcp", &headers, body)
    }

    fn post(&self, session: &str, message: &Value) -> Value {
        let answer = self.gateway.post_in("/mcp", Some(&self.token), Some(session), message);
        if answer.body.is_empty() { Value::Null } else { answer.json() }
    }

    fn open(&self, capabilities: Value) -> String {
        self.gateway.open("/mcp", Some(&self.token), capabilities).unwrap()
    }
}

impl Drop for Before {
    fn drop(&mut self) {
        if let Some(mut server) = self.server.take() {
            _ = server.kill();
            _ = server.wait();
        }
    }
}

const KINDS: [(&str, &str); 4] = [("legacy", "stdio"), ("legacy", "http"), ("modern", "stdio"), ("modern", "http")];

fn wait(tool: &str, id: u64) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": tool, "arguments": {"ms": 60_000}}})
}

#[test]
fn tr27_cl15_a_modern_caller_that_leaves_ends_its_call_at_the_server() {
    for (era, over) in KINDS {
        let before = Before::new(era, over, "[]");
        // One that waits for one answer, and one that is told how it goes.
        for (nth, meta) in [json!({}), json!({"progressToken": "p"})].into_iter().enumerate() {
            let call = before.modern("test_wait", json!({"ms": 60_000}), meta);
            let id = before.arrived(nth + 1);
            assert_eq!(before.ended().len(), nth, "{era} {over}");
            drop(call);
            before.gateway.until("the end of the call", || before.ended().len() == nth + 1);
            assert_eq!(before.ended()[nth], id, "{era} {over}");
        }
    }
}

#[test]
fn tr28_cl15_a_legacy_caller_cancels_by_saying_so_and_not_by_leaving() {
    for (era, over) in KINDS {
        let before = Before::new(era, over, "[]");
        let session = before.open(json!({}));
        let left = before.send(&session, &wait("wiki__test_wait", 1));
        let first = before.arrived(1);
        drop(left);
        let _waiting = before.send(&session, &wait("wiki__test_wait", 2));
        let second = before.arrived(2);
        let cancel = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 2}});
        before.post(&session, &cancel);
        before.gateway.until("the end of the call", || !before.ended().is_empty());
        assert_eq!(before.ended(), [second], "{era} {over}");
        // Who has left may still take it back.
        before.post(
            &session,
            &json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}),
        );
        before.gateway.until("the end of the other", || before.ended().contains(&first));
    }
}

#[test]
fn px22_log_lines_come_with_their_call_where_the_caller_wants_them() {
    for (era, over) in KINDS {
        let before = Before::new(era, over, "[elicitation]");
        // The legacy era says it once.
        let session = before.open(json!({"elicitation": {}}));
        let call = json!({"name": "wiki__test_tool_with_logging", "arguments": {}});
        for (level, expected) in [("error", 0), ("info", 3)] {
            let set = before.post(&session, &request("logging/setLevel", json!({"level": level})));
            assert_eq!(set["result"], json!({}), "{set}");
            let message = request("tools/call", call.clone());
            let answer = before.gateway.post_in("/mcp", Some(&before.token), Some(&session), &message);
            let count = answer.body.matches("notifications/message").count();
            assert_eq!((answer.status, count), (200, expected), "{era} {over} {level}: {answer:?}");
            assert!(answer.body.contains(r#""result""#), "{answer:?}");
        }
        // The modern era says it with each request; over stdio alone nobody knows whose a line is.
        for (level, expected) in [(None, 0), (Some("error"), 0), (Some("info"), if over == "http" { 3 } else { 0 })] {
            let meta = level.map_or(json!({}), |level| json!({"io.modelcontextprotocol/logLevel": level}));
            let params = json!({"name": call["name"], "arguments": {}, "_meta": meta});
            let answer = before.gateway.modern("/mcp", Some(&before.token), "tools/call", params);
            let count = answer.body.matches("notifications/message").count();
            assert_eq!((answer.status, count), (200, expected), "{era} {over} {level:?}: {answer:?}");
            assert!(answer.body.contains(r#""result""#), "{answer:?}");
        }
    }
}

#[test]
fn su02_a_watched_resource_is_told_of_on_the_stream_of_either_era() {
    const WATCHED: &str = "test://watched-resource";
    for (era, over) in KINDS {
        let before = Before::new(era, over, "[]");
        let session = before.open(json!({}));
        let watched = before.post(&session, &request("resources/subscribe", json!({"uri": WATCHED})));
        assert_eq!(watched["result"], json!({}), "{era} {over}: {watched}");
        let mut old = before.events("GET", &session, "");
        let wanted = json!({"notifications": {"resourceSubscriptions": [WATCHED]}});
        let mut new = before.gateway.ask("/mcp", Some(&before.token), "subscriptions/listen", wanted);
        assert_eq!(new.next().unwrap()["params"]["notifications"]["resourceSubscriptions"], json!([WATCHED]));
        let trigger = request("tools/call", json!({"name": "wiki__test_trigger_resource_update", "arguments": {}}));
        assert!(before.post(&session, &trigger)["result"].is_object());
        let told = |mut next: Box<dyn FnMut() -> Option<Value> + '_>| {
            loop {
                let message = next().unwrap();
                if message["method"] == "notifications/resources/updated" {
                    return message["params"].clone();
                }
                assert!(message["method"].as_str().unwrap().ends_with("list_changed"), "{message}");
            }
        };
        assert_eq!(told(Box::new(|| old.next())), json!({"uri": WATCHED}), "{era} {over}");
        let params = told(Box::new(|| new.next()));
        assert_eq!(
            (&params["uri"], &params["_meta"]["io.modelcontextprotocol/subscriptionId"]),
            (&json!(WATCHED), &json!(1)),
            "{era} {over}"
        );
    }
}

#[test]
fn cl13_px26_a_resource_that_is_not_there_has_the_code_of_the_callers_era() {
    for era in ["legacy", "modern"] {
        let before = Before::new(era, "stdio", "[]");
        let session = before.open(json!({}));
        // Known to nobody; and of a template of the server's, which knows none of that name.
        for uri in ["nowhere://x", "test://nowhere"] {
            for method in ["resources/read", "resources/subscribe"] {
                let old = before.post(&session, &request(method, json!({"uri": uri})));
                assert_eq!(old["error"]["code"], -32002, "{era} {method} {uri}: {old}");
            }
            let new = before.gateway.modern("/mcp", Some(&before.token), "resources/read", json!({"uri": uri}));
            assert_eq!(new.code(), -32602, "{era} {uri}: {new:?}");
        }
    }
}

#[test]
fn a_call_under_way_finishes_with_the_revision_it_began_with() {
    let before = Before::new("legacy", "stdio", "[elicitation]");
    let session = before.open(json!({"elicitation": {}}));
    let arguments = json!({"message": "Who are you?"});
    let call = request("tools/call", json!({"name": "wiki__test_elicitation", "arguments": arguments}));
    let mut stream = before.events("POST", &session, &call.to_string());
    let asked = stream.next().unwrap();
    assert_eq!(asked["method"], "elicitation/create", "{asked}");
    // The server is not of the new configuration at all.
    before.gateway.reload(DEMO);
    let loaded = || before.gateway.audit().iter().filter(|record| record["what"] == "config-loaded").count();
    before.gateway.until("the new configuration", || loaded() == 2);
    assert_ne!(before.post(&session, &call)["error"]["code"], Value::Null);
    let fields = json!({"username": "ana", "email": "a@example.test"});
    let answer = json!({"jsonrpc": "2.0", "id": asked["id"], "result": {"action": "accept", "content": fields}});
    before.post(&session, &answer);
    let last = stream.next().unwrap();
    assert!(last["result"]["content"][0]["text"].as_str().unwrap().contains("ana"), "{last}");
}

#[test]
fn px18_a_sessions_own_connections_end_with_it() {
    let hostile = hostile_upstream();
    let server = format!(
        "  bad:\n    tags: [clock]\n    asks: [elicitation]\n    stdio: {{command: ['{hostile}', listed]}}\n  time:"
    );
    let gateway = Running::start(&DEMO.replace("  time:", &server));
    let token = gateway.token("tag:clock", &[]);
    let open = || gateway.open("/mcp", Some(&token), json!({"elicitation": {}})).unwrap();
    let pid = |session: &str| {
        let about = request("tools/call", json!({"name": "bad__about", "arguments": {}}));
        let answer = gateway.post_in("/mcp", Some(&token), Some(session), &about).json();
        answer["result"]["pid"].as_u64().unwrap_or_else(|| panic!("{answer}"))
    };
    let (mine, other) = (open(), open());
    let (kept, others) = (pid(&mine), pid(&other));
    assert_eq!((pid(&mine), kept == others), (kept, false));
    let bearer = format!("Bearer {token}");
    let headers = [("Authorization", bearer.as_str()), ("Mcp-Session-Id", mine.as_str())];
    assert_eq!(gateway.send("DELETE", "/mcp", &headers, "").status, 204);
    gateway.until("its end", || !is_there(kept));
    assert_eq!(pid(&other), others);
}

#[tokio::test(flavor = "multi_thread")]
async fn t204_cl25_a_server_that_drips_or_never_ends_costs_its_own_call_alone() {
    let about = Server {
        capabilities: json!({"tools": {}, "resources": {}}),
        tools: ["drip", "held", "endless"].map(str::to_owned).to_vec(),
        resources: vec!["x://1".into()],
        ..Server::default()
    };
    let fake = Fake::start(move |seen| {
        if seen.rpc() != "tools/call" {
            return about.answer(seen);
        }
        let (answer, events) = stream();
        let piece = match seen.body["params"]["name"].as_str() {
            Some("drip") => "d",
            Some("endless") => "event: message\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"info\",\"data\":1}}\n\n",
            _ => return held(": still here\n\n"),
        };
        drop(tokio::task::spawn(async move {
            let mut every = tokio::time::interval(Duration::from_millis(50));
            while events.send(piece.to_owned()).is_ok() {
                every.tick().await;
            }
        }));
        answer
    })
    .await;
    let slow = yaml([("s", &*fake.url, "")])
        .replace("listen: {address: '{address}'}", "listen: {address: '{address}', limits: {request: 2s}}");
    let gateway = Running::start(&slow);
    let token = gateway.token("tag:a", &[]);
    let read = || gateway.modern("/mcp", Some(&token), "resources/read", json!({"uri": "x://1"})).code();
    assert_eq!(read(), 0);
    std::thread::scope(|scope| {
        let calls = ["drip", "held", "endless"].map(|tool| {
            let (gateway, token) = (&gateway, &token);
            scope.spawn(move || {
                let params = json!({"name": format!("s__{tool}"), "arguments": {}});
                (tool, gateway.modern("/mcp", Some(token), "tools/call", params))
            })
        });
        while !calls.iter().all(std::thread::ScopedJoinHandle::is_finished) {
            assert_eq!(read(), 0, "another's request waits");
        }
        for call in calls {
            let (tool, answer) = call.join().unwrap();
            assert_eq!((answer.status, answer.code()), (200, -32603), "{tool}: {answer:?}");
            assert!(answer.body.contains("did not answer within 2 s"), "{tool}: {answer:?}");
        }
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn t196_a_caller_that_reads_slowly_misses_progress_and_never_the_answer() {
    const MANY: usize = 20_000;
    let about = Server::with_tools(["many".to_owned()]);
    let sending = std::sync::Arc::new(std::sync::Mutex::new(None));
    let keep = sending.clone();
    let fake = Fake::start(move |seen| {
        if seen.rpc() != "tools/call" {
            return about.answer(seen);
        }
        let (answer, events) = stream();
        let token = seen.body["params"]["_meta"]["progressToken"].clone();
        let event = |message: Value| events.send(format!("event: message\ndata: {message}\n\n")).unwrap();
        for nth in 0..MANY {
            let params = json!({"progressToken": token, "progress": nth, "message": "m".repeat(500)});
            event(json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": params}));
        }
        event(json!({"jsonrpc": "2.0", "id": seen.body["id"], "result": {"content": []}}));
        *keep.lock().unwrap() = Some(events);
        answer
    })
    .await;
    let gateway = Running::start(&yaml([("s", &*fake.url, "")]));
    let token = gateway.token("tag:a", &[]);
    let most = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", gateway.pid())).unwrap();
        let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap().trim().to_owned();
        most.trim_end_matches(" kB").parse::<u64>().unwrap()
    };
    assert_eq!(gateway.tools("/mcp", Some(&token)), ["s__many"]);
    let before = most();
    let params = json!({"name": "s__many", "arguments": {}, "_meta": {"progressToken": "p"}});
    let mut stream = gateway.ask("/mcp", Some(&token), "tools/call", params);
    // Nothing is read until the gateway has read all, and left.
    let is_over = || sending.lock().unwrap().as_ref().is_some_and(|events| events.send(": \n\n".to_owned()).is_err());
    gateway.until("the end of the server's stream", is_over);
    assert!(most() < before + 8 * 1024, "{before} kB became {} kB", most());
    let mut told = 0;
    let last = loop {
        let message = stream.next().unwrap();
        if message.get("id").is_some() {
            break message;
        }
        assert_eq!(message["params"]["progressToken"], "p");
        told += 1;
    };
    assert!(last["result"].is_object(), "{last}");
    assert!(told < MANY, "none was left out");
}
