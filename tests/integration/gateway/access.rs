//! Who may see and do what, in both eras, on both endpoints.

use serde_json::{Value, json};

use super::DEMO;
use crate::support::running::{Running, request};

/// A modern request with its headers.
fn modern(
    gateway: &Running,
    path: &str,
    token: &str,
    method: &str,
    name: Option<&str>,
    mut params: Value,
) -> crate::support::running::Answer {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let bearer = format!("Bearer {token}");
    let mut headers = vec![
        ("Content-Type", "application/json"),
        ("Accept", "application/json, text/event-stream"),
        ("Authorization", &bearer),
        ("MCP-Protocol-Version", "2026-07-28"),
        ("Mcp-Method", method),
    ];
    headers.extend(name.map(|name| ("Mcp-Name", name)));
    gateway.send("POST", path, &headers, &request(method, params).to_string())
}

#[test]
fn sm02_t007_what_is_listed_is_what_can_be_called() {
    let gateway = Running::start(DEMO);
    std::fs::create_dir_all(gateway.path("notes")).unwrap();
    std::fs::write(gateway.path("notes/one.md"), "# One\n").unwrap();
    let both = gateway.token("tag:clock,tag:notes", &[]);
    let clock = gateway.token("tag:clock", &[]);
    let all = gateway.token("tag:clock,tag:notes,tag:write", &[]);
    assert_eq!(
        gateway.tools("/mcp", Some(&both)),
        ["notes__list_notes", "notes__read_note", "notes__search_notes", "time__now", "time__convert"]
    );
    assert_eq!(gateway.tools("/mcp", Some(&clock)), ["time__now", "time__convert"]);
    assert_eq!(gateway.tools("/mcp", Some(&all)).len(), 6);
    // PX-03: the same bytes every time.
    let list = || gateway.post("/mcp", Some(&both), &request("tools/list", json!({}))).body;
    let first = list();
    assert!((0..5).all(|_| list() == first));

    let said = gateway.call("/mcp", Some(&both), "notes__read_note", json!({"name": "one"}));
    assert_eq!(said.json()["result"]["content"][0]["text"], "# One\n");
    // T-007, AZ-22: hidden, forbidden and unknown look alike; the trail tells them apart.
    let mut wordings = Vec::new();
    for (tool, because) in [
        ("notes__delete_note", "explicit-forbid"),
        ("hidden__sha256", "no-matching-grant"),
        ("notes__nonsense", "unknown-tool"),
        ("nowhere__x", "unknown-server"),
        ("unprefixed", "unknown-tool"),
    ] {
        let refused = gateway.call("/mcp", Some(&all), tool, json!({}));
        assert_eq!((refused.status, refused.code()), (200, -32602), "{tool}: {refused:?}");
        wordings.push(refused.json()["error"]["message"].as_str().unwrap().replace(tool, "TOOL"));
        assert_eq!(gateway.last_decision()["decision"]["because"], because, "{tool}");
    }
    wordings.dedup();
    assert_eq!(wordings.len(), 1, "{wordings:?}");
}

#[test]
fn oa80_az15_az16_a_missing_scope_that_could_be_had_is_a_challenge_with_all_of_them() {
    let gateway = Running::start(DEMO);
    let clock = gateway.token("tag:clock", &[]);
    let refused = gateway.call("/mcp", Some(&clock), "notes__write_note", json!({"name": "x", "text": "y"}));
    assert_eq!(refused.status, 403, "{refused:?}");
    let challenge = refused.header("www-authenticate").unwrap();
    assert!(challenge.contains(r#"error="insufficient_scope", scope="tag:notes tag:write""#), "{challenge}");
    assert!(challenge.contains("/.well-known/oauth-protected-resource/mcp\""), "{challenge}");
    // What was decided names the lines.
    let record = gateway.last_decision();
    assert_eq!(record["decision"]["because"], "missing-scope");
    assert_eq!(record["decision"]["missing"], json!(["tag:notes", "tag:write"]));
    assert_eq!(record["decision"]["determining"][0]["policy"], "server/notes/tool/write_note");
    assert_eq!(record["decision"]["determining"][0]["place"]["line"], 12);
    assert!(!gateway.path("notes/x.md").exists());
    // A robot could never have it: no challenge, or it would ask for ever.
    let robot = gateway.token("tag:clock", &["--client", "robot"]);
    assert_eq!(gateway.call("/mcp", Some(&robot), "notes__write_note", json!({})).code(), -32602);
}

#[test]
fn az03_az09_az10_az12_sm13_t042_t053_every_request_needs_a_good_token_for_this_resource() {
    let gateway = Running::start(DEMO);
    let token = gateway.token("tag:clock", &[]);
    let resource = format!("http://{}/mcp/time", gateway.address());
    let for_time = gateway.token("tag:clock", &["--resource", &resource]);
    let list = request("tools/list", json!({}));
    let none = gateway.post("/mcp", None, &list);
    assert_eq!(none.status, 401);
    let metadata = format!("http://{}/.well-known/oauth-protected-resource/mcp", gateway.address());
    assert_eq!(none.header("www-authenticate").unwrap(), format!("Bearer resource_metadata=\"{metadata}\""));
    // T-042, AZ-12: each token at its own endpoint only.
    assert_eq!(gateway.post("/mcp", Some(&token), &list).status, 200);
    assert_eq!(gateway.post("/mcp/time", Some(&for_time), &list).status, 200);
    assert_eq!(gateway.tools("/mcp/time", Some(&for_time)), ["now", "convert"]);
    for (path, token) in [
        ("/mcp/time", token.as_str()),
        ("/mcp", &for_time),
        ("/mcp/notes", &for_time),
        ("/mcp/nowhere", &token),
        ("/mcp", "x"),
        ("/mcp", "pc_at_0x"),
    ] {
        let refused = gateway.post(path, Some(token), &list);
        assert_eq!(refused.status, 401, "{path} {token}");
        assert!(refused.header("www-authenticate").unwrap().contains(r#"error="invalid_token""#));
    }
    // AZ-10, T-053: nowhere but in the header.
    assert_eq!(gateway.post(&format!("/mcp?access_token={token}"), None, &list).status, 401);
    // AZ-01…AZ-04: the metadata says the same of every name of the grammar.
    for (path, resource) in
        [("", "/mcp"), ("/mcp", "/mcp"), ("/mcp/time", "/mcp/time"), ("/mcp/nowhere", "/mcp/nowhere")]
    {
        let document = gateway.send("GET", &format!("/.well-known/oauth-protected-resource{path}"), &[], "").json();
        assert_eq!(document["resource"], format!("http://{}{resource}", gateway.address()));
        assert_eq!(document["authorization_servers"][0], format!("http://{}", gateway.address()));
        assert!(document.get("scopes_supported").is_none());
    }
    // T-086: a revoked token is dead within a second, warm cache or not.
    assert!(gateway.command(&["token", "revoke", "--all"]).output().unwrap().status.success());
    let begun = std::time::Instant::now();
    while gateway.post("/mcp", Some(&token), &list).status != 401 {
        assert!(begun.elapsed() < std::time::Duration::from_secs(5), "a revoked token is still good");
    }
    assert!(
        gateway
            .audit()
            .iter()
            .any(|record| record["what"] == "token-revoked" || record.to_string().contains("revoked"))
    );
}

#[test]
fn sm14_named_tags_narrow_and_never_widen() {
    let gateway = Running::start(DEMO);
    let both = gateway.token("tag:clock,tag:notes", &[]);
    assert_eq!(gateway.tools("/mcp?tags=clock", Some(&both)), ["time__now", "time__convert"]);
    assert_eq!(gateway.tools("/mcp?tags=clock,notes", Some(&both)).len(), 5);
    // Obtainable: step up. Not obtainable, or not there at all: no.
    let refused = gateway.post("/mcp?tags=write", Some(&both), &request("tools/list", json!({})));
    assert_eq!(refused.status, 403);
    assert!(refused.header("www-authenticate").unwrap().contains(r#"scope="tag:write""#));
    for query in ["tags=secret", "tags=nonsense", "tags=", "tags=*", "tags=clock&x=1", "x=1", "tags=clock,clock"] {
        let refused = gateway.post(&format!("/mcp?{query}"), Some(&both), &request("tools/list", json!({})));
        assert_eq!(refused.status, 400, "{query}");
    }
    let refused = gateway.call("/mcp?tags=clock", Some(&both), "notes__read_note", json!({"name": "one"}));
    assert_eq!(refused.code(), -32602);
}

#[test]
fn both_eras_are_served_on_one_endpoint() {
    let gateway = Running::start(DEMO);
    std::fs::create_dir_all(gateway.path("notes")).unwrap();
    std::fs::write(gateway.path("notes/one.md"), "# One\n").unwrap();
    std::fs::write(gateway.path("notes/private.md"), "# Private\n").unwrap();
    let token = gateway.token("tag:clock,tag:notes", &[]);
    // TR-34: the version asked for, else the latest legacy one; never the modern.
    for (asked, given) in
        [("2025-06-18", "2025-06-18"), ("2025-11-25", "2025-11-25"), ("2026-07-28", "2025-11-25"), ("x", "2025-11-25")]
    {
        let params = json!({"protocolVersion": asked, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
        let answer = gateway.post("/mcp", Some(&token), &request("initialize", params)).json();
        assert_eq!(answer["result"]["protocolVersion"], given);
        assert_eq!(answer["result"]["serverInfo"]["name"], "portcullis");
    }
    let noted = gateway.post("/mcp", Some(&token), &json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
    assert_eq!((noted.status, noted.body.as_str()), (202, ""));
    assert_eq!(gateway.post("/mcp", Some(&token), &request("ping", json!({}))).json()["result"], json!({}));
    // DI-01, TR-36.
    let discovered = modern(&gateway, "/mcp", &token, "server/discover", None, json!({})).json();
    assert_eq!(discovered["result"]["supportedVersions"], json!(["2026-07-28"]));
    assert_eq!(discovered["result"]["resultType"], "complete");
    // TR-35, CA-01: modern results have their fields, legacy ones do not.
    let listed = modern(&gateway, "/mcp", &token, "tools/list", None, json!({})).json();
    assert_eq!(
        (&listed["result"]["resultType"], &listed["result"]["cacheScope"], &listed["result"]["ttlMs"]),
        (&json!("complete"), &json!("private"), &json!(0))
    );
    let legacy = gateway.post("/mcp", Some(&token), &request("tools/list", json!({}))).json();
    assert!(legacy["result"].get("resultType").is_none());
    assert_eq!(legacy["result"]["tools"], listed["result"]["tools"]);
    let called = modern(
        &gateway,
        "/mcp",
        &token,
        "tools/call",
        Some("time__now"),
        json!({"name": "time__now", "arguments": {}}),
    )
    .json();
    assert_eq!(called["result"]["resultType"], "complete");
    // Resources: listed, read, and hidden by a pattern.
    assert_eq!(gateway.names("/mcp", Some(&token), "resources/list", "resources", "uri"), ["notes://one"]);
    let read = |uri: &str| modern(&gateway, "/mcp", &token, "resources/read", Some(uri), json!({"uri": uri}));
    assert_eq!(read("notes://one").json()["result"]["contents"][0]["text"], "# One\n");
    assert_eq!(read("notes://private").code(), -32602);
    assert_eq!(read("notes://nowhere").code(), -32602);
    // TR-18, TR-37: removed methods are gone for the modern era, with 404.
    let gone = modern(&gateway, "/mcp", &token, "ping", None, json!({}));
    assert_eq!((gone.status, gone.code()), (404, -32601));
    assert_eq!(gateway.post("/mcp", Some(&token), &request("nonsense", json!({}))).code(), -32601);
    // TR-01: nothing to be about without a session.
    let bearer = format!("Bearer {token}");
    for method in ["GET", "DELETE"] {
        let refused = gateway.send(method, "/mcp", &[("Authorization", &bearer)], "");
        assert_eq!((refused.status, refused.header("allow")), (405, Some("POST")), "{method}");
        assert_eq!(gateway.send(method, "/mcp", &[], "").status, 401, "{method}");
    }
}

#[test]
fn sm15_sm35_without_oauth_nobody_needs_a_token_and_rules_still_hold() {
    let yaml =
        format!("{DEMO}oauth: {{enabled: false}}\nrules:\n  - {{id: no-convert, forbid: {{tools: [time/convert]}}}}\n");
    let gateway = Running::start(&yaml);
    let tools = gateway.tools("/mcp", None);
    assert!(
        tools.contains(&"notes__write_note".to_owned()) && tools.contains(&"hidden__sha256".to_owned()),
        "{tools:?}"
    );
    assert!(
        !tools.contains(&"notes__delete_note".to_owned()) && !tools.contains(&"time__convert".to_owned()),
        "{tools:?}"
    );
    assert_eq!(gateway.call("/mcp", None, "time__convert", json!({})).code(), -32602);
    assert_eq!(gateway.tools("/mcp?tags=clock", None), ["time__now"]);
    // Only this machine, and no pages of others.
    let list = request("tools/list", json!({})).to_string();
    let session = gateway.open("/mcp", None, json!({})).unwrap();
    let json = ("Content-Type", "application/json");
    let session = ("Mcp-Session-Id", session.as_str());
    assert_eq!(gateway.send("POST", "/mcp", &[json, ("X-Forwarded-For", "1.2.3.4")], &list).status, 403);
    assert_eq!(gateway.send("POST", "/mcp", &[json, ("Origin", "https://evil.test")], &list).status, 403);
    assert_eq!(gateway.send("POST", "/mcp", &[json, session, ("Origin", "http://localhost:5173")], &list).status, 200);
    assert_eq!(gateway.send("GET", "/.well-known/oauth-protected-resource", &[], "").status, 404);
    // The store is not even made.
    assert!(!gateway.path(".portcullis/portcullis.db").exists());
}

#[test]
fn cg02_a_resource_that_two_servers_offer_is_had_at_each_of_them_alone() {
    let yaml = DEMO.replace(
        "  hidden:",
        "  more:\n    tags: [notes]\n    stdio: {command: [portcullis, demo-server, notes, --dir, ./more]}\n  hidden:",
    );
    let gateway = Running::start(&yaml);
    for (folder, name) in [("notes", "both"), ("more", "both"), ("more", "own")] {
        std::fs::create_dir_all(gateway.path(folder)).unwrap();
        std::fs::write(gateway.path(&format!("{folder}/{name}.md")), format!("# {folder}\n")).unwrap();
    }
    let token = gateway.token("tag:notes", &[]);
    assert_eq!(gateway.names("/mcp", Some(&token), "resources/list", "resources", "uri"), ["notes://own"]);
    let read = |path: &str, token: &str, uri: &str| {
        gateway.post(path, Some(token), &request("resources/read", json!({"uri": uri})))
    };
    assert_eq!(read("/mcp", &token, "notes://own").json()["result"]["contents"][0]["text"], "# more\n");
    let refused = read("/mcp", &token, "notes://both");
    assert_eq!(refused.code(), -32602, "{refused:?}");
    assert!(refused.json()["error"]["message"].as_str().unwrap().contains("more than one server"));
    assert_eq!(gateway.last_decision()["decision"]["because"], "validation-failed");
    let resource = format!("http://{}/mcp/notes", gateway.address());
    let alone = gateway.token("tag:notes", &["--resource", &resource]);
    assert_eq!(read("/mcp/notes", &alone, "notes://both").json()["result"]["contents"][0]["text"], "# notes\n");
}

#[test]
fn px07_px08_progress_comes_under_the_callers_own_token_and_before_the_answer() {
    let gateway = Running::start(DEMO);
    std::fs::create_dir_all(gateway.path("notes")).unwrap();
    for name in ["one", "two", "three"] {
        std::fs::write(gateway.path(&format!("notes/{name}.md")), "needle\n").unwrap();
    }
    let token = gateway.token("tag:notes", &[]);
    let ask = |id: Value| {
        let params =
            json!({"name": "notes__search_notes", "arguments": {"query": "needle"}, "_meta": {"progressToken": id}});
        gateway.post("/mcp", Some(&token), &request("tools/call", params))
    };
    for id in [json!("my token"), json!(7)] {
        let answer = ask(id.clone());
        assert_eq!(answer.header("content-type"), Some("text/event-stream"), "{answer:?}");
        assert_eq!(answer.header("x-accel-buffering"), Some("no"));
        let messages: Vec<Value> = answer
            .body
            .lines()
            .filter_map(|line| line.strip_prefix("data: "))
            .map(|data| serde_json::from_str(data).unwrap())
            .collect();
        let (last, progress) = messages.split_last().unwrap();
        assert!(last["result"].is_object(), "{messages:?}");
        assert_eq!(progress.len(), 3, "{messages:?}");
        assert!(progress.iter().all(|message| message["params"]["progressToken"] == id));
        assert!(progress.iter().map(|message| message["params"]["progress"].as_u64()).is_sorted());
        // The outcome of a stream is in the trail like any other.
        let records = gateway.audit();
        let decision = records.iter().rfind(|record| record["request"]["method"] == "tools/call").unwrap();
        assert!(records.iter().any(|record| record["type"] == "access"
            && record["id"] == decision["id"]
            && record["response"]["status"] == 200));
    }
    // Who does not read streams gets one message.
    let params =
        json!({"name": "notes__search_notes", "arguments": {"query": "needle"}, "_meta": {"progressToken": 1}});
    let bearer = format!("Bearer {token}");
    let session = gateway.open("/mcp", Some(&token), json!({})).unwrap();
    let headers = [
        ("Content-Type", "application/json"),
        ("Accept", "application/json"),
        ("Authorization", bearer.as_str()),
        ("Mcp-Session-Id", session.as_str()),
    ];
    let answer = gateway.send("POST", "/mcp", &headers, &request("tools/call", params).to_string());
    assert!(answer.json()["result"].is_object());
}

#[test]
fn i1_every_call_has_a_decision_and_an_outcome() {
    let gateway = Running::start(DEMO);
    let token = gateway.token("tag:clock", &[]);
    assert!(gateway.call("/mcp", Some(&token), "time__now", json!({})).json()["result"].is_object());
    let records = gateway.audit();
    let decision = records.iter().find(|record| record["request"]["method"] == "tools/call").unwrap();
    assert_eq!(decision["decision"]["verdict"], "allow");
    assert_eq!(decision["decision"]["determining"][0]["policy"], "server/time");
    assert_eq!(decision["request"]["server"], "time");
    assert_eq!(decision["principal"]["id"], "local/owner");
    let access = records.iter().find(|record| record["type"] == "access" && record["id"] == decision["id"]).unwrap();
    assert_eq!(access["response"]["status"], 200);
    assert!(decision["seq"].as_u64() < access["seq"].as_u64());
    // T-216: the token is nowhere.
    for file in [".portcullis/audit.ndjson", ".portcullis/portcullis.db", ".portcullis/portcullis.db-wal", "stderr.log"]
    {
        assert!(!crate::support::running::holds(&gateway.path(file), &token), "{file}");
    }
}
