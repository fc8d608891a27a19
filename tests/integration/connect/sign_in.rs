//! Signing in: before an authorization server that does as a test says, with a browser that follows redirects.

use std::{os::unix::fs::PermissionsExt as _, path::Path};

use serde_json::{Value, json};

use super::{modern, words};
use crate::{
    cli::{CONFIG, at, run, run_with},
    support::{
        authority::{Authority, follow, form, get, send},
        bridged::Bridged,
        fake_http::{Fake, answer},
    },
};

fn call(id: u64) -> Value {
    modern(id, "tools/call", json!({"name": "x"}))
}

/// The scopes with which a call was answered.
fn scopes(answer: &Value) -> &str {
    answer["result"]["scopes"].as_str().unwrap_or_else(|| panic!("{answer}"))
}

/// A bridge whose person has signed in.
fn signed_in(authority: &Authority, data: &Path) -> Bridged {
    let mut bridge = Bridged::start_in(data, &authority.fake.url, &[]);
    bridge.say(&call(0));
    let page = follow(&bridge.pages(1)[0]);
    assert!(page.status == 200 && page.body.contains("You are signed in"), "{page:?}");
    scopes(&bridge.hear());
    bridge
}

/// What a bridge answers at once, with nobody signed in and no page shown.
fn refused(authority: &Authority) -> String {
    let data = tempfile::tempdir().unwrap();
    let mut bridge = Bridged::start_in(data.path(), &authority.fake.url, &[]);
    let refused = bridge.ask(&call(1));
    assert_eq!((&refused["error"]["code"], bridge.pages(0).len()), (&json!(-31002), 0), "{refused}");
    assert!(authority.seen("/authorize").is_empty() && authority.seen("/token").is_empty());
    words(&refused).to_owned()
}

fn kept(data: &Path) -> Vec<std::path::PathBuf> {
    let folder = std::fs::read_dir(data.join("portcullis/connect")).unwrap();
    folder.map(|entry| entry.unwrap().path()).filter(|path| path.extension().unwrap() == "json").collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn cl18_az23_a_person_signs_in_once_and_the_tokens_are_kept_for_nobody_else() {
    let (authority, data) = (Authority::start().await, tempfile::tempdir().unwrap());
    let mut bridge = signed_in(&authority, data.path());
    assert_eq!(scopes(&bridge.ask(&call(1))), "offline_access tag:base");

    let registered = &authority.seen("/register")[0].body;
    assert_eq!(
        (&registered["redirect_uris"], &registered["token_endpoint_auth_method"], &registered["application_type"]),
        (&json!(["http://127.0.0.1/callback"]), &json!("none"), &json!("native"))
    );
    let asked = form(authority.seen("/authorize")[0].target.split_once('?').unwrap().1);
    assert_eq!((asked["response_type"].as_str(), asked["code_challenge_method"].as_str()), ("code", "S256"));
    assert_eq!((&asked["resource"], asked["scope"].as_str()), (&authority.fake.url, "offline_access tag:base"));
    assert!(asked["state"].len() >= 43 && asked["redirect_uri"].starts_with("http://127.0.0.1:"));
    let redeemed = form(&authority.seen("/token")[0].text);
    assert_eq!((&redeemed["resource"], redeemed["client_id"].as_str()), (&authority.fake.url, "client-1"));

    let files = kept(data.path());
    let [file] = files.as_slice() else { panic!("{files:?}") };
    for (path, mode) in [(file.as_path(), 0o600), (file.parent().unwrap(), 0o700)] {
        assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, mode, "{path:?}");
    }
    // What was issued is in the file and nowhere else that anybody sees.
    let (log, secrets) = (bridge.log(), authority.state.lock().unwrap().issued.clone());
    assert_eq!(secrets.len(), 3);
    let shown = |what| std::fs::read_to_string(format!("/proc/{}/{what}", bridge.pid())).unwrap_or_default();
    for secret in &secrets {
        assert!(!log.contains(secret) && !shown("cmdline").contains(secret) && !shown("environ").contains(secret));
    }
    assert!(bridge.end().0.success());

    // Another start asks nobody.
    let mut again = Bridged::start_in(data.path(), &authority.fake.url, &[]);
    assert_eq!(scopes(&again.ask(&call(2))), "offline_access tag:base");
    assert_eq!((again.log().as_str(), authority.seen("/authorize").len()), ("", 1));
    // Nor does a token that has ended.
    authority.set(|state| state.expire());
    assert_eq!(scopes(&again.ask(&call(3))), "offline_access tag:base");
    let renewed = form(&authority.seen("/token")[1].text);
    assert_eq!((renewed["grant_type"].as_str(), &renewed["resource"]), ("refresh_token", &authority.fake.url));
    assert_eq!(again.log(), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_renewed_before_it_ends() {
    let (authority, data) = (Authority::start().await, tempfile::tempdir().unwrap());
    authority.set(|state| state.life = Some(0));
    let mut bridge = signed_in(&authority, data.path());
    for id in 1..=3 {
        scopes(&bridge.ask(&call(id)));
    }
    // One request was refused: the very first, which had no token.
    assert_eq!((authority.seen("/token").len(), authority.seen("/mcp").len()), (4, 5));
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc8252_the_browser_is_opened_with_the_page_alone() {
    let (authority, data) = (Authority::start().await, tempfile::tempdir().unwrap());
    let script = data.path().join("browser");
    let out = data.path().join("opened");
    std::fs::write(
        &script,
        format!("#!/bin/sh\nprintf '%s\\n' \"$#\" \"$@\" >'{}.new'\nmv '{0}.new' '{0}'\n", out.display()),
    )
    .unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o700)).unwrap();
    let browser = format!("/nowhere/browser:{} --new %s", script.display());
    let variables = [("BROWSER", browser.as_str())];
    let folder = tempfile::tempdir().unwrap();
    let mut bridge = Bridged::start_with(folder, &authority.fake.url, data.path(), &[], &variables);
    bridge.say(&call(1));
    let page = bridge.pages(1)[0].clone();
    crate::support::until("the browser to be opened", || out.exists()).await;
    assert_eq!(std::fs::read_to_string(&out).unwrap(), format!("2\n--new\n{page}\n"));
    assert_eq!(follow(&page).status, 200);
    scopes(&bridge.hear());
}

#[tokio::test(flavor = "multi_thread")]
async fn as17_t103_what_comes_by_with_another_state_changes_nothing() {
    let (authority, data) = (Authority::start().await, tempfile::tempdir().unwrap());
    let mut bridge = Bridged::start_in(data.path(), &authority.fake.url, &[]);
    bridge.say(&call(1));
    let page = bridge.pages(1)[0].clone();
    let back = form(page.split_once('?').unwrap().1)["redirect_uri"].clone();
    let answer = get(&page).header("location").unwrap().to_owned();
    for (method, url, host, status) in [
        ("GET", back.replace("/callback", "/favicon.ico"), None, 404),
        ("GET", back.replace("/callback", "/"), None, 404),
        ("GET", back.clone(), None, 400),
        ("GET", format!("{back}?code=stolen&state=guessed"), None, 400),
        ("GET", format!("{back}?error=access_denied&state=guessed"), None, 400),
        ("GET", format!("{answer}&state=guessed"), None, 400),
        ("POST", answer.clone(), None, 405),
        ("GET", answer.clone(), Some("rebound.example"), 404),
    ] {
        let turned_away = send(method, &url, host);
        assert_eq!(turned_away.status, status, "{method} {url}");
        assert!(!turned_away.body.contains("code_") && !turned_away.body.contains("guessed"));
    }
    assert!(authority.seen("/token").is_empty());
    let page = get(&answer);
    assert_eq!((page.status, page.header("cache-control")), (200, Some("no-store")));
    assert!(page.header("content-security-policy").unwrap().starts_with("default-src 'none'"));
    scopes(&bridge.hear());
}

#[tokio::test(flavor = "multi_thread")]
async fn as07_cl18_se09_t103_an_answer_of_another_issuer_is_not_redeemed() {
    for issuer in ["https://evil.example", ""] {
        let (authority, data) = (Authority::start().await, tempfile::tempdir().unwrap());
        authority.set(|state| drop(state.answers.insert("iss", issuer.into())));
        let mut bridge = Bridged::start_in(data.path(), &authority.fake.url, &[]);
        bridge.say(&call(1));
        let page = follow(&bridge.pages(1)[0]);
        assert!(page.status == 400 && page.body.contains("This did not work"), "{page:?}");
        let refused = bridge.hear();
        assert!(words(&refused).contains("came from another authorization server"), "{refused}");
        assert!(authority.seen("/token").is_empty() && kept(data.path()).is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cl18_cl19_cl20_se09_t106_t112_as03_as04_az04_nobody_is_sent_where_the_documents_do_not_fit() {
    type Case = (&'static str, Value, &'static str);
    let cases: [Case; 23] = [
        (
            "server",
            json!({"issuer": "https://evil.example"}),
            "is that of another one, `https://evil.example`, not of `http",
        ),
        ("server", json!({"code_challenge_methods_supported": null}), "does not say that it takes PKCE with S256"),
        ("server", json!({"code_challenge_methods_supported": ["plain"]}), "does not say that it takes PKCE with S256"),
        (
            "server",
            json!({"authorization_endpoint": null}),
            "lets nobody sign in; run `portcullis connect` with `--token",
        ),
        (
            "server",
            json!({"authorization_endpoint": "javascript:alert(1)"}),
            "names a URL as its authorization endpoint",
        ),
        ("server", json!({"authorization_endpoint": "$(touch made)"}), "must not hold spaces"),
        ("server", json!({"authorization_endpoint": "$(touch$IFS)"}), "must begin with"),
        ("server", json!({"authorization_endpoint": "--new-window"}), "must begin with"),
        ("server", json!({"authorization_endpoint": "file:///etc/passwd"}), "must begin with"),
        ("server", json!({"authorization_endpoint": "https://id.example/`touch made` "}), "must not hold spaces"),
        ("server", json!({"authorization_endpoint": "https://id.example\\@evil.example/"}), "must not hold spaces"),
        ("server", json!({"token_endpoint": "http://169.254.169.254/token"}), "does not begin with `https://`"),
        ("server", json!({"token_endpoint": "http://192.168.0.1/token"}), "does not begin with `https://`"),
        ("server", json!({"registration_endpoint": "http://10.0.0.1/register"}), "does not begin with `https://`"),
        (
            "server",
            json!({"registration_endpoint": "https://10.0.0.1/register"}),
            "its address may not be reached from here",
        ),
        ("server", json!({"revocation_endpoint": "http://[fd00::1]/revoke"}), "does not begin with `https://`"),
        ("server", json!({"token_endpoint": null}), "names no token endpoint"),
        ("server", json!({"registration_endpoint": null}), "registers no clients by itself; ask whoever runs it"),
        ("server", json!({"issuer": 1}), "is no such document"),
        (
            "resource",
            json!({"resource": "https://evil.example/mcp"}),
            "is about another resource, `https://evil.example",
        ),
        ("resource", json!({"authorization_servers": []}), "names no authorization server"),
        ("resource", json!({"authorization_servers": ["http://10.0.0.1"]}), "does not begin with `https://`"),
        (
            "resource",
            json!({"authorization_servers": ["https://10.0.0.1"]}),
            "its address may not be reached from here",
        ),
    ];
    for (which, change, expected) in cases {
        let authority = Authority::start().await;
        authority.set(|state| drop(state.documents.insert(which, change.clone())));
        let said = refused(&authority);
        assert!(said.contains("wants a token, and ") && said.contains(expected), "{change}: {said}");
    }
    for (challenge, expected) in [
        ("Bearer resource_metadata=\"http://169.254.169.254/x\"", "does not begin with `https://`"),
        ("Bearer resource_metadata=\"https://169.254.169.254/x\"", "its address may not be reached from here"),
        ("Bearer resource_metadata=\"https://10.0.0.1/x\"", "its address may not be reached from here"),
        ("Bearer resource_metadata=\"file:///etc/passwd\"", "must begin with"),
    ] {
        let authority = Authority::start().await;
        authority.set(|state| state.challenge = Some(challenge.into()));
        let said = refused(&authority);
        assert!(said.contains(expected), "{challenge}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn t106_cl20_what_a_shell_would_run_in_a_page_is_opened_as_one_argument() {
    let (authority, data) = (Authority::start().await, tempfile::tempdir().unwrap());
    let (script, made, out) = (data.path().join("browser"), data.path().join("made"), data.path().join("opened"));
    let hostile =
        format!("{}/authorize;$(touch$IFS{})|&x", authority.fake.url.trim_end_matches("/mcp"), made.display());
    authority.set(|state| drop(state.documents.insert("server", json!({"authorization_endpoint": hostile}))));
    let said = format!("#!/bin/sh\nprintf '%s\\n' \"$#\" \"$@\" >'{0}.new'\nmv '{0}.new' '{0}'\n", out.display());
    std::fs::write(&script, said).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o700)).unwrap();
    let browser = script.to_str().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let variables = [("BROWSER", browser)];
    let mut bridge = Bridged::start_with(folder, &authority.fake.url, data.path(), &[], &variables);
    bridge.say(&call(1));
    crate::support::until("the browser to be opened", || out.exists()).await;
    let opened = std::fs::read_to_string(&out).unwrap();
    let lines: Vec<&str> = opened.lines().collect();
    let [count, page] = lines.as_slice() else { panic!("{opened}") };
    assert!(*count == "1" && page.starts_with("http://127.0.0.1:") && page.contains("/authorize;"), "{opened}");
    assert!(!made.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn t112_cl19_what_documents_point_at_is_asked_for_nothing() {
    let canary = Fake::start(|_| answer("200 OK", "content-type: application/json\r\n", "{}")).await;
    // A redirect leads nowhere.
    let place = canary.url.clone();
    let trap = Fake::start(move |_| answer("302 Found", &format!("location: {place}\r\n"), "")).await;
    let authority = Authority::start().await;
    authority.set(|state| state.challenge = Some(format!("Bearer resource_metadata=\"{}\"", trap.url)));
    assert!(refused(&authority).contains("is answered with HTTP status 302"));
    assert_eq!(trap.seen().len(), 1);
    // What we have no use for is not fetched, even where somebody could sign in.
    let (authority, data) = (Authority::start().await, tempfile::tempdir().unwrap());
    let unused = json!({"jwks_uri": canary.url, "userinfo_endpoint": canary.url, "service_documentation": canary.url,
                        "op_policy_uri": canary.url, "introspection_endpoint": canary.url, "logo_uri": canary.url});
    authority.set(|state| {
        state.documents.insert("server", unused.clone());
        state.documents.insert("resource", unused);
    });
    let mut bridge = signed_in(&authority, data.path());
    assert_eq!(scopes(&bridge.ask(&call(1))), "offline_access tag:base");
    assert_eq!(canary.seen().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn az03_without_a_challenge_the_documents_are_found_and_say_what_to_ask_for() {
    let (authority, data) = (Authority::start().await, tempfile::tempdir().unwrap());
    authority.set(|state| state.challenge = Some("Bearer".into()));
    let mut bridge = signed_in(&authority, data.path());
    assert_eq!(scopes(&bridge.ask(&call(1))), "offline_access tag:base");
}

#[tokio::test(flavor = "multi_thread")]
async fn t101_cl18_what_one_server_issued_is_told_to_no_other_that_is_named_later() {
    let (authority, evil, data) = (Authority::start().await, Authority::start().await, tempfile::tempdir().unwrap());
    let mut bridge = signed_in(&authority, data.path());
    let other = evil.fake.url.trim_end_matches("/mcp").to_owned();
    authority.set(|state| {
        state.expire();
        state.documents.insert("resource", json!({"authorization_servers": [other]}));
    });
    // What is renewed is renewed where it came from.
    scopes(&bridge.ask(&call(1)));
    assert_eq!((authority.seen("/token").len(), evil.fake.seen().len()), (2, 0));
    // What cannot be is asked for of whoever is named now, by somebody new, and a person sees whom.
    let issued = authority.state.lock().unwrap().issued.clone();
    authority.set(|state| state.revoke());
    bridge.say(&call(2));
    let page = bridge.pages(2)[1].clone();
    assert!(page.starts_with(&format!("{other}/authorize?")), "{page}");
    assert_eq!((evil.seen("/register").len(), evil.seen("/token").len()), (1, 0));
    let told = format!("{page} {:?}", evil.fake.seen());
    assert!(issued.len() >= 5 && issued.iter().all(|secret| !told.contains(secret)), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn as28_a_client_id_that_was_given_is_used() {
    let (authority, data) = (Authority::start().await, tempfile::tempdir().unwrap());
    authority.set(|state| drop(state.documents.insert("server", json!({"registration_endpoint": null}))));
    let mut bridge = Bridged::start_in(data.path(), &authority.fake.url, &["--client-id", "given"]);
    bridge.say(&call(1));
    assert_eq!(follow(&bridge.pages(1)[0]).status, 200);
    scopes(&bridge.hear());
    assert_eq!(form(&authority.seen("/token")[0].text)["client_id"], "given");
}

#[tokio::test(flavor = "multi_thread")]
async fn oa53_two_bridges_before_one_url_share_a_sign_in_and_each_renewal() {
    let (authority, data) = (Authority::start().await, tempfile::tempdir().unwrap());
    let mut one = Bridged::start_in(data.path(), &authority.fake.url, &[]);
    one.say(&call(1));
    let page = one.pages(1)[0].clone();
    let mut two = Bridged::start_in(data.path(), &authority.fake.url, &[]);
    two.say(&call(1));
    assert_eq!(follow(&page).status, 200);
    scopes(&one.hear());
    scopes(&two.hear());
    assert_eq!((two.log().as_str(), authority.seen("/authorize").len()), ("", 1));
    // Used twice, a refresh token would end everything here.
    for round in 2..6 {
        authority.set(|state| state.expire());
        for bridge in [&mut one, &mut two] {
            bridge.say(&call(round));
            bridge.say(&call(round + 100));
        }
        for bridge in [&one, &two] {
            scopes(&bridge.hear());
            scopes(&bridge.hear());
        }
        assert_eq!(authority.seen("/token").len(), usize::try_from(round).unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn oa55_a_renewal_whose_answer_is_lost_is_asked_for_again_and_nobody_signs_in() {
    let (authority, data) = (Authority::start().await, tempfile::tempdir().unwrap());
    let mut bridge = signed_in(&authority, data.path());
    authority.set(|state| {
        state.expire();
        state.lost = 1;
    });
    scopes(&bridge.ask(&call(1)));
    assert_eq!((authority.seen("/token").len(), authority.seen("/authorize").len()), (3, 1));
    // Lost twice is said; the next request finds what was issued.
    authority.set(|state| {
        state.expire();
        state.lost = 2;
    });
    let refused = bridge.ask(&call(2));
    assert!(words(&refused).contains("its token endpoint at `http://127.0.0.1:"), "{refused}");
    assert!(words(&refused).contains("cannot be asked: the connection to it broke; try again"), "{refused}");
    scopes(&bridge.ask(&call(3)));
    assert_eq!(authority.seen("/authorize").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_be_renewed_no_more_is_asked_for_again_with_the_same_client() {
    let (authority, data) = (Authority::start().await, tempfile::tempdir().unwrap());
    let mut bridge = signed_in(&authority, data.path());
    authority.set(|state| state.revoke());
    bridge.say(&call(1));
    assert_eq!(follow(&bridge.pages(2)[1]).status, 200);
    scopes(&bridge.hear());
    assert_eq!(authority.seen("/register").len(), 1);
    // A client that is known no more registers again.
    authority.set(|state| {
        state.revoke();
        state.forgotten.insert("client-1".into());
    });
    bridge.say(&call(2));
    assert_eq!(follow(&bridge.pages(3)[2]).status, 200);
    scopes(&bridge.hear());
    assert_eq!(authority.seen("/register").len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn az15_az18_what_is_lacking_is_asked_for_besides_what_there_is() {
    let (authority, data) = (Authority::start().await, tempfile::tempdir().unwrap());
    let mut bridge = signed_in(&authority, data.path());
    authority.set(|state| state.needs = Some("tag:more tag:most"));
    bridge.say(&call(1));
    assert_eq!(follow(&bridge.pages(2)[1]).status, 200);
    assert_eq!(scopes(&bridge.hear()), "offline_access tag:base tag:more tag:most");
    // It is granted, and still not enough: nobody is asked again and again.
    authority.set(|state| {
        state.needs = Some("tag:never");
        state.grants = Some("tag:base tag:more".into());
    });
    bridge.say(&call(2));
    assert_eq!(follow(&bridge.pages(3)[2]).status, 200);
    for (id, refused) in [(2, bridge.hear()), (3, bridge.ask(&call(3)))] {
        assert_eq!((&refused["id"], &refused["error"]["data"]["scopes"]), (&json!(id), &json!(["tag:never"])));
        assert!(words(&refused).contains("this needs `tag:never`, which was not granted"), "{refused}");
    }
    // What there is goes on, also where a person says no.
    authority.set(|state| {
        state.needs = Some("tag:other");
        state.answers.extend([("error", "access_denied".to_owned()), ("code", String::new())]);
    });
    bridge.say(&call(4));
    assert!(follow(&bridge.pages(4)[3]).body.contains("Access was declined"));
    assert_eq!(bridge.hear()["error"]["data"]["scopes"], json!(["tag:other"]));
    authority.set(|state| state.needs = None);
    assert_eq!(scopes(&bridge.ask(&call(5))), "tag:base tag:more");
    assert_eq!(bridge.pages(0).len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_declines_is_not_asked_again() {
    let (authority, data) = (Authority::start().await, tempfile::tempdir().unwrap());
    authority.set(|state| state.answers.extend([("error", "access_denied".to_owned()), ("code", String::new())]));
    let mut bridge = Bridged::start_in(data.path(), &authority.fake.url, &[]);
    bridge.say(&call(1));
    assert!(follow(&bridge.pages(1)[0]).body.contains("Access was declined"));
    for refused in [bridge.hear(), bridge.ask(&call(2)), bridge.ask(&call(3))] {
        assert!(words(&refused).contains("access was declined in the browser; start the client again"), "{refused}");
    }
    assert_eq!(bridge.pages(0).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_refuses_is_said_and_the_next_page_waits() {
    let (authority, data) = (Authority::start().await, tempfile::tempdir().unwrap());
    authority.set(|state| state.answers.extend([("error", "invalid_scope".to_owned()), ("code", String::new())]));
    let mut bridge = Bridged::start_in(data.path(), &authority.fake.url, &[]);
    bridge.say(&call(1));
    assert_eq!(follow(&bridge.pages(1)[0]).status, 400);
    assert!(
        words(&bridge.hear()).contains("its authorization endpoint answered `invalid_scope`; tell whoever runs it")
    );
    let refused = bridge.ask(&call(2));
    assert!(words(&refused).contains("the next is not begun within a minute"), "{refused}");
    assert_eq!(bridge.pages(0).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_taken_back_does_not_take_the_page_away() {
    let (authority, data) = (Authority::start().await, tempfile::tempdir().unwrap());
    let mut bridge = Bridged::start_in(data.path(), &authority.fake.url, &[]);
    bridge.say(&call(1));
    let page = bridge.pages(1)[0].clone();
    bridge.say(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}));
    bridge.say(&call(2));
    assert_eq!(follow(&page).status, 200);
    let answer = bridge.hear();
    assert_eq!((&answer["id"], scopes(&answer)), (&json!(2), "offline_access tag:base"));
    assert_eq!(bridge.pages(0).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn logout_gives_the_tokens_back_and_deletes_them() {
    let (authority, data) = (Authority::start().await, tempfile::tempdir().unwrap());
    let mut bridge = signed_in(&authority, data.path());
    assert!(bridge.end().0.success());
    let place = at(CONFIG);
    let folder = data.path().to_str().unwrap();
    let end = || run_with(&place, &["connect", "--logout", &authority.fake.url], &[("XDG_DATA_HOME", folder)]);
    let said = end();
    assert_eq!((said.status, said.out.as_str()), (0, ""));
    assert_eq!(said.err, format!("the tokens for `{}` are given back and deleted\n", authority.fake.url));
    let revoked = form(&authority.seen("/revoke")[0].text);
    assert_eq!((revoked["token_type_hint"].as_str(), revoked["client_id"].as_str()), ("refresh_token", "client-1"));
    assert!(revoked["token"].starts_with("rt_") && kept(data.path()).is_empty());
    assert_eq!(end().err, format!("nothing is kept for `{}`\n", authority.fake.url));
    let said = run(&place, &["connect", "--logout", &authority.fake.url, "--token-file", "x"]);
    assert_eq!(said.status, 2);
}
