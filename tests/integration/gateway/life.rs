//! How the gateway starts and ends: refused with a reason, drained at SIGTERM, nothing left behind.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

use serde_json::json;

use super::DEMO;
use crate::support::{
    hostile_upstream, is_there,
    running::{Running, request},
    until,
};

#[test]
fn sigterm_drains_calls_in_flight_and_leaves_no_child_and_a_whole_trail() {
    let hostile = hostile_upstream();
    let yaml = DEMO
        .replace(
            "grants:",
            &format!("  bad:\n    tags: [clock]\n    stdio: {{command: ['{hostile}', listed]}}\ngrants:"),
        )
        .replace("listen: {address: '{address}'}", "listen: {address: '{address}', limits: {request: 2s}}");
    let mut gateway = Running::start(&yaml);
    let token = gateway.token("tag:clock", &[]);
    let about = gateway.call("/mcp", Some(&token), "bad__about", json!({})).json();
    let child = about["result"]["pid"].as_u64().unwrap();
    let session = gateway.open("/mcp", Some(&token), json!({})).unwrap();
    // In flight: the server will not answer, so the gateway's own time limit does.
    let body = request("tools/call", json!({"name": "bad__hang", "arguments": {}})).to_string();
    let mut stream = TcpStream::connect(gateway.address()).unwrap();
    write!(
        stream,
        "POST /mcp HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\nMcp-Session-Id: {session}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        gateway.address(),
        body.len()
    )
    .unwrap();
    let begun = std::time::Instant::now();
    while !gateway.audit().iter().any(|record| record["request"]["tool"] == "hang") {
        assert!(begun.elapsed().as_secs() < 20, "the call was not decided");
    }
    gateway.terminate();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("did not answer within 2 s"), "{answer}");
    assert!(gateway.wait().success(), "{}", gateway.log());
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(until("the child is gone", || !is_there(child)));
    assert!(TcpStream::connect(gateway.address()).is_err());
    let records = gateway.audit();
    let hang = records.iter().rfind(|record| record["type"] == "decision").unwrap();
    assert!(records.iter().any(|record| record["type"] == "access" && record["id"] == hang["id"]));
}

#[test]
fn the_audit_trail_lost_means_no_and_its_return_means_yes_again() {
    let gateway = Running::start(DEMO);
    let token = gateway.token("tag:clock", &[]);
    assert!(gateway.call("/mcp", Some(&token), "time__now", json!({})).json()["result"].is_object());
    // A directory in the trail's place: it can be neither written nor made anew.
    let trail = gateway.path(".portcullis/audit.ndjson");
    let aside = gateway.path("aside.ndjson");
    std::fs::rename(&trail, &aside).unwrap();
    std::fs::create_dir(&trail).unwrap();
    let begun = std::time::Instant::now();
    loop {
        let answer = gateway.call("/mcp", Some(&token), "time__now", json!({}));
        if answer.status == 503 {
            assert!(answer.json()["error"]["message"].as_str().unwrap().contains("audit trail"));
            break;
        }
        assert!(begun.elapsed().as_secs() < 20, "calls go on without a trail: {answer:?}");
    }
    assert_eq!(gateway.send("GET", "/readyz", &[], "").status, 503);
    assert_eq!(gateway.send("GET", "/healthz", &[], "").status, 200);
    std::fs::remove_dir(&trail).unwrap();
    std::fs::rename(&aside, &trail).unwrap();
    let begun = std::time::Instant::now();
    while gateway.call("/mcp", Some(&token), "time__now", json!({})).status != 200 {
        assert!(begun.elapsed().as_secs() < 20, "the trail is back and calls are still refused");
    }
}

#[test]
fn a_reader_of_another_key_gets_nothing() {
    let mut gateway = Running::start(DEMO);
    let token = gateway.token("tag:clock", &[]);
    assert!(gateway.stop().success());
    // OA-133: the store's key is gone, and no new one is made beside it.
    std::fs::remove_file(gateway.path(".portcullis/portcullis.db.key")).unwrap();
    let output = gateway.command(&["serve"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("encryption key") && !said.contains(&token), "{said}");
    assert!(!gateway.path(".portcullis/portcullis.db.key").exists());
}
