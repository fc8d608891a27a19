//! A bridge before a real gateway.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{initialize, initialized, legacy, modern, tools, words};
use crate::{
    gateway::DEMO,
    support::{bridged::Bridged, running::Running},
};

fn url(gateway: &Running) -> String {
    format!("http://{}/mcp", gateway.address())
}

fn convert(id: impl Into<Value>) -> Value {
    legacy(
        id,
        "tools/call",
        json!({"name": "time__convert", "arguments": {"time": "2026-01-01T00:30:00+02:00", "offset": "Z"}}),
    )
}

/// A bridge whose client has opened as a legacy one does.
fn opened(gateway: &Running, token: &str) -> Bridged {
    let mut bridge = Bridged::start(&url(gateway), Some(token));
    let answer = bridge.ask(&initialize(json!("open")));
    assert!(answer["result"].is_object(), "{answer}");
    bridge.say(&initialized());
    bridge
}

const CONVERTED: &str = "2025-12-31T22:30:00+00:00";

fn text(answer: &Value) -> &str {
    answer["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("{answer}"))
}

#[test]
fn cl08_a_legacy_client_initializes_lists_and_calls() {
    let gateway = Running::start(DEMO);
    let token = gateway.token("tag:clock", &[]);
    let mut bridge = Bridged::start(&url(&gateway), Some(&token));
    let opened = bridge.ask(&initialize(json!("first")));
    assert_eq!(opened["result"]["protocolVersion"], "2025-06-18", "{opened}");
    bridge.say(&initialized());
    let listed = bridge.ask(&legacy(2, "tools/list", json!({})));
    assert_eq!(BTreeSet::from_iter(tools(&listed)), BTreeSet::from(["time__convert", "time__now"]));
    assert_eq!(text(&bridge.ask(&convert(3))), CONVERTED);
    assert_eq!(bridge.ask(&legacy("4", "ping", json!({})))["result"], json!({}));
    assert_eq!(bridge.ask(&legacy(5, "tools/call", json!({"name": "no"})))["error"]["code"], -32602);
    let (status, rest) = bridge.end();
    assert!(status.success() && rest.is_empty(), "{rest:?}");
    assert_eq!(bridge.log(), "");
}

#[test]
fn tr14_a_modern_client_discovers_lists_and_calls() {
    let gateway = Running::start(DEMO);
    std::fs::create_dir_all(gateway.path("notes")).unwrap();
    std::fs::write(gateway.path("notes/one.md"), "# One\n").unwrap();
    let token = gateway.token("tag:clock,tag:notes", &[]);
    let mut bridge = Bridged::start(&url(&gateway), Some(&token));
    let discovered = bridge.ask(&modern(1, "server/discover", json!({})));
    assert_eq!(discovered["result"]["supportedVersions"], json!(["2026-07-28"]), "{discovered}");
    assert!(tools(&bridge.ask(&modern(2, "tools/list", json!({})))).contains(&"time__now"));
    let called = bridge.ask(&modern(3, "tools/call", json!({"name": "time__now", "arguments": {}})));
    assert_eq!(called["result"]["resultType"], "complete", "{called}");
    let read = bridge.ask(&modern(4, "resources/read", json!({"uri": "notes://one"})));
    assert_eq!(read["result"]["contents"][0]["text"], "# One\n", "{read}");
    let get = json!({"name": "notes__summarize_note", "arguments": {"name": "one"}});
    assert!(bridge.ask(&modern(5, "prompts/get", get))["result"]["messages"].is_array());
    // What the gateway refuses with a status of its own comes through as it says it.
    assert_eq!(bridge.ask(&modern(6, "ping", json!({})))["error"]["code"], -32601);
    assert_eq!(bridge.ask(&modern(7, "tools/call", json!({"name": "caf\u{e9}"})))["error"]["code"], -32602);
    let mut unsupported = modern("8", "tools/list", json!({}));
    unsupported["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!("2099-01-01");
    let refused = bridge.ask(&unsupported);
    assert_eq!(
        (&refused["error"]["code"], &refused["error"]["data"]["requested"]),
        (&json!(-32022), &json!("2099-01-01"))
    );
    assert!(bridge.end().0.success());
}

#[test]
fn progress_is_heard_before_the_answer_in_both_eras() {
    let gateway = Running::start(DEMO);
    std::fs::create_dir_all(gateway.path("notes")).unwrap();
    for name in ["one", "two", "three"] {
        std::fs::write(gateway.path(&format!("notes/{name}.md")), "Buy milk\n").unwrap();
    }
    let mut bridge = opened(&gateway, &gateway.token("tag:notes", &[]));
    let params = json!({"name": "notes__search_notes", "arguments": {"query": "milk"}, "_meta": {}});
    for (id, mut request) in [(1, legacy(1, "tools/call", params.clone())), (2, modern(2, "tools/call", params))] {
        request["params"]["_meta"]["progressToken"] = json!(format!("t{id}"));
        bridge.say(&request);
        for done in 1..=3 {
            let heard = bridge.hear();
            assert_eq!(heard["method"], "notifications/progress", "{heard}");
            assert_eq!(
                (&heard["params"]["progressToken"], heard["params"]["progress"].as_f64()),
                (&json!(format!("t{id}")), Some(f64::from(done)))
            );
        }
        assert!(text(&bridge.hear()).contains("Buy milk"));
    }
}

#[test]
fn both_eras_and_many_requests_at_once_and_each_is_answered_once() {
    let gateway = Running::start(DEMO);
    let token = gateway.token("tag:clock", &[]);
    let mut bridge = Bridged::start(&url(&gateway), Some(&token));
    // Nothing is waited for, and it is more than may be in flight.
    bridge.say(&initialize(json!(0)));
    bridge.say(&initialized());
    for id in 1..=400 {
        let call = convert(id);
        bridge.say(&if id % 2 == 0 { call } else { modern(id, "tools/call", call["params"].clone()) });
    }
    let (status, answers) = bridge.end();
    assert!(status.success());
    let ids: BTreeSet<u64> = answers.iter().map(|answer| answer["id"].as_u64().unwrap()).collect();
    assert_eq!((answers.len(), ids.len()), (401, 401));
    for answer in answers.iter().filter(|answer| answer["id"] != 0) {
        assert_eq!(text(answer), CONVERTED);
        assert_eq!(answer["result"]["resultType"] == "complete", answer["id"].as_u64().unwrap() % 2 == 1, "{answer}");
    }
}

#[test]
fn a_token_that_is_refused_is_read_again() {
    let gateway = Running::start(DEMO);
    let mut bridge = opened(&gateway, &gateway.token("tag:clock", &[]));
    assert_eq!(text(&bridge.ask(&convert(1))), CONVERTED);
    assert!(gateway.command(&["token", "revoke", "--all"]).output().unwrap().status.success());
    // A running gateway hears of it in a moment.
    let refused = loop {
        let answer = bridge.ask(&convert(2));
        if answer["error"].is_object() {
            break answer;
        }
    };
    assert_eq!(refused["error"]["code"], -31002);
    let file = bridge.token_file().display().to_string();
    assert!(words(&refused).contains("refused the token") && words(&refused).contains(&file), "{refused}");
    let token = gateway.token("tag:clock", &[]);
    bridge.renew(&token);
    assert_eq!(text(&bridge.ask(&convert(3))), CONVERTED);
    assert!(gateway.command(&["token", "revoke", "--all"]).output().unwrap().status.success());
    std::fs::remove_file(bridge.token_file()).unwrap();
    let refused = loop {
        let answer = bridge.ask(&convert(4));
        if answer["error"].is_object() {
            break answer;
        }
    };
    assert!(words(&refused).contains("cannot be read"), "{refused}");
    assert!(bridge.end().0.success());
    assert!(!bridge.log().contains(&token) && !refused.to_string().contains(&token));
}

#[test]
fn az15_what_a_token_lacks_is_said_in_words_and_in_data() {
    let gateway = Running::start(DEMO);
    let mut bridge = opened(&gateway, &gateway.token("tag:clock", &[]));
    let params = json!({"name": "notes__list_notes", "arguments": {}});
    for request in [legacy(1, "tools/call", params.clone()), modern(2, "tools/call", params)] {
        let refused = bridge.ask(&request);
        assert_eq!(refused["error"]["code"], -31002, "{refused}");
        assert_eq!(refused["error"]["data"]["scopes"], json!(["tag:notes"]));
        assert!(refused["error"]["data"]["decision_id"].is_string());
        assert!(words(&refused).contains("`tag:notes`"), "{refused}");
    }
}

#[test]
fn a_gateway_that_went_away_is_used_again_once_it_is_back() {
    let mut gateway = Running::start(DEMO);
    let token = gateway.token("tag:clock", &[]);
    let mut bridge = opened(&gateway, &token);
    assert_eq!(text(&bridge.ask(&convert(1))), CONVERTED);
    gateway.kill();
    for id in 2..=4 {
        let down = bridge.ask(&convert(id));
        assert_eq!(down["error"]["code"], -32603);
        assert!(words(&down).contains(&url(&gateway)), "{down}");
    }
    let down = bridge.ask(&convert(5));
    assert!(
        words(&down).contains("cannot be reached: it does not accept connections; see that the gateway runs"),
        "{down}"
    );
    gateway.start_again();
    assert_eq!(text(&bridge.ask(&convert(6))), CONVERTED);
    assert!(bridge.end().0.success());
    let log = bridge.log();
    assert_eq!((log.matches("cannot be reached").count(), log.matches("is there again").count()), (1, 1), "{log}");
}

#[test]
fn what_is_no_message_is_answered_and_the_rest_goes_on() {
    let gateway = Running::start(DEMO);
    let mut bridge = opened(&gateway, &gateway.token("tag:clock", &[]));
    for (line, id, code) in [
        ("what?", Value::Null, -32700),
        ("{\"jsonrpc\":\"2.0\",\"id\":1,", Value::Null, -32700),
        ("[]", Value::Null, -32600),
        ("{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"ping\",\"more\":1}", Value::Null, -32600),
        ("{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"ping\",\"params\":[]}", json!(7), -32602),
        ("{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"ping\",\"params\":{\"a\":1,\"a\":2}}", json!(8), -32600),
    ] {
        bridge.say_line(line);
        let answer = bridge.hear();
        assert_eq!((&answer["id"], &answer["error"]["code"]), (&id, &json!(code)), "{line}: {answer}");
    }
    bridge.say_line("\n  \n");
    assert_eq!(text(&bridge.ask(&convert(9))), CONVERTED);
    assert!(bridge.end().0.success());
}

#[test]
fn tr39_what_is_too_large_for_the_gateway_is_said() {
    let gateway = Running::start(&DEMO.replace("'{address}'", "'{address}', limits: {body: 64KiB}"));
    let mut bridge = opened(&gateway, &gateway.token("tag:clock", &[]));
    let large = legacy(1, "tools/call", json!({"name": "time__now", "arguments": {"x": "y".repeat(100_000)}}));
    let refused = bridge.ask(&large);
    assert_eq!((&refused["error"]["code"], &refused["error"]["data"]["status"]), (&json!(-32603), &json!(413)));
    assert!(words(&refused).ends_with("HTTP status 413: the body is larger than this gateway takes"), "{refused}");
    assert_eq!(text(&bridge.ask(&convert(2))), CONVERTED);
}
