//! Rate tiers from outside: what is let through to the last request, who pays, how the refusal looks,
//! what is written down, and what a file says wrongly about them.

use std::sync::{
    Barrier,
    atomic::{AtomicUsize, Ordering},
};

use portcullis::config;
use serde_json::{Value, json};

use crate::{
    gateway::DEMO,
    support::{
        golden,
        running::{Answer, Running, request},
    },
};

/// A gateway of the demonstration servers with these tiers.
fn limited(rates: &str) -> Running {
    Running::start(&with(rates))
}

fn with(rates: &str) -> String {
    format!("{DEMO}rates:\n{rates}")
}

/// A modern request of one message: no session is opened for it.
fn list(gateway: &Running, path: &str, token: Option<&str>) -> Answer {
    gateway.modern(path, token, "tools/list", json!({}))
}

fn call(gateway: &Running, path: &str, token: &str, tool: &str) -> Answer {
    gateway.modern(path, Some(token), "tools/call", json!({"name": tool, "arguments": {}}))
}

/// How many of so many are not over the limit.
fn passed(requests: usize, mut send: impl FnMut(usize) -> Answer) -> usize {
    (0..requests).filter(|nth| send(*nth).status != 429).count()
}

/// How many of 64 clients at once are not over the limit, of `each` requests of each.
fn passed_of_64(gateway: &Running, each: usize, send: impl Fn(&Running) -> Answer + Sync) -> usize {
    let (start, passed) = (Barrier::new(64), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..64 {
            scope.spawn(|| {
                start.wait();
                for _ in 0..each {
                    let status = send(gateway).status;
                    assert!(status == 200 || status == 429, "{status}");
                    passed.fetch_add(usize::from(status == 200), Ordering::Relaxed);
                }
            });
        }
    });
    passed.into_inner()
}

/// The newest record of a request over the limit.
fn over(gateway: &Running) -> Value {
    gateway.audit().into_iter().rfind(|record| record["refusal"] == "rate-limited").unwrap()
}

/// SM-36: exact counts under load.
#[test]
fn sixty_four_clients_at_once_get_exactly_what_a_tier_has() {
    let gateway = limited(
        "  a-window: {limit: 50, window: 1d, by: user, on: [mcp]}\n  wide: {limit: 100000, window: 1d, on: [mcp]}\n",
    );
    let token = gateway.token("tag:clock", &[]);
    assert_eq!(passed_of_64(&gateway, 3, |gateway| list(gateway, "/mcp", Some(&token))), 50);
    let gateway = limited("  a-burst: {limit: 1, window: 7d, burst: 40, by: address, on: [mcp]}\n");
    let token = gateway.token("tag:clock", &[]);
    assert_eq!(passed_of_64(&gateway, 2, |gateway| list(gateway, "/mcp", Some(&token))), 40);
    let gateway = limited("  large: {limit: 150, window: 1d, by: tool, on: ['time/*']}\n");
    let token = gateway.token("tag:clock", &[]);
    assert_eq!(passed_of_64(&gateway, 4, |gateway| call(gateway, "/mcp", &token, "time__now")), 150);
}

/// AS-38: of registering and of getting tokens; signing in has the tier `sensitive` besides.
#[test]
fn sm16_sm17_oauth_endpoints_have_a_general_and_a_sensitive_tier() {
    let gateway = limited(
        "  general: {limit: 8, window: 15m, on: [oauth]}\n  sensitive: {limit: 3, window: 15m, on: [consent, token, register]}\n",
    );
    let post = |path: &str| gateway.send("POST", path, &[("Content-Type", "application/x-www-form-urlencoded")], "a=b");
    let paths = ["/oauth/token", "/oauth/register", "/oauth/consent"];
    assert_eq!(passed(9, |nth| post(paths[nth % 3])), 3, "the three share one count");
    let refused = post("/oauth/token");
    assert_eq!((refused.status, refused.json()["error"].as_str().unwrap()), (429, "rate-limited"));
    assert_eq!(refused.header("ratelimit-policy"), Some("\"sensitive\";q=3;w=900"));
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=900).contains(&wait), "{wait}");
    assert_eq!(refused.header("ratelimit"), Some(&*format!("\"sensitive\";r=0;t={wait}")));
    assert_eq!(refused.header("cache-control"), Some("no-store"));
    let metadata = || gateway.send("GET", "/.well-known/oauth-protected-resource", &[], "");
    assert_eq!(passed(9, |_| metadata()), 5, "what was refused cost nothing, and what passed cost both");
    assert_eq!(metadata().header("ratelimit-policy"), Some("\"general\";q=8;w=900"));
    for (path, status) in [("/readyz", 200), ("/healthz", 200), ("/elsewhere", 404)] {
        assert_eq!(passed(20, |_| gateway.send("GET", path, &[], "")), 20, "{path}");
        assert_eq!(gateway.send("GET", path, &[], "").status, status);
    }
}

#[test]
fn sm19_px24_the_answer_and_the_record_say_which_limit_and_until_when() {
    let gateway = limited("  calls:\n    {limit: 2, window: 1h, by: user, on: [mcp]}\n");
    let token = gateway.token("tag:clock", &[]);
    for _ in 0..2 {
        assert!(call(&gateway, "/mcp", &token, "time__now").json()["result"].is_object());
    }
    let refused = call(&gateway, "/mcp", &token, "time__now");
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((3590..=3600).contains(&wait), "{wait}");
    assert_eq!(refused.status, 429);
    assert_eq!(refused.header("ratelimit"), Some(&*format!("\"calls\";r=0;t={wait}")));
    assert_eq!(refused.header("ratelimit-policy"), Some("\"calls\";q=2;w=3600"));
    let record = over(&gateway);
    assert_eq!(
        refused.json(),
        json!({"jsonrpc": "2.0", "id": 1, "error": {
            "code": -31004,
            "message": format!("too many requests; try again in {wait} seconds"),
            "data": {"because": "rate-limited", "retryAfter": wait, "decision_id": record["id"]},
        }})
    );
    assert_eq!(record["decision"]["because"], "rate-limited");
    assert_eq!(record["decision"]["verdict"], "deny");
    let tier = &record["decision"]["determining"][0];
    let line = with("").lines().count() + 1;
    assert_eq!((&tier["policy"], &tier["place"]["line"]), (&json!("rate/calls"), &json!(line)), "{record}");
    assert_eq!((&record["response"]["status"], &record["request"]["method"]), (&json!(429), &json!("tools/call")));
    assert_eq!(record["principal"]["id"], "local/owner", "{record}");
    // The legacy era is told the same.
    let gateway = limited("  calls: {limit: 2, window: 1h, by: user, on: [mcp]}\n");
    let token = gateway.token("tag:clock", &[]);
    assert_eq!(gateway.call("/mcp", Some(&token), "time__now", json!({})).code(), 0);
    let refused = gateway.call("/mcp", Some(&token), "time__now", json!({}));
    assert_eq!((refused.status, refused.code(), refused.json()["id"].clone()), (429, -31004, json!(1)));
}

#[test]
fn t157_bad_tokens_cost_their_address_and_a_good_one_is_told_the_same() {
    let gateway = limited("  guesses: {limit: 6, window: 1h, by: address, on: [mcp]}\n");
    let token = gateway.token("tag:clock", &[]);
    let statuses: Vec<u16> = (0..1_000).map(|_| list(&gateway, "/mcp", Some("pc_at_0nonsense")).status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 6);
    assert!(statuses[6..].iter().all(|status| *status == 429));
    let (wrong, right) = (list(&gateway, "/mcp", Some("pc_at_0nonsense")), list(&gateway, "/mcp", Some(&token)));
    assert_eq!((wrong.status, right.status), (429, 429), "the lock says nothing of the token");
    assert_eq!(wrong.json()["error"]["message"], right.json()["error"]["message"]);
    // What comes by the thousand is one record with a count.
    let mut gateway = gateway;
    assert!(gateway.stop().success());
    let audit = gateway.audit();
    let records: Vec<&Value> = audit.iter().filter(|record| record["refusal"] == "rate-limited").collect();
    assert!(records.len() <= 31, "{}", records.len());
    let count: u64 = records.iter().map(|record| record["count"].as_u64().unwrap_or(1)).sum();
    assert_eq!(count, 996);
    assert!(records.iter().all(|record| record["peer"]["address"] == "127.0.0.1"));
    assert_eq!(records[0]["decision"]["determining"][0]["policy"], "rate/guesses");
}

#[test]
fn t149_an_address_that_is_made_up_is_one_sender() {
    let gateway = limited("  guesses: {limit: 10, window: 1h, by: address, on: [mcp]}\n");
    let body = request("tools/list", json!({})).to_string();
    let spoofed = |nth: usize| {
        let fake = format!("198.51.{}.{}", nth / 250, nth % 250);
        let forwarded = format!("for={fake}");
        let headers = [
            ("Content-Type", "application/json"),
            ("X-Forwarded-For", &fake),
            ("X-Real-IP", &fake),
            ("True-Client-IP", &fake),
            ("Forwarded", &forwarded),
        ];
        gateway.send("POST", "/mcp", &headers, &body)
    };
    assert_eq!(passed(1_000, spoofed), 10);
    assert_eq!(over(&gateway)["peer"]["address"], "127.0.0.1");
}

#[test]
fn t151_t152_behind_a_proxy_of_ours_each_sender_is_one() {
    let demo = DEMO.replace("{address: '{address}'}", "{address: '{address}', trusted_proxies: [127.0.0.0/8]}");
    let gateway =
        Running::start(&format!("{demo}rates: {{guesses: {{limit: 10, window: 1h, by: address, on: [mcp]}}}}\n"));
    let body = request("tools/list", json!({})).to_string();
    let from = |address: &str| {
        let headers = [("Content-Type", "application/json"), ("X-Forwarded-For", address)];
        gateway.send("POST", "/mcp", &headers, &body)
    };
    assert_eq!(passed(500, |nth| from(&format!("2001:db8:1:2::{nth:x}"))), 10, "addresses of one network");
    assert_eq!(passed(20, |nth| from(&format!("2001:db8:1:3::{nth:x}"))), 10, "and of the next");
    let forms = ["192.0.2.7", "::ffff:192.0.2.7", "::ffff:c000:207"];
    assert_eq!(passed(30, |nth| from(forms[nth % 3])), 10, "forms of one address");
    assert_eq!(passed(20, |_| from("192.0.2.8")), 10);
}

#[test]
fn t154_no_other_way_has_a_budget_of_its_own() {
    let views = "views: {clocks: {tags: [clock]}}\n";
    let rates = "  person: {limit: 12, window: 1h, by: user, on: [mcp]}\n";
    let gateway = Running::start(&format!("{DEMO}{views}rates:\n{rates}"));
    let tokens = [
        ("/mcp", gateway.token("tag:clock", &[])),
        ("/mcp", gateway.token("tag:clock,tag:notes", &[])),
        ("/mcp/time", gateway.token("tag:clock", &["--resource", &format!("http://{}/mcp/time", gateway.address())])),
        (
            "/mcp/@clocks",
            gateway.token("tag:clock", &["--resource", &format!("http://{}/mcp/@clocks", gateway.address())]),
        ),
    ];
    let one = |nth: usize| {
        let (path, token) = &tokens[nth % tokens.len()];
        list(&gateway, path, Some(token))
    };
    assert_eq!(passed(40, one), 12, "endpoints and tokens of one person");
    assert_eq!(gateway.last_decision()["decision"]["because"], "rate-limited");
    let fresh = gateway.token("tag:clock", &[]);
    assert_eq!(list(&gateway, "/mcp", Some(&fresh)).status, 429, "nor a token made since");
    assert!(gateway.open("/mcp", Some(&fresh), json!({})).is_none(), "nor a session");
    for path in ["/MCP", "//mcp", "/mcp/", "/mcp%2f", "/mcp?tags=clock", "/./mcp"] {
        assert_ne!(list(&gateway, path, Some(&fresh)).status, 200, "{path}");
    }
    let robot = gateway.token("tag:clock", &["--client", "robot"]);
    assert_eq!(list(&gateway, "/mcp", Some(&robot)).status, 200, "who is somebody else is");
}

#[test]
fn t154_a_tool_is_one_by_whichever_name_it_is_called() {
    let gateway = limited(
        "  clock: {limit: 6, window: 1h, by: server, on: [time]}\n  reading: {limit: 4, window: 1h, by: tool, on: ['notes/*']}\n",
    );
    let merged = gateway.token("tag:clock,tag:notes", &[]);
    let at = |server: &str| {
        let resource = format!("http://{}/mcp/{server}", gateway.address());
        gateway.token("tag:clock,tag:notes", &["--resource", &resource])
    };
    let (time, notes) = (at("time"), at("notes"));
    let either = |nth: usize| match nth % 2 {
        0 => call(&gateway, "/mcp", &merged, "time__now"),
        _ => call(&gateway, "/mcp/time", &time, "now"),
    };
    assert_eq!(passed(20, either), 6, "one server");
    let either = |tool: &'static str| {
        let (gateway, merged, notes) = (&gateway, &merged, &notes);
        move |nth: usize| match nth % 2 {
            0 => call(gateway, "/mcp", merged, &format!("notes__{tool}")),
            _ => call(gateway, "/mcp/notes", notes, tool),
        }
    };
    assert_eq!(passed(10, either("list_notes")), 4, "one tool");
    assert_eq!(passed(10, either("search_notes")), 4, "and the next");
    assert_eq!(list(&gateway, "/mcp", Some(&merged)).status, 200, "what names no server draws from neither");
    assert_eq!(list(&gateway, "/mcp/time", Some(&time)).status, 429, "what is asked of a server is about it");
    assert_eq!(list(&gateway, "/mcp/notes", Some(&notes)).status, 200, "and about none of its tools");
}

#[test]
fn t154_a_resource_is_of_its_server_also_where_no_name_says_so() {
    let gateway = limited("  notes: {limit: 3, window: 1h, by: user, on: [notes]}\n");
    std::fs::create_dir_all(gateway.path("notes")).unwrap();
    std::fs::write(gateway.path("notes/a.md"), "A").unwrap();
    let token = gateway.token("tag:notes", &[]);
    let uris: Vec<String> = gateway.names("/mcp", Some(&token), "resources/list", "resources", "uri");
    let uri = uris.first().cloned().unwrap_or_else(|| "notes://a.md".to_owned());
    let read = |_| gateway.modern("/mcp", Some(&token), "resources/read", json!({"uri": uri}));
    assert_eq!(passed(9, read), 3);
    assert_eq!(over(&gateway)["decision"]["determining"][0]["policy"], "rate/notes");
}

#[test]
fn sm18_a_condition_says_who_a_tier_is_for() {
    let gateway = limited(
        "  bots: {limit: 2, window: 1h, by: client, on: [mcp], when: 'context has client && context.client == \"robot\"'}
  people: {limit: 5, window: 1h, by: user, on: [mcp], when: principal is Portcullis::User}
  office: {limit: 7, window: 1h, by: user, on: [mcp], when: 'context.address.isLoopback() && context.scopes.contains(\"tag:notes\")'}
",
    );
    let robot = gateway.token("tag:clock", &["--client", "robot"]);
    let person = gateway.token("tag:clock", &[]);
    let boss = gateway.token("tag:secret", &["--user", "boss"]);
    for (token, tier, limit) in [(&robot, "bots", 2), (&person, "people", 5), (&boss, "people", 5)] {
        assert_eq!(passed(9, |_| list(&gateway, "/mcp", Some(token))), limit, "{tier}");
        assert_eq!(over(&gateway)["decision"]["determining"][0]["policy"], format!("rate/{tier}"));
    }
}

#[test]
fn sm18_a_penalty_tightens_for_who_fails() {
    let gateway = limited(
        "  guesses: {limit: 40, window: 1h, by: address, on: [mcp], penalty: {factor: 4, time: 1h, after: 3}}
  probes: {limit: 20, window: 1h, by: user, on: [mcp], penalty: {factor: 10, time: 1h, after: 2}}
",
    );
    let token = gateway.token("tag:clock", &[]);
    let robot = gateway.token("tag:clock", &["--client", "robot"]);
    assert_eq!(passed(2, |_| call(&gateway, "/mcp", &token, "notes__read_note")), 2);
    // Two failures: the limit of the person is down to two, both of which are used.
    assert_eq!(call(&gateway, "/mcp", &token, "time__now").status, 429);
    assert_eq!(over(&gateway)["decision"]["determining"][0]["policy"], "rate/probes");
    assert_eq!(call(&gateway, "/mcp", &robot, "time__now").status, 200);
    // Three of the address: it is down to ten, of which three are used.
    assert_eq!(list(&gateway, "/mcp", Some("pc_at_0nonsense")).status, 401);
    let before = passed(30, |_| call(&gateway, "/mcp", &robot, "time__now"));
    assert_eq!(before, 10 - 5, "two probes, the one over the limit, the robot's, and the guess");
    assert_eq!(over(&gateway)["decision"]["determining"][0]["policy"], "rate/guesses");
}

#[test]
fn sm18_a_penalty_tightens_for_who_guesses_at_the_authorization_server() {
    let gateway = limited(
        "  codes: {limit: 40, window: 1h, by: address, on: [token, login], penalty: {factor: 8, time: 1h, after: 3}}\n",
    );
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    let guess = |_| gateway.send("POST", "/oauth/token", &form, "grant_type=refresh_token&client_id=x&refresh_token=y");
    // After three failures five are left of forty, and three of these are used.
    assert_eq!((guess(0).status, guess(1).status, guess(2).status), (401, 401, 401));
    assert_eq!(passed(30, guess), 2);
    assert_eq!(over(&gateway)["decision"]["determining"][0]["policy"], "rate/codes");
    // The pages are in the same tier, and a link that is made up is a guess like another.
    assert_eq!(gateway.send("GET", "/login", &[], "").status, 429);
    let gateway = limited(
        "  links: {limit: 40, window: 1h, by: address, on: [login], penalty: {factor: 8, time: 1h, after: 3}}\n",
    );
    assert_eq!(passed(30, |_| gateway.send("GET", "/login/link?link=x", &[], "")), 5);
}

#[test]
fn limits_outlive_a_reload_where_the_tier_is_unchanged() {
    let rates = "  same: {limit: 5, window: 1h, by: user, on: [time]}\n  other: {limit: 5, window: 1h, by: user, on: [notes]}\n";
    let gateway = limited(rates);
    let token = gateway.token("tag:clock,tag:notes", &[]);
    let time = || call(&gateway, "/mcp", &token, "time__now");
    let notes = || call(&gateway, "/mcp", &token, "notes__list_notes");
    assert_eq!((passed(4, |_| time()), passed(9, |_| notes())), (4, 5));
    let loaded = |count: usize| {
        gateway.until("the new configuration", || {
            gateway.audit().iter().filter(|record| record["what"] == "config-loaded").count() == count
        });
    };
    // A rule more, a tier more and a tier of other numbers.
    gateway.reload(&format!(
        "{}rules: [{{id: r, forbid: {{tools: [notes/search_notes]}}}}]\n",
        with(&rates.replace("other: {limit: 5", "third: {limit: 100, window: 1m}\n  other: {limit: 6"))
    ));
    loaded(2);
    assert_eq!(passed(9, |_| time()), 1, "what was counted counts");
    assert_eq!(passed(9, |_| notes()), 6, "what is another tier begins anew");
    gateway.reload(&with("  third: {limit: 100, window: 1m}\n"));
    loaded(3);
    assert_eq!(passed(9, |_| time()), 9, "what is gone limits nobody");
}

#[test]
fn sm22_limits_hold_with_oauth_off() {
    let gateway = Running::start(&format!(
        "{DEMO}oauth: {{enabled: false}}\nrates: {{calls: {{limit: 4, window: 1h, by: user, on: [time]}}}}\n"
    ));
    let now = |_| gateway.modern("/mcp", None, "tools/call", json!({"name": "time__now", "arguments": {}}));
    assert_eq!(passed(9, now), 4);
    assert_eq!(over(&gateway)["decision"]["determining"][0]["policy"], "rate/calls");
}

#[test]
fn sm19_sm24_what_was_found_in_a_request_over_the_limit_of_its_address_is_on_record() {
    let gateway = limited(
        "  few: {limit: 1, window: 1h, by: address, on: [mcp]}\nvalidation: {exceptions: [{on: [mcp], sql-injection: report}]}\n",
    );
    let ask = |path: &str| gateway.modern(path, None, "tools/list", json!({})).status;
    assert_eq!(ask("/mcp"), 401);
    assert_eq!(ask("/mcp?x=1%20OR%201=1"), 429);
    let record = over(&gateway);
    assert_eq!(record["findings"], json!({"head": ["sql-injection"]}), "{record}");
    assert_eq!(record["decision"]["determining"][0]["policy"], "rate/few");
}

#[test]
fn where_a_limit_cannot_be_said_nothing_is_let_through() {
    let gateway = limited(
        "  odd: {limit: 9, window: 1h, on: [mcp], when: 'context.now.offset(duration(\"9223372036854775807ms\")) > context.now'}\n",
    );
    let token = gateway.token("tag:clock", &[]);
    let refused = call(&gateway, "/mcp", &token, "time__now");
    assert_eq!(refused.code(), -32603, "{refused:?}");
    assert_eq!(gateway.last_decision()["decision"]["because"], "policy-error");
    assert_eq!(gateway.send("GET", "/.well-known/oauth-protected-resource", &[], "").status, 200);
}

#[test]
fn explain_names_the_tiers_of_a_request_in_the_order_in_which_they_are_charged() {
    let place = Running::prepare(&with(
        "  calls: {limit: 600, window: 1m, burst: 60, by: user, on: [mcp]}
  guesses: {limit: 100, window: 15m, on: [mcp], penalty: {factor: 2, time: 1h}}
  reads: {limit: 90, window: 90s, by: tool, on: [notes/read_note]}
  writes: {limit: 5, window: 1h, by: user, on: ['notes/write_*']}
  bots: {limit: 5, window: 1h, by: client, on: [mcp], when: principal is Portcullis::Client}
",
    ));
    let ask = ["explain", "--scopes", "tag:notes", "--call", "notes/read_note"];
    let said = |more: &[&str]| {
        let output = place.command(&[&ask, more].concat()).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let text = said(&[]);
    let drawn: Vec<&str> = text.lines().filter_map(|line| line.trim().strip_prefix("draws from ")).collect();
    assert_eq!(
        drawn,
        [
            "guesses: 100 in 15m, by address   portcullis.yaml:25:3",
            "calls: 600 in 1m, 60 at once, by user   portcullis.yaml:24:3",
            "reads: 90 in 90s, by tool   portcullis.yaml:26:3",
        ],
        "{text}"
    );
    let json: Value = serde_json::from_str(&said(&["--format", "json"])).unwrap();
    let early: Vec<_> = json["limits"].as_array().unwrap().iter().map(|limit| &limit["before_token"]).collect();
    assert_eq!(early, [true, false, false]);
}

/// On `/mcp` the server stands in the body, which nobody has read when an address is charged: `serve`, `test` and
/// `explain` ask alike.
#[test]
fn sm16_a_tier_of_the_address_that_reads_the_server_is_not_drawn_from_on_mcp() {
    let yaml = format!("{}policies: [own.cedar]\n", with("  wide: {limit: 1000, window: 1h, on: [mcp]}\n"));
    let own = "@id(\"own\") @tier(\"own\") @limit(\"1\") @window(\"3600\") @by(\"address\")
permit (principal, action in [Portcullis::Action::\"charge/address\"], resource) when { context has server };";
    let mut gateway = Running::prepare(&yaml);
    std::fs::write(gateway.path("own.cedar"), own).unwrap();
    let said = |arguments: &[&str]| {
        let output = gateway.command(arguments).output().unwrap();
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    };
    let explained = said(&["explain", "--scopes", "tag:clock", "--call", "time/now"]);
    assert!(explained.contains("draws from wide") && !explained.contains("draws from own"), "{explained}");
    let suite = "principals: {ana: {sub: ana, scopes: ['tag:clock']}}
requests: {now: {server: time, tool: now, args: {}}}
limits: [{principal: ana, request: now, allow: 3, then: allow}]
";
    std::fs::write(gateway.path("portcullis.test.yaml"), suite).unwrap();
    let tested = gateway.command(&["test"]).output().unwrap();
    assert!(tested.status.success(), "{}", String::from_utf8_lossy(&tested.stdout));
    gateway.launch_with(&[]);
    let token = gateway.token("tag:clock", &[]);
    assert_eq!(passed(4, |_| call(&gateway, "/mcp", &token, "time__now")), 4);
    // The path of a server's own endpoint names it.
    let resource = format!("http://{}/mcp/time", gateway.address());
    let token = gateway.token("tag:clock", &["--resource", &resource]);
    assert_eq!(passed(4, |_| call(&gateway, "/mcp/time", &token, "now")), 1);
}

/// Code, place and message of everything that is found.
fn found(rates: &str) -> String {
    let text = format!(
        "version: 1\ntags: {{a: A}}\nservers:\n  files: {{tags: [a], stdio: {{command: [cat]}}}}\n  token: {{tags: [a], stdio: {{command: [cat]}}}}\ngrants: [{{to: {{user: '*'}}, scopes: ['tag:a']}}]\nrates:\n{rates}"
    );
    let loaded = config::load_text("portcullis.yaml", &text, &|_| None);
    let mut findings = loaded.findings;
    if let Some(config) = &loaded.config {
        findings.extend(portcullis::compile::bundle(config, None).err().unwrap_or_default());
    }
    let line = |finding: &portcullis::diagnostic::Diagnostic| {
        let place = finding.place().unwrap();
        format!("{}:{} {} {}", place.line - 7, place.column, finding.code, finding.message)
    };
    findings.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_mistake_in_a_tier_is_found_at_its_place() {
    let rates = "  a: {limit: 0, window: 0s, burst: 0}
  b: {limit: many, window: 500ms, by: everyone}
  c: {limit: 1, window: 1s, on: []}
  d: {limit: 1, window: 1s, on: [filez, 'filez/x', oaut, token, files, files, 'files/']}
  e: {limit: 1, window: 1s, penalty: {factor: 1, time: 1500ms, after: 0}}
  f: {limit: 1, window: 1s, by: tool, on: [oauth]}
  g: {limit: 1, windo: 1s}
  none: {limit: 1, window: 1s}
  A: {limit: 1, window: 1s, when: ' '}
  h: {limit: 1, window: 1s, penalty: {factor: 2}}
  a: {limit: 1, window: 1s}
  i: {limit: 1, window: 1s, when: '${HOME}'}
  j: {limit: 1, window: 1s, on: [mcp, files, mcp]}
";
    golden("check", "rates_mistakes", &found(rates));
    let many: String = (0..65).map(|n| format!("  t{n}: {{limit: 1, window: 1s}}\n")).collect();
    assert_eq!(found(&many), "1:3 PC005 `rates` has 65 tiers, and 64 at most");
}

#[test]
fn every_mistake_in_a_condition_is_found_at_its_place() {
    let rates = "  a: {limit: 1, window: 1s, when: context.nonsense}
  b: {limit: 1, window: 1s, by: user, when: 'context.client == \"x\"'}
  c: {limit: 1, window: 1s, when: 'true }; permit(principal, action, resource) when { true'}
  d: {limit: 1, window: 1s, when: 'context.args.path == \"x\"'}
  e: {limit: 1, window: 1s, when: 'principal in Portcullis::User::\"x\"'}
  f: {limit: 1, window: 1s, when: 'resource == Portcullis::Endpoint::\"nowhere\"'}
";
    golden("check", "rates_conditions", &found(rates));
}
