//! Servers that join a tag, and tools of a higher risk, after a person consented.

use portcullis::store::Risk;
use serde_json::{Value, json};

use super::{SECRET, yaml};
use crate::support::{
    consenting::{Consenting, Given, Tokens, refresh},
    running::Running,
};

/// A gateway in which `text` has joined the tag of `time`, and the store behind it.
fn start(mode: &str) -> (Running, Consenting) {
    let drift = if mode.is_empty() { String::new() } else { format!("  scope_drift: {mode}\n") };
    let joined = yaml()
        .replace("  hidden:\n    tags: [secret]\n", "  hidden:\n    tags: [clock]\n")
        .replace("  failure_delay", &format!("{drift}  failure_delay"))
        .replace("lifetime: 5s", "lifetime: 10m");
    let gateway = Running::start_with(&joined, &[("robot.secret", SECRET)]);
    let url = format!("http://{}", gateway.address());
    let store = Consenting::at(&gateway, &url);
    (gateway, store)
}

const CLOCK: Given<'_> =
    Given { endpoint: "/mcp", scopes: &["tag:clock"], opened: &[("tag:clock", "time", Risk::Read)] };
const BOTH: Given<'_> = Given {
    endpoint: "/mcp",
    scopes: &["tag:clock"],
    opened: &[("tag:clock", "time", Risk::Read), ("tag:clock", "hidden", Risk::Read)],
};

fn tools(gateway: &Running, path: &str, token: &str) -> Vec<String> {
    let listed = gateway.modern(path, Some(token), "tools/list", json!({})).json();
    let tools = listed["result"]["tools"].as_array().unwrap_or_else(|| panic!("{listed}"));
    tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
}

fn call(gateway: &Running, token: &str, tool: &str, arguments: Value) -> crate::support::running::Answer {
    gateway.modern("/mcp", Some(token), "tools/call", json!({"name": tool, "arguments": arguments}))
}

/// What `explain --decision` says of the last decision: denied then and today, by consent alone.
fn explained(gateway: &Running, beyond: &str, scopes: &str) {
    let record = gateway.last_decision();
    let id = record["id"].as_str().unwrap();
    let asked = |format: &str| {
        let said = gateway.command(&["explain", "--decision", id, "--format", format]).output().unwrap();
        assert_eq!(said.status.code(), Some(1), "{said:?}");
        String::from_utf8(said.stdout).unwrap()
    };
    let text = asked("human");
    let turn = format!("consent again to {scopes}: ");
    for said in [
        "denied then, and denied today\n",
        &format!("      {beyond}\n"),
        "  pass  policy ",
        &format!("  FAIL  consent     {beyond}\n        forbid guard/consent   ships with portcullis\n"),
        &format!("\nwhat would turn it: {turn}"),
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    for unsaid in ["would be allowed with", "asked as if about everything", "it hung on"] {
        assert!(!text.contains(unsaid), "{unsaid}: {text}");
    }
    let json: Value = serde_json::from_str(&asked("json")).unwrap();
    let today = &json["today"];
    assert_eq!(json["then"]["decision"]["consent"], today["decision"]["consent"], "{json}");
    assert_eq!(today["decision"]["consent"], record["decision"]["consent"], "{json}");
    let gate = today["gates"].as_array().unwrap().iter().find(|gate| gate["gate"] == "consent").unwrap();
    assert_eq!((&gate["passed"], &gate["why"]), (&json!("fail"), &json!(beyond)), "{json}");
    assert!(today["turn"].as_str().unwrap().starts_with(&turn), "{json}");
    assert_eq!(today["command"], format!("portcullis explain --decision {id}"));
}

#[test]
fn oa82_a_server_that_joined_later_is_closed_until_consent_is_given_again() {
    for mode in ["", "reconsent"] {
        let (gateway, store) = start(mode);
        let tokens = store.tokens(&gateway, &CLOCK);
        assert_eq!(tools(&gateway, "/mcp", &tokens.access), ["time__now", "time__convert"], "{mode}");
        assert_eq!(call(&gateway, &tokens.access, "time__now", json!({})).status, 200);
        // OA-80, AZ-15: what consent would open says so, to who has the scope already.
        let refused = call(&gateway, &tokens.access, "hidden__sha256", json!({"text": "x"}));
        assert_eq!(refused.status, 403, "{refused:?}");
        let challenge = refused.header("www-authenticate").unwrap();
        assert!(
            challenge.contains(r#"error="insufficient_scope", scope="tag:clock", resource_metadata="#),
            "{challenge}"
        );
        let decision = &gateway.last_decision()["decision"];
        assert_eq!((&decision["because"], &decision["missing"]), (&"missing-scope".into(), &json!(["tag:clock"])));
        assert_eq!(decision["determining"][0]["policy"], "guard/consent");
        // Whoever asks why is told what the person had been asked about, and what turns it.
        explained(&gateway, "the person was not asked about `hidden`: it joined their tags later", "tag:clock");
        // A refresh is no consent.
        let next = Tokens::of(&refresh(&gateway, &tokens.refresh, ""));
        assert_eq!(tools(&gateway, "/mcp", &next.access).len(), 2);
        // The person consents again: the old tokens are of the same grant and know it with the next event.
        store.approve(&BOTH);
        gateway.until("the consent", || tools(&gateway, "/mcp", &next.access).len() > 2);
        assert_eq!(call(&gateway, &next.access, "hidden__sha256", json!({"text": "x"})).status, 200);
        assert_eq!(call(&gateway, &tokens.access, "hidden__sha256", json!({"text": "x"})).status, 200);
        // And narrower again.
        store.approve(&CLOCK);
        gateway.until("the consent", || tools(&gateway, "/mcp", &next.access).len() == 2);
    }
}

#[test]
fn oa82_at_its_own_endpoint_a_server_that_joined_later_is_not_there_either() {
    let (gateway, store) = start("");
    let own = Given { endpoint: "/mcp/hidden", ..CLOCK };
    let tokens = store.tokens(&gateway, &own);
    for (method, params) in
        [("tools/list", json!({})), ("server/discover", json!({})), ("tools/call", json!({"name": "sha256"}))]
    {
        let refused = gateway.modern("/mcp/hidden", Some(&tokens.access), method, params);
        assert_eq!(refused.status, 403, "{method}: {refused:?}");
        assert!(refused.header("www-authenticate").unwrap().contains("scope=\"tag:clock\""));
    }
    store.approve(&Given { endpoint: "/mcp/hidden", ..BOTH });
    let lists = || gateway.modern("/mcp/hidden", Some(&tokens.access), "tools/list", json!({})).status;
    gateway.until("the consent", || lists() == 200);
}

#[test]
fn oa82_a_tool_of_a_higher_risk_than_was_shown_is_closed() {
    let (gateway, store) = start("");
    std::fs::create_dir_all(gateway.path("notes")).unwrap();
    let scopes = &["tag:notes", "tag:write"];
    let of = |risk| [("tag:notes", "notes", risk), ("tag:write", "notes", risk)];
    let (reading, writing) = (of(Risk::Read), of(Risk::Write));
    let given = |opened| Given { endpoint: "/mcp", scopes, opened };
    let tokens = store.tokens(&gateway, &given(&reading));
    let writes = || tools(&gateway, "/mcp", &tokens.access).contains(&"notes__write_note".to_owned());
    let note = json!({"name": "x", "text": "y"});
    assert!(!writes() && tools(&gateway, "/mcp", &tokens.access).len() == 3);
    let refused = call(&gateway, &tokens.access, "notes__write_note", note.clone());
    assert!(refused.header("www-authenticate").unwrap().contains("scope=\"tag:notes tag:write\""), "{refused:?}");
    assert!(!gateway.path("notes/x.md").exists());
    let decision = &gateway.last_decision()["decision"];
    let agreed = json!({"tag:notes": "read", "tag:write": "read"});
    assert_eq!(decision["consent"], json!({"agreed": agreed, "asks": "write"}), "{decision}");
    let beyond = "the person was asked about a `notes` that only reads, and this changes something";
    explained(&gateway, beyond, "tag:notes tag:write");
    store.approve(&given(&writing));
    gateway.until("the consent", writes);
    assert_eq!(call(&gateway, &tokens.access, "notes__write_note", note).status, 200);
}

#[test]
fn oa82_it_can_be_let_in_with_a_mark_or_without() {
    for (mode, marked) in [("notify", true), ("allow", false)] {
        let (gateway, store) = start(mode);
        let tokens = store.tokens(&gateway, &CLOCK);
        assert!(tools(&gateway, "/mcp", &tokens.access).len() > 2, "{mode}");
        assert_eq!(call(&gateway, &tokens.access, "hidden__sha256", json!({"text": "x"})).status, 200);
        let because = |record: &Value| {
            let reasons = record["decision"]["determining"].as_array().unwrap();
            reasons.iter().map(|reason| reason["policy"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let mark: &[&str] = if marked { &["guard/consent", "server/hidden"] } else { &["server/hidden"] };
        assert_eq!(because(&gateway.last_decision()), mark, "{mode}");
        assert_eq!(call(&gateway, &tokens.access, "time__now", json!({})).status, 200);
        assert_eq!(because(&gateway.last_decision()), ["server/time"], "what was agreed to is not marked");
    }
}

#[test]
fn oa82_who_was_never_asked_is_not_held_to_an_answer() {
    let (gateway, _) = start("");
    let owner = gateway.token("tag:clock", &[]);
    assert!(tools(&gateway, "/mcp", &owner).len() > 2, "the operator's own token");
    let ask = format!("grant_type=client_credentials&client_id=robot&client_secret={SECRET}");
    let robot = Tokens::of(&super::post(&gateway, "/oauth/token", &ask));
    assert!(tools(&gateway, "/mcp", &robot.access).len() > 2, "a client's own");
}
