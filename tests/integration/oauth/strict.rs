//! What the RFCs ask for where no row of the sheets says it again.

use serde_json::json;

use super::{ASK, FORM, SECRET, post, start, yaml};
use crate::support::running::{Answer, Running};

fn register(gateway: &Running, body: &str) -> Answer {
    gateway.send("POST", "/oauth/register", &[("Content-Type", "application/json")], body)
}

/// RFC 6749 §3.2: parameters must not be included more than once, whether or not this grant needs them.
#[test]
fn oa10_t088_no_parameter_is_given_twice_not_even_one_that_is_not_needed() {
    let gateway = start();
    for name in ["code", "code_verifier", "redirect_uri", "refresh_token", "scope", "token", "token_type_hint"] {
        for (first, second) in [("x", "y"), ("", ""), ("x", "")] {
            let body = format!("{ASK}&{name}={first}&{name}={second}");
            let refused = post(&gateway, "/oauth/token", &body);
            assert_eq!((refused.status, &refused.json()["error"]), (400, &"invalid_request".into()), "{body}");
        }
    }
    let refused = post(&gateway, "/oauth/token", &format!("{ASK}&resource=&resource="));
    assert_eq!(refused.json()["error"], "invalid_target", "{refused:?}");
    // What no specification of ours has is ignored, however often it is there.
    assert_eq!(post(&gateway, "/oauth/token", &format!("{ASK}&foo=x&foo=y")).status, 200);
    let types = [("Content-Type", FORM), ("Content-Type", "application/json")];
    assert_eq!(gateway.send("POST", "/oauth/token", &types, ASK).json()["error"], "invalid_request");
}

/// RFC 6749 §5.2: a grant type that a client is not registered for. RFC 7662 §2.1: who asks must prove who they are.
#[test]
fn oa38_oa46_t087_who_may_not_ask_is_told_so_by_the_right_code() {
    let gateway = start();
    let robot = format!("client_id=robot&client_secret={SECRET}");
    for grant in ["refresh_token&refresh_token=x", "authorization_code&code=x&code_verifier=x"] {
        let refused = post(&gateway, "/oauth/token", &format!("grant_type={grant}&{robot}"));
        assert_eq!((refused.status, &refused.json()["error"]), (400, &"unauthorized_client".into()), "{grant}");
    }
    let registered = register(
        &gateway,
        &json!({"redirect_uris": ["http://127.0.0.1/cb"], "token_endpoint_auth_method": "none"}).to_string(),
    );
    let id = registered.json()["client_id"].as_str().unwrap().to_owned();
    let refused = post(&gateway, "/oauth/token", &format!("grant_type=refresh_token&refresh_token=x&client_id={id}"));
    assert_eq!(refused.json()["error"], "unauthorized_client", "it registered for codes alone: {refused:?}");
    let assertion = post(&gateway, "/oauth/token", &format!("{ASK}&client_assertion=x"));
    assert_eq!(assertion.json()["error"], "invalid_request", "two ways at once: {assertion:?}");
    for body in ["token=x", "token=x&client_id=", ""] {
        let refused = post(&gateway, "/oauth/introspect", body);
        assert_eq!((refused.status, &refused.json()["error"]), (401, &"invalid_client".into()), "{body}");
        assert!(refused.header("www-authenticate").is_some_and(|told| told.starts_with("Basic ")), "{refused:?}");
    }
}

/// RFC 6749 §5.1, RFC 7591 §3.2.1: `Pragma` beside `Cache-Control`. RFC 9110 §9.1: what is got can be asked about.
#[test]
fn sm26_az01_as02_what_concerns_secrets_is_cached_by_nobody_and_documents_have_heads() {
    let gateway = start();
    let registered = register(&gateway, &json!({"redirect_uris": ["http://127.0.0.1/cb"]}).to_string());
    assert_eq!(registered.status, 201, "{registered:?}");
    let own = format!("client_id=robot&client_secret={SECRET}&token=x");
    for answer in [
        post(&gateway, "/oauth/token", ASK),
        post(&gateway, "/oauth/token", ""),
        post(&gateway, "/oauth/introspect", &own),
        register(&gateway, "{}"),
        registered,
    ] {
        let told = (answer.header("cache-control"), answer.header("pragma"));
        assert_eq!(told, (Some("no-store"), Some("no-cache")), "{answer:?}");
    }
    for path in [
        "/.well-known/oauth-authorization-server",
        "/.well-known/openid-configuration",
        "/.well-known/oauth-protected-resource",
        "/.well-known/oauth-protected-resource/mcp/time",
    ] {
        let (got, head) = (gateway.send("GET", path, &[], ""), gateway.send("HEAD", path, &[], ""));
        assert_eq!((head.status, head.body.as_str()), (200, ""), "{path}");
        assert_eq!(head.header("content-length"), Some(got.body.len().to_string().as_str()), "{path}");
        assert_eq!(head.header("content-type"), got.header("content-type"), "{path}");
        let refused = gateway.send("POST", path, &[], "");
        assert_eq!((refused.status, refused.header("allow")), (405, Some("GET, HEAD")), "{path}");
    }
}

/// RFC 7591 §2: each member is of its kind, and one that is not understood is ignored.
#[test]
fn oa95_oa107_t089_t113_what_registers_is_looked_at_whole() {
    let gateway =
        Running::start_with(&yaml().replace("oauth:", "oauth:\n  registration: open"), &[("robot.secret", SECRET)]);
    let with = |key: &str, value: serde_json::Value| {
        let mut said = json!({"redirect_uris": ["https://app.example.com/cb"], "token_endpoint_auth_method": "none"});
        said[key] = value;
        register(&gateway, &said.to_string())
    };
    for (key, value) in [
        ("client_uri", json!("javascript:alert(1)")),
        ("logo_uri", json!("data:text/html,x")),
        ("jwks_uri", json!("file:///etc/passwd")),
        ("tos_uri", json!(7)),
        ("contacts", json!("a@example.com")),
        ("jwks", json!({"keys": [{"kty": "oct", "k": "x"}]})),
        ("scope", json!(["tag:clock"])),
        ("software_statement", json!({})),
    ] {
        let refused = with(key, value);
        assert_eq!((refused.status, &refused.json()["error"]), (400, &"invalid_client_metadata".into()), "{key}");
        assert!(refused.json()["error_description"].as_str().unwrap().contains(key), "{refused:?}");
    }
    let twice = r#"{"redirect_uris": ["javascript:x"], "redirect_uris": ["https://app.example.com/cb"]}"#;
    assert_eq!(register(&gateway, twice).json()["error"], "invalid_client_metadata");
    for query in ["code=x", "state=x", "iss=https%3A%2F%2Fevil.test", "%69ss=x", "error=access_denied"] {
        let refused = with("redirect_uris", json!([format!("https://app.example.com/cb?{query}")]));
        assert_eq!((refused.status, &refused.json()["error"]), (400, &"invalid_redirect_uri".into()), "{query}");
    }
    let statement = with("software_statement", json!("eyJhbGciOiJub25lIn0.e30."));
    assert_eq!((statement.status, statement.json().get("software_statement")), (201, None), "{statement:?}");
}

/// OA-107: where nobody may register there is nothing, whatever is asked and however.
#[test]
fn oa107_as27_where_registration_is_off_there_is_no_endpoint() {
    let yaml = yaml().replace("oauth:", "oauth:\n  registration: off");
    let gateway = Running::start_with(&yaml, &[("robot.secret", SECRET)]);
    for (method, kind) in
        [("POST", "application/json"), ("POST", "text/plain"), ("GET", ""), ("PUT", ""), ("OPTIONS", "")]
    {
        let answer = gateway.send(method, "/oauth/register", &[("Content-Type", kind)], "{}");
        assert_eq!((answer.status, answer.header("allow")), (404, None), "{method} {kind}: {answer:?}");
    }
}
