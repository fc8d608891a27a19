//! Views: `/mcp/@name` keeps what its tags keep, and never opens more than the token does.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::DEMO;
use crate::support::running::{Running, request};

const VIEWS: &str = "views:
  clocks: {tags: [clock]}
  reading: {tags: [clock, notes]}
  writing: {tags: [clock, notes, write]}
  secrets: {tags: [secret], description: Nobody of ours has it}
";

fn started() -> Running {
    Running::start(&format!("{DEMO}{VIEWS}"))
}

/// A token for one endpoint.
fn token(gateway: &Running, scopes: &str, path: &str) -> String {
    gateway.token(scopes, &["--resource", &format!("http://{}{path}", gateway.address())])
}

fn list(gateway: &Running, path: &str, token: &str) -> crate::support::running::Answer {
    gateway.post(path, Some(token), &request("tools/list", json!({})))
}

#[test]
fn sm14_i8_a_view_only_narrows_and_its_lists_and_calls_agree() {
    let gateway = started();
    let all = "tag:clock,tag:notes,tag:write";
    let whole: BTreeSet<String> = gateway.tools("/mcp", Some(&gateway.token(all, &[]))).into_iter().collect();
    for (view, shown) in [
        ("clocks", &["time__now", "time__convert"][..]),
        ("reading", &["notes__list_notes", "notes__read_note", "notes__search_notes", "time__now", "time__convert"]),
    ] {
        let path = format!("/mcp/@{view}");
        let token = token(&gateway, all, &path);
        let tools = gateway.tools(&path, Some(&token));
        assert_eq!(tools, shown, "{view}");
        assert!(tools.iter().all(|tool| whole.contains(tool)), "{view} widens");
        // I3: what is not shown is not called, and what is shown is, in both eras.
        for tool in &whole {
            let legacy = gateway.call(&path, Some(&token), tool, json!({"zone": "UTC"})).code();
            let modern =
                gateway.modern(&path, Some(&token), "tools/call", json!({"name": tool, "arguments": {}})).code();
            assert_eq!((legacy == -32602, modern == -32602), (!tools.contains(tool), !tools.contains(tool)), "{tool}");
        }
    }
    // The view's name says nothing about the token: without its tags there is nothing to see.
    let path = "/mcp/@clocks";
    let prompts = gateway.post(path, Some(&token(&gateway, all, path)), &request("prompts/list", json!({})));
    assert_ne!(prompts.status, 500);
}

#[test]
fn sm14_a_view_wants_every_tag_that_it_names() {
    let gateway = started();
    let clock = token(&gateway, "tag:clock", "/mcp/@writing");
    let refused = gateway.modern("/mcp/@writing", Some(&clock), "tools/list", json!({}));
    assert_eq!(refused.status, 403, "{refused:?}");
    let challenge = refused.header("www-authenticate").unwrap();
    assert!(challenge.contains(r#"error="insufficient_scope", scope="tag:clock tag:notes tag:write""#), "{challenge}");
    assert!(challenge.contains("/.well-known/oauth-protected-resource/mcp/@writing\""), "{challenge}");
    // What this caller could never get is no challenge, or it would ask for ever.
    let path = "/mcp/@secrets";
    let owner = token(&gateway, "tag:clock", path);
    let never = gateway.modern(path, Some(&owner), "tools/list", json!({}));
    assert_eq!((never.status, never.code(), never.header("www-authenticate")), (400, -32600, None), "{never:?}");
    // Sessions are not opened either.
    assert!(gateway.open(path, Some(&owner), json!({})).is_none());
}

#[test]
fn sm14_t001_on_a_view_both_filters_hold() {
    let gateway = started();
    let path = "/mcp/@reading";
    let reader = token(&gateway, "tag:clock,tag:notes,tag:write", path);
    let tools = |query: &str| gateway.tools(&format!("{path}{query}"), Some(&reader));
    assert_eq!(tools("?tags=clock"), ["time__now", "time__convert"]);
    assert_eq!(tools("?tags=clock,write"), ["time__now", "time__convert"], "what the view leaves out stays out");
    assert_eq!(tools("?tags=write"), Vec::<String>::new(), "nothing in common keeps nothing");
    assert_eq!(
        gateway.call(&format!("{path}?tags=clock"), Some(&reader), "notes__list_notes", json!({})).code(),
        -32602
    );
    assert_eq!(gateway.call(&format!("{path}?tags=write"), Some(&reader), "time__now", json!({})).code(), -32602);
    for (query, status) in
        [("?tags=", 400), ("?tags=*", 400), ("?tags=secret", 400), ("?view=x", 400), ("?tags=nope", 400)]
    {
        let refused = gateway.modern(&format!("{path}{query}"), Some(&reader), "tools/list", json!({}));
        assert_eq!(refused.status, status, "{query}: {refused:?}");
    }
    // A query of what the token has does not stand in for what the view needs and it lacks.
    let clock = token(&gateway, "tag:clock", path);
    let refused = gateway.modern(&format!("{path}?tags=clock"), Some(&clock), "tools/list", json!({}));
    assert_eq!(refused.status, 403, "{refused:?}");
    // A query beyond the token is refused although the view would keep nothing of it.
    let reading = token(&gateway, "tag:clock,tag:notes", path);
    let refused = gateway.modern(&format!("{path}?tags=write"), Some(&reading), "tools/list", json!({}));
    assert_eq!(refused.status, 403, "{refused:?}");
    assert!(refused.header("www-authenticate").unwrap().contains("tag:write"));
}

#[test]
fn t004_t042_a_view_that_is_not_there_looks_like_a_server_that_is_not_there() {
    let gateway = started();
    let address = gateway.address();
    // Before authentication every name of the grammar is alike.
    let answers: Vec<(u16, String, String)> = ["@clocks", "@nowhere", "time", "nowhere"]
        .map(|name| {
            let refused = gateway.post_in(&format!("/mcp/{name}"), None, None, &request("tools/list", json!({})));
            let challenge = refused.header("www-authenticate").unwrap().replace(name, "NAME");
            (refused.status, challenge, refused.json()["error"]["message"].as_str().unwrap().to_owned())
        })
        .into();
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:?}");
    assert_eq!(answers[0].0, 401);
    for name in ["@clocks", "@nowhere"] {
        let metadata =
            gateway.send("GET", &format!("/.well-known/oauth-protected-resource/mcp/{name}"), &[], "").json();
        assert_eq!(metadata["resource"], format!("http://{address}/mcp/{name}"));
    }
    // Names outside the grammar are no path at all, with a token and without.
    let all = gateway.token("tag:clock", &[]);
    for path in [
        "/mcp/@",
        "/mcp/@Clocks",
        "/mcp/@clocks.",
        "/mcp/@clocks%20",
        "/mcp/%40clocks",
        "/mcp/@@clocks",
        "/mcp/@clocks/",
        "/mcp/@clocks/x",
    ] {
        assert_eq!(list(&gateway, path, &all).status, 404, "{path}");
    }
    // Tokens are bound to a view as to a server, and neither opens the other.
    let view = token(&gateway, "tag:clock", "/mcp/@clocks");
    assert_eq!(list(&gateway, "/mcp/@clocks", &view).status, 200);
    for (path, token) in [
        ("/mcp", &view),
        ("/mcp/time", &view),
        ("/mcp/clocks", &view),
        ("/mcp/@reading", &view),
        ("/mcp/@nowhere", &view),
        ("/mcp/@clocks", &all),
    ] {
        let refused = gateway.post_in(path, Some(token), None, &request("tools/list", json!({})));
        assert_eq!(refused.status, 401, "{path}: {refused:?}");
        assert!(refused.header("www-authenticate").unwrap().contains("invalid_token"));
    }
    let issued = gateway
        .command(&["token", "issue", "--scopes", "tag:clock", "--resource", &format!("http://{address}/mcp/@nowhere")])
        .output()
        .unwrap();
    assert_eq!(issued.status.code(), Some(2));
    assert_eq!(String::from_utf8(issued.stderr).unwrap(), "error: no view `nowhere`\n");
}

#[test]
fn t004_a_view_that_is_removed_is_gone_for_tokens_sessions_and_streams() {
    let gateway = started();
    let path = "/mcp/@clocks";
    let clock = token(&gateway, "tag:clock", path);
    assert_eq!(list(&gateway, path, &clock).status, 200);
    let session = gateway.open(path, Some(&clock), json!({})).unwrap();
    let bearer = format!("Bearer {clock}");
    let headers = [("Authorization", bearer.as_str()), ("Mcp-Session-Id", &session), ("Accept", "text/event-stream")];
    let mut stream = gateway.events("GET", path, &headers, "");
    assert_eq!(stream.status, 200);
    gateway.reload(&format!("{DEMO}{}", VIEWS.replace("  clocks: {tags: [clock]}\n", "")));
    gateway.until("the view is gone", || list(&gateway, path, &clock).status == 404);
    assert_eq!(stream.next(), None, "a stream outlives its view");
    let refused = gateway.post_in(path, Some(&clock), Some(&session), &request("tools/list", json!({})));
    assert_eq!((refused.status, refused.code()), (404, -32600), "{refused:?}");
    // A view that names more than the token has ends what listens through it, too.
    gateway.reload(&format!("{DEMO}{VIEWS}"));
    gateway.until("the view is back", || list(&gateway, path, &clock).status == 200);
    let session = gateway.open(path, Some(&clock), json!({})).unwrap();
    let headers = [("Authorization", bearer.as_str()), ("Mcp-Session-Id", &session), ("Accept", "text/event-stream")];
    let mut stream = gateway.events("GET", path, &headers, "");
    gateway.reload(&format!("{DEMO}{}", VIEWS.replace("clocks: {tags: [clock]}", "clocks: {tags: [clock, notes]}")));
    gateway.until("the view names more", || list(&gateway, path, &clock).status == 403);
    assert_eq!(stream.next(), None);
}

#[test]
fn t031_pg01_sessions_are_those_of_their_view_alone() {
    let gateway =
        Running::start(&format!("{}{VIEWS}oauth: {{enabled: false}}\n", DEMO.split("grants:").next().unwrap()));
    let session = gateway.open("/mcp/@clocks", None, json!({})).unwrap();
    let list = request("tools/list", json!({}));
    assert_eq!(gateway.post_in("/mcp/@clocks", None, Some(&session), &list).status, 200);
    for path in ["/mcp", "/mcp/@reading", "/mcp/time"] {
        assert_eq!(gateway.post_in(path, None, Some(&session), &list).status, 404, "{path}");
    }
    // SM-15: without tokens a view narrows all the same.
    assert_eq!(gateway.tools("/mcp/@clocks", None), ["time__now", "time__convert"]);
    assert_eq!(gateway.call("/mcp/@clocks", None, "notes__list_notes", json!({})).code(), -32602);
    assert_eq!(gateway.tools("/mcp/@reading?tags=clock", None), ["time__now", "time__convert"]);
    assert_eq!(gateway.modern("/mcp/@nowhere", None, "tools/list", json!({})).status, 404);
}

#[test]
fn sm28_the_trail_names_the_view_and_explain_asks_through_it_again() {
    let gateway = started();
    let path = "/mcp/@clocks";
    let wide = token(&gateway, "tag:clock,tag:notes", path);
    assert_eq!(gateway.call(path, Some(&wide), "notes__read_note", json!({"name": "x"})).code(), -32602);
    let record = gateway.last_decision();
    assert_eq!(record["request"]["view"], "clocks");
    assert_eq!(record["request"]["server"], "notes");
    let id = record["id"].as_str().unwrap();
    let explained = gateway.command(&["explain", "--decision", id, "--format", "json"]).output().unwrap();
    let said: Value = serde_json::from_slice(&explained.stdout).unwrap();
    assert_eq!(said["today"]["decision"]["verdict"], "deny");
    let filter = said["today"]["gates"].as_array().unwrap().iter().find(|gate| gate["gate"] == "filter").unwrap();
    assert_eq!(filter["why"], "the view `@clocks` narrows the request to tag:clock");
    assert_eq!(said["today"]["changes"], json!(["on `/mcp`, not through the view"]));
    let command = said["today"]["command"].as_str().unwrap();
    assert!(command.contains(" --view clocks "), "{command}");
}
