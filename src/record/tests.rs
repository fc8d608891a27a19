//! Records as lines: what a reader finds, and what no field can do to it.

use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::{
    detect::Detector,
    diagnostic::Place,
    policy::{Because, Effect, Reason, Verdict},
};

const GATEWAY: Gateway<'static> = Gateway { instance: "gw-1", version: "0.1.0", cedar: "4.14.1" };

fn line(record: &Record<'_>) -> (String, Value) {
    let mut out = b"{\"v\":1,\"seq\":1,".to_vec();
    record.write(&mut out);
    let text = String::from_utf8(out).unwrap();
    let value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    (text, value)
}

fn decision() -> Decision {
    Decision {
        verdict: Verdict::Allow,
        because: Because::Permitted,
        reasons: Arc::from([Reason {
            policy: "server/files".into(),
            effect: Effect::Permit,
            place: Some(Place { file: "portcullis.yaml".into(), line: 7, column: 3, start: 1, end: 2 }),
        }]),
        errors: Vec::new(),
        missing: Vec::new(),
        needed: Vec::new(),
        misfit: None,
        consent: None,
    }
}

fn id() -> Id {
    Id::new(Timestamp::UNIX_EPOCH, [1; 10])
}

#[test]
fn a_decision_reads_as_the_sheet_says() {
    let principal = Principal::User("local/ana".parse().unwrap());
    let scopes = ["tag:files".parse().unwrap()];
    let (path, client) = (json!("docs/a.md"), "cli".parse().unwrap());
    let decision = decision();
    let (_, value) = line(&Record::Decided(&Decided {
        id: id(),
        at: "2026-07-28T10:00:00.5Z".parse().unwrap(),
        gateway: GATEWAY,
        revision: Some(Revision { config: "sha256:aa", bundle: "sha256:bb" }),
        caller: Some(Who {
            principal: &principal,
            client: Some(&client),
            scopes: &scopes,
            method: "bearer",
            token: Some("0f"),
        }),
        peer: Some(Peer { address: "127.0.0.1".parse().unwrap(), agent: Some("curl") }),
        request: Some(Request {
            method: "tools/call",
            server: Some("files"),
            view: Some("frontend"),
            target: Some(Target::Tool("write_file")),
            protocol: Some("2026-07-28"),
            rpc_id: Some("\"7\""),
            read: &[("/path", &path)],
            digest: Some("cc"),
            drift: None,
            size: 120,
        }),
        findings: Found {
            head: Detectors::NONE,
            message: [Detector::SqlInjection, Detector::NullByte].into_iter().collect(),
        },
        decision: &decision,
        refused: None,
    }));
    assert_eq!(
        value,
        json!({
            "v": 1, "seq": 1, "type": "decision", "id": id().to_string(), "ts": "2026-07-28T10:00:00.500000000Z",
            "gateway": {"instance": "gw-1", "version": "0.1.0", "cedar": "4.14.1"},
            "policy": {"config": "sha256:aa", "bundle": "sha256:bb"},
            "principal": {"type": "user", "id": "local/ana", "client_id": "cli", "scopes": ["tag:files"], "method": "bearer", "token": "0f"},
            "peer": {"address": "127.0.0.1", "agent": "curl"},
            "request": {"method": "tools/call", "server": "files", "view": "frontend", "tool": "write_file", "protocol": "2026-07-28",
                "rpc_id": "\"7\"", "arguments": {"/path": "docs/a.md"}, "digest": "cc", "size": 120},
            "findings": {"message": ["null-byte", "sql-injection"]},
            "decision": {"verdict": "allow", "because": "permitted", "determining": [
                {"policy": "server/files", "effect": "permit", "place": {"file": "portcullis.yaml", "line": 7, "column": 3}}]},
        })
    );
}

#[test]
fn what_came_of_a_call_may_be_unknown() {
    let response = Response { status: 200, code: None, is_error: Some(false), bytes: 12, us: 90 };
    let access = |response| {
        line(&Record::Access(Access { id: id(), at: Timestamp::UNIX_EPOCH, gateway: GATEWAY, response, without: &[] }))
            .1
    };
    assert_eq!(access(Some(response))["response"], json!({"status": 200, "is_error": false, "bytes": 12, "us": 90}));
    assert_eq!(access(None)["response"], Value::Null);
}

#[test]
fn t221_long_fields_are_cut_and_named_with_a_digest_of_the_whole() {
    let long = "é".repeat(500_000);
    let (deep, wide) = (json!({"a": [long]}), json!(vec!["x".repeat(900); 100]));
    let decision = Decision::deny(Because::ValidationFailed);
    let request = |read| Request {
        method: &long,
        server: None,
        view: None,
        target: Some(Target::Resource(&long)),
        protocol: None,
        rpc_id: Some(&long),
        read,
        digest: None,
        drift: None,
        size: 1,
    };
    let decided = |read| {
        line(&Record::Decided(&Decided {
            id: id(),
            at: Timestamp::UNIX_EPOCH,
            gateway: GATEWAY,
            revision: None,
            caller: None,
            peer: None,
            request: Some(request(read)),
            findings: Found::default(),
            decision: &decision,
            refused: None,
        }))
    };
    let (deep, wide) = ([("/deep", &deep)], [("/wide", &wide)]);
    let (text, value) = decided(&deep);
    assert!(text.len() < 8 << 10, "{}", text.len());
    let cut: Vec<&str> = value["cut"].as_array().unwrap().iter().map(|cut| cut["at"].as_str().unwrap()).collect();
    assert_eq!(cut, ["/request/method", "/request/resource", "/request/rpc_id", "/request/arguments/deep"]);
    assert_eq!(value["cut"][0]["bytes"], 1_000_000);
    assert_eq!(value["cut"][0]["sha256"].as_str().unwrap().len(), 64);
    let (text, value) = decided(&wide);
    assert!(text.len() < 8 << 10, "{}", text.len());
    assert_eq!(value["request"]["arguments"], json!({}));
}

#[test]
fn t215_hostile_fields_stay_one_line_of_json() {
    let hostile = "\"}\n{\"v\":1,\"type\":\"decision\"\r\u{1b}[2K\u{2028}\u{202e}\0";
    let args = json!({ hostile: [hostile, {hostile: hostile}] });
    let decision = Decision { errors: vec![hostile.to_owned()], ..Decision::deny(Because::PolicyError) };
    let (text, value) = line(&Record::Decided(&Decided {
        id: id(),
        at: Timestamp::UNIX_EPOCH,
        gateway: GATEWAY,
        revision: None,
        caller: None,
        peer: Some(Peer { address: "::1".parse().unwrap(), agent: Some(hostile) }),
        request: Some(Request {
            method: hostile,
            server: Some(hostile),
            view: None,
            target: Some(Target::Prompt(hostile)),
            protocol: Some(hostile),
            rpc_id: Some(hostile),
            read: &[(hostile, &args)],
            digest: None,
            drift: None,
            size: 1,
        }),
        findings: Found::default(),
        decision: &decision,
        refused: Some(Refused {
            kind: hostile,
            response: Response { status: 400, code: None, is_error: None, bytes: 0, us: 1 },
        }),
    }));
    assert!(text.chars().all(|c| !c.is_control() && c != '\u{2028}' && c != '\u{202e}'));
    assert_eq!(value["request"]["arguments"][hostile], args);
    assert_eq!(value["peer"]["agent"], hostile);
    assert_eq!(value["refusal"], hostile);
}
