//! Rows of the protocol that are seen at the door and on the stream of a call, each by its id.

use serde_json::{Value, json};

use super::DEMO;
use crate::support::running::{Answer, Running};

const PLAIN: [(&str, &str); 2] =
    [("Content-Type", "application/json"), ("Accept", "application/json, text/event-stream")];

fn meta(version: &str) -> Value {
    json!({"io.modelcontextprotocol/protocolVersion": version, "io.modelcontextprotocol/clientCapabilities": {}})
}

/// A `tools/list` with these `_meta` and these header fields besides the plain ones.
fn list(gateway: &Running, token: &str, meta: Option<&Value>, fields: &[(&str, &str)]) -> Answer {
    let bearer = format!("Bearer {token}");
    let headers = [&PLAIN[..], &[("Authorization", bearer.as_str())], fields].concat();
    let params = meta.map_or_else(|| json!({}), |meta| json!({"_meta": meta}));
    let body = json!({"jsonrpc": "2.0", "id": "seven", "method": "tools/list", "params": params});
    gateway.send("POST", "/mcp", &headers, &body.to_string())
}

/// `_meta`, header fields, and the code of what is said to them.
type Case<'a> = (Option<&'a Value>, &'a [(&'a str, &'a str)], i64);

#[test]
fn tr12_tr15_tr17_tr19_tr24_tr26_what_a_modern_request_lacks_is_said_under_its_id() {
    const NOW: (&str, &str) = ("MCP-Protocol-Version", "2026-07-28");
    const LATER: (&str, &str) = ("MCP-Protocol-Version", "v999");
    const METHOD: (&str, &str) = ("Mcp-Method", "tools/list");
    let gateway = Running::start(DEMO);
    let token = gateway.token("tag:clock", &[]);
    let (now, later) = (meta("2026-07-28"), meta("v999"));
    let incapable = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28"});
    let unversioned = json!({"io.modelcontextprotocol/clientCapabilities": {}});
    let cases: [Case<'_>; 8] = [
        (None, &[NOW, METHOD], -32602),
        (Some(&incapable), &[NOW, METHOD], -32602),
        (Some(&unversioned), &[NOW, METHOD], -32602),
        (Some(&now), &[METHOD], -32020),
        (Some(&later), &[NOW, METHOD], -32020),
        (Some(&now), &[NOW], -32020),
        (Some(&now), &[NOW, ("Mcp-Method", "Tools/List")], -32020),
        (Some(&later), &[LATER, METHOD], -32022),
    ];
    for (meta, fields, code) in cases {
        let refused = list(&gateway, &token, meta, fields);
        assert_eq!((refused.status, refused.code()), (400, code), "{fields:?}: {refused:?}");
        assert_eq!(refused.json()["id"], "seven", "{fields:?}");
    }
    let unsupported = list(&gateway, &token, Some(&later), &[LATER, METHOD]);
    assert_eq!(unsupported.json()["error"]["data"]["supported"], json!(["2026-07-28"]));
    assert_eq!(unsupported.json()["error"]["data"]["requested"], "v999");
    // Nobody need say who he is, and what is not known of the header is not looked at.
    let fine = list(&gateway, &token, Some(&now), &[NOW, METHOD, ("Mcp-Param-Colour", "red"), ("Last-Event-ID", "3")]);
    assert_eq!(fine.status, 200, "{fine:?}");
    assert!(fine.json()["result"]["tools"].is_array());
}

#[test]
fn tr16_a_version_that_was_never_spoken_is_refused_in_a_session_too() {
    let gateway = Running::start(DEMO);
    let token = gateway.token("tag:clock", &[]);
    let session = gateway.open("/mcp", Some(&token), json!({})).unwrap();
    let session = ("Mcp-Session-Id", session.as_str());
    assert_eq!(list(&gateway, &token, None, &[session]).status, 200, "without the field it is the session's");
    let refused = list(&gateway, &token, None, &[session, ("MCP-Protocol-Version", "1999-01-01")]);
    assert_eq!(refused.status, 400, "{refused:?}");
}

#[test]
fn tr07_tr08_tr09_tr12_a_stream_is_of_its_call_alone_and_has_no_ids() {
    let gateway = Running::start(DEMO);
    let token = gateway.token("tag:notes,tag:write", &[]);
    let written = gateway.call("/mcp", Some(&token), "notes__write_note", json!({"name": "n", "text": "Oats."}));
    assert_eq!(written.json()["result"]["isError"], json!(false), "{written:?}");
    let search = |progress: &str| {
        let params =
            json!({"name": "notes__search_notes", "arguments": {"query": "O"}, "_meta": {"progressToken": progress}});
        gateway.modern("/mcp", Some(&token), "tools/call", params)
    };
    let answers = std::thread::scope(|scope| {
        ["a", "b"].map(|token| scope.spawn(move || (token, search(token)))).map(|thread| thread.join().unwrap())
    });
    for (token, answer) in answers {
        assert_eq!(answer.header("x-accel-buffering"), Some("no"), "{answer:?}");
        let messages: Vec<Value> = answer
            .body
            .lines()
            .filter_map(|line| line.strip_prefix("data: "))
            .map(|data| serde_json::from_str(data).unwrap())
            .collect();
        assert!(!answer.body.lines().any(|line| line.starts_with("id:")), "{answer:?}");
        let (last, told) = messages.split_last().unwrap();
        assert!(last["result"].is_object(), "{answer:?}");
        assert!(!told.is_empty() && told.iter().all(|message| message.get("id").is_none()), "{answer:?}");
        assert!(told.iter().all(|message| message["params"]["progressToken"] == token), "{answer:?}");
    }
}

#[test]
fn px23_px02_a_tool_that_fails_and_a_tool_that_is_not_there_are_told_apart() {
    let gateway = Running::start(DEMO);
    let token = gateway.token("tag:notes", &[]);
    let failed = gateway.call("/mcp", Some(&token), "notes__read_note", json!({"name": "nowhere"}));
    assert_eq!((failed.status, &failed.json()["result"]["isError"]), (200, &json!(true)), "{failed:?}");
    // Names are told apart by case, and none but the exposed one is a name.
    for name in ["notes__Read_note", "NOTES__read_note", "read_note", "notes__nothing"] {
        let unknown = gateway.call("/mcp", Some(&token), name, json!({"name": "nowhere"}));
        assert_eq!((unknown.status, unknown.code()), (200, -32602), "{name}: {unknown:?}");
    }
}

#[test]
fn tr06_px04_a_list_is_the_same_however_it_is_asked_for_and_whatever_was_done_before() {
    let gateway = Running::start(DEMO);
    let token = gateway.token("tag:notes,tag:write", &[]);
    let bearer = format!("Bearer {token}");
    let asked = |accept: &str| {
        let headers = [
            ("Content-Type", "application/json"),
            ("Accept", accept),
            ("Authorization", &bearer),
            ("MCP-Protocol-Version", "2026-07-28"),
            ("Mcp-Method", "tools/list"),
        ];
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": meta("2026-07-28")}});
        let answer = gateway.send("POST", "/mcp", &headers, &body.to_string());
        assert_eq!(answer.status, 200, "{accept}: {answer:?}");
        answer.body
    };
    let first = asked("application/json, text/event-stream");
    for accept in ["text/event-stream, application/json", "application/json", "text/event-stream", "*/*"] {
        assert_eq!(asked(accept), first, "{accept}");
    }
    assert_eq!(gateway.call("/mcp", Some(&token), "notes__list_notes", json!({})).status, 200);
    assert_eq!(gateway.call("/mcp", Some(&token), "notes__delete_note", json!({"name": "n"})).code(), -32602);
    assert_eq!(asked("application/json"), first, "what others did before is no part of a list");
}
