//! Rows of the protocol that are seen at the door and on the stream of a call, each by its id.

use serde_json::{Value, json};

use super::{DEMO, through::Before};
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

#[test]
fn az17_a_scope_stands_for_itself_alone_and_for_none_below_or_beside_it() {
    let names = ["clock", "clock-read", "clock_read", "clockwork", "Clock"];
    let tags: Vec<String> = names.iter().map(|name| format!("{name}: T")).collect();
    let servers: Vec<String> = names
        .iter()
        .enumerate()
        .map(|(nth, name)| {
            format!("  s{nth}:\n    tags: [{name}]\n    stdio: {{command: [portcullis, demo-server, time]}}\n")
        })
        .collect();
    let scopes: Vec<String> = names.iter().map(|name| format!("'tag:{name}'")).collect();
    let gateway = Running::start(&format!(
        "version: 1\nlisten: {{address: '{{address}}'}}\ntags: {{{}}}\nservers:\n{}grants:\n  - {{to: {{user: owner}}, scopes: [{}]}}\n",
        tags.join(", "),
        servers.concat(),
        scopes.join(", ")
    ));
    for (has, name) in names.iter().enumerate() {
        let token = gateway.token(&format!("tag:{name}"), &[]);
        let listed = gateway.tools("/mcp", Some(&token));
        assert!(!listed.is_empty() && listed.iter().all(|tool| tool.starts_with(&format!("s{has}__"))), "{listed:?}");
        for (wanted, other) in names.iter().enumerate() {
            let answer = gateway.call("/mcp", Some(&token), &format!("s{wanted}__now"), json!({}));
            if wanted == has {
                assert!(answer.json()["result"].is_object(), "{answer:?}");
            } else {
                assert_eq!(answer.status, 403, "tag:{name} for tag:{other}: {answer:?}");
                let challenge = answer.header("www-authenticate").unwrap();
                assert!(challenge.contains(&format!("scope=\"tag:{other}\"")), "{challenge}");
            }
        }
    }
}

#[test]
fn ca05_what_one_caller_read_is_never_another_s_answer() {
    let before = Before::new("modern", "http", "[]");
    let robot = before.gateway.token("tag:clock", &["--client", "robot"]);
    for token in [&before.token, &robot, &before.token, &robot] {
        let params = json!({"uri": "test://static-text"});
        let answer = before.gateway.modern("/mcp", Some(token), "resources/read", params);
        assert!(answer.json()["result"]["contents"].is_array(), "{answer:?}");
    }
    assert_eq!(before.received("resources/read").len(), 4, "each is read where it is");
    for token in [&before.token, &robot] {
        let params = json!({"name": "wiki__test_simple_prompt"});
        let answer = before.gateway.modern("/mcp", Some(token), "prompts/get", params);
        assert!(answer.json()["result"]["messages"].is_array(), "{answer:?}");
    }
    assert_eq!(before.received("prompts/get").len(), 2);
}

#[test]
fn tr05_what_is_told_and_not_taken_is_an_error_of_http_and_has_no_id() {
    let gateway = Running::start(DEMO);
    let token = gateway.token("tag:clock", &[]);
    let session = gateway.open("/mcp", Some(&token), json!({})).unwrap();
    let bearer = format!("Bearer {token}");
    let tell = |fields: &[(&str, &str)], method: &str, params: Value| {
        let headers = [&PLAIN[..], &[("Authorization", bearer.as_str())], fields].concat();
        let body = json!({"jsonrpc": "2.0", "method": method, "params": params});
        gateway.send("POST", "/mcp", &headers, &body.to_string())
    };
    let legacy = [("Mcp-Session-Id", session.as_str())];
    for (params, method) in [
        (json!({}), "notifications/initialized"),
        (json!({"requestId": 1}), "notifications/cancelled"),
        (json!({"requestId": {}}), "notifications/cancelled"),
        (json!({"progressToken": 7, "progress": 1}), "notifications/progress"),
    ] {
        let taken = tell(&legacy, method, params);
        assert_eq!((taken.status, taken.body.as_str()), (202, ""), "{method}: {taken:?}");
    }
    let modern = [("MCP-Protocol-Version", "2026-07-28"), ("Mcp-Method", "notifications/cancelled")];
    let taken = tell(&modern, "notifications/cancelled", json!({"requestId": 1}));
    assert_eq!((taken.status, taken.body.as_str()), (202, ""), "{taken:?}");
    // Of the era before, and told so.
    let removed = [("MCP-Protocol-Version", "2026-07-28"), ("Mcp-Method", "notifications/initialized")];
    let refused = tell(&removed, "notifications/initialized", json!({}));
    assert_eq!((refused.status, refused.code()), (404, -32601), "{refused:?}");
    for method in ["notifications/unheard-of", "x", "tools/call", ""] {
        let refused = tell(&legacy, method, json!({"name": "time__now"}));
        // 404 would say that the session is gone.
        assert_eq!((refused.status, &refused.json()["id"]), (400, &Value::Null), "{method}: {refused:?}");
        let modern = [("MCP-Protocol-Version", "2026-07-28"), ("Mcp-Method", method)];
        let refused = tell(&modern, method, json!({"name": "time__now"}));
        assert!(matches!(refused.status, 400 | 404), "{method}: {refused:?}");
        assert_eq!(refused.json()["id"], Value::Null);
    }
    assert_eq!(list(&gateway, &token, None, &legacy).status, 200, "the session goes on");
}

#[test]
fn px11_tr19_what_says_how_a_modern_request_is_meant_must_be_readable() {
    const FIELDS: [(&str, &str); 2] = [("MCP-Protocol-Version", "2026-07-28"), ("Mcp-Method", "tools/list")];
    let gateway = Running::start(DEMO);
    let token = gateway.token("tag:clock", &[]);
    let with = |key: &str, value: Value| {
        let mut meta = meta("2026-07-28");
        meta[key] = value;
        meta
    };
    for broken in [
        json!([]),
        json!(null),
        json!("x"),
        with("progressToken", json!({})),
        with("progressToken", json!(null)),
        with("progressToken", json!(1.5)),
        with("io.modelcontextprotocol/clientInfo", json!("x")),
        with("io.modelcontextprotocol/clientInfo", json!([])),
        with("io.modelcontextprotocol/logLevel", json!(7)),
    ] {
        let refused = list(&gateway, &token, Some(&broken), &FIELDS);
        assert_eq!((refused.status, refused.code()), (400, -32602), "{broken}: {refused:?}");
        assert_eq!(refused.json()["id"], "seven", "{broken}");
    }
    let fine = with("io.modelcontextprotocol/clientInfo", json!({"name": "x", "version": "1"}));
    assert_eq!(list(&gateway, &token, Some(&fine), &FIELDS).status, 200);
}

#[test]
fn tr39_who_sends_a_little_too_much_reads_that_it_was_too_much() {
    let gateway = Running::start(DEMO);
    let token = gateway.token("tag:clock", &[]);
    for size in [4 << 20, 9 << 20] {
        let refused = gateway.call("/mcp", Some(&token), "time__now", json!({"x": "y".repeat(size)}));
        assert_eq!(refused.status, 413, "{size}: {refused:?}");
        assert_eq!(refused.json()["error"], "body-too-large");
    }
    assert!(gateway.call("/mcp", Some(&token), "time__now", json!({})).json()["result"].is_object());
}

#[test]
fn t038_lists_of_callers_and_filters_that_take_turns_never_cross() {
    let before = Before::new("modern", "http", "[]");
    let gateway = &before.gateway;
    let (notes, both) = (gateway.token("tag:notes", &[]), gateway.token("tag:clock,tag:notes", &[]));
    let asks = [
        (&before.token, "/mcp", &["wiki", "time"][..]),
        (&notes, "/mcp", &["notes"]),
        (&both, "/mcp", &["wiki", "time", "notes"]),
        (&both, "/mcp?tags=notes", &["notes"]),
        (&both, "/mcp?tags=clock", &["wiki", "time"]),
    ];
    let mut first = Vec::new();
    for round in 0..4 {
        for (nth, (token, path, servers)) in asks.iter().enumerate() {
            let answer = gateway.modern(path, Some(token), "tools/list", json!({}));
            assert_eq!(answer.header("cache-control"), Some("no-store"));
            let result = answer.json()["result"].clone();
            assert_eq!(result["cacheScope"], "private");
            let named = |tool: &Value| tool["name"].as_str().unwrap().split("__").next().unwrap().to_owned();
            let listed: std::collections::BTreeSet<String> =
                result["tools"].as_array().unwrap().iter().map(named).collect();
            assert_eq!(listed, servers.iter().map(|&server| server.to_owned()).collect(), "{path} in round {round}");
            match round {
                0 => first.push(result["tools"].clone()),
                _ => assert_eq!(first[nth], result["tools"], "{path} in round {round}"),
            }
        }
    }
}
