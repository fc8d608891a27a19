//! What people have allowed: seen and taken back by nobody but themselves, at once.

use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::{event, users};
use crate::{
    gateway::DEMO,
    support::{
        browsing::{Browsing, encoded, hidden},
        running::{Answer, Running},
    },
};

const MORE: &str = "  - {to: {user: '*'}, scopes: ['tag:clock', 'tag:notes']}
oauth:
  login: users
  failure_delay: 0
  clients:
    desk: {name: The desk, redirect_uris: ['http://127.0.0.1/cb']}
    lamp: {redirect_uris: ['http://127.0.0.1/cb']}
rates:
  roomy: {limit: 10000, window: 1m, by: address, on: [oauth]}
";
const BACK: &str = "http://127.0.0.1:9/cb";
const VERIFIER: &str = "a-verifier-of-some-length-that-nobody-guesses-0";

/// Where a client sends a browser.
fn authorize(client: &str, scope: &str) -> String {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
    let fields = [
        ("response_type", "code"),
        ("client_id", client),
        ("redirect_uri", BACK),
        ("scope", scope),
        ("state", "x"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ];
    format!("/oauth/authorize?{}", encoded(&fields))
}

/// Allows a client what its page asks, and gives its token.
fn allow(gateway: &Running, browser: &Browsing<'_>, page: &Answer, client: &str, scope: &str) -> String {
    let (csrf, handle) = (hidden(page, "csrf").unwrap(), hidden(page, "handle").unwrap());
    let fields = [("csrf", csrf.as_str()), ("handle", &handle), ("scope", scope), ("decision", "allow")];
    let sent = browser.post("/oauth/consent", &fields);
    let (_, code) = sent.header("location").unwrap().split_once("code=").unwrap_or_else(|| panic!("{sent:?}"));
    let code = code.split('&').next().unwrap();
    let fields = [
        ("grant_type", "authorization_code"),
        ("client_id", client),
        ("redirect_uri", BACK),
        ("code", code),
        ("code_verifier", VERIFIER),
    ];
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    let given = gateway.send("POST", "/oauth/token", &form, &encoded(&fields));
    given.json()["access_token"].as_str().unwrap_or_else(|| panic!("{given:?}")).to_owned()
}

fn given(gateway: &Running, browser: &Browsing<'_>, client: &str, scope: &str) -> String {
    let page = browser.get(&authorize(client, scope));
    assert_eq!(page.status, 200, "{page:?}");
    allow(gateway, browser, &page, client, scope)
}

fn start() -> Running {
    let gateway = Running::start(&format!("{DEMO}{MORE}"));
    users::people(&gateway);
    gateway
}

fn status(gateway: &Running, token: &str) -> u16 {
    gateway.post("/mcp", Some(token), &json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" })).status
}

#[test]
fn oa86_a_grant_is_seen_and_taken_back_by_its_person_and_ends_at_once() {
    let gateway = start();
    let (ana, bob) = (Browsing::new(&gateway), Browsing::new(&gateway));
    ana.sign_in_by("ana", users::ANA);
    bob.sign_in_by("bob", users::BOB);
    let token = given(&gateway, &ana, "desk", "tag:clock");
    assert_eq!(gateway.tools("/mcp", Some(&token)), ["time__now", "time__convert"]);
    let (hers, his) = (ana.get("/grants"), bob.get("/grants"));
    assert!(hers.body.contains("The desk") && hers.body.contains("tag:clock") && hers.body.contains("Tell the time"));
    assert!(his.body.contains("No client has access in your name.") && !his.body.contains("desk"), "{his:?}");
    assert_eq!((hers.header("cache-control"), hers.header("x-frame-options")), (Some("no-store"), Some("DENY")));
    // Anybody on her machine could be the desk: it was told on the page of consent how long that is good.
    let times = hers.body.split("datetime=\"").skip(1).map(|rest| rest.split('"').next().unwrap());
    let times: Vec<jiff::Timestamp> = times.map(|time| time.parse().unwrap()).collect();
    let [given_at, .., ends] = times[..] else { panic!("{hers:?}") };
    assert_eq!(ends.duration_since(given_at).as_hours(), 30 * 24);
    let (grant, csrf) = (hidden(&hers, "grant").unwrap(), hidden(&hers, "csrf").unwrap());
    let theirs = hidden(&his, "csrf").unwrap();
    // Another's grant is like none.
    for id in [grant.as_str(), "01a2093f-16c4-7513-be75-b975d711f465", "x"] {
        let sent = bob.post("/grants/revoke", &[("csrf", &theirs), ("grant", id)]);
        assert_eq!((sent.status, sent.header("location"), sent.body.as_str()), (303, Some("/grants"), ""), "{id}");
        assert!(bob.get("/grants").body.contains("There was nothing to revoke."));
    }
    assert_eq!(bob.post("/grants/revoke", &[("csrf", &theirs), ("all", "yes")]).status, 303);
    assert_eq!(status(&gateway, &token), 200);
    // Nor is it taken back by opening a page, or by a form of another's.
    for fields in [vec![("grant", grant.as_str())], vec![("csrf", theirs.as_str()), ("grant", &grant)]] {
        assert_eq!(ana.post("/grants/revoke", &fields).status, 403);
    }
    assert_eq!(ana.get(&format!("/grants/revoke?csrf={csrf}&grant={grant}")).status, 405);
    for fields in [vec![("csrf", csrf.as_str())], vec![("csrf", &csrf), ("grant", &grant), ("all", "yes")]] {
        assert_eq!(ana.post("/grants/revoke", &fields).status, 400);
    }
    assert_eq!(status(&gateway, &token), 200);
    let sent = ana.post("/grants/revoke", &[("csrf", &csrf), ("grant", &grant)]);
    assert_eq!((sent.status, sent.header("location")), (303, Some("/grants")));
    assert_eq!(status(&gateway, &token), 401, "at once");
    let facts = &event(&gateway, "revocation-asked")["facts"];
    assert_eq!(
        (&facts["user"], &facts["client"], &facts["grant"]),
        (&"local/ana".into(), &"desk".into(), &grant.into())
    );
    let page = ana.get("/grants");
    assert!(page.body.contains("Revoked.") && page.body.contains("No client has access"), "{page:?}");
    assert!(!ana.get("/grants").body.contains("Revoked."), "said once");
    gateway.until("the store's own event", || gateway.audit().iter().any(|record| record["what"] == "grant-revoked"));
}

#[test]
fn t225_all_of_one_s_grants_are_taken_back_together() {
    let gateway = start();
    let (ana, bob) = (Browsing::new(&gateway), Browsing::new(&gateway));
    ana.sign_in_by("ana", users::ANA);
    bob.sign_in_by("bob", users::BOB);
    let tokens = [given(&gateway, &ana, "desk", "tag:clock"), given(&gateway, &ana, "lamp", "tag:notes")];
    let other = given(&gateway, &bob, "desk", "tag:clock");
    let csrf = hidden(&ana.get("/grants"), "csrf").unwrap();
    assert_eq!(ana.post("/grants/revoke", &[("csrf", &csrf), ("all", "yes")]).status, 303);
    assert!(ana.get("/grants").body.contains("All 2 revoked."));
    assert_eq!(tokens.map(|token| status(&gateway, &token)), [401, 401]);
    assert_eq!(status(&gateway, &other), 200);
    assert!(ana.person().is_some(), "the sign-in stays");
}

#[test]
fn oa103_whoever_signs_in_goes_on_to_what_they_came_for() {
    let gateway = start();
    let ana = Browsing::new(&gateway);
    let first = ana.get("/grants");
    assert_eq!((first.status, first.header("location")), (303, Some("/login")));
    assert_eq!(ana.sign_in_by("ana", users::ANA).header("location"), Some("/grants"));
    assert_eq!(ana.get("/grants").status, 200);
    assert!(ana.person().is_some(), "and only once");
    let bob = Browsing::new(&gateway);
    let first = bob.get(&authorize("desk", "tag:clock"));
    assert_eq!((first.status, first.header("location")), (303, Some("/login")));
    assert!(bob.get("/login").body.contains("The desk"), "who asks is said");
    assert_eq!(bob.sign_in_by("bob", users::BOB).header("location"), Some("/oauth/consent"));
    let page = bob.get("/oauth/consent");
    assert!(page.status == 200 && page.body.contains("local/bob"), "{page:?}");
    assert_eq!(status(&gateway, &allow(&gateway, &bob, &page, "desk", "tag:clock")), 200);
}

#[test]
fn oa61_a_disabled_account_and_another_password_end_what_was_allowed() {
    let gateway = start();
    let (ana, bob) = (Browsing::new(&gateway), Browsing::new(&gateway));
    ana.sign_in_by("ana", users::ANA);
    bob.sign_in_by("bob", users::BOB);
    let (hers, his) = (given(&gateway, &ana, "desk", "tag:clock"), given(&gateway, &bob, "desk", "tag:clock"));
    assert_eq!((status(&gateway, &hers), status(&gateway, &his)), (200, 200));
    assert_eq!(crate::cli::run(&gateway, &["user", "disable", "bob"]).status, 0);
    gateway.until("his token is dead", || status(&gateway, &his) == 401);
    assert_eq!(status(&gateway, &hers), 200);
    assert_eq!(users::typed(&gateway, &["user", "passwd", "ana"], users::BOB).status, 0);
    gateway.until("her token is dead", || status(&gateway, &hers) == 401);
    assert_eq!(ana.get("/grants").header("location"), Some("/login"));
}
