//! The authorization server on the wire: the real binary, asked over real sockets.

/// What people have allowed, and taking it back.
mod grants;
/// From a client's request to a code.
mod authorize;
/// What codes and refresh tokens are good for.
mod code;
/// What a person is shown and asked.
mod consent;
/// A client that asks a person.
mod flow;
/// Signing in and out.
mod signin;
/// People with passwords.
mod users;
/// Tokens as they are presented.
mod bearer;
/// Metadata documents of clients.
mod document;
/// Servers that join a tag after consent.
mod drift;
/// Registrations without end.
mod flood;
/// What is not done.
mod elsewhere;
/// What the endpoints for clients do not take.
mod endpoints;
/// Two processes on one store.
mod replicas;
/// What the RFCs ask for besides.
mod strict;
/// That no secret is written down.
mod secrets;

use serde_json::{Value, json};

use crate::{
    gateway::DEMO,
    support::running::{Answer, Running, holds},
};

const SECRET: &str = "wB3xTq9LmZ0vKe7RyUc5NhJd2sGa8PfQ";
const FORM: &str = "application/x-www-form-urlencoded";
const ASK: &str = "grant_type=client_credentials&client_id=robot&client_secret=wB3xTq9LmZ0vKe7RyUc5NhJd2sGa8PfQ";

fn yaml() -> String {
    format!(
        "{DEMO}oauth:
  baseline: ['tag:clock']
  failure_delay: 0
  access_token: {{lifetime: 5s}}
  clients:
    robot: {{secret: {{file: robot.secret}}, auth: client_secret_post}}
    desk: {{redirect_uris: ['http://127.0.0.1/cb']}}
rates:
  roomy: {{limit: 10000, window: 1m, by: address, on: [oauth]}}
"
    )
}

fn start() -> Running {
    Running::start_with(&yaml(), &[("robot.secret", SECRET)])
}

fn post(gateway: &Running, path: &str, body: &str) -> Answer {
    gateway.send("POST", path, &[("Content-Type", FORM)], body)
}

/// The last event of a name in the trail.
fn event(gateway: &Running, what: &str) -> Value {
    let found = gateway.audit().into_iter().rfind(|record| record["what"] == what);
    found.unwrap_or_else(|| panic!("no {what} in the trail"))
}

#[test]
fn as16_as29_t017_oa85_oa86_oa137_a_client_gets_a_token_for_itself_uses_it_and_gives_it_back() {
    let gateway = start();
    let given = post(&gateway, "/oauth/token", ASK);
    assert_eq!(given.status, 200, "{given:?}");
    assert_eq!(given.header("cache-control"), Some("no-store"));
    assert_eq!(given.header("content-type"), Some("application/json"));
    let body = given.json();
    assert_eq!(
        (&body["scope"], &body["expires_in"], &body["token_type"]),
        (&"tag:clock".into(), &5.into(), &"Bearer".into())
    );
    let token = body["access_token"].as_str().unwrap();
    assert_eq!(gateway.tools("/mcp", Some(token)), ["time__now", "time__convert"]);
    let facts = &event(&gateway, "token-granted")["facts"];
    assert_eq!(
        (&facts["principal"], &facts["scopes"], &facts["grant_type"]),
        (&"client robot".into(), &"tag:clock".into(), &"client_credentials".into())
    );
    let own = format!("client_id=robot&client_secret={SECRET}&token={token}");
    assert_eq!(post(&gateway, "/oauth/introspect", &own).json()["active"], true);
    let other = post(&gateway, "/oauth/revoke", &format!("client_id=desk&token={token}"));
    assert_eq!((other.status, other.body.as_str()), (200, ""));
    assert!(!gateway.tools("/mcp", Some(token)).is_empty(), "another's token");
    assert_eq!(post(&gateway, "/oauth/revoke", &own).status, 200);
    let list = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" });
    assert_eq!(gateway.post("/mcp", Some(token), &list).status, 401, "at once in the same process");
    assert_eq!(post(&gateway, "/oauth/introspect", &own).json(), json!({ "active": false }));
}

#[test]
fn oa20_oa37_oa38_oa43_oa46_t088_a_refusal_is_an_error_of_the_rfcs_and_one_record() {
    let gateway = start();
    let wrong = ASK.replace("wB3x", "xB3x");
    for (path, body, status, error) in [
        ("/oauth/token", wrong.as_str(), 401, "invalid_client"),
        ("/oauth/token", "grant_type=client_credentials&client_id=nobody&client_secret=x", 401, "invalid_client"),
        ("/oauth/token", "grant_type=client_credentials&client_id=desk", 400, "unauthorized_client"),
        ("/oauth/token", "grant_type=password&client_id=desk", 400, "unsupported_grant_type"),
        ("/oauth/token", "grant_type=refresh_token&client_id=desk&refresh_token=x", 400, "invalid_grant"),
        ("/oauth/token", "grant_type=authorization_code&client_id=desk&code=x&code_verifier=x", 400, "invalid_grant"),
        ("/oauth/token", "client_id=desk&client_id=desk", 400, "invalid_request"),
        ("/oauth/token", "%zz", 400, "invalid_request"),
        ("/oauth/token", &"a".repeat(100_000), 400, "invalid_request"),
        ("/oauth/revoke", "client_id=robot&token=x", 401, "invalid_client"),
        ("/oauth/introspect", "client_id=desk&token=x", 401, "invalid_client"),
    ] {
        let refused = post(&gateway, path, body);
        assert_eq!((refused.status, &refused.json()["error"]), (status, &error.into()), "{path} {body:.60}");
        assert_eq!(refused.header("cache-control"), Some("no-store"));
        assert_eq!(refused.header("www-authenticate").is_some(), status == 401, "{refused:?}");
        assert!(gateway.last_decision()["decision"]["because"].is_string(), "{body:.60}");
    }
    let query = gateway.send("POST", "/oauth/token?client_secret=x", &[("Content-Type", FORM)], ASK);
    assert_eq!((query.status, &query.json()["error"]), (400, &"invalid_request".into()));
    let json = gateway.send("POST", "/oauth/token", &[("Content-Type", "application/json")], "{}");
    assert_eq!((json.status, &json.json()["error"]), (400, &"invalid_request".into()));
    for method in ["GET", "PUT", "DELETE"] {
        let refused = gateway.send(method, "/oauth/token", &[], "");
        assert_eq!((refused.status, refused.header("allow")), (405, Some("POST")), "{method}");
    }
    // Unknown and wrong cannot be told apart.
    let unknown = post(&gateway, "/oauth/token", "grant_type=client_credentials&client_id=nobody&client_secret=x");
    let wrong = post(&gateway, "/oauth/token", &wrong);
    assert_eq!((unknown.status, &unknown.body), (wrong.status, &wrong.body));
    for file in ["audit.ndjson", "stderr.log"] {
        let path = gateway.path(file);
        assert!(!path.exists() || !holds(&path, SECRET), "{file}");
    }
}

#[test]
fn as02_as03_az01_az05_az07_metadata_and_challenge_lead_from_one_to_the_next() {
    let gateway = start();
    let url = format!("http://{}", gateway.address());
    let refused = gateway.post("/mcp/time", None, &json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" }));
    let challenge = refused.header("www-authenticate").unwrap().to_owned();
    assert!(challenge.contains("scope=\"tag:clock\""), "{challenge}");
    assert!(challenge.contains(&format!("resource_metadata=\"{url}/.well-known/oauth-protected-resource/mcp/time\"")));
    let resource = gateway.send("GET", "/.well-known/oauth-protected-resource/mcp/time", &[], "").json();
    assert_eq!(resource["scopes_supported"], json!(["tag:clock"]));
    assert_eq!(resource["authorization_servers"], json!([url]));
    let server = gateway.send("GET", "/.well-known/oauth-authorization-server", &[], "");
    let alias = gateway.send("GET", "/.well-known/openid-configuration", &[], "");
    assert_eq!(server.json(), alias.json());
    assert_eq!(server.json()["issuer"], url.as_str());
    assert_eq!(server.json()["token_endpoint"], format!("{url}/oauth/token"));
    assert_eq!(
        server.json()["grant_types_supported"],
        json!(["authorization_code", "client_credentials", "refresh_token"])
    );
    assert_eq!(server.json()["authorization_endpoint"], format!("{url}/oauth/authorize"));
}

#[test]
fn oa107_oa110_t089_a_client_on_this_machine_registers_itself_and_no_other_does() {
    let gateway = start();
    let register = |body: &str| gateway.send("POST", "/oauth/register", &[("Content-Type", "application/json")], body);
    let made = register(
        r#"{"redirect_uris": ["http://127.0.0.1/cb"], "token_endpoint_auth_method": "none", "client_id": "mine"}"#,
    );
    assert_eq!(made.status, 201, "{made:?}");
    assert_eq!(made.header("cache-control"), Some("no-store"));
    let id = made.json()["client_id"].as_str().unwrap().to_owned();
    assert!(id.starts_with("pc_c_"), "{id}");
    assert_eq!(event(&gateway, "client-registered")["facts"]["client"], id.as_str());
    for (body, error) in [
        (r#"{"redirect_uris": ["https://app.example.com/cb"]}"#, "invalid_redirect_uri"),
        (r#"{"redirect_uris": ["javascript:alert(1)"]}"#, "invalid_redirect_uri"),
        (
            r#"{"redirect_uris": ["http://127.0.0.1/cb"], "grant_types": ["client_credentials"]}"#,
            "invalid_client_metadata",
        ),
        ("[]", "invalid_client_metadata"),
    ] {
        let refused = register(body);
        assert_eq!((refused.status, &refused.json()["error"]), (400, &error.into()), "{body}");
    }
    let closed = Running::start_with(
        &yaml().replace("  failure_delay", "  registration: off\n  failure_delay"),
        &[("robot.secret", SECRET)],
    );
    let refused = closed.send("POST", "/oauth/register", &[("Content-Type", "application/json")], "{}");
    assert_eq!(refused.status, 404);
    let server = closed.send("GET", "/.well-known/oauth-authorization-server", &[], "").json();
    assert!(server.get("registration_endpoint").is_none());
}

#[test]
fn t052_a_weak_secret_of_a_client_stops_the_start_without_being_shown() {
    let running = Running::prepare(&yaml());
    std::fs::write(running.path("robot.secret"), "changeme").unwrap();
    let ended = running.command(&["serve"]).output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(!ended.status.success() && said.contains("oauth.clients.robot") && !said.contains("changeme"), "{said}");
}
