//! `/oauth/authorize` and `/oauth/consent`: from a client's request to a code, and everything that may not be.

use super::{
    FORM, event,
    flow::{CALLBACK, CHALLENGE, Client, allow, answer, parameter, place, signed_in, ticked},
};
use crate::{
    gateway::DEMO,
    support::{
        browsing::{Browsing, hidden, set_cookies},
        running::{Answer, Running},
    },
};

fn yaml() -> String {
    format!(
        "{DEMO}oauth:
  failure_delay: 0
  clients:
    desk: {{redirect_uris: ['http://127.0.0.1/cb', 'https://desk.example.com/cb'], auth: none}}
    one: {{redirect_uris: ['https://one.example.com/cb?x=1'], auth: none}}
rates:
  roomy: {{limit: 10000, window: 1m, by: address, on: [oauth]}}
"
    )
}

fn start() -> Running {
    Running::start(&yaml())
}

/// A page of ours that sends nobody anywhere, and is one audit record.
fn is_page(gateway: &Running, answer: &Answer, status: u16, what: &str) {
    assert_eq!(answer.status, status, "{what}: {answer:?}");
    assert_eq!(answer.header("location"), None, "{what}");
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"), "{what}");
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{what}");
    assert!(gateway.last_decision()["decision"]["because"].is_string(), "{what}");
}

#[test]
fn oa14_oa16_oa34_oa79_as16_as24_from_nothing_but_the_url_to_a_tool() {
    let gateway = start();
    let url = format!("http://{}", gateway.address());
    let metadata = gateway.send("GET", "/.well-known/oauth-authorization-server", &[], "").json();
    assert_eq!(metadata["authorization_endpoint"], format!("{url}/oauth/authorize"));
    assert_eq!(metadata["registration_endpoint"], format!("{url}/oauth/register"));
    assert_eq!(metadata["authorization_response_iss_parameter_supported"], true);
    let client = Client::registered(&gateway);
    let browser = Browsing::new(&gateway);
    // Nobody is signed in: the request waits in the browser.
    assert_eq!(place(&browser.get(&client.path(&[("resource", &format!("{url}/mcp"))]))), "/login");
    assert!(browser.get("/login").body.contains("Desk"), "who asks");
    assert_eq!(place(&browser.sign_in()), "/oauth/consent");
    let page = browser.get("/oauth/consent");
    assert_eq!(ticked(&page), ["tag:clock", "tag:notes"]);
    for shown in [
        "Desk",
        "self-registered, unverified",
        "127.0.0.1:4711",
        "this computer",
        "Tell the time",
        "Read the notes",
        "local/owner",
        "now",
        "convert",
        "Until you revoke it, at most 30 days",
    ] {
        assert!(page.body.contains(shown), "{shown}: {}", page.body);
    }
    assert!(!page.body.contains("tag:secret") && !page.body.contains("tag:write"), "not asked for");
    let sent = allow(&browser, &page);
    let location = place(&sent);
    assert!(location.starts_with(&format!("{CALLBACK}?code=pc_ac_0")), "{location}");
    assert_eq!(parameter(location, "state").as_deref(), Some("s1"));
    assert_eq!(parameter(location, "iss"), Some(url));
    let code = parameter(location, "code").unwrap();
    let got = client.redeem(&gateway, &code);
    assert_eq!(got.status, 200, "{got:?}");
    assert_eq!(got.json()["scope"], "tag:clock tag:notes");
    let token = got.json()["access_token"].as_str().unwrap().to_owned();
    let tools = gateway.tools("/mcp", Some(&token));
    assert!(
        tools.contains(&"time__now".to_owned()) && tools.iter().any(|tool| tool.starts_with("notes__")),
        "{tools:?}"
    );
    let facts = &event(&gateway, "consent-given")["facts"];
    assert_eq!(facts["principal"], "user local/owner");
    assert_eq!((&facts["client"], &facts["scopes"]), (&client.id.as_str().into(), &"tag:clock tag:notes".into()));
    assert_eq!(facts["address"], "127.0.0.1");
    assert_eq!(event(&gateway, "token-granted")["facts"]["client"], client.id.as_str());
    assert!(!std::fs::read_to_string(gateway.path(".portcullis/audit.ndjson")).unwrap().contains("pc_ac_"));
}

/// AS-09, AS-10: the redirect URI is one that is registered, byte for byte, and until that is sure the answer is a page.
#[test]
fn oa01_oa02_oa04_oa08_oa10_oa20_nothing_is_sent_anywhere_before_client_and_redirect_are_sure() {
    let gateway = start();
    let (desk, one) = (Client::known("desk"), Client::known("one"));
    let right = "https://desk.example.com/cb";
    for redirect in [
        "https://desk.example.com/cb/",
        "https://desk.example.com/cbx",
        "https://desk.example.com/",
        "https://desk.example.com/cb?x=1",
        "https://desk.example.com/CB",
        "https://desk.example.com/a/../cb",
        "https://desk.example.com/a/%2e%2e/cb",
        "https://desk.example.com//cb",
        "https://desk.example.com:8443/cb",
        "https://user@desk.example.com/cb",
        "https://desk.example.com.evil.test/cb",
        "https://xdesk.example.com/cb",
        "https://d\u{435}sk.example.com/cb",
        "http://desk.example.com/cb",
        "https://desk.example.com/cb#x",
        "http://localhost/cb",
        "http://127.0.0.1.evil.test/cb",
        "http://127.0.0.1/cb2",
        "javascript:alert(1)",
        "//desk.example.com/cb",
    ] {
        let refused = gateway.send("GET", &desk.path(&[("redirect_uri", redirect)]), &[], "");
        is_page(&gateway, &refused, 400, redirect);
    }
    let twice = |name: &str| format!("{}&{name}=x", desk.path(&[("redirect_uri", right)]));
    for (what, path) in [
        ("unknown client", Client::known("nobody").path(&[])),
        ("no client", desk.path(&[("client_id", "")])),
        ("hostile client", Client::known("a\u{0}<script>").path(&[])),
        ("two registered, none named", desk.path(&[("redirect_uri", "")])),
        ("two clients", twice("client_id")),
        ("two redirects", twice("redirect_uri")),
        ("not to be decoded", "/oauth/authorize?client_id=desk&redirect_uri=%zz".to_owned()),
        ("nothing", "/oauth/authorize".to_owned()),
    ] {
        is_page(&gateway, &gateway.send("GET", &path, &[], ""), 400, what);
    }
    // The only one that is registered goes without saying, and its query stays.
    let sent = gateway.send("GET", &one.path(&[("redirect_uri", ""), ("scope", "tag:nope")]), &[], "");
    assert!(place(&sent).starts_with("https://one.example.com/cb?x=1&error=invalid_scope"), "{sent:?}");
    for method in ["PUT", "DELETE", "PATCH", "HEAD"] {
        let refused = gateway.send(method, &desk.path(&[]), &[], "");
        assert_eq!((refused.status, refused.header("allow")), (405, Some("GET, POST")), "{method}");
    }
    let json = gateway.send("POST", "/oauth/authorize", &[("Content-Type", "application/json")], "{}");
    is_page(&gateway, &json, 400, "JSON");
    let both = gateway.send("POST", &desk.path(&[]), &[("Content-Type", FORM)], &desk.asks(&[]));
    is_page(&gateway, &both, 400, "parameters in the URL of a POST");
    let long = gateway.send("POST", "/oauth/authorize", &[("Content-Type", FORM)], &"a".repeat(100_000));
    is_page(&gateway, &long, 400, "a long body");
    let query = gateway.send("GET", &format!("/oauth/authorize?{}", "a".repeat(1 << 20)), &[], "");
    assert!(matches!(query.status, 400 | 414 | 431), "{}", query.status);
}

/// AS-07: refusals carry `iss` as successes do.
#[test]
fn oa11_oa13_oa14_oa19_oa22_oa23_oa25_oa77_a_known_client_is_told_what_is_wrong_with_its_state_and_our_name() {
    let gateway = start();
    let (desk, url) = (Client::known("desk"), format!("http://{}", gateway.address()));
    let long = "x".repeat(129);
    for (changes, error) in [
        (&[("response_type", "token")][..], "unsupported_response_type"),
        (&[("response_type", "")], "invalid_request"),
        (&[("response_mode", "fragment")], "invalid_request"),
        (&[("code_challenge_method", "plain")], "invalid_request"),
        (&[("code_challenge_method", "")], "invalid_request"),
        (&[("code_challenge_method", "S512")], "invalid_request"),
        (&[("code_challenge_method", "s256")], "invalid_request"),
        (&[("code_challenge", "")], "invalid_request"),
        (&[("code_challenge", &CHALLENGE[1..])], "invalid_request"),
        (&[("code_challenge", &long)], "invalid_request"),
        (&[("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw+cM")], "invalid_request"),
        (&[("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-c=")], "invalid_request"),
        (&[("scope", "tag:nope")], "invalid_scope"),
        (&[("scope", "tag:*")], "invalid_scope"),
        (&[("scope", "tag:clock  tag:notes")], "invalid_scope"),
        (&[("scope", "tag:clock\u{0}")], "invalid_scope"),
        (&[("scope", "tag:clock\ttag:notes")], "invalid_scope"),
        (&[("resource", "../../mcp")], "invalid_target"),
        (&[("resource", "https://elsewhere.example.com/mcp")], "invalid_target"),
        (&[("request", "eyJ")], "request_not_supported"),
        (&[("request_uri", "https://evil.test/r")], "request_uri_not_supported"),
    ] {
        let sent = gateway.send("GET", &desk.path(changes), &[], "");
        let location = place(&sent);
        assert!(location.starts_with(&format!("{CALLBACK}?error={error}&")), "{changes:?}: {location}");
        assert_eq!(parameter(location, "state").as_deref(), Some("s1"), "{changes:?}");
        assert_eq!(parameter(location, "iss").as_ref(), Some(&url), "{changes:?}");
        assert!(!location.contains("tag:clock"), "tags are not listed");
        assert!(gateway.last_decision()["decision"]["because"].is_string(), "{changes:?}");
    }
    // What a state holds is the client's own affair, whatever it looks like (`validation` has no say in it).
    for state in [
        "\u{0}%00 &=+",
        "%20 &=+",
        "\"><script>alert(1)</script>",
        "é漢🙂\u{202e}",
        "../../etc/passwd",
        "a\r\nSet-Cookie: b",
        "$(id); DROP TABLE x--",
        "\u{1b}[2J\u{7f}",
        &"s".repeat(4096),
    ] {
        let changes = [("state", state), ("scope", "tag:nope")];
        let got = gateway.send("GET", &desk.path(&changes), &[], "");
        let posted = gateway.send("POST", "/oauth/authorize", &[("Content-Type", FORM)], &desk.asks(&changes));
        for sent in [got, posted] {
            assert_eq!(parameter(place(&sent), "state").as_deref(), Some(state));
            assert!(place(&sent).bytes().all(|byte| byte.is_ascii_graphic()), "{sent:?}");
        }
    }
    let over = gateway.send("GET", &desk.path(&[("state", &"s".repeat(4097))]), &[], "");
    assert!(place(&over).contains("error=invalid_request") && !place(&over).contains("sss"));
    for name in ["state", "scope", "code_challenge", "response_type"] {
        let sent = gateway.send("GET", &format!("{}&{name}=x", desk.path(&[])), &[], "");
        assert_eq!(parameter(place(&sent), "error").as_deref(), Some("invalid_request"), "{name}");
    }
    let resources = gateway.send("GET", &format!("{}&resource=x&resource=y", desk.path(&[])), &[], "");
    assert_eq!(parameter(place(&resources), "error").as_deref(), Some("invalid_target"));
    // What is empty is not there, and what is not known is not looked at.
    let fine = gateway.send("GET", &format!("{}&foo=bar&foo=baz&resource=", desk.path(&[("scope", "")])), &[], "");
    assert_eq!(place(&fine), "/login");
    let posted = gateway.send("POST", "/oauth/authorize", &[("Content-Type", FORM)], &desk.asks(&[]));
    assert_eq!(place(&posted), "/login");
}

/// AS-11: nobody is sent by itself to where anybody could have registered.
#[test]
fn t072_oa95_a_client_that_anybody_could_have_registered_is_told_by_a_link_alone() {
    let gateway = start();
    let client = Client::registered(&gateway);
    let state = "\"><img src=x onerror=alert(1)>";
    let refused = gateway.send("GET", &client.path(&[("scope", "tag:nope"), ("state", state)]), &[], "");
    is_page(&gateway, &refused, 400, "an error of a client that nobody knows");
    assert!(refused.body.contains("Go back and tell it") && refused.body.contains("error=invalid_scope"));
    assert!(!refused.body.contains("<img"), "{}", refused.body);
    let browser = signed_in(&gateway);
    let page = browser.get(&client.path(&[]));
    let denied = answer(&browser, &page, "deny", &["tag:clock"]);
    assert_eq!((denied.status, denied.header("location")), (200, None), "{denied:?}");
    assert!(denied.body.contains("error=access_denied"));
    assert_eq!(event(&gateway, "consent-denied")["facts"]["client"], client.id.as_str());
}

#[test]
fn oa14_oa79_oa92_t070_what_is_granted_was_asked_for_ticked_and_allowed_and_a_page_is_used_once() {
    let gateway = start();
    let (desk, browser) = (Client::known("desk"), signed_in(&gateway));
    let page = browser.get(&desk.path(&[]));
    for none in [&[][..], &["tag:write"], &["tag:secret"], &["tag:*"], &["all"]] {
        let again = browser.get(&desk.path(&[]));
        let sent = answer(&browser, &again, "allow", none);
        assert_eq!(parameter(place(&sent), "error").as_deref(), Some("access_denied"), "{none:?}");
        assert_eq!(parameter(place(&sent), "state").as_deref(), Some("s1"));
    }
    let sent = answer(&browser, &page, "allow", &["tag:clock", "tag:write", "tag:secret", "tag:clock"]);
    let code = parameter(place(&sent), "code").unwrap();
    for decision in ["allow", "deny"] {
        is_page(&gateway, &answer(&browser, &page, decision, &["tag:clock"]), 400, "used before");
    }
    assert_eq!(desk.redeem(&gateway, &code).json()["scope"], "tag:clock");
    // A no uses a page up as well.
    let page = browser.get(&desk.path(&[]));
    let denied = answer(&browser, &page, "deny", &["tag:clock"]);
    assert_eq!(parameter(place(&denied), "error").as_deref(), Some("access_denied"));
    is_page(&gateway, &answer(&browser, &page, "allow", &["tag:clock"]), 400, "denied before");
    // Two at once give one code.
    let page = browser.get(&desk.path(&[]));
    let both = [browser.again(), browser.again()];
    let mut answers = std::thread::scope(|scope| {
        let page = &page;
        let sent = both.map(|browser| scope.spawn(move || answer(&browser, page, "allow", &["tag:clock"]).status));
        sent.map(|one| one.join().unwrap())
    });
    answers.sort_unstable();
    assert_eq!(answers, [303, 400]);
}

#[test]
fn oa91_oa92_t063_t065_no_form_is_taken_but_of_the_page_the_browser_and_the_person() {
    let gateway = start();
    let (desk, browser) = (Client::known("desk"), signed_in(&gateway));
    let other = signed_in(&gateway);
    let page = browser.get(&desk.path(&[]));
    let (csrf, handle) = (hidden(&page, "csrf").unwrap(), hidden(&page, "handle").unwrap());
    let post = |browser: &Browsing<'_>, csrf: &str, handle: &str, headers: &[(&str, &str)]| {
        let form = [("csrf", csrf), ("handle", handle), ("decision", "allow"), ("scope", "tag:clock")];
        browser.post_with("/oauth/consent", headers, &form)
    };
    let nobody = Browsing::new(&gateway);
    let theirs = hidden(&other.get(&desk.path(&[])), "csrf").unwrap();
    let mut turned = handle.clone().into_bytes();
    turned[40] = if turned[40] == b'A' { b'B' } else { b'A' };
    let turned = String::from_utf8(turned).unwrap();
    for (what, answer) in [
        ("no cookies", post(&nobody, &csrf, &handle, &[])),
        ("another browser", post(&other, &csrf, &handle, &[])),
        ("another browser with its own secret", post(&other, &theirs, &handle, &[])),
        ("another's secret", post(&browser, &theirs, &handle, &[])),
        ("no secret", post(&browser, "", &handle, &[])),
        ("a turned handle", post(&browser, &csrf, &turned, &[])),
        ("a cut handle", post(&browser, &csrf, &handle[..40], &[])),
        ("a cookie as handle", post(&browser, &csrf, &browser.cookie("portcullis").unwrap(), &[])),
    ] {
        is_page(&gateway, &answer, 403, what);
    }
    is_page(&gateway, &post(&browser, &csrf, "", &[]), 400, "no handle");
    for headers in [
        [("Origin", "https://evil.test")],
        [("Origin", "null")],
        [("Sec-Fetch-Site", "cross-site")],
        [("Sec-Fetch-Site", "same-site")],
    ] {
        let refused = post(&browser, &csrf, &handle, &headers);
        assert_eq!((refused.status, refused.header("location")), (403, None), "{headers:?}");
    }
    for decision in ["", "yes", "ALLOW", "allow deny"] {
        let form = [("csrf", csrf.as_str()), ("handle", &handle), ("decision", decision), ("scope", "tag:clock")];
        is_page(&gateway, &browser.post("/oauth/consent", &form), 400, decision);
    }
    let twice = [("csrf", csrf.as_str()), ("handle", &handle), ("decision", "allow"), ("decision", "deny")];
    is_page(&gateway, &browser.post("/oauth/consent", &twice), 400, "both");
    let json = browser.send("POST", "/oauth/consent", &[("Content-Type", "application/json")], "{}");
    is_page(&gateway, &json, 400, "JSON");
    // None of this used the page up.
    assert!(place(&answer(&browser, &page, "allow", &["tag:clock"])).contains("code="));
    // A page of before a sign-out is good for nothing.
    let page = browser.get(&desk.path(&[]));
    let csrf = hidden(&page, "csrf").unwrap();
    assert_eq!(browser.post("/login/out", &[("csrf", &csrf)]).status, 303);
    is_page(&gateway, &answer(&browser, &page, "allow", &["tag:clock"]), 403, "signed out");
    browser.sign_in();
    is_page(&gateway, &answer(&browser, &page, "allow", &["tag:clock"]), 403, "signed in anew");
}

#[test]
fn oa92_two_tabs_are_two_decisions() {
    let gateway = start();
    let (desk, browser) = (Client::known("desk"), signed_in(&gateway));
    let first = browser.get(&desk.path(&[("state", "first"), ("scope", "tag:clock")]));
    let second = browser.get(&desk.path(&[("state", "second"), ("scope", "tag:notes")]));
    let sent = allow(&browser, &second);
    assert_eq!(parameter(place(&sent), "state").as_deref(), Some("second"));
    let sent = allow(&browser, &first);
    assert_eq!(parameter(place(&sent), "state").as_deref(), Some("first"));
    // What waits for a sign-in is the last that was asked for.
    let browser = Browsing::new(&gateway);
    browser.get(&desk.path(&[("state", "first")]));
    browser.get(&desk.path(&[("state", &"x".repeat(4096))]));
    assert_eq!(place(&browser.sign_in()), "/oauth/consent");
    let sent = allow(&browser, &browser.get("/oauth/consent"));
    assert_eq!(parameter(place(&sent), "state"), Some("x".repeat(4096)), "in pieces");
    assert!(browser.cookie("portcullis-request").is_none(), "it is decided");
    // Another browser's cookies are worth nothing.
    let (asking, other) = (Browsing::new(&gateway), signed_in(&gateway));
    asking.get(&desk.path(&[]));
    other.plant("portcullis-request", &asking.cookie("portcullis-request").unwrap());
    is_page(&gateway, &other.get("/oauth/consent"), 403, "another browser's request");
}

#[test]
fn oa106_t225_without_tls_a_link_is_good_for_one_new_client() {
    let gateway = start();
    let (first, second) = (Client::registered(&gateway), Client::registered(&gateway));
    let browser = signed_in(&gateway);
    let (page, waiting) = (browser.get(&first.path(&[])), browser.get(&second.path(&[])));
    assert!(place(&allow(&browser, &page)).contains("code="));
    // The page was open before the link was used up.
    assert_eq!(place(&allow(&browser, &waiting)), "/login/fresh");
    assert_eq!(place(&browser.get(&second.path(&[]))), "/login/fresh");
    assert!(browser.get("/login/fresh").body.contains("Confirm that it is you"));
    // The same client may ask again.
    assert!(place(&allow(&browser, &browser.get(&first.path(&[])))).contains("code="));
    assert_eq!(place(&browser.sign_in()), "/oauth/consent");
    assert!(place(&allow(&browser, &browser.get("/oauth/consent"))).contains("code="));
}

#[test]
fn oa17_oa94_oa101_pages_are_read_by_no_other_page_and_stand_in_no_frame() {
    let gateway = start();
    let (desk, browser) = (Client::known("desk"), signed_in(&gateway));
    let evil = ("Origin", "https://evil.test");
    for path in [desk.path(&[]), "/oauth/consent".to_owned()] {
        for (method, more) in [("GET", None), ("OPTIONS", Some(("Access-Control-Request-Method", "POST")))] {
            let headers: Vec<(&str, &str)> = std::iter::once(evil).chain(more).collect();
            let answer = browser.send(method, &path, &headers, "");
            let told = answer.headers.iter().any(|(name, _)| name.to_ascii_lowercase().starts_with("access-control-"));
            assert!(!told, "{method} {path}: {answer:?}");
        }
    }
    let refused = gateway.send("GET", "/oauth/authorize", &[], "");
    for page in [browser.get(&desk.path(&[])), refused] {
        let policy = page.header("content-security-policy").unwrap();
        for part in
            ["default-src 'none'", "style-src 'self'", "img-src 'self'", "base-uri 'none'", "frame-ancestors 'none'"]
        {
            assert!(policy.contains(part), "{policy}");
        }
        assert!(!policy.contains("form-action"), "browsers hold the way to the client to it");
        for (name, value) in [
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("x-content-type-options", "nosniff"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cache-control", "no-store"),
            ("x-robots-tag", "noindex"),
        ] {
            assert_eq!(page.header(name), Some(value), "{name}");
        }
        let style = page.body.split_once("<link rel=\"stylesheet\" href=\"").unwrap().1.split_once('"').unwrap().0;
        let sheet = gateway.send("GET", style, &[], "");
        assert_eq!((sheet.status, sheet.header("content-type")), (200, Some("text/css; charset=utf-8")));
        assert_eq!(sheet.header("cache-control"), Some("public, max-age=31536000, immutable"));
        assert_eq!(gateway.send("POST", style, &[], "").status, 405);
    }
    assert_eq!(gateway.send("GET", "/assets/page.css", &[], "").status, 404);
    for cookie in set_cookies(&Browsing::new(&gateway).get(&desk.path(&[]))) {
        assert!(cookie.contains("; HttpOnly; SameSite=") && !cookie.contains("Domain"), "{cookie}");
    }
}

#[test]
fn oa104_links_and_issuer_come_from_the_configuration_alone() {
    let gateway = start();
    let desk = Client::known("desk");
    let forged = gateway.send("GET", &desk.path(&[]), &[("Host", "evil.test")], "");
    assert_eq!((forged.status, forged.header("location")), (403, None));
    let headers = [("X-Forwarded-Host", "evil.test"), ("X-Forwarded-Proto", "https"), ("Forwarded", "host=evil.test")];
    let sent = gateway.send("GET", &desk.path(&[("scope", "tag:nope")]), &headers, "");
    assert_eq!(parameter(place(&sent), "iss"), Some(format!("http://{}", gateway.address())));
}

#[test]
fn the_store_keeps_nothing_of_who_is_not_signed_in() {
    let gateway = start();
    let (desk, browser) = (Client::known("desk"), Browsing::new(&gateway));
    let rows = || -> Vec<u8> {
        let output = gateway.command(&["token", "list", "--format", "json"]).output().unwrap();
        assert!(output.status.success());
        // Whatever is written goes through the log of writes first.
        ["portcullis.db", "portcullis.db-wal"]
            .iter()
            .flat_map(|name| std::fs::read(gateway.path(&format!(".portcullis/{name}"))).unwrap_or_default())
            .collect()
    };
    let before = rows();
    assert!(!before.is_empty(), "the store is elsewhere");
    for _ in 0..50 {
        assert_eq!(place(&browser.get(&desk.path(&[]))), "/login");
        assert_eq!(Browsing::new(&gateway).get(&desk.path(&[("scope", "tag:nope")])).status, 303);
        assert_eq!(gateway.send("GET", "/oauth/authorize?client_id=x", &[], "").status, 400);
        assert_eq!(browser.get("/login").status, 200);
        assert_eq!(browser.post("/oauth/consent", &[("decision", "allow")]).status, 403);
        assert_eq!(place(&browser.get("/oauth/consent")), "/login");
    }
    assert!(rows() == before, "something was written");
}

#[test]
fn sm16_sm17_t149_who_asks_pays_once_for_each_request_and_nobody_comes_away_without() {
    let yaml = yaml().replace(
        "rates:\n",
        "rates:
  authorize: {limit: 6, window: 1h, by: client, on: [authorize]}
  token: {limit: 4, window: 1h, by: client, on: [token]}
  consent: {limit: 3, window: 1h, by: user, on: [consent]}
",
    );
    let gateway = Running::start(&yaml);
    let (desk, one) = (Client::known("desk"), Client::known("one"));
    let browser = signed_in(&gateway);
    let page = browser.get(&desk.path(&[]));
    for _ in 0..4 {
        assert_eq!(gateway.send("GET", &desk.path(&[]), &[], "").status, 303);
    }
    assert_eq!(gateway.send("GET", &desk.path(&[("scope", "tag:nope")]), &[], "").status, 303);
    let over = gateway.send("GET", &desk.path(&[]), &[], "");
    assert_eq!((over.status, over.header("location")), (429, None), "the seventh");
    assert!(over.header("retry-after").is_some());
    let other = one.path(&[("redirect_uri", "")]);
    assert_eq!(gateway.send("GET", &other, &[], "").status, 303, "another client");
    // Where no client is known it is where the request comes from.
    let unknown: Vec<u16> =
        (0..7).map(|_| gateway.send("GET", "/oauth/authorize?client_id=nobody", &[], "").status).collect();
    assert_eq!(unknown, [400, 400, 400, 400, 400, 400, 429]);
    for _ in 0..2 {
        assert_eq!(browser.post("/oauth/consent", &[("decision", "allow")]).status, 403, "nobody known");
    }
    let decided: Vec<u16> = (0..4).map(|_| answer(&browser, &page, "allow", &["tag:nope"]).status).collect();
    assert_eq!(decided, [303, 303, 303, 429]);
    let tokens: Vec<u16> = (0..5).map(|_| desk.redeem(&gateway, "x").status).collect();
    assert_eq!(tokens, [400, 400, 400, 400, 429]);
    assert_eq!(one.redeem(&gateway, "x").status, 400, "another client");
    let unknown: Vec<u16> = (0..5).map(|_| Client::known("nobody").redeem(&gateway, "x").status).collect();
    assert_eq!(unknown, [401, 401, 401, 401, 429]);
}

#[test]
fn oa34_oa130_t215_no_code_token_handle_or_form_secret_is_in_a_log_the_trail_or_the_store() {
    let gateway = start();
    let (client, browser) = (Client::registered(&gateway), Browsing::new(&gateway));
    let state = "a-state-that-is-long-enough-to-be-found";
    browser.get(&client.path(&[("state", state), ("scope", "tag:clock offline_access")]));
    browser.sign_in();
    let waiting = browser.cookie("portcullis-request").unwrap();
    let page = browser.get("/oauth/consent");
    let (csrf, handle) = (hidden(&page, "csrf").unwrap(), hidden(&page, "handle").unwrap());
    let code = parameter(place(&allow(&browser, &page)), "code").unwrap();
    assert_eq!(client.redeem(&gateway, &code[1..]).status, 400);
    let got = client.redeem(&gateway, &code).json();
    let (access, refresh) = (got["access_token"].as_str().unwrap(), got["refresh_token"].as_str().unwrap());
    let again = client.refresh(&gateway, refresh).json();
    assert_eq!(gateway.tools("/mcp", Some(access)).len(), 2);
    assert_eq!(answer(&browser, &page, "allow", &["tag:clock"]).status, 400);
    let secrets = [
        code.as_str(),
        access,
        refresh,
        again["access_token"].as_str().unwrap(),
        again["refresh_token"].as_str().unwrap(),
        &csrf,
        &handle,
        &waiting,
        &browser.cookie("portcullis").unwrap(),
        super::flow::VERIFIER,
        state,
    ];
    let kept = std::fs::read_dir(gateway.path(".portcullis")).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<_> = kept.chain([gateway.path("stderr.log")]).filter(|path| path.is_file()).collect();
    assert!(files.len() > 2, "{files:?}");
    for secret in secrets {
        use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
        // What stands in the middle of a text is found by a part that begins at a whole group.
        let coded = STANDARD_NO_PAD.encode(secret);
        for form in [secret.to_owned(), crate::support::browsing::encoded(&[("x", secret)])[2..].to_owned(), coded] {
            let found: Vec<_> = files.iter().filter(|path| crate::support::running::holds(path, &form)).collect();
            assert!(found.is_empty(), "{} of {form:.12}", found.len());
        }
    }
}

#[test]
fn oa05_as25_a_code_goes_to_an_app_where_the_file_lets_it_and_the_page_says_so() {
    let app = "one: {redirect_uris: ['com.example.app:/cb'], auth: none}";
    let yaml = |more: &str| {
        let with = yaml().replace("one: {redirect_uris: ['https://one.example.com/cb?x=1'], auth: none}", app);
        with.replace("  failure_delay: 0\n", &format!("  failure_delay: 0\n{more}"))
    };
    let refused = Running::prepare(&yaml("")).command(&["check"]).output().unwrap();
    assert!(!refused.status.success(), "{refused:?}");
    let gateway = Running::start(&yaml("  private_schemes: true\n"));
    let (one, browser) = (Client::known("one"), signed_in(&gateway));
    let page = browser.get(&one.path(&[("redirect_uri", "com.example.app:/cb")]));
    assert!(page.body.contains("com.example.app") && page.body.contains("Whichever app on this device"), "{page:?}");
    assert!(place(&allow(&browser, &page)).starts_with("com.example.app:/cb?code=pc_ac_0"));
}
