//! Codes and refresh tokens over real sockets: who may redeem what, how often, and what a copy costs.

use serde_json::Value;

use super::{
    FORM, event,
    flow::{CALLBACK, Client, VERIFIER, allow, parameter, place, signed_in},
};
use crate::{
    gateway::DEMO,
    support::{
        browsing::{Browsing, encoded},
        running::{Answer, Running, request},
    },
};

fn yaml(lives: &str) -> String {
    format!(
        "{DEMO}oauth:
  failure_delay: 0
  {lives}
  clients:
    desk: {{redirect_uris: ['http://127.0.0.1/cb', 'https://desk.example.com/cb'], auth: none, grant_types: [authorization_code, refresh_token]}}
    other: {{redirect_uris: ['http://127.0.0.1/cb'], auth: none, grant_types: [authorization_code, refresh_token]}}
    once: {{redirect_uris: ['http://127.0.0.1/cb'], auth: none, grant_types: [authorization_code]}}
rates:
  roomy: {{limit: 10000, window: 1m, by: address, on: [oauth]}}
"
    )
}

fn start() -> Running {
    Running::start(&yaml("access_token: {lifetime: 60s}"))
}

fn code(browser: &Browsing<'_>, client: &Client, changes: &[(&str, &str)]) -> String {
    parameter(place(&allow(browser, &browser.get(&client.path(changes)))), "code").unwrap()
}

/// The error of a refusal that nobody may keep.
fn error(answer: &Answer) -> String {
    assert_eq!((answer.status, answer.header("cache-control")), (400, Some("no-store")), "{answer:?}");
    answer.json()["error"].as_str().unwrap().to_owned()
}

fn text<'a>(tokens: &'a Value, name: &str) -> &'a str {
    tokens[name].as_str().unwrap_or_else(|| panic!("no {name}: {tokens}"))
}

/// Whether an access token is good.
fn is_good(gateway: &Running, tokens: &Value) -> bool {
    let token = text(tokens, "access_token");
    gateway.modern("/mcp", Some(token), "tools/list", serde_json::json!({})).status == 200
}

#[test]
fn oa25_oa28_oa29_oa31_t075_t076_t077_a_code_is_for_its_client_its_place_and_its_verifier_and_bad_tries_do_not_burn_it()
{
    let gateway = start();
    let (desk, other, browser) = (Client::known("desk"), Client::known("other"), signed_in(&gateway));
    let made = code(&browser, &desk, &[]);
    let ask = |client: &Client, code: &str, more: &[(&str, &str)]| {
        let mut fields = vec![("grant_type", "authorization_code"), ("code", code)];
        fields.extend_from_slice(more);
        client.token(&gateway, &fields)
    };
    let right = [("code_verifier", VERIFIER), ("redirect_uri", CALLBACK)];
    let wrong_verifier = VERIFIER.replace('d', "e");
    assert_eq!(error(&ask(&desk, &made, &[("code_verifier", &wrong_verifier)])), "invalid_grant");
    assert_eq!(error(&ask(&desk, &made, &[])), "invalid_request", "no verifier");
    assert_eq!(error(&ask(&other, &made, &right)), "invalid_grant", "another client");
    let elsewhere = [("code_verifier", VERIFIER), ("redirect_uri", "https://desk.example.com/cb")];
    assert_eq!(error(&ask(&desk, &made, &elsewhere)), "invalid_grant");
    let resource = format!("http://{}/mcp/time", gateway.address());
    let narrow = [right[0], right[1], ("resource", resource.as_str())];
    assert_eq!(error(&ask(&desk, &made, &narrow)), "invalid_target");
    assert_eq!(error(&ask(&desk, &format!("{made}x"), &right)), "invalid_grant");
    let first = ask(&desk, &made, &right);
    assert_eq!(first.status, 200, "{first:?}");
    assert_eq!((first.header("cache-control"), first.header("pragma")), (Some("no-store"), Some("no-cache")));
    let first = first.json();
    // Whoever saw the code cannot end what came of it.
    assert_eq!(error(&ask(&desk, &made, &[("code_verifier", &wrong_verifier)])), "invalid_grant");
    assert_eq!(error(&ask(&other, &made, &right)), "invalid_grant");
    assert!(is_good(&gateway, &first));
    // Its rightful holder can: two of them have it.
    assert_eq!(error(&ask(&desk, &made, &right)), "invalid_grant");
    let begun = std::time::Instant::now();
    while is_good(&gateway, &first) {
        assert!(begun.elapsed() < std::time::Duration::from_secs(10), "what the code gave is still good");
        std::thread::yield_now();
    }
    assert_eq!(error(&desk.refresh(&gateway, text(&first, "refresh_token"))), "invalid_grant");
    // Five tries, and it is dead.
    let made = code(&browser, &desk, &[]);
    for _ in 0..5 {
        assert_eq!(error(&ask(&desk, &made, &[("code_verifier", &wrong_verifier)])), "invalid_grant");
    }
    assert_eq!(error(&ask(&desk, &made, &right)), "invalid_grant");
    // Left out at the token endpoint, the place is taken from the request (OAuth 2.1).
    let made = code(&browser, &desk, &[]);
    assert_eq!(ask(&desk, &made, &[("code_verifier", VERIFIER)]).status, 200);
    let granted = event(&gateway, "token-granted");
    assert_eq!(granted["facts"]["grant_type"], "authorization_code");
}

#[test]
fn oa26_of_many_who_redeem_a_code_at_once_one_gets_tokens() {
    let gateway = start();
    let (desk, browser) = (Client::known("desk"), signed_in(&gateway));
    let made = code(&browser, &desk, &[]);
    let answers: Vec<u16> = std::thread::scope(|scope| {
        let many: Vec<_> = (0..20).map(|_| scope.spawn(|| desk.redeem(&gateway, &made).status)).collect();
        many.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(answers.iter().filter(|status| **status == 200).count(), 1, "{answers:?}");
    assert!(answers.iter().all(|status| matches!(status, 200 | 400)), "{answers:?}");
}

#[test]
fn oa32_as12_a_code_is_good_for_as_long_as_the_file_says() {
    let gateway = Running::start(&yaml("code: {lifetime: 1s}"));
    let (desk, browser) = (Client::known("desk"), signed_in(&gateway));
    let made = code(&browser, &desk, &[]);
    let begun = std::time::Instant::now();
    while begun.elapsed() < std::time::Duration::from_millis(1100) {
        std::thread::yield_now();
    }
    assert_eq!(error(&desk.redeem(&gateway, &made)), "invalid_grant");
}

#[test]
fn oa52_oa55_oa56_oa58_oa59_oa62_as13_as14_refresh_tokens_rotate_and_a_lost_answer_is_given_again() {
    let gateway = start();
    let (desk, other, browser) = (Client::known("desk"), Client::known("other"), signed_in(&gateway));
    let first = desk.granted(&gateway, &browser, &[]);
    let old = text(&first, "refresh_token");
    assert_eq!(error(&other.refresh(&gateway, old)), "invalid_grant", "another client");
    let fields = |more: (&'static str, &'static str)| [("grant_type", "refresh_token"), ("refresh_token", old), more];
    assert_eq!(error(&desk.token(&gateway, &fields(("scope", "tag:clock tag:write")))), "invalid_scope");
    assert_eq!(
        error(&desk.token(&gateway, &fields(("resource", "https://elsewhere.example.com/mcp")))),
        "invalid_target"
    );
    for at in [8, old.len() / 2, old.len() - 2] {
        let mut turned = old.to_owned().into_bytes();
        turned[at] = if turned[at] == b'A' { b'B' } else { b'A' };
        assert_eq!(error(&desk.refresh(&gateway, std::str::from_utf8(&turned).unwrap())), "invalid_grant");
    }
    // None of this used it up.
    let second = desk.refresh(&gateway, old);
    assert_eq!(second.status, 200, "{second:?}");
    let second = second.json();
    assert_ne!(text(&second, "refresh_token"), old);
    assert_eq!(second["scope"], "tag:clock tag:notes");
    let again = desk.refresh(&gateway, old).json();
    assert_eq!(text(&again, "refresh_token"), text(&second, "refresh_token"), "the same successor");
    assert!(is_good(&gateway, &second) && is_good(&gateway, &again) && is_good(&gateway, &first));
    let narrow = desk.token(
        &gateway,
        &[("grant_type", "refresh_token"), ("refresh_token", text(&second, "refresh_token")), ("scope", "tag:clock")],
    );
    assert_eq!(narrow.json()["scope"], "tag:clock");
    let whole = desk.refresh(&gateway, text(&narrow.json(), "refresh_token")).json();
    assert_eq!(whole["scope"], "tag:clock tag:notes", "a narrower token narrows nothing else");
    assert!(event(&gateway, "token-granted")["facts"]["family"].is_string());
}

#[test]
fn oa53_t081_a_refresh_token_that_is_used_after_its_grace_ends_everything_that_came_of_its_grant() {
    let gateway = Running::start(&yaml("refresh_token: {grace: 1s}"));
    let (desk, browser) = (Client::known("desk"), signed_in(&gateway));
    let first = desk.granted(&gateway, &browser, &[]);
    let second = desk.refresh(&gateway, text(&first, "refresh_token")).json();
    let third = desk.refresh(&gateway, text(&second, "refresh_token")).json();
    assert!(is_good(&gateway, &third));
    assert_eq!(error(&desk.refresh(&gateway, text(&first, "refresh_token"))), "invalid_grant", "two before");
    let begun = std::time::Instant::now();
    while is_good(&gateway, &third) {
        assert!(begun.elapsed() < std::time::Duration::from_secs(10), "the family lives on");
        std::thread::yield_now();
    }
    assert_eq!(error(&desk.refresh(&gateway, text(&third, "refresh_token"))), "invalid_grant");
    let reuse = gateway.audit().into_iter().any(|record| record.to_string().contains("refresh-reuse"));
    assert!(reuse, "it is in the trail");
}

#[test]
fn oa65_a_client_that_may_not_refresh_gets_a_refresh_token_only_where_it_asks() {
    let gateway = start();
    let (once, browser) = (Client::known("once"), signed_in(&gateway));
    let page = browser.get(&once.path(&[]));
    assert!(page.body.contains("After that it has to ask you again"), "{}", page.body);
    let got = once.redeem(&gateway, &parameter(place(&allow(&browser, &page)), "code").unwrap()).json();
    assert!(got.get("refresh_token").is_none(), "{got}");
    let resource = gateway.send("GET", "/.well-known/oauth-protected-resource/mcp", &[], "");
    assert!(!resource.body.contains("offline_access"));
}

#[test]
fn oa61_t083_what_is_revoked_by_the_person_is_over_for_codes_and_tokens() {
    let gateway = start();
    let (desk, browser) = (Client::known("desk"), signed_in(&gateway));
    let tokens = desk.granted(&gateway, &browser, &[]);
    let waiting = code(&browser, &desk, &[]);
    let grants = browser.get("/grants");
    let csrf = crate::support::browsing::hidden(&grants, "csrf").unwrap();
    assert_eq!(browser.post("/grants/revoke", &[("csrf", &csrf), ("all", "yes")]).status, 303);
    assert_eq!(error(&desk.refresh(&gateway, text(&tokens, "refresh_token"))), "invalid_grant");
    assert_eq!(error(&desk.redeem(&gateway, &waiting)), "invalid_grant");
    assert!(!is_good(&gateway, &tokens));
}

#[test]
fn as16_as18_a_token_of_a_person_is_good_at_its_resource_alone_and_passes_introspection_of_nobody_else() {
    let gateway = start();
    let (desk, browser) = (Client::known("desk"), signed_in(&gateway));
    let resource = format!("http://{}/mcp/time", gateway.address());
    let tokens = desk.granted(&gateway, &browser, &[("resource", &resource), ("scope", "tag:clock")]);
    let token = text(&tokens, "access_token");
    assert_eq!(gateway.tools("/mcp/time", Some(token)), ["now", "convert"]);
    assert_eq!(gateway.post("/mcp", Some(token), &request("tools/list", serde_json::json!({}))).status, 401);
    let fields = encoded(&[("client_id", "desk"), ("token", token)]);
    let asked = gateway.send("POST", "/oauth/introspect", &[("Content-Type", FORM)], &fields);
    assert_eq!(asked.status, 401, "a client that keeps no secret");
}
