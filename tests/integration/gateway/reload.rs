//! Configurations read anew: put into force whole, or not at all.

use serde_json::json;

use super::DEMO;
use crate::support::running::Running;

fn events(gateway: &Running, what: &str) -> usize {
    gateway.audit().iter().filter(|record| record["what"] == what).count()
}

#[test]
fn t015_t146_a_reload_decides_the_next_request_and_ends_no_other() {
    let gateway = Running::start(DEMO);
    let token = gateway.token("tag:clock,tag:notes", &[]);
    let call = || gateway.modern("/mcp", Some(&token), "tools/call", json!({"name": "time__now", "arguments": {}}));
    assert_eq!(call().code(), 0);
    let before = gateway.last_decision()["policy"].clone();
    gateway.reload(&DEMO.replace("tags: [clock]", "tags: [clock, write]"));
    gateway.until("the new configuration", || events(&gateway, "config-loaded") == 2);
    gateway.until("the new decision", || call().status != 200 || call().code() != 0);
    assert_eq!(gateway.tools("/mcp", Some(&token)), ["notes__list_notes", "notes__read_note", "notes__search_notes"]);
    let after = gateway.last_decision()["policy"].clone();
    assert_ne!(before, after);
    assert_eq!(gateway.send("GET", "/readyz", &[], "").status, 200);
    // And back: what was worked out for the token is of one revision.
    gateway.reload(DEMO);
    gateway.until("the old configuration", || events(&gateway, "config-loaded") == 3);
    gateway.until("the old decision", || call().code() == 0);
}

#[test]
fn t138_what_cannot_be_reloaded_is_refused_and_the_old_goes_on() {
    let gateway = Running::start(DEMO);
    let token = gateway.token("tag:clock", &[]);
    let works = || gateway.modern("/mcp", Some(&token), "tools/call", json!({"name": "time__now", "arguments": {}}));
    let refused: [(String, &str); 7] = [
        (DEMO.replace("tags: [clock]", "tags: [clocks]"), "portcullis.yaml:6:12"),
        ("version: [".to_owned(), "portcullis.yaml:1:"),
        (
            format!("{DEMO}rules:\n  - {{id: r, forbid: {{tools: [time/now]}}, when: 'context.nonsense'}}\n"),
            "attribute `nonsense` in `context` not found",
        ),
        (DEMO.replace("{address: '{address}'}", "{address: '127.0.0.1:1'}"), "`listen.address` cannot change"),
        (format!("{DEMO}store: {{sqlite: other.db}}\n"), "`store` cannot change"),
        (format!("{DEMO}audit: {{file: other.ndjson}}\n"), "`audit.file` cannot change"),
        (format!("{DEMO}oauth: {{enabled: false}}\n"), "serve --allow-open"),
    ];
    for (nth, (yaml, told)) in refused.iter().enumerate() {
        gateway.reload(yaml);
        gateway.until("the refusal", || events(&gateway, "config-refused") == nth + 1);
        let log = gateway.log();
        assert!(log.contains(told), "{told}: {log}");
        assert_eq!(works().code(), 0, "{told}");
        let ready = gateway.send("GET", "/readyz", &[], "");
        assert_eq!((ready.status, ready.body.as_str()), (200, r#"{"status":"degraded"}"#), "AD-12: {told}");
    }
    gateway.reload(DEMO);
    gateway.until("the good one", || gateway.send("GET", "/readyz", &[], "").body == r#"{"status":"ready"}"#);
    let refusal = gateway.audit().into_iter().rfind(|record| record["what"] == "config-refused").unwrap();
    assert_eq!(refusal["facts"]["problems"], "1", "{refusal}");
    assert_eq!(events(&gateway, "config-loaded"), 2);
}

#[test]
fn oauth_is_turned_off_by_a_reload_where_the_start_allowed_that() {
    let mut gateway = Running::prepare(DEMO);
    gateway.launch_with(&["--allow-open"]);
    let now = || gateway.call("/mcp", None, "time__now", json!({}));
    assert_eq!(now().status, 401);
    gateway.reload(&format!("{DEMO}oauth: {{enabled: false}}\n"));
    gateway.until("the new configuration", || events(&gateway, "config-loaded") == 2);
    let answer = now();
    assert!(answer.json()["result"].is_object(), "{answer:?}");
    // And on again.
    gateway.reload(DEMO);
    gateway.until("the old configuration", || events(&gateway, "config-loaded") == 3);
    assert_eq!(now().status, 401);
}
