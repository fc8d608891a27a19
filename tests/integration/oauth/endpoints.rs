//! The endpoints that clients call themselves: what they do not take, and what they never do.

use std::{net::TcpListener, time::Instant};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;

use super::{ASK, FORM, SECRET, event, post, start, yaml};
use crate::support::{
    consenting::{Consenting, lists},
    running::{Answer, Running, parse},
};

/// The token endpoint, asked with a `Basic` header.
fn basic(gateway: &Running, scheme: &str, pair: &str, body: &str) -> Answer {
    let header = format!("{scheme} {}", STANDARD.encode(pair));
    gateway.send("POST", "/oauth/token", &[("Content-Type", FORM), ("Authorization", &header)], body)
}

/// The same from another address of this machine.
fn from(gateway: &Running, address: &str, path: &str, body: &str) -> Answer {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let text = format!(
        "POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: {FORM}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        gateway.address(),
        body.len()
    );
    runtime.block_on(async {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(format!("{address}:0").parse().unwrap()).unwrap();
        let mut stream = socket.connect(gateway.address()).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        parse(&answer)
    })
}

#[test]
fn oa38_oa40_oa41_t087_a_client_proves_itself_in_one_way_and_that_the_registered_one() {
    let yaml = yaml().replace("    desk:", "    basic: {secret: {file: robot.secret}}\n    desk:").replace(
        "  - {to: {client: robot}, scopes: ['tag:clock']}",
        "  - {to: {client: robot}, scopes: ['tag:clock']}\n  - {to: {client: basic}, scopes: ['tag:clock']}",
    );
    let gateway = Running::start_with(&yaml, &[("robot.secret", SECRET)]);
    let ask = "grant_type=client_credentials";
    for scheme in ["Basic", "basic", "BASIC"] {
        assert_eq!(basic(&gateway, scheme, &format!("basic:{SECRET}"), ask).status, 200, "{scheme}");
    }
    for (pair, body, error) in [
        (format!("basic:{SECRET}"), format!("{ask}&client_id=robot"), "invalid_request"),
        (format!("basic:{SECRET}"), format!("{ask}&client_secret={SECRET}"), "invalid_request"),
        (format!("robot:{SECRET}"), ask.to_owned(), "invalid_client"),
        ("basic:".to_owned(), ask.to_owned(), "invalid_client"),
        ("basic".to_owned(), ask.to_owned(), "invalid_client"),
        (":".to_owned(), ask.to_owned(), "invalid_client"),
        ("basic:%zz".to_owned(), ask.to_owned(), "invalid_client"),
        (format!("desk:{SECRET}"), ask.to_owned(), "invalid_client"),
    ] {
        let refused = basic(&gateway, "Basic", &pair, &body);
        assert_eq!(refused.json()["error"], error, "{pair} {body}");
        assert_eq!(refused.header("www-authenticate").is_some(), error == "invalid_client", "{refused:?}");
    }
    for body in [
        format!("{ask}&client_id=basic&client_secret={SECRET}"),
        format!("{ask}&client_id=robot"),
        format!("{ask}&client_id=robot&client_secret="),
        format!("{ask}&client_id=desk&client_secret={SECRET}"),
    ] {
        let refused = post(&gateway, "/oauth/token", &body);
        assert_eq!((refused.status, &refused.json()["error"]), (401, &"invalid_client".into()), "{body}");
    }
    let assertion = format!(
        "{ASK}&client_assertion=x&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"
    );
    assert!(post(&gateway, "/oauth/token", &assertion).status >= 400);
}

#[test]
fn oa44_t157_as38_after_twenty_wrong_secrets_an_address_waits_and_another_does_not() {
    let gateway = start();
    let wrong = ASK.replace("wB3x", "xB3x");
    for nth in 0..20 {
        assert_eq!(post(&gateway, "/oauth/token", &wrong).status, 401, "{nth}");
    }
    let held = post(&gateway, "/oauth/token", &wrong);
    assert_eq!(held.status, 429, "{held:?}");
    let wait: u64 = held.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=900).contains(&wait) && held.header("cache-control") == Some("no-store"), "{held:?}");
    // The right one gets the same answer, at every endpoint that takes one.
    let right = post(&gateway, "/oauth/token", ASK);
    assert_eq!((right.status, &right.body), (held.status, &held.body));
    for path in ["/oauth/introspect", "/oauth/revoke"] {
        let own = format!("client_id=robot&client_secret={SECRET}&token=x");
        assert_eq!(post(&gateway, path, &own).status, 429, "{path}");
    }
    assert_eq!(gateway.last_decision()["refusal"], "guessing");
    // Nobody is locked out by it, and who shows no secret goes on.
    assert_eq!(from(&gateway, "127.0.0.2", "/oauth/token", ASK).status, 200);
    assert_eq!(post(&gateway, "/oauth/revoke", "client_id=desk&token=x").status, 200);
    // Who was wrong about this client waits with it, wherever they come from.
    assert_eq!(from(&gateway, "127.0.0.3", "/oauth/token", &wrong).status, 401);
    assert_eq!(from(&gateway, "127.0.0.3", "/oauth/token", ASK).status, 429);
}

#[test]
fn oa47_oa49_sm32_answers_are_of_their_shape_whatever_was_asked() {
    let gateway = start();
    let given = post(&gateway, "/oauth/token", &format!("{ASK}&scope=tag%3Aclock&foo=bar&audience=x"));
    let body = given.json();
    let mut keys: Vec<&String> = body.as_object().unwrap().keys().collect();
    keys.sort_unstable();
    assert_eq!(keys, ["access_token", "expires_in", "scope", "token_type"]);
    for hostile in ["a%0d%0aX-Evil%3A%201", "%22%3E%3Cscript%3E", "%5C%22", "%00", "%E2%80%AE", "tag%3Aclock%22"] {
        for field in ["scope", "resource", "grant_type", "client_id"] {
            let body = if field == "grant_type" || field == "client_id" {
                format!("{field}={hostile}&client_secret={SECRET}&grant_type=client_credentials")
            } else {
                format!("{ASK}&{field}={hostile}")
            };
            let refused = post(&gateway, "/oauth/token", &body);
            assert!((400..=401).contains(&refused.status), "{field} {hostile}: {refused:?}");
            assert!(refused.header("x-evil").is_none());
            let told = refused.json();
            let words = told["error_description"].as_str().unwrap();
            let permitted = |c: char| matches!(c, ' ' | '!' | '#'..='[' | ']'..='~');
            assert!(words.chars().all(permitted) && !words.contains("<script>"), "{words}");
            assert_eq!(told.as_object().unwrap().len(), 2, "{told}");
        }
    }
}

#[test]
fn oa76_oa77_sm05_sm06_t203_scopes_are_exact_known_and_few_and_none_is_listed() {
    let gateway = start();
    let ask = |scope: &str| post(&gateway, "/oauth/token", &format!("{ASK}&scope={scope}"));
    let many = |count: usize| (0..count).map(|nth| format!("tag%3At{nth}")).collect::<Vec<_>>().join("+");
    let long = format!("tag%3A{}", "a".repeat(65));
    for bad in [
        "tag%3A%22",
        "tag%3A%5C",
        "tag%3A",
        "tag%3A%2A",
        "*",
        "clock",
        "tag%3Aclock%00",
        "TAG%3Aclock",
        "tag%3Aclock%09tag%3Anotes",
        &long,
        &many(51),
        &many(5000),
    ] {
        let begun = Instant::now();
        let refused = ask(bad);
        assert_eq!((refused.status, &refused.json()["error"]), (400, &"invalid_scope".into()), "{bad:.40}");
        assert!(begun.elapsed().as_millis() < 1000, "{bad:.40} took {:?}", begun.elapsed());
        for known in ["clock", "notes", "write", "secret"] {
            assert!(
                !refused.json()["error_description"].as_str().unwrap().contains(&format!("tag:{known}")),
                "{refused:?}"
            );
        }
    }
    let unknown = ask("tag%3Anothing").json();
    assert_eq!(unknown["error"], "invalid_scope");
    // One that exists and is not this client's: nobody learns that it exists.
    assert_eq!(ask("tag%3Asecret").json()["error"], "invalid_scope");
    assert_eq!(ask("tag%3Aclock+tag%3Aclock").json()["scope"], "tag:clock", "a repeated one counts once");
    assert_eq!(ask("").json()["scope"], "tag:clock", "an empty one is none");
}

#[test]
fn oa85_revocation_and_introspection_tell_nobody_of_what_is_not_theirs() {
    let gateway = start();
    let owner = gateway.token("tag:clock", &[]);
    let secret = format!("client_id=robot&client_secret={SECRET}");
    // A person's token, shown by a client that has nothing to do with it.
    assert_eq!(
        post(&gateway, "/oauth/introspect", &format!("{secret}&token={owner}")).json(),
        json!({"active": false})
    );
    assert_eq!(post(&gateway, "/oauth/revoke", &format!("{secret}&token={owner}")).status, 200);
    assert_eq!(lists(&gateway, &owner), 200);
    for (path, body, status) in [
        ("/oauth/revoke", "client_id=robot&token=x".to_owned(), 401),
        ("/oauth/revoke", "token=x".to_owned(), 400),
        ("/oauth/revoke", secret.clone(), 400),
        ("/oauth/revoke", format!("{secret}&token=a&token=b"), 400),
        ("/oauth/revoke", format!("{secret}&token=x&token_type_hint=nonsense"), 200),
        ("/oauth/introspect", "client_id=desk&token=x".to_owned(), 401),
        ("/oauth/introspect", format!("{secret}&token={}", "x".repeat(60_000)), 200),
    ] {
        let answer = post(&gateway, path, &body);
        assert_eq!(answer.status, status, "{path} {body:.80}: {answer:?}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{path} {body:.80}");
    }
    let bearer = format!("Bearer {owner}");
    let by_token =
        gateway.send("POST", "/oauth/introspect", &[("Content-Type", FORM), ("Authorization", &bearer)], "token=x");
    assert!([400, 401].contains(&by_token.status), "an access token is no authentication of a client");
}

#[test]
fn oa109_oa110_t095_t113_a_registration_fetches_nothing_and_cannot_be_managed() {
    let gateway = start();
    let canary = TcpListener::bind("127.0.0.1:0").unwrap();
    canary.set_nonblocking(true).unwrap();
    let at = format!("http://{}", canary.local_addr().unwrap());
    let json = [("Content-Type", "application/json")];
    let body = json!({
        "redirect_uris": ["http://127.0.0.1/cb"], "client_name": "x", "token_endpoint_auth_method": "none",
        "logo_uri": format!("{at}/logo"), "client_uri": format!("{at}/"), "policy_uri": format!("{at}/p"),
        "tos_uri": format!("{at}/t"), "jwks_uri": format!("{at}/jwks"), "sector_identifier_uri": format!("{at}/s"),
    });
    let made = gateway.send("POST", "/oauth/register", &json, &body.to_string());
    assert_eq!(made.status, 201, "{made:?}");
    let id = made.json()["client_id"].as_str().unwrap().to_owned();
    // A sender constraint and an initiation URI change nothing either.
    for field in ["jwks_uri", "request_uris", "initiate_login_uri", "software_statement"] {
        let mut body = body.clone();
        body[field] = if field == "request_uris" { json!([format!("{at}/r")]) } else { format!("{at}/x").into() };
        assert!(gateway.send("POST", "/oauth/register", &json, &body.to_string()).status < 500, "{field}");
    }
    assert!(canary.accept().is_err(), "something was fetched");
    assert_eq!(event(&gateway, "client-registered")["facts"].get("logo_uri"), None);
    for method in ["GET", "PUT", "DELETE"] {
        for path in [format!("/oauth/register/{id}"), "/oauth/register/other".to_owned()] {
            let answer = gateway.send(method, &path, &[], "");
            assert!(
                [401, 404, 405].contains(&answer.status) && !answer.body.contains("redirect"),
                "{method} {path}: {answer:?}"
            );
        }
    }
    assert!(made.json().get("registration_access_token").is_none());
    // It may ask nothing of what needs a secret.
    let refused = post(&gateway, "/oauth/token", &format!("grant_type=client_credentials&client_id={id}"));
    assert_eq!(refused.json()["error"], "unauthorized_client");
}

#[test]
fn oa62_oa142_who_is_not_authenticated_writes_nothing_and_nothing_is_answered_with_a_fault() {
    let gateway = start();
    let store = Consenting::at(&gateway, &format!("http://{}", gateway.address()));
    assert_eq!(post(&gateway, "/oauth/token", ASK).status, 200);
    let files = || {
        ["portcullis.db", "portcullis.db-wal"]
            .map(|file| std::fs::read(gateway.path(&format!(".portcullis/{file}"))).unwrap_or_default())
    };
    // What keeps up reads the event of the start, and is done then.
    gateway.until("quiet", || {
        let before = files();
        (0..20).for_each(|_| drop(gateway.send("GET", "/readyz", &[], "")));
        before == files()
    });
    let (before, count) = (files(), store.count());
    let forms = [
        "grant_type=refresh_token&client_id=desk&refresh_token=pc_rt_0.017f22e2-79b0-7cc3-98c4-dc0c0c07398f.0.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "grant_type=authorization_code&client_id=desk&code=pc_ac_0AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA&code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
        "grant_type=client_credentials&client_id=nobody&client_secret=x",
        "grant_type=client_credentials&client_id=desk",
        "token=x&client_id=desk",
        "",
        "%",
        "a=%00&b=%ff",
        "=&=&=",
        "grant_type=client_credentials&client_id=https%3A%2F%2Fevil.example%2Fc&client_secret=x",
    ];
    let types = [FORM, "application/json", "text/plain", "multipart/form-data; boundary=x", ""];
    let bearer = "Bearer x".repeat(200);
    let authorizations = ["Basic", "Basic =", "Basic YTpi", "Bearer x", "Negotiate x", "\u{e9}", bearer.as_str()];
    let mut nth = 0_usize;
    for path in ["/oauth/token", "/oauth/revoke", "/oauth/introspect", "/oauth/register"] {
        for method in ["POST", "GET", "PUT", "PATCH", "OPTIONS", "HEAD", "DELETE"] {
            for body in forms.iter().copied().chain([r#"{"redirect_uris": 7}"#, "[[[[", "{}"]) {
                nth += 1;
                let mut headers = vec![("Content-Type", types[nth % types.len()])];
                if nth.is_multiple_of(3) {
                    headers.push(("Authorization", authorizations[nth % authorizations.len()]));
                }
                let answer = gateway.send(method, path, &headers, body);
                let fine = (200..500).contains(&answer.status) || answer.status == 503 && nth > 200;
                assert!(fine, "{method} {path} {headers:?} {body}: {answer:?}");
                assert!(
                    answer.status != 200 || path == "/oauth/revoke" || method == "OPTIONS",
                    "{method} {path} {body}: {answer:?}"
                );
            }
        }
    }
    assert_eq!(store.count(), count, "no token came of it");
    assert!(files() == before, "and the store was not written");
}

#[test]
fn oa137_sm28_az21_the_trail_says_who_was_given_what_and_who_was_not() {
    let gateway = start();
    assert_eq!(post(&gateway, "/oauth/token", ASK).status, 200);
    let given = event(&gateway, "token-granted");
    let facts = &given["facts"];
    let told = ["principal", "scopes", "resource", "grant_type", "token", "address"].map(|name| &facts[name]);
    assert!(told.iter().all(|fact| fact.as_str().is_some_and(|fact| !fact.is_empty())), "{given}");
    assert!(given["id"].is_string() && given["ts"].is_string(), "{given}");
    let refused = post(&gateway, "/oauth/token", &format!("{ASK}&scope=tag%3Asecret"));
    assert_eq!(refused.status, 400);
    let record = gateway.last_decision();
    assert_eq!(record["decision"]["verdict"], "deny");
    assert_eq!(record["peer"]["address"], "127.0.0.1", "{record}");
    assert!(record["refusal"].is_string() && record["id"].is_string(), "{record}");
}
