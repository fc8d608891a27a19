//! Tokens as they are presented: one place, one answer for every bad one, and what they end with.

use std::time::{Duration, Instant};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use portcullis::store::Risk;
use serde_json::{Value, json};

use super::{ASK, SECRET, post, start, yaml};
use crate::support::{
    consenting::{Consenting, Given, Tokens, form, lists, refresh},
    running::{Answer, Running, holds, request},
};

const CLOCK: Given<'_> =
    Given { endpoint: "/mcp", scopes: &["tag:clock"], opened: &[("tag:clock", "time", Risk::Destructive)] };

/// A request with these header fields.
fn with(gateway: &Running, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let common = [("Content-Type", "application/json"), ("Accept", "application/json, text/event-stream")];
    let headers: Vec<_> = common.iter().chain(headers).copied().collect();
    let hello =
        json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
    gateway.send(method, path, &headers, &request("initialize", hello).to_string())
}

/// A JSON web token with this header and these claims; the signature is of nobody.
fn web_token(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{}", part(header), part(claims), URL_SAFE_NO_PAD.encode([7; 32]))
}

#[test]
fn oa67_oa73_t045_t046_t048_t050_az11_az13_sm03_every_bad_token_gets_one_answer_and_no_data() {
    let gateway = start();
    let url = format!("http://{}", gateway.address());
    let store = Consenting::at(&gateway, &url);
    let tokens = store.tokens(&gateway, &CLOCK);
    let code = store.approve(&CLOCK);
    let revoked = gateway.token("tag:clock", &[]);
    let gone = form(&gateway, "/oauth/revoke", &format!("client_id=desk&token={}", tokens.access));
    assert_eq!(gone.status, 200);
    let expired = gateway.token("tag:clock", &["--ttl", "1s"]);
    gateway.until("its end", || lists(&gateway, &expired) == 401);
    let elsewhere = Running::start_with(&yaml(), &[("robot.secret", SECRET)]).token("tag:clock", &[]);
    assert_eq!(with(&gateway, "POST", "/mcp", &[("Authorization", &format!("Bearer {revoked}"))]).status, 200);
    assert!(gateway.command(&["token", "revoke", "--all"]).output().unwrap().status.success());
    gateway.until("the revocation", || lists(&gateway, &revoked) == 401);
    let claims = json!({"iss": url, "sub": "local/owner", "aud": format!("{url}/mcp"), "exp": 4_000_000_000_u64, "scope": "tag:clock"});
    let mut bad = vec![
        ("revoked", revoked.clone()),
        ("expired", expired),
        ("given back", tokens.access.clone()),
        ("of another gateway", elsewhere),
        ("a refresh token", tokens.refresh),
        ("a code", code),
        ("a secret", SECRET.to_owned()),
        ("a key of others", "sk-proj-abcdef".to_owned()),
        ("altered", revoked.replacen('0', "1", 1)),
        ("cut", revoked[..revoked.len() - 1].to_owned()),
        ("long", "x".repeat(3000)),
    ];
    for (alg, extra) in
        [("none", json!({})), ("None", json!({})), ("HS256", json!({"kid": "0"})), ("EdDSA", json!({"jwk": {}}))]
    {
        let mut header = json!({"typ": "at+jwt", "alg": alg});
        header.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        bad.push((alg, web_token(&header, &claims)));
    }
    for exp in [json!("4000000000"), json!(true), json!([4_000_000_000_u64]), Value::Null, json!(1e300), json!(-1)] {
        let mut claims = claims.clone();
        claims["exp"] = exp;
        bad.push(("claims of other types", web_token(&json!({"alg": "EdDSA"}), &claims)));
    }
    let mut answers = Vec::new();
    for (what, token) in &bad {
        for method in ["POST", "GET", "DELETE"] {
            let answer = with(&gateway, method, "/mcp", &[("Authorization", &format!("Bearer {token}"))]);
            assert_eq!(answer.status, 401, "{what} {method}: {answer:?}");
            assert!(answer.header("www-authenticate").unwrap().contains(r#"error="invalid_token""#), "{what}");
            assert!(answer.header("mcp-session-id").is_none(), "{what}");
            if method == "POST" {
                let mut body = answer.json();
                body["error"]["data"].as_object_mut().unwrap().remove("decision_id");
                answers.push((answer.header("www-authenticate").unwrap().to_owned(), body));
            }
        }
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "one answer for all of them: {answers:#?}");
    // T-050: nor is an access token a refresh token or a code.
    let access = gateway.token("tag:clock", &[]);
    assert_eq!(refresh(&gateway, &access, "").json()["error"], "invalid_grant");
    // SM-07: each is a record with its reason.
    assert_eq!(gateway.last_decision()["decision"]["because"], "token-invalid");
}

#[test]
fn oa68_oa70_oa71_t053_az10_az14_a_token_is_taken_from_one_header_alone() {
    let gateway = start();
    let token = gateway.token("tag:clock", &[]);
    for good in ["Bearer", "bearer", "BEARER", "bEaReR", "Bearer "] {
        assert_eq!(
            with(&gateway, "POST", "/mcp", &[("Authorization", &format!("{good} {token}"))]).status,
            200,
            "{good}"
        );
    }
    // Another scheme is as if there were none: a bare challenge.
    for other in ["Basic", "Token", "DPoP"] {
        let answer = with(&gateway, "POST", "/mcp", &[("Authorization", &format!("{other} {token}"))]);
        assert_eq!(answer.status, 401, "{other}");
        assert!(!answer.header("www-authenticate").unwrap().contains("error="), "{other}: {answer:?}");
    }
    let bearer = format!("Bearer {token}");
    let twice = with(&gateway, "POST", "/mcp", &[("Authorization", &bearer), ("Authorization", &bearer)]);
    assert_eq!(twice.status, 400, "{twice:?}");
    // RFC 6750 §3.1.
    assert!(
        twice.header("www-authenticate").unwrap().starts_with("Bearer error=\"invalid_request\", resource_metadata=")
    );
    // Nowhere else.
    for path in
        [format!("/mcp?access_token={token}"), format!("/mcp?token={token}"), format!("/mcp?bearer_token={token}")]
    {
        assert_eq!(with(&gateway, "POST", &path, &[]).status, 401, "{path}");
        assert_eq!(with(&gateway, "GET", &path, &[]).status, 401, "{path}");
    }
    for cookie in ["access_token", "token", "session"] {
        let cookie = format!("{cookie}={token}");
        assert_eq!(with(&gateway, "POST", "/mcp", &[("Cookie", &cookie)]).status, 401, "{cookie}");
    }
    let body = format!("access_token={token}");
    let posted = gateway.send("POST", "/mcp", &[("Content-Type", "application/x-www-form-urlencoded")], &body);
    assert_eq!(posted.status, 401, "{posted:?}");
    assert_eq!(gateway.last_decision()["refusal"], "no-token");
    // Who sends it comes before what is wrong with what is sent.
    for headers in [
        &[][..],
        &[("Content-Type", "text/plain")],
        &[("Content-Type", "application/json"), ("Content-Encoding", "gzip")],
        &[("Content-Type", "application/json"), ("Authorization", "Basic YTpi")],
    ] {
        let none = gateway.send("POST", "/mcp", headers, "x");
        assert_eq!(none.status, 401, "{none:?}");
        assert!(none.header("www-authenticate").is_some_and(|told| told.starts_with("Bearer scope=")));
        let bad: Vec<_> = headers
            .iter()
            .filter(|(name, _)| *name != "Authorization")
            .copied()
            .chain([("Authorization", "Bearer x")])
            .collect();
        let bad = gateway.send("POST", "/mcp", &bad, "x");
        assert!(bad.header("www-authenticate").is_some_and(|told| told.contains("invalid_token")), "{bad:?}");
        assert_eq!(bad.status, 401, "{bad:?}");
    }
    for file in [".portcullis/audit.ndjson", "stderr.log"] {
        assert!(!holds(&gateway.path(file), &token), "{file}");
    }
}

#[test]
fn oa88_sm04_as12_a_token_is_good_to_its_end_and_no_longer_cached_or_not() {
    let gateway = start();
    let begun = Instant::now();
    let given = post(&gateway, "/oauth/token", ASK);
    let token = Tokens::of(&given).access;
    assert_eq!(given.json()["expires_in"], 5);
    let mut last_good = Duration::ZERO;
    let end = loop {
        let asked = begun.elapsed();
        match lists(&gateway, &token) {
            200 => last_good = asked,
            status => {
                assert_eq!(status, 401);
                break begun.elapsed();
            }
        }
    };
    assert!(last_good >= Duration::from_secs(4) && last_good < Duration::from_secs(6), "good until {last_good:?}");
    assert!(end >= Duration::from_secs(5), "refused after {end:?}");
    let own = format!("client_id=robot&client_secret={SECRET}&token={token}");
    assert_eq!(post(&gateway, "/oauth/introspect", &own).json(), json!({"active": false}));
}

#[test]
fn t042_az12_az25_as06_a_token_is_for_the_resource_that_was_named() {
    let gateway = start();
    let address = gateway.address().to_string();
    let ask = |resource: &str| {
        let resource = resource.replace(':', "%3A").replace('/', "%2F").replace('#', "%23").replace('?', "%3F");
        post(&gateway, "/oauth/token", &format!("{ASK}&resource={resource}"))
    };
    for (resource, good, bad) in [
        (format!("http://{address}/mcp/time"), "/mcp/time", "/mcp"),
        (format!("HTTP://{address}/mcp"), "/mcp", "/mcp/time"),
    ] {
        let token = Tokens::of(&ask(&resource)).access;
        let status = |path| gateway.modern(path, Some(&token), "tools/list", json!({})).status;
        assert_eq!((status(good), status(bad), status("/mcp/nowhere")), (200, 401, 401), "{resource}");
        assert_eq!(gateway.last_decision()["decision"]["because"], "audience-mismatch");
    }
    for resource in [
        format!("http://{address}/mcp/"),
        format!("http://{address}/mcp/nowhere"),
        format!("http://{address}/MCP"),
        format!("http://{address}/mcp?x=1"),
        format!("http://{address}/mcp#x"),
        format!("http://{address}"),
        format!("https://{address}/mcp"),
        "http://evil.example/mcp".to_owned(),
        "x".to_owned(),
    ] {
        let refused = ask(&resource);
        assert_eq!((refused.status, &refused.json()["error"]), (400, &"invalid_target".into()), "{resource}");
    }
    let twice = post(&gateway, "/oauth/token", &format!("{ASK}&resource=a&resource=b"));
    assert!(["invalid_target", "invalid_request"].contains(&twice.json()["error"].as_str().unwrap()), "{twice:?}");
}

#[test]
fn az03_t096_metadata_is_of_the_configured_name_whatever_a_request_says() {
    let gateway = start();
    let address = gateway.address().to_string();
    for path in [
        "/.well-known/oauth-authorization-server",
        "/.well-known/openid-configuration",
        "/.well-known/oauth-protected-resource",
        "/.well-known/oauth-protected-resource/mcp",
        "/.well-known/oauth-protected-resource/mcp/time",
    ] {
        let plain = gateway.send("GET", path, &[], "");
        assert_eq!(plain.status, 200, "{path}");
        assert!(plain.body.contains(&address), "{path}");
        for headers in [
            &[("X-Forwarded-Host", "evil.test"), ("X-Forwarded-Proto", "https")][..],
            &[("X-Forwarded-Prefix", "/evil"), ("X-Original-Host", "evil.test")],
            &[("Forwarded", "host=evil.test;proto=https")],
        ] {
            let told = gateway.send("GET", path, headers, "");
            assert!(told.body == plain.body || [400, 403, 421].contains(&told.status), "{path} {headers:?}: {told:?}");
        }
        for host in ["evil.test", "localhost.evil.test", ""] {
            let told = gateway.send("GET", path, &[("Host", host)], "");
            assert!([400, 403, 421].contains(&told.status) && !told.body.contains("evil"), "{path} {host}: {told:?}");
        }
    }
}

#[test]
fn oa80_az18_az19_az20_az22_what_is_granted_is_what_can_be_done_and_a_challenge_leads_on() {
    let rule = "rules:\n  - {id: no-convert, forbid: {tools: [time/convert]}}\n";
    let gateway = Running::start_with(&format!("{}{rule}", yaml()), &[("robot.secret", SECRET)]);
    let url = format!("http://{}", gateway.address());
    let store = Consenting::at(&gateway, &url);
    let opened = [("tag:clock", "time", Risk::Write), ("tag:notes", "notes", Risk::Write)];
    let less = store.tokens(&gateway, &Given { scopes: &["tag:clock"], opened: &opened[..1], ..CLOCK });
    assert_eq!(gateway.tools("/mcp", Some(&less.access)), ["time__now"]);
    let refused = gateway.call("/mcp", Some(&less.access), "notes__list_notes", json!({}));
    let challenge = refused.header("www-authenticate").unwrap();
    assert!(refused.status == 403 && challenge.contains("scope=\"tag:notes\""), "{refused:?}");
    assert!(challenge.contains(&format!("resource_metadata=\"{url}/.well-known/oauth-protected-resource/mcp\"")));
    // A scope never suffices where a rule forbids, and no scope is named that would not help.
    let forbidden = gateway.call("/mcp", Some(&less.access), "time__convert", json!({}));
    assert_eq!((forbidden.status, forbidden.code(), forbidden.header("www-authenticate")), (200, -32602, None));
    // What a client asks for then is the union (AZ-18).
    let scopes = &["tag:clock", "tag:notes"];
    let more = store.tokens(&gateway, &Given { scopes, opened: &opened, ..CLOCK });
    assert_eq!(gateway.tools("/mcp", Some(&more.access)).len(), 4);
    // AS-14: narrower for one token, and whole again with the next.
    let narrow = refresh(&gateway, &more.refresh, "&scope=tag%3Anotes");
    assert_eq!(narrow.json()["scope"], "tag:notes");
    let narrow = Tokens::of(&narrow);
    assert_eq!(gateway.tools("/mcp", Some(&narrow.access)).len(), 3);
    assert_eq!(refresh(&gateway, &narrow.refresh, "&scope=tag%3Awrite").json()["error"], "invalid_scope");
    assert_eq!(refresh(&gateway, &narrow.refresh, "").json()["scope"], "tag:clock tag:notes");
}
