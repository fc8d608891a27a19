//! Servers that ask their callers while they answer them: in each era on either side, of the caller that
//! called and of nobody else.

use serde_json::{Value, json};

use super::DEMO;
use crate::support::{
    fixture_upstream,
    running::{Answer, Events, Running, request},
};

/// A gateway before the conformance fixture, which speaks one era and may ask what is said.
fn before(era: &str, asks: &str) -> Running {
    let fixture = fixture_upstream();
    let server = format!(
        "  wiki:\n    tags: [clock]\n    asks: {asks}\n    stdio: {{command: ['{fixture}', --era, {era}]}}\n  time:"
    );
    Running::start(&DEMO.replace("  time:", &server))
}

/// A legacy call whose answer is read as it comes.
fn call(gateway: &Running, token: &str, session: &str, tool: &str, arguments: Value) -> Events {
    let bearer = format!("Bearer {token}");
    let headers = [
        ("Content-Type", "application/json"),
        ("Accept", "application/json, text/event-stream"),
        ("Authorization", bearer.as_str()),
        ("Mcp-Session-Id", session),
    ];
    let body = json!({"jsonrpc": "2.0", "id": "mine", "method": "tools/call", "params": {"name": tool, "arguments": arguments}});
    gateway.events("POST", "/mcp", &headers, &body.to_string())
}

/// A modern request with these capabilities.
fn modern(gateway: &Running, token: &str, tool: &str, capabilities: &Value, mut params: Value) -> Answer {
    params["name"] = json!(tool);
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": capabilities,
    });
    let bearer = format!("Bearer {token}");
    let headers = [
        ("Content-Type", "application/json"),
        ("Accept", "application/json, text/event-stream"),
        ("Authorization", bearer.as_str()),
        ("MCP-Protocol-Version", "2026-07-28"),
        ("Mcp-Method", "tools/call"),
        ("Mcp-Name", tool),
    ];
    gateway.send("POST", "/mcp", &headers, &request("tools/call", params).to_string())
}

fn decisions(gateway: &Running, tool: &str) -> usize {
    let records = gateway.audit();
    records.iter().filter(|record| record["type"] == "decision" && record["request"]["tool"] == tool).count()
}

#[test]
fn px16_px18_t025_a_legacy_caller_is_asked_on_the_stream_of_its_call_and_nobody_else_answers() {
    for (era, tool, arguments, rounds) in [
        ("legacy", "test_elicitation", json!({"message": "Who are you?"}), 1),
        ("modern", "test_input_required_result_elicitation", json!({}), 2),
    ] {
        let gateway = before(era, "[elicitation]");
        let (token, robot) = (gateway.token("tag:clock", &[]), gateway.token("tag:clock", &["--client", "robot"]));
        let open = |token: &str| gateway.open("/mcp", Some(token), json!({"elicitation": {}, "sampling": {}})).unwrap();
        let (session, other, theirs) = (open(&token), open(&token), open(&robot));
        let mut stream = call(&gateway, &token, &session, &format!("wiki__{tool}"), arguments);
        let asked = stream.next().unwrap();
        assert_eq!((stream.status, &asked["method"]), (200, &json!("elicitation/create")), "{era}: {asked}");
        // PX-20: on `/mcp` nothing else says who asks.
        assert!(asked["params"]["message"].as_str().unwrap().starts_with("wiki: "), "{asked}");
        let answer = |token: &str, session: &str, id: &Value| {
            let fields = json!({"username": "ana", "email": "a@example.test", "name": "ana"});
            let answer = json!({"jsonrpc": "2.0", "id": id, "result": {"action": "accept", "content": fields}});
            gateway.post_in("/mcp", Some(token), Some(session), &answer).status
        };
        // Taken and of no consequence: other sessions, other ids.
        assert_eq!(answer(&token, &other, &asked["id"]), 202);
        assert_eq!(answer(&robot, &theirs, &asked["id"]), 202);
        assert_eq!(answer(&robot, &session, &asked["id"]), 404);
        assert_eq!(answer(&token, &session, &json!(asked["id"].to_string())), 202);
        assert_eq!(answer(&token, &session, &asked["id"]), 202);
        let last = stream.next().unwrap();
        assert_eq!(last["id"], "mine", "{last}");
        assert!(last["result"]["content"][0]["text"].as_str().unwrap().contains("ana"), "{era}: {last}");
        assert!(last["result"].get("resultType").is_none());
        assert_eq!(decisions(&gateway, tool), rounds, "{era}");
    }
}

#[test]
fn px09_px10_px20_t185_a_caller_that_cannot_be_asked_or_a_server_that_may_not_ask_is_left_alone() {
    let (all, none) = ("[elicitation, roots, sampling]", "[]");
    for (asks, capabilities) in [(all, json!({})), (none, json!({"sampling": {}, "elicitation": {}, "roots": {}}))] {
        let gateway = before("modern", asks);
        let token = gateway.token("tag:clock", &[]);
        // PX-10, PX-11: an object of what is needed, and the status that says so.
        let refused =
            modern(&gateway, &token, "wiki__test_missing_capability", &capabilities, json!({"arguments": {}}));
        assert_eq!((refused.status, refused.code()), (400, -32021), "{asks}: {refused:?}");
        assert!(refused.json()["error"]["data"]["requiredCapabilities"]["sampling"].is_object(), "{refused:?}");
        let gateway = before("legacy", asks);
        let token = gateway.token("tag:clock", &[]);
        let session = gateway.open("/mcp", Some(&token), capabilities.clone()).unwrap();
        let told = gateway.post_in(
            "/mcp",
            Some(&token),
            Some(&session),
            &request("tools/call", json!({"name": "wiki__test_elicitation", "arguments": {"message": "x"}})),
        );
        assert_eq!(told.status, 200);
        assert!(!told.body.contains("elicitation/create"), "{told:?}");
        assert!(told.json()["error"].is_object() || told.json()["result"]["isError"] == true, "{told:?}");
    }
}

#[test]
fn px14_px31_a_call_that_waits_is_gone_on_with_by_its_own_caller_once() {
    let gateway = before("legacy", "[elicitation]");
    let (token, robot) = (gateway.token("tag:clock", &[]), gateway.token("tag:clock", &["--client", "robot"]));
    let can = json!({"elicitation": {}});
    let arguments = json!({"message": "Who are you?"});
    let first = modern(&gateway, &token, "wiki__test_elicitation", &can, json!({"arguments": arguments}));
    let asked = first.json()["result"].clone();
    assert_eq!((first.status, &asked["resultType"]), (200, &json!("input_required")), "{first:?}");
    assert_eq!(asked["inputRequests"]["question"]["method"], "elicitation/create");
    // CA-02: nothing that says it may be kept.
    assert!(asked.get("ttlMs").is_none() && asked.get("cacheScope").is_none());
    let answers = json!({"question": {"action": "accept", "content": {"username": "ana", "email": "a@example.test"}}});
    let retry = |token: &str, tool: &str, arguments: &Value, state: &Value, answers: &Value| {
        let params = json!({"arguments": arguments, "inputResponses": answers, "requestState": state});
        modern(&gateway, token, tool, &can, params)
    };
    let state = &asked["requestState"];
    // Another caller, another tool, other arguments, another state: none of them is it.
    for (token, tool, arguments, state) in [
        (&robot, "wiki__test_elicitation", &arguments, state.clone()),
        (&token, "wiki__test_simple_text", &arguments, state.clone()),
        (&token, "wiki__test_elicitation", &json!({"message": "Who?"}), state.clone()),
        (&token, "wiki__test_elicitation", &arguments, json!("made up")),
    ] {
        let refused = retry(token, tool, arguments, &state, &answers);
        assert_eq!((refused.status, refused.code()), (200, -32602), "{tool}: {refused:?}");
    }
    // Not answered: asked again, under another state.
    let again = retry(&token, "wiki__test_elicitation", &arguments, state, &json!({})).json()["result"].clone();
    assert_eq!(again["resultType"], "input_required", "{again}");
    assert_eq!(retry(&token, "wiki__test_elicitation", &arguments, state, &answers).code(), -32602);
    let done = retry(&token, "wiki__test_elicitation", &arguments, &again["requestState"], &answers);
    let done = done.json()["result"].clone();
    assert_eq!(done["resultType"], "complete", "{done}");
    assert!(done["content"][0]["text"].as_str().unwrap().contains("ana"), "{done}");
    // Never run twice.
    assert_eq!(retry(&token, "wiki__test_elicitation", &arguments, &again["requestState"], &answers).code(), -32602);
}

#[test]
fn px14_a_servers_state_is_good_in_its_callers_hands_alone() {
    let gateway = before("modern", "[elicitation]");
    let (token, robot) = (gateway.token("tag:clock", &[]), gateway.token("tag:clock", &["--client", "robot"]));
    let can = json!({"elicitation": {}});
    let tool = "wiki__test_input_required_result_request_state";
    let first = modern(&gateway, &token, tool, &can, json!({"arguments": {}})).json()["result"].clone();
    let state = first["requestState"].clone();
    assert_eq!(first["resultType"], "input_required", "{first}");
    let key = first["inputRequests"].as_object().unwrap().keys().next().unwrap().clone();
    let answers = json!({key: {"action": "accept", "content": {"ok": true}}});
    let retry = |token: &str, tool: &str| {
        modern(&gateway, token, tool, &can, json!({"arguments": {}, "inputResponses": answers, "requestState": state}))
    };
    assert_eq!(retry(&robot, tool).code(), -32602);
    assert_eq!(retry(&token, "wiki__test_input_required_result_multi_round").code(), -32602);
    let done = retry(&token, tool).json();
    assert_eq!(done["result"]["resultType"], "complete", "{done}");
}

#[test]
fn pc_resources_are_watched_over_the_sessions_own_stream() {
    let gateway = before("legacy", "[]");
    let token = gateway.token("tag:clock", &[]);
    let ask = |method: &str, uri: &str| gateway.post("/mcp", Some(&token), &request(method, json!({"uri": uri})));
    assert_eq!(ask("resources/subscribe", "test://watched-resource").json()["result"], json!({}));
    assert_eq!(gateway.last_decision()["request"]["method"], "resources/subscribe");
    assert_ne!(ask("resources/subscribe", "test://nowhere").code(), 0);
    assert_eq!(ask("resources/unsubscribe", "test://watched-resource").json()["result"], json!({}));
    let bad = gateway.post("/mcp", Some(&token), &request("resources/subscribe", json!({"uri": 7})));
    assert_eq!(bad.code(), -32602);
}
