//! What changes, and who is told.

use serde_json::{Value, json};

use super::{
    DEMO,
    merged::{Server, yaml},
};
use crate::support::running::{Reading, Running};

const TAG: &str = "io.modelcontextprotocol/subscriptionId";

fn listen(gateway: &Running, path: &str, token: &str, notifications: Value) -> (Reading, Value) {
    let mut stream = gateway.ask(path, Some(token), "subscriptions/listen", json!({"notifications": notifications}));
    let acknowledged = stream.next().unwrap();
    assert_eq!(acknowledged["method"], "notifications/subscriptions/acknowledged", "SU-01");
    assert_eq!(acknowledged["params"]["_meta"][TAG], 1, "SU-01, CG-07: in the type of the request's id");
    (stream, acknowledged["params"]["notifications"].clone())
}

fn ends(mut stream: Reading) {
    let mut last = None;
    while let Some(message) = stream.next() {
        last = Some(message);
    }
    let last = last.unwrap();
    assert_eq!((&last["id"], &last["result"]["resultType"]), (&json!(1), &json!("complete")), "SU-04: {last}");
    assert_eq!(last["result"]["_meta"][TAG], 1);
}

/// The methods told until one of them is `until`.
fn told(stream: &mut Reading, until: &str) -> Vec<String> {
    let mut methods = Vec::new();
    while methods.last().is_none_or(|last| last != until) {
        let message = stream.next().unwrap();
        assert_eq!(message["params"]["_meta"][TAG], 1, "SU-02: {message}");
        methods.push(message["method"].as_str().unwrap().to_owned());
    }
    methods
}

#[test]
fn su02_su03_su07_a_stream_is_told_what_it_asked_for_and_nothing_else() {
    let gateway = Running::start(DEMO);
    let token = gateway.token("tag:clock,tag:notes,tag:write", &[]);
    let call = |name: &str, arguments: Value| {
        let params = json!({"name": name, "arguments": arguments, "_meta": {"progressToken": "p"}});
        gateway.modern("/mcp", Some(&token), "tools/call", params)
    };
    // Up before, so that nothing is told of its coming up.
    assert_eq!(call("time__now", json!({})).code(), 0);
    assert_eq!(gateway.tools("/mcp", Some(&token)).len(), 6);
    let (mut stream, honoured) =
        listen(&gateway, "/mcp", &token, json!({"resourcesListChanged": true, "unknown": true}));
    assert_eq!(honoured, json!({"resourcesListChanged": true}));
    let written = call("notes__write_note", json!({"name": "new", "text": "# New"}));
    assert!(written.body.contains("\"result\""), "{written:?}");
    assert_eq!(told(&mut stream, "notifications/resources/list_changed").len(), 1);
    // A reload changes what is listed: of all kinds, of which one was asked for.
    gateway.reload(&DEMO.replace("delete_note: deny", "delete_note: {tags: [write]}"));
    assert_eq!(told(&mut stream, "notifications/resources/list_changed").len(), 1);
    gateway.terminate();
    ends(stream);
}

#[test]
fn su06_oa89_sm04_t015_a_stream_ends_with_what_its_caller_may_hear() {
    let gateway = Running::start(DEMO);
    let address = gateway.address();
    let token = gateway.token("tag:clock", &["--resource", &format!("http://{address}/mcp/time")]);
    let (stream, _) = listen(&gateway, "/mcp/time", &token, json!({"toolsListChanged": true}));
    gateway.reload(&DEMO.replace("tags: [clock]", "tags: [clock, write]"));
    ends(stream);
    let next = gateway.modern("/mcp/time", Some(&token), "tools/call", json!({"name": "now", "arguments": {}}));
    assert_eq!((next.status, next.header("www-authenticate").is_some()), (403, true), "{next:?}");
    // On the merged endpoint it goes on without that server.
    let both = gateway.token("tag:clock,tag:notes", &[]);
    let (mut stream, _) = listen(&gateway, "/mcp", &both, json!({"toolsListChanged": true}));
    gateway.reload(DEMO);
    told(&mut stream, "notifications/tools/list_changed");
    drop(stream);
    // A token's time, and its revocation.
    let short = gateway.token("tag:clock", &["--ttl", "2s"]);
    let (stream, _) = listen(&gateway, "/mcp", &short, json!({"toolsListChanged": true}));
    ends(stream);
    let taken = gateway.token("tag:clock", &[]);
    let (stream, _) = listen(&gateway, "/mcp", &taken, json!({"toolsListChanged": true}));
    assert!(gateway.command(&["token", "revoke", "--all"]).output().unwrap().status.success());
    ends(stream);
}

#[tokio::test(flavor = "multi_thread")]
async fn su05_cg05_resources_that_may_not_be_read_are_not_acknowledged() {
    let server = Server {
        capabilities: json!({"resources": {"subscribe": true}}),
        resources: vec!["x://open".into(), "x://secret".into()],
        ..Server::default()
    };
    let mute = Server { capabilities: json!({"resources": {}}), resources: vec!["y://1".into()], ..Server::default() };
    let (fake, mute) = (server.start().await, mute.start().await);
    let gateway =
        Running::start(&yaml([("s", &*fake.url, "    resources: {'x://secret': deny}\n"), ("mute", &*mute.url, "")]));
    let token = gateway.token("tag:a", &[]);
    let uris = json!(["x://open", "x://secret", "x://none", "y://1", "x://open", "not a uri"]);
    let (stream, honoured) = listen(&gateway, "/mcp", &token, json!({"resourceSubscriptions": uris}));
    assert_eq!(honoured, json!({"resourceSubscriptions": ["x://open"]}));
    let decisions: Vec<Value> = gateway
        .audit()
        .into_iter()
        .filter(|record| record["type"] == "decision" && record["request"]["method"] == "resources/subscribe")
        .collect();
    let verdicts: Vec<String> = decisions
        .iter()
        .map(|record| format!("{} {}", record["request"]["resource"], record["decision"]["because"]))
        .collect();
    assert_eq!(decisions.len(), 5, "{verdicts:?}");
    assert!(verdicts.contains(&r#""x://secret" "explicit-forbid""#.to_owned()), "{verdicts:?}");
    assert!(verdicts.contains(&r#""x://open" "permitted""#.to_owned()), "{verdicts:?}");
    gateway.terminate();
    ends(stream);
}
