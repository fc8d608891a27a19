//! What a server was given to prove itself with: whoever repeats it, nobody reads it. And the record that says
//! which process was started.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use super::{DEMO, merged};
use crate::support::{
    fake_http::{self, Answer, Fake, Seen, events},
    hostile_upstream,
    running::Running,
};

/// With everything in it that some writer has to escape.
const KEY: &str = "kmark-7f3a \"q\"/+&=%";
/// What is in the URL, so that no file need be read for it.
const PARAMETER: &str = "umark-41c9";
const MARK: &str = "[credential]";

/// What any form of them that somebody could read has in it.
fn markers() -> Vec<String> {
    let encoded = |text: &str, from: usize| BASE64_STANDARD.encode(text)[from..from + 8].to_owned();
    vec!["kmark".into(), "umark".into(), encoded(KEY, 0), encoded(&format!("ada:{KEY}"), 8)]
}

/// Nothing of them is in what a caller got, the trail or the log.
fn is_clean(gateway: &Running, what: &str, body: &str) {
    let trail = std::fs::read_to_string(gateway.path(".portcullis/audit.ndjson")).unwrap();
    for marker in markers() {
        assert!(!body.contains(&marker), "{what}: {body}");
        assert!(!trail.contains(&marker), "{what}: the trail has `{marker}`");
        assert!(!gateway.log().contains(&marker), "{what}: the log has `{marker}`: {}", gateway.log());
    }
}

/// A server that repeats what it was asked with, in whatever way its tool is called.
fn parrot(seen: &Seen) -> Answer {
    let server = merged::Server::with_tools(["error", "data", "failed", "page", "stream", "status"].map(str::to_owned));
    if seen.rpc() != "tools/call" {
        return server.answer(seen);
    }
    let (id, key) = (&seen.body["id"], &seen.headers["x-api-key"]);
    let error = |message: String, data: Value| json!({"jsonrpc": "2.0", "id": id, "error": {"code": -32000, "message": message, "data": data}});
    let told = format!("401 from https://db.internal{} with `x-api-key: {key}`", seen.target);
    match seen.body["params"]["name"].as_str().unwrap() {
        "error" => fake_http::json(&error(told, Value::Null)),
        "data" => fake_http::json(&error(
            "no".into(),
            json!({"headers": seen.headers, "basic": BASE64_STANDARD.encode(format!("ada:{key}")),
                   "json": json!({"key": key}).to_string(), "base64": BASE64_STANDARD.encode(key)}),
        )),
        "failed" => fake_http::json(
            &json!({"jsonrpc": "2.0", "id": id, "result": {"isError": true, "content": [{"type": "text", "text": told}]}}),
        ),
        "page" => fake_http::answer("500 Oops", "content-type: text/html\r\n", &format!("<h1>{told}</h1>")),
        "status" => {
            fake_http::answer("400 Oops", "content-type: application/json\r\n", &error(told, Value::Null).to_string())
        }
        _ => events(&format!("data: {}\n\n", error(told, Value::Null))),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn t105_px21_what_a_server_repeats_of_its_key_reaches_no_caller_no_trail_and_no_log() {
    let fake = Fake::start(parrot).await;
    let servers = format!(
        "  bad:\n    tags: [clock]\n    http: {{url: '{}?api_key={PARAMETER}', headers: {{X-Api-Key: {{file: key}}}}}}\n  dead:\n    tags: [clock]\n    http: {{url: 'http://127.0.0.1:9/mcp?api_key={PARAMETER}', headers: {{X-Api-Key: {{file: key}}}}}}\n",
        fake.url
    );
    let gateway = Running::start_with(&DEMO.replace("  hidden:", &format!("{servers}  hidden:")), &[("key", KEY)]);
    let token = gateway.token("tag:clock", &[]);
    for (tool, hides) in
        [("error", true), ("data", true), ("failed", true), ("page", false), ("stream", true), ("status", true)]
    {
        let name = format!("bad__{tool}");
        let calls = [
            gateway.call("/mcp", Some(&token), &name, json!({})),
            gateway.modern("/mcp", Some(&token), "tools/call", json!({"name": name, "arguments": {}})),
        ];
        for answer in calls {
            assert_eq!(answer.status, 200, "{tool}: {answer:?}");
            is_clean(&gateway, tool, &answer.body);
            assert_eq!(answer.body.contains(MARK), hides, "{tool}: {answer:?}");
        }
    }
    // It was asked with it, so there was something to repeat.
    let asked = fake.seen().into_iter().rfind(|seen| seen.rpc() == "tools/call").unwrap();
    assert_eq!((asked.headers["x-api-key"].as_str(), asked.target.contains(PARAMETER)), (KEY, true));
    let dead = gateway.call("/mcp", Some(&token), "dead__x", json!({}));
    assert_eq!(dead.code(), -32603, "{dead:?}");
    is_clean(&gateway, "a server that cannot be reached", &dead.body);
}

#[test]
fn t105_what_a_child_repeats_of_its_variables_reaches_no_caller_no_trail_and_no_log() {
    let hostile = hostile_upstream();
    let server = format!(
        "  bad:\n    tags: [clock]\n    stdio: {{command: ['{hostile}', listed], env: {{SECRET: {{file: key}}, PLACE: 'postgres://ada:{PARAMETER}@db.internal/x'}}}}\n"
    );
    let gateway = Running::start_with(&DEMO.replace("  hidden:", &format!("{server}  hidden:")), &[("key", KEY)]);
    let token = gateway.token("tag:clock", &[]);
    for how in ["error", "failed", "stderr", "garbage"] {
        let answer = gateway.call("/mcp", Some(&token), "bad__confess", json!({"how": how}));
        assert_eq!(answer.status, 200, "{how}: {answer:?}");
        match how {
            "stderr" => gateway.until("its error output", || gateway.log().contains("it is over")),
            "garbage" => gateway.until("its garbage", || gateway.log().contains("is not MCP")),
            _ => assert!(answer.body.contains(MARK), "{how}: {answer:?}"),
        }
        is_clean(&gateway, how, &answer.body);
    }
    assert!(gateway.log().matches(MARK).count() >= 3, "{}", gateway.log());
}

#[test]
fn se01_every_process_that_is_started_is_in_the_trail_before_it_works() {
    let hostile = hostile_upstream();
    let server = format!(
        "  bad:\n    tags: [clock]\n    stdio: {{command: ['{hostile}', listed, 'a;b $(c)'], env: {{SECRET: {{file: key}}}}}}\n"
    );
    let gateway = Running::start_with(&DEMO.replace("  hidden:", &format!("{server}  hidden:")), &[("key", KEY)]);
    let token = gateway.token("tag:clock", &[]);
    let starts = || -> Vec<Value> {
        let started = |record: &Value| record["type"] == "server" && record["facts"]["server"] == "bad";
        gateway.audit().into_iter().filter(started).collect()
    };
    let call = |tool: &str| gateway.call("/mcp", Some(&token), tool, json!({}));
    assert!(call("bad__echo").json()["result"].is_object());
    let first = starts();
    assert_eq!((first.len(), &first[0]["what"]), (1, &json!("process-start")), "{first:?}");
    let facts = &first[0]["facts"];
    let command: Value = serde_json::from_str(facts["command"].as_str().unwrap()).unwrap();
    assert_eq!(command, json!([hostile, "listed", "a;b $(c)"]), "what is run, part by part");
    let variables: Vec<&str> = facts["variables"].as_str().unwrap().split(' ').collect();
    assert!(variables.contains(&"SECRET") && variables.contains(&"PATH"), "{facts}");
    assert_eq!(facts["shared"], "yes");
    is_clean(&gateway, "a start", "");
    // One that ends is started again, which is said again.
    assert_eq!(call("bad__crash").code(), -32603);
    assert!(call("bad__echo").json()["result"].is_object());
    assert_eq!(starts().len(), 2);
    // So is each server of the file, once.
    let all = gateway.audit().into_iter().filter(|record| record["what"] == "process-start").count();
    assert_eq!(all, 5, "time, notes, hidden, and `bad` twice");
}

#[test]
fn se02_t169_nothing_that_is_asked_for_starts_a_program_or_changes_one() {
    let gateway = Running::start(DEMO);
    let token = gateway.token("tag:clock", &[]);
    let bearer = format!("Bearer {token}");
    let made = gateway.path("made");
    let before = std::fs::read_to_string(gateway.path("portcullis.yaml")).unwrap();
    let command = json!(["touch", made]);
    let server =
        json!({"name": "evil", "stdio": {"command": command}, "command": "touch", "args": [made], "tags": ["clock"]});
    let bodies = [
        server.to_string(),
        json!({"servers": {"evil": {"stdio": {"command": command}}}}).to_string(),
        json!({"mcpServers": {"evil": {"command": "touch", "args": [made]}}}).to_string(),
        json!({"jsonrpc": "2.0", "id": 1, "method": "servers/add", "params": server}).to_string(),
        json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": "2025-11-25",
               "capabilities": {"experimental": {"servers": server}}, "clientInfo": {"name": "x", "version": "1"}}})
        .to_string(),
        format!("client_name=x&redirect_uris=http://127.0.0.1/cb&command=touch&args={}", made.display()),
    ];
    let routes = [
        "/",
        "/mcp",
        "/mcp/time",
        "/mcp/evil",
        "/mcp/@evil",
        "/admin",
        "/admin/servers",
        "/api/servers",
        "/servers",
        "/servers/evil",
        "/config",
        "/reload",
        "/healthz",
        "/readyz",
        "/login",
        "/login/link",
        "/logout",
        "/grants",
        "/grants/revoke",
        "/oauth/authorize",
        "/oauth/consent",
        "/oauth/introspect",
        "/oauth/register",
        "/oauth/revoke",
        "/oauth/token",
        "/.well-known/oauth-authorization-server",
        "/.well-known/oauth-protected-resource/mcp",
        "/.well-known/openid-configuration",
    ];
    for route in routes {
        for method in ["POST", "PUT", "PATCH", "DELETE", "GET"] {
            for body in &bodies {
                for kind in ["application/json", "application/x-www-form-urlencoded"] {
                    let headers = [("Content-Type", kind), ("Authorization", bearer.as_str()), ("Accept", "*/*")];
                    let answer = gateway.send(method, route, &headers, body);
                    assert!(answer.status > 0 && answer.status < 500, "{method} {route}: {answer:?}");
                }
            }
        }
    }
    assert!(!made.exists());
    assert_eq!(std::fs::read_to_string(gateway.path("portcullis.yaml")).unwrap(), before);
    let started = |record: &Value| record["what"] == "process-start";
    let servers: Vec<Value> =
        gateway.audit().into_iter().filter(started).map(|record| record["facts"]["server"].clone()).collect();
    assert_eq!(servers.len(), 3, "those of the file, once: {servers:?}");
    assert_eq!(gateway.call("/mcp", Some(&token), "evil__x", json!({})).code(), -32602);
}
