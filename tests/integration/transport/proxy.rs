//! Proxies in front of the gateway: those that are ours are believed, and nobody else.

use super::yaml;
use crate::{
    gateway::DEMO,
    support::running::{Answer, Running},
};

const RULES: &str = "\nrules:
  - {id: tls-only, forbid: {servers: [notes]}, unless: context.tls}
  - {id: no-others, forbid: {servers: [time]}, when: 'context.address.isInRange(ip(\"203.0.113.0/24\"))'}
";

fn call(gateway: &Running, token: &str, tool: &str, headers: &[(&str, &str)]) -> Answer {
    let bearer = format!("Bearer {token}");
    let (fields, body) = super::call(tool);
    let mut all: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    all.push(("Authorization", &bearer));
    all.extend_from_slice(headers);
    gateway.send("POST", "/mcp", &all, &body)
}

fn address(gateway: &Running) -> String {
    gateway.last_decision()["peer"]["address"].as_str().unwrap().to_owned()
}

#[test]
fn t149_sm19_an_address_that_is_made_up_is_not_believed() {
    let gateway = Running::start(&format!("{DEMO}{RULES}"));
    let token = gateway.token("tag:clock", &[]);
    for nth in 0..40 {
        let fake = format!("203.0.113.{nth}");
        let forwarded = format!("for={fake};proto=https");
        let spoofed = [
            ("X-Forwarded-For", fake.as_str()),
            ("X-Real-IP", &fake),
            ("True-Client-IP", &fake),
            ("Forwarded", &forwarded),
            ("X-Forwarded-Proto", "https"),
        ];
        let answer = call(&gateway, &token, "time__now", &spoofed);
        assert!(answer.json()["result"].is_object(), "{answer:?}");
        assert_eq!(address(&gateway), "127.0.0.1");
    }
    // Limited as one: the counted refusals of bad tokens are of one address.
    for nth in 0..60 {
        assert_eq!(
            call(&gateway, "pc_at_0nonsense", "time__now", &[("X-Forwarded-For", &format!("198.51.100.{nth}"))]).status,
            401
        );
    }
    let refused = gateway.audit().iter().filter(|record| record["refusal"] == "bad-token").count();
    assert!((1..=30).contains(&refused), "{refused} records for 60 refusals of one peer");
}

#[test]
fn sm19_sm21_a_trusted_proxy_says_who_asks_and_whether_by_tls() {
    let more = "trusted_proxies: [127.0.0.0/8], tls_proxy: true, public_url: 'https://gate.example.com'";
    let gateway = Running::start(&format!("{}{RULES}", yaml(more)));
    let token = gateway.token("tag:clock,tag:notes", &[]);
    let answer = call(&gateway, &token, "time__now", &[("X-Forwarded-For", "6.6.6.6, 198.51.100.7, 127.0.0.9")]);
    assert!(answer.json()["result"].is_object(), "{answer:?}");
    assert_eq!(address(&gateway), "198.51.100.7");
    // `context.address` is that address too.
    assert_ne!(call(&gateway, &token, "time__now", &[("X-Forwarded-For", "203.0.113.5")]).code(), 0);
    assert_eq!(address(&gateway), "203.0.113.5");
    call(&gateway, &token, "time__now", &[("Forwarded", "for=\"[2001:db8::7]:4711\";proto=https")]);
    assert_eq!(address(&gateway), "2001:db8::7");
    // What a proxy does not say, `tls_proxy` says; what it says counts.
    let list =
        |headers: &[(&str, &str)]| call(&gateway, &token, "notes__list_notes", headers).json()["result"].is_object();
    assert!(list(&[("X-Forwarded-For", "198.51.100.7")]));
    assert!(list(&[("X-Forwarded-For", "198.51.100.7"), ("X-Forwarded-Proto", "https")]));
    assert!(!list(&[("X-Forwarded-For", "198.51.100.7"), ("X-Forwarded-Proto", "http")]));
    // T-096, T-122: no name is ever taken from it.
    let metadata = gateway.send(
        "GET",
        "/.well-known/oauth-protected-resource/mcp",
        &[
            ("X-Forwarded-Host", "evil.test"),
            ("X-Forwarded-Prefix", "/evil"),
            ("Forwarded", "for=198.51.100.7;host=evil.test"),
        ],
        "",
    );
    assert!(
        metadata.json()["resource"] == "https://gate.example.com/mcp" && !metadata.body.contains("evil"),
        "{metadata:?}"
    );
}

#[test]
fn what_a_trusted_proxy_garbles_is_refused_and_written_down() {
    let gateway = Running::start(&yaml("trusted_proxies: [127.0.0.1]"));
    let token = gateway.token("tag:clock", &[]);
    for headers in [
        &[("X-Forwarded-For", "not an address")][..],
        &[("X-Forwarded-For", "")],
        &[("X-Forwarded-For", "198.51.100.7"), ("Forwarded", "for=6.6.6.6")],
        &[("X-Forwarded-Proto", "gopher")],
        &[("Forwarded", "for=\"198.51.100.7")],
    ] {
        let refused = call(&gateway, &token, "time__now", headers);
        assert_eq!((refused.status, refused.json()["error"].as_str().unwrap()), (400, "bad-forwarding"), "{headers:?}");
    }
    assert!(gateway.audit().iter().any(|record| record["refusal"] == "bad-forwarding"));
    assert!(call(&gateway, &token, "time__now", &[]).json()["result"].is_object());
    assert_eq!(address(&gateway), "127.0.0.1");
}
