//! People with names and passwords: the command line that makes them, and the form that they sign in by.

use std::{
    io::Write as _,
    process::Stdio,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{
    event,
    flow::{Client, allow, parameter, place},
};
use crate::{
    cli::{Said, run},
    gateway::DEMO,
    support::{
        browsing::{Browsing, hidden},
        running::{Answer, Running, holds},
    },
};

pub(super) const ANA: &str = "marzipan under 7 lanterns";
pub(super) const BOB: &str = "quartz owls never commute";

const USERS: &str = "  - {to: {user: ana}, scopes: ['tag:clock']}
oauth: {login: users, failure_delay: 0}
rates:
  roomy: {limit: 10000, window: 1m, by: address, on: [oauth]}
";

fn start() -> Running {
    let gateway = Running::start(&format!("{DEMO}{USERS}"));
    people(&gateway);
    gateway
}

/// Makes accounts for ana and bob.
pub(super) fn people(gateway: &Running) {
    for (name, password) in [("ana", ANA), ("bob", BOB)] {
        let said = typed(gateway, &["user", "add", name], password);
        assert_eq!(said.status, 0, "{said:?}");
    }
}

/// What a command says that reads this from stdin.
pub(super) fn typed(gateway: &Running, arguments: &[&str], text: &str) -> Said {
    let mut command = gateway.command(arguments);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(format!("{text}\n").as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { status: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

/// The page without what differs from one browser to the next.
fn told(page: &Answer, name: &str) -> String {
    let csrf = hidden(page, "csrf").unwrap();
    page.body.replace(&csrf, "CSRF").replace(&format!("value=\"{name}\""), "value=\"NAME\"")
}

/// Each page that asks for a password goes on with the request that it was shown for, whoever came last.
#[test]
fn oa91_oa92_oa103_two_tabs_before_anybody_has_signed_in_go_on_with_their_own() {
    let with = "oauth: {login: users, clients: {desk: {redirect_uris: ['http://127.0.0.1/cb']}},";
    let gateway = Running::start(&format!("{DEMO}{}", USERS.replace("oauth: {login: users,", with)));
    people(&gateway);
    let (browser, desk) = (Browsing::new(&gateway), Client::known("desk"));
    // Of whatever letters a state is, cookies and forms hold it whole.
    let worst = "\u{0}".repeat(4096);
    let mut pages: Vec<Answer> = ["one", "two", &worst]
        .map(|state| {
            assert_eq!(place(&browser.get(&desk.path(&[("state", state), ("scope", "tag:clock")]))), "/login");
            browser.get("/login")
        })
        .into();
    let send = |page: &Answer, password: &str| {
        let (csrf, request) = (hidden(page, "csrf").unwrap(), hidden(page, "request").unwrap());
        browser.post("/login", &[("csrf", &csrf), ("request", &request), ("name", "ana"), ("password", password)])
    };
    // A wrong password does not make it forget.
    pages[0] = send(&pages[0], "wrong");
    assert_eq!(pages[0].status, 403);
    // In the other two somebody is signed in by then, whatever is typed there.
    for (page, state, password) in [(&pages[0], "one", ANA), (&pages[2], worst.as_str(), "x"), (&pages[1], "two", ANA)]
    {
        assert_eq!(place(&send(page, password)), "/oauth/consent", "{state}");
        let sent = allow(&browser, &browser.get("/oauth/consent"));
        assert_eq!(parameter(place(&sent), "state").as_deref(), Some(state));
    }
    // Another browser's request is nothing.
    let other = Browsing::new(&gateway);
    let (csrf, request) = (hidden(&other.get("/login"), "csrf").unwrap(), hidden(&pages[0], "request").unwrap());
    let fields = [("csrf", csrf.as_str()), ("request", request.as_str()), ("name", "ana"), ("password", ANA)];
    assert_eq!(place(&other.post("/login", &fields)), "/login");
}

#[test]
fn sm11_oa16_somebody_with_an_account_signs_in_by_its_password() {
    let gateway = start();
    let browser = Browsing::new(&gateway);
    let done = browser.sign_in_by("ana", ANA);
    assert_eq!((done.status, done.header("location"), done.body.as_str()), (303, Some("/login"), ""));
    assert_eq!(browser.person().as_deref(), Some("local/ana"));
    let facts = &event(&gateway, "signed-in")["facts"];
    assert_eq!((&facts["user"], &facts["way"]), (&"local/ana".into(), &"users".into()));
    for name in ["local/bob", " bob "] {
        let browser = Browsing::new(&gateway);
        assert_eq!(browser.sign_in_by(name, BOB).status, 303);
        assert_eq!(browser.person().as_deref(), Some("local/bob"));
    }
    // There are no links here, and nobody signs up.
    let page = browser.get("/login/link?link=x");
    assert_eq!(page.status, 403);
    assert_eq!(browser.get("/login/signup").status, 404);
}

#[test]
fn t157_t214_oa137_wrong_unknown_and_disabled_are_told_alike_and_written_down() {
    let gateway = start();
    assert_eq!(run(&gateway, &["user", "disable", "bob"]).status, 0);
    let wrong = Browsing::new(&gateway).sign_in_by("ana", BOB);
    let failed = event(&gateway, "sign-in-failed");
    assert_eq!((&failed["facts"]["user"], &failed["facts"]["why"]), (&"local/ana".into(), &"password-wrong".into()));
    let disabled = Browsing::new(&gateway).sign_in_by("bob", BOB);
    let failed = event(&gateway, "sign-in-failed");
    assert_eq!((&failed["facts"]["user"], &failed["facts"]["why"]), (&"local/bob".into(), &"account-disabled".into()));
    let unknown = Browsing::new(&gateway).sign_in_by("eve", ANA);
    assert_eq!(gateway.last_decision()["refusal"], "account-unknown");
    assert_eq!(wrong.status, 403);
    assert!(wrong.body.contains("The name or the password is wrong."));
    for (other, name) in [(&disabled, "bob"), (&unknown, "eve")] {
        assert_eq!((other.status, told(other, name)), (wrong.status, told(&wrong, "ana")));
    }
    for name in ["google/1", "a b", "", "\u{202e}ana", &"x".repeat(3000)] {
        assert_eq!(Browsing::new(&gateway).sign_in_by(name, ANA).status, 403, "{name}");
    }
}

#[test]
fn sm27_t214_a_name_without_an_account_costs_what_another_does() {
    let gateway = start();
    let middle = |name: &str| {
        let mut times: Vec<Duration> = (0..4)
            .map(|_| {
                let browser = Browsing::new(&gateway);
                let csrf = hidden(&browser.get("/login"), "csrf").unwrap();
                let begun = Instant::now();
                let answer = browser.post("/login", &[("csrf", &csrf), ("name", name), ("password", "x")]);
                assert_eq!(answer.status, 403);
                begun.elapsed()
            })
            .collect();
        times.sort_unstable();
        times[1]
    };
    let (known, unknown) = (middle("ana"), middle("eve"));
    assert!(known < unknown * 3 && unknown < known * 3, "{known:?} {unknown:?}");
}

#[test]
fn t157_after_ten_wrong_passwords_the_right_one_is_not_looked_at() {
    let gateway = start();
    for nth in 0..10 {
        assert_eq!(Browsing::new(&gateway).sign_in_by("ana", &format!("{ANA}{nth}")).status, 403, "{nth}");
    }
    let over = Browsing::new(&gateway).sign_in_by("ana", ANA);
    assert_eq!(over.status, 429, "{over:?}");
    let wait: u64 = over.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=901).contains(&wait), "{wait}");
    assert_eq!(gateway.last_decision()["refusal"], "too-many-tries");
    // From there, nobody's is: by address too.
    assert_eq!(Browsing::new(&gateway).sign_in_by("bob", BOB).status, 429);
    assert_eq!(Browsing::new(&gateway).sign_in_by("eve", BOB).status, 429);
    let wrong = gateway.audit().iter().filter(|record| record["what"] == "sign-in-failed").count();
    assert_eq!(wrong, 10);
}

#[test]
fn t157_an_account_is_over_for_every_address_and_a_success_gives_an_address_nothing_back() {
    let more = "address: '{address}', trusted_proxies: [127.0.0.0/8]";
    let gateway = Running::start(&format!("{}{USERS}", DEMO.replace("address: '{address}'", more)));
    assert_eq!(typed(&gateway, &["user", "add", "ana"], ANA).status, 0);
    assert_eq!(typed(&gateway, &["user", "add", "bob"], BOB).status, 0);
    const AT: [&[(&str, &str)]; 3] = [
        &[("X-Forwarded-For", "198.51.100.1")],
        &[("X-Forwarded-For", "198.51.100.2")],
        &[("X-Forwarded-For", "198.51.100.3")],
    ];
    let from = |nth: usize| Browsing::behind(&gateway, AT[nth]);
    for nth in 0..5 {
        assert_eq!(from(0).sign_in_by("ana", "wrong").status, 403, "{nth}");
        // One's own account resets nothing but itself.
        assert_eq!(from(0).sign_in_by("bob", BOB).status, 303, "{nth}");
        assert_eq!(from(1).sign_in_by("ana", "wrong").status, 403, "{nth}");
    }
    assert_eq!(from(2).sign_in_by("ana", ANA).status, 429, "the account, from anywhere");
    assert_eq!(from(2).sign_in_by("bob", BOB).status, 303, "another account");
    for _ in 0..5 {
        assert_eq!(from(0).sign_in_by("eve", "wrong").status, 403);
    }
    assert_eq!(from(0).sign_in_by("bob", BOB).status, 429, "the address, whatever succeeded between");
    assert_eq!(from(1).sign_in_by("bob", BOB).status, 303, "another address");
}

#[test]
fn oa61_another_password_or_a_disabled_account_ends_every_sign_in() {
    let gateway = start();
    let (ana, bob) = (Browsing::new(&gateway), Browsing::new(&gateway));
    ana.sign_in_by("ana", ANA);
    bob.sign_in_by("bob", BOB);
    let token = gateway.token("tag:clock", &["--user", "ana"]);
    let list = serde_json::json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" });
    let said = typed(&gateway, &["user", "passwd", "ana"], "cobalt drums 19 gather");
    assert_eq!(said.status, 0, "{said:?}");
    assert_eq!((ana.person(), bob.person().as_deref()), (None, Some("local/bob")));
    gateway.until("the token is dead", || gateway.post("/mcp", Some(&token), &list).status == 401);
    assert_eq!(Browsing::new(&gateway).sign_in_by("ana", ANA).status, 403);
    assert_eq!(ana.sign_in_by("ana", "cobalt drums 19 gather").status, 303);
    assert_eq!(run(&gateway, &["user", "disable", "bob"]).status, 0);
    assert_eq!(bob.person(), None);
    assert_eq!(run(&gateway, &["user", "enable", "bob"]).status, 0);
    assert_eq!(bob.person(), None, "it does not come back");
    assert_eq!(bob.sign_in_by("bob", BOB).status, 303);
    for what in ["account-added", "password-set", "account-disabled", "account-enabled"] {
        gateway.until(what, || gateway.audit().iter().any(|record| record["what"] == what));
    }
}

#[test]
fn t212_t216_t223_accounts_are_made_from_the_command_line_and_no_password_is_kept() {
    let gateway = Running::start(&format!("{DEMO}{USERS}"));
    assert_eq!(run(&gateway, &["user", "list", "--format", "json"]).out, "[]\n");
    for (password, why) in [("short", "fewer than 12"), ("passwordpassword", "easy to guess"), ("", "no password")] {
        let said = typed(&gateway, &["user", "add", "ana"], password);
        assert!(said.status == 2 && said.err.contains(why) && said.out.is_empty(), "{said:?}");
    }
    let said = typed(&gateway, &["user", "add", "ana"], ANA);
    assert_eq!((said.status, said.out.as_str()), (0, "local/ana: added\n"), "{said:?}");
    let said = typed(&gateway, &["user", "add", "ana"], BOB);
    assert!(said.status == 1 && said.err.contains("there is an account `local/ana`"), "{said:?}");
    let said = run(&gateway, &["user", "add", "bob", "--generate", "--format", "json"]);
    let made: Value = serde_json::from_str(&said.out).unwrap();
    let password = made["password"].as_str().unwrap().to_owned();
    assert_eq!((made["user"].as_str(), made["done"].as_str()), (Some("local/bob"), Some("added")));
    assert_eq!(Browsing::new(&gateway).sign_in_by("bob", &password).status, 303);
    assert_eq!(Browsing::new(&gateway).sign_in_by("ana", ANA).status, 303);
    for arguments in
        [&["user", "disable", "eve"][..], &["user", "enable", "eve"], &["user", "passwd", "eve", "--generate"]]
    {
        let said = run(&gateway, arguments);
        assert!(said.status == 1 && said.err.contains("there is no account `local/eve`"), "{said:?}");
    }
    let said = run(&gateway, &["user", "add", "google/1", "--generate"]);
    assert_eq!((said.status, said.out.as_str()), (2, ""), "{said:?}");
    assert_eq!(
        run(&gateway, &["user", "disable", "ana"]).out,
        "local/ana: disabled, and all that the person had is ended\n"
    );
    let said = run(&gateway, &["user", "list"]);
    let lines: Vec<&str> = said.out.lines().collect();
    assert!(
        lines.len() == 3
            && lines[1].starts_with("local/ana  disabled  20")
            && lines[2].starts_with("local/bob  enabled   20"),
        "{said:?}"
    );
    for entry in std::fs::read_dir(gateway.path(".portcullis")).unwrap() {
        let file = entry.unwrap().path();
        assert!(!holds(&file, ANA) && !holds(&file, &password), "{}", file.display());
    }
    assert!(!holds(&gateway.path("stderr.log"), ANA) && !holds(&gateway.path("stderr.log"), &password));
}
