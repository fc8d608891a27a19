//! Signing in and out: the owner's link, cookies and forms, over real sockets.

use std::sync::Barrier;

use super::event;
use crate::{
    cli::run,
    gateway::DEMO,
    support::{
        browsing::{Browsing, hidden, link, set_cookies},
        running::{Running, holds},
    },
};

const ROOMY: &str = "oauth: {failure_delay: 0}
rates:
  roomy: {limit: 10000, window: 1m, by: address, on: [oauth]}
";

fn start() -> Running {
    Running::start(&format!("{DEMO}{ROOMY}"))
}

/// Over TLS, which a proxy before the gateway ends.
fn start_with_tls() -> Running {
    let more =
        "address: '{address}', trusted_proxies: [127.0.0.0/8], tls_proxy: true, public_url: 'https://gate.example.com'";
    Running::start(&format!("{}{ROOMY}", DEMO.replace("address: '{address}'", more)))
}

const PROXY: &[(&str, &str)] =
    &[("Host", "gate.example.com"), ("X-Forwarded-For", "198.51.100.7"), ("X-Forwarded-Proto", "https")];

/// The kind of the last refusal in the trail.
fn refusal(gateway: &Running) -> String {
    gateway.last_decision()["refusal"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn oa106_t223_t225_a_link_signs_in_by_its_button_and_once() {
    let gateway = start();
    let (browser, other) = (Browsing::new(&gateway), Browsing::new(&gateway));
    let page = browser.get("/login");
    assert!(page.status == 200 && page.body.contains("portcullis login"), "{page:?}");
    assert_eq!(page.header("cache-control"), Some("no-store"));
    assert_eq!(page.header("x-frame-options"), Some("DENY"));
    assert!(page.header("content-security-policy").unwrap().contains("frame-ancestors 'none'"));
    assert!(!gateway.log().contains("/login/link"), "it talks to no terminal");
    let path = link(&gateway);
    // A preview opens it as often as it likes.
    for method in ["GET", "GET", "HEAD", "OPTIONS"] {
        let seen = other.send(method, &path, &[], "");
        assert!(matches!((method, seen.status), ("GET", 200) | ("HEAD" | "OPTIONS", 405)), "{method} {seen:?}");
    }
    assert_eq!((browser.person(), other.person()), (None, None));
    let page = browser.get(&path);
    let (csrf, secret) = (hidden(&page, "csrf").unwrap(), hidden(&page, "link").unwrap());
    let done = browser.post("/login/link", &[("csrf", &csrf), ("link", &secret)]);
    assert_eq!((done.status, done.header("location"), done.body.as_str()), (303, Some("/login"), ""));
    assert_eq!(browser.person().as_deref(), Some("local/owner"));
    let facts = &event(&gateway, "signed-in")["facts"];
    assert_eq!(
        (&facts["user"], &facts["way"], &facts["address"]),
        (&"local/owner".into(), &"owner".into(), &"127.0.0.1".into())
    );
    // Whoever reads it afterwards has nothing.
    let page = other.get(&path);
    let again = other.post("/login/link", &[("csrf", &hidden(&page, "csrf").unwrap()), ("link", &secret)]);
    assert_eq!((again.status, refusal(&gateway).as_str()), (403, "link-used"));
    assert_eq!(other.person(), None);
    assert_eq!(gateway.audit().iter().filter(|record| record["what"] == "signed-in").count(), 1);
}

#[test]
fn oa106_a_link_that_is_made_up_opens_nothing() {
    let gateway = start();
    let good = link(&gateway);
    let (at, last) = (good.len() - 1, good.chars().last().unwrap());
    let turned = format!("{}{}", &good[..at], if last == 'A' { 'E' } else { 'A' });
    let foreign = link(&start());
    for bad in [turned.as_str(), &foreign, "/login/link?link=x", "/login/link?link=a&link=a"] {
        let seen = Browsing::new(&gateway).get(bad);
        assert!(
            matches!((seen.status, seen.header("location")), (403, None) | (303, Some("/login"))),
            "{bad} {seen:?}"
        );
    }
    assert_eq!(Browsing::new(&gateway).get("/login/link").header("location"), Some("/login"));
    assert_eq!(refusal(&gateway), "link-unknown");
    assert_eq!(gateway.send("POST", "/login/link", &[("Content-Type", "application/json")], "{}").status, 400);
    // Its own gateway takes the good one still.
    let browser = Browsing::new(&gateway);
    let page = browser.get(&good);
    let fields = [("csrf", hidden(&page, "csrf").unwrap()), ("link", hidden(&page, "link").unwrap())];
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(browser.post("/login/link", &fields).status, 303);
}

#[test]
fn oa91_t065_a_form_is_taken_from_the_browser_that_was_given_it_and_from_our_own_page() {
    let gateway = start();
    let (browser, other) = (Browsing::new(&gateway), Browsing::new(&gateway));
    let path = link(&gateway);
    let (ours, theirs) = (browser.get(&path), other.get(&path));
    let (csrf, secret) = (hidden(&ours, "csrf").unwrap(), hidden(&ours, "link").unwrap());
    let foreign = hidden(&theirs, "csrf").unwrap();
    assert_ne!(csrf, foreign);
    for fields in [
        vec![("link", secret.as_str())],
        vec![("csrf", ""), ("link", &secret)],
        vec![("csrf", &foreign), ("link", &secret)],
        vec![("csrf", &csrf[..csrf.len() - 1]), ("link", &secret)],
    ] {
        let refused = browser.post("/login/link", &fields);
        assert_eq!((refused.status, refusal(&gateway).as_str()), (403, "csrf"), "{refused:?}");
    }
    let twice = browser.post("/login/link", &[("csrf", &csrf), ("csrf", &csrf), ("link", &secret)]);
    assert_eq!(twice.status, 400, "{twice:?}");
    let fields = [("csrf", csrf.as_str()), ("link", secret.as_str())];
    let own = format!("http://{}", gateway.address());
    for header in [
        ("Origin", "https://evil.test"),
        ("Origin", "null"),
        ("Origin", "http://127.0.0.1:1"),
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
    ] {
        let refused = browser.post_with("/login/link", &[header], &fields);
        assert_eq!((refused.status, refused.json()["error"].as_str()), (403, Some("bad-origin")), "{header:?}");
        assert!(refused.header("access-control-allow-origin").is_none(), "OA-17");
    }
    assert_eq!(browser.person(), None);
    let done = browser.post_with("/login/link", &[("Origin", &own), ("Sec-Fetch-Site", "same-origin")], &fields);
    assert_eq!(done.status, 303);
    // Signing out is a form too.
    let stranger = Browsing::new(&gateway);
    for (at, fields) in
        [(&browser, vec![]), (&browser, vec![("csrf", foreign.as_str())]), (&stranger, vec![("csrf", &csrf)])]
    {
        assert_eq!(at.post("/login/out", &fields).status, 403);
    }
    assert!(browser.person().is_some());
}

#[test]
fn oa100_t074_what_a_browser_held_before_is_good_for_nothing_after() {
    let gateway = start();
    let browser = Browsing::new(&gateway);
    let planted = "A".repeat(43);
    browser.plant("portcullis", &planted);
    browser.sign_in();
    let first = browser.cookie("portcullis").unwrap();
    assert_ne!(first, planted);
    let stolen = browser.again();
    assert!(stolen.person().is_some());
    let mut victim = Browsing::new(&gateway);
    victim.plant("portcullis", &planted);
    assert_eq!(victim.person(), None);
    // A second sign-in is another one, and the first is over.
    browser.sign_in();
    assert_ne!(browser.cookie("portcullis").unwrap(), first);
    assert_eq!(stolen.person(), None);
    // Signing out ends it here, whatever a browser keeps.
    victim = browser.again();
    let named = browser.cookie("portcullis-browser").unwrap();
    let csrf = hidden(&browser.get("/login"), "csrf").unwrap();
    let out = browser.post("/login/out", &[("csrf", &csrf)]);
    assert_eq!((out.status, out.header("location")), (303, Some("/login/out")));
    assert!(browser.get("/login/out").body.contains("Signed out"));
    assert_eq!((browser.cookie("portcullis"), browser.person(), victim.person()), (None, None, None));
    assert_ne!(browser.cookie("portcullis-browser").unwrap(), named);
    assert_eq!(event(&gateway, "signed-out")["facts"]["user"], "local/owner");
}

/// AS-34
#[test]
fn oa101_t074_cookies_are_as_strict_as_the_way_allows() {
    let gateway = start();
    let browser = Browsing::new(&gateway);
    let before = browser.get("/login");
    let [named] = set_cookies(&before)[..] else { panic!("{before:?}") };
    assert!(named.starts_with("portcullis-browser=") && named.ends_with("; Path=/; HttpOnly; SameSite=Lax"), "{named}");
    let after = browser.sign_in();
    let [opened] = set_cookies(&after)[..] else { panic!("{after:?}") };
    assert!(
        opened.starts_with("portcullis=") && opened.ends_with("; Path=/; HttpOnly; SameSite=Strict; Max-Age=900"),
        "{opened}"
    );
    // One that is sent twice is none: somebody else on this host may have planted one.
    let kept = format!("portcullis={0}; portcullis={0}", browser.cookie("portcullis").unwrap());
    assert!(!gateway.send("GET", "/login", &[("Cookie", &kept)], "").body.contains("Signed in as"));

    let gateway = start_with_tls();
    let browser = Browsing::behind(&gateway, PROXY);
    let before = browser.get("/login");
    let [named] = set_cookies(&before)[..] else { panic!("{before:?}") };
    assert!(named.starts_with("__Host-portcullis-browser="), "{named}");
    assert!(named.ends_with("; Path=/; Secure; HttpOnly; SameSite=Lax"), "{named}");
    let after = browser.sign_in();
    let [opened] = set_cookies(&after)[..] else { panic!("{after:?}") };
    assert!(opened.starts_with("__Host-portcullis="), "{opened}");
    assert!(opened.ends_with("; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=2592000"), "{opened}");
    assert_eq!(event(&gateway, "signed-in")["facts"]["address"], "198.51.100.7");
    // What a sibling domain or a plain page can plant is not looked at.
    let planted = Browsing::behind(&gateway, PROXY);
    planted.plant("portcullis", &browser.cookie("__Host-portcullis").unwrap());
    assert_eq!(planted.person(), None);
    assert!(browser.person().is_some());
}

#[test]
fn oa17_oa104_t116_nobody_else_s_page_or_name_gets_anything() {
    let gateway = start();
    for path in ["/login", "/login/link", "/login/out", "/login/fresh", "/grants", "/grants/revoke"] {
        let rebound = gateway.send("GET", path, &[("Host", "evil.test")], "");
        assert_eq!((rebound.status, rebound.json()["error"].as_str()), (403, Some("bad-host")), "{path}");
        assert!(set_cookies(&rebound).is_empty());
        for method in ["GET", "OPTIONS"] {
            let preflight = [("Origin", "https://evil.test"), ("Access-Control-Request-Method", "POST")];
            let answer = gateway.send(method, path, &preflight, "");
            let told = answer.headers.iter().any(|(name, _)| name.to_ascii_lowercase().starts_with("access-control-"));
            assert!(!told && answer.status == 403, "{method} {path} {answer:?}");
        }
        assert_eq!(gateway.send("DELETE", path, &[], "").status, 405);
    }
}

#[test]
fn oa103_nothing_that_is_sent_says_where_to_go_on_to() {
    let gateway = start();
    let browser = Browsing::new(&gateway);
    for next in ["//evil.test", "https:evil.test", "%5Cevil.test", "/oauth/authorize"] {
        let path = format!("{}&next={next}&return_to={next}", link(&gateway));
        let page = browser.get(&path);
        let (csrf, secret) = (hidden(&page, "csrf").unwrap(), hidden(&page, "link").unwrap());
        let fields = [("csrf", csrf.as_str()), ("link", &secret), ("next", next), ("return_to", next)];
        let done = browser.post(&format!("/login/link?next={next}"), &fields);
        assert_eq!((done.status, done.header("location")), (303, Some("/login")), "{next}");
    }
}

#[test]
fn oa106_of_fifty_who_race_for_one_link_one_is_signed_in() {
    let gateway = start();
    let path = link(&gateway);
    let browsers: Vec<Browsing<'_>> = (0..50).map(|_| Browsing::new(&gateway)).collect();
    let forms: Vec<(String, String)> = browsers
        .iter()
        .map(|browser| {
            let page = browser.get(&path);
            (hidden(&page, "csrf").unwrap(), hidden(&page, "link").unwrap())
        })
        .collect();
    let begin = Barrier::new(browsers.len());
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let racing: Vec<_> = browsers
            .into_iter()
            .zip(&forms)
            .map(|(browser, (csrf, link))| {
                let begin = &begin;
                scope.spawn(move || {
                    begin.wait();
                    browser.post("/login/link", &[("csrf", csrf), ("link", link)]).status
                })
            })
            .collect();
        racing.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let count = |wanted| statuses.iter().filter(|status| **status == wanted).count();
    assert_eq!((count(303), count(403)), (1, 49), "{statuses:?}");
    assert_eq!(gateway.audit().iter().filter(|record| record["what"] == "signed-in").count(), 1);
}

#[test]
fn oa73_oa106_no_token_signs_in_and_no_sign_in_is_a_token() {
    let gateway = start();
    let token = gateway.token("tag:clock", &[]);
    let bearer = format!("Bearer {token}");
    let page =
        gateway.send("GET", "/login", &[("Authorization", &bearer), ("Cookie", &format!("portcullis={token}"))], "");
    assert!(page.status == 200 && !page.body.contains("Signed in as"), "{page:?}");
    let grants = gateway.send("GET", "/grants", &[("Authorization", &bearer)], "");
    assert_eq!((grants.status, grants.header("location")), (303, Some("/login")));
    let browser = Browsing::new(&gateway);
    browser.sign_in();
    let held = browser.cookie("portcullis").unwrap();
    let list = serde_json::json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" });
    assert_eq!(gateway.post("/mcp", Some(&held), &list).status, 401);
}

#[test]
fn oa130_t212_t216_no_link_cookie_or_form_secret_is_in_a_log_or_the_store() {
    let mut gateway = Running::prepare(&format!("{DEMO}{ROOMY}"));
    gateway.launch_with(&["--log", "trace"]);
    let browser = Browsing::new(&gateway);
    let path = link(&gateway);
    let page = browser.get(&path);
    let (csrf, secret) = (hidden(&page, "csrf").unwrap(), hidden(&page, "link").unwrap());
    let before = browser.cookie("portcullis-browser").unwrap();
    browser.post("/login/link", &[("csrf", &csrf), ("link", &secret)]);
    let held = browser.cookie("portcullis").unwrap();
    browser.post("/login/link", &[("csrf", &csrf), ("link", &secret)]);
    assert!(browser.person().is_some());
    let folder = gateway.path(".portcullis");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.push(gateway.path("stderr.log"));
    for secret in [&secret, &held, &csrf, &before] {
        for file in &files {
            assert!(!holds(file, secret), "{}", file.display());
        }
    }
}

#[test]
fn oa100_a_sign_in_outlives_a_restart_and_ends_with_its_way() {
    let mut gateway = start();
    let browser = Browsing::new(&gateway);
    browser.sign_in();
    let held = browser.cookie("portcullis").unwrap();
    let cookie = format!("portcullis={held}");
    let signed_in =
        |gateway: &Running| gateway.send("GET", "/login", &[("Cookie", &cookie)], "").body.contains("Signed in as");
    assert!(gateway.stop().success());
    gateway.start_again();
    assert!(signed_in(&gateway));
    gateway.reload(&format!("{DEMO}{}", ROOMY.replace("{failure", "{login: users, failure")));
    gateway.until("people sign in by password", || {
        gateway.send("GET", "/login", &[], "").body.contains("name=\"password\"")
    });
    assert!(!signed_in(&gateway), "another way to sign in");
    let said = run(&gateway, &["login"]);
    assert!(said.status == 1 && said.out.is_empty() && said.err.contains("portcullis user add"), "{said:?}");
}

#[test]
fn oa136_nobody_starts_where_nobody_could_sign_in() {
    let start = |listen: &str, oauth: &str| {
        let place = Running::prepare(&format!("{}{oauth}", DEMO.replace("address: '{address}'", listen)));
        run(&place, &["check"])
    };
    let tls = "address: '0.0.0.0:1', tls_proxy: true, public_url: 'https://gate.example.com'";
    let said = start(tls, "");
    assert_eq!(said.status, 1, "{said:?}");
    assert!(said.out.contains("`oauth.login` does not say who signs in"), "{said:?}");
    assert!(said.out.contains("portcullis.yaml:2:"), "{said:?}");
    for oauth in ["oauth: {login: owner}\n", "oauth: {login: users}\n"] {
        let said = start(tls, oauth);
        assert!(!said.out.contains("PC005"), "{said:?}");
    }
    let said = start("address: '0.0.0.0:1', public_url: 'https://gate.example.com'", "oauth: {login: owner}\n");
    assert!(said.status == 1 && said.out.contains("`login: owner` needs TLS"), "{said:?}");
    let said = start("address: '127.0.0.1:1'", "oauth: {login: oidc}\n");
    assert!(said.status == 1 && said.out.contains("`oauth.login` cannot be `oidc`"), "{said:?}");
}
