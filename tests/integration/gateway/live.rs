//! What is in force, and for whom: under reloads, with warm caches, and where evaluation fails.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use serde_json::{Value, json};

use super::DEMO;
use crate::support::{
    consenting::{Consenting, Given, redeem},
    running::{Running, request},
};

/// Forbids what no token lacks a scope for.
const FORBID: &str = "rules:\n  - {id: nobody-converts, forbid: {tools: [time/convert]}}\n";

fn reloads(gateway: &Running) -> usize {
    gateway.log().matches("the new configuration is in force").count()
}

#[test]
fn t145_nothing_is_let_through_while_configurations_change() {
    // Denied by both: by a rule, and for want of a tag that nobody may have.
    let other = DEMO.replace(
        "    stdio: {command: [portcullis, demo-server, time]}\n",
        "    stdio: {command: [portcullis, demo-server, time]}\n    tools: {convert: {tags: [secret]}}\n",
    );
    let both = [format!("{DEMO}{FORBID}"), other];
    let gateway = Running::start(&both[0]);
    let token = gateway.token("tag:clock", &[]);
    let (over, denied, allowed) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    let call = |tool: &str| gateway.modern("/mcp", Some(&token), "tools/call", json!({"name": tool, "arguments": {}}));
    assert_eq!(call("time__now").code(), 0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !over.load(Relaxed) {
                    let answer = call("time__convert");
                    assert_eq!((answer.status, answer.code()), (200, -32602), "{answer:?}");
                    denied.fetch_add(1, Relaxed);
                }
            });
        }
        // And who is let in before and after is let in meanwhile.
        scope.spawn(|| {
            while !over.load(Relaxed) {
                let answer = call("time__now");
                assert!(answer.status == 200 && answer.json()["result"].is_object(), "{answer:?}");
                allowed.fetch_add(1, Relaxed);
            }
        });
        for nth in 1..=60 {
            gateway.reload(&both[nth % 2]);
            gateway.until("the reload", || reloads(&gateway) == nth);
        }
        over.store(true, Relaxed);
    });
    let (denied, allowed) = (denied.into_inner(), allowed.into_inner());
    assert!(denied > 100 && allowed > 10, "{denied} denied, {allowed} allowed");
    let asked = |verdict: &str, tool: &str| {
        let is = |record: &&Value| record["request"]["tool"] == tool && record["decision"]["verdict"] == verdict;
        gateway.audit().iter().filter(is).count()
    };
    assert_eq!(asked("allow", "convert"), 0, "I2");
    assert_eq!((asked("deny", "convert"), asked("deny", "now")), (denied, 0), "every one has its record");
}

#[test]
fn t146_what_was_allowed_a_moment_ago_is_denied_by_the_next_revision() {
    let gateway = Running::start(DEMO);
    let token = gateway.token("tag:clock", &[]);
    let call =
        || gateway.call("/mcp", Some(&token), "time__convert", json!({"time": "2026-01-01T00:00:00Z", "zone": "UTC"}));
    for _ in 0..3 {
        assert!(call().json()["result"].is_object());
        assert_eq!(gateway.tools("/mcp", Some(&token)), ["time__now", "time__convert"]);
    }
    for (nth, (yaml, there)) in [
        // A forbid is added; an attribute of the server changes; one of the tool does.
        (format!("{DEMO}{FORBID}"), vec!["time__now"]),
        (DEMO.to_owned(), vec!["time__now", "time__convert"]),
        (DEMO.replace("tags: [clock]", "tags: [secret]"), vec![]),
        (DEMO.to_owned(), vec!["time__now", "time__convert"]),
        (DEMO.replace("tags: [clock]\n", "tags: [clock]\n    tools: {convert: deny}\n"), vec!["time__now"]),
    ]
    .into_iter()
    .enumerate()
    {
        gateway.reload(&yaml);
        gateway.until("the reload", || reloads(&gateway) == nth + 1);
        // The very next of each: nothing of the revision before is good.
        let (called, listed) = (call(), gateway.tools("/mcp", Some(&token)));
        assert_eq!(
            (called.code() == 0, listed),
            (there.len() == 2, there.iter().map(ToString::to_string).collect()),
            "{nth}: {called:?}"
        );
    }
}

#[test]
fn t138_a_file_of_policies_that_is_broken_emptied_or_gone_starts_and_changes_nothing() {
    let yaml = format!("{DEMO}policies: [mine.cedar]\n");
    let forbid = "@id(\"nobody-converts\")\nforbid (principal, action in [Portcullis::Action::\"tools/call\", Portcullis::Action::\"tools/list\"], resource == Portcullis::Tool::\"time/convert\");\n";
    let forbid = forbid.replace("resource ==", "resource) when { resource ==").replace("convert\");", "convert\" };");
    let mut gateway = Running::prepare(&yaml);
    let file = gateway.path("mine.cedar");
    std::fs::write(&file, &forbid).unwrap();
    let checked = gateway.command(&["check"]).output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
    let bad: [(&str, Option<&[u8]>); 8] = [
        ("gone", None),
        ("empty", Some(b"")),
        ("a comment alone", Some(b"// forbid (principal, action, resource);\n")),
        ("cut off", Some(&forbid.as_bytes()[..forbid.len() / 2])),
        ("after a byte order mark, nothing", Some(b"\xef\xbb\xbf")),
        ("no text", Some(b"\xff\xfe\x00")),
        ("of another schema", Some(b"@id(\"x\")\nforbid (principal, action == Other::Action::\"go\", resource);\n")),
        ("of no name", Some(b"forbid (principal, action in [Portcullis::Action::\"tools/call\"], resource);\n")),
    ];
    let put = |bytes: Option<&[u8]>| match bytes {
        Some(bytes) => std::fs::write(&file, bytes).unwrap(),
        None => std::fs::remove_file(&file).unwrap(),
    };
    for (what, bytes) in bad {
        put(bytes);
        for command in ["check", "serve"] {
            let said = gateway.command(&[command]).output().unwrap();
            let told = [said.stdout, said.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
            assert!(matches!(said.status.code(), Some(1 | 2)) && told.contains("mine.cedar"), "{what}: {told}");
        }
    }
    put(Some(forbid.as_bytes()));
    gateway.launch();
    let token = gateway.token("tag:clock", &[]);
    let denied = || gateway.call("/mcp", Some(&token), "time__convert", json!({})).code() == -32602;
    assert!(denied() && gateway.tools("/mcp", Some(&token)) == ["time__now"]);
    for (nth, (what, bytes)) in bad.into_iter().enumerate() {
        put(bytes);
        gateway.reload(&yaml);
        let refused = || gateway.log().matches("reloaded nothing").count();
        gateway.until("the refusal", || refused() == nth + 1);
        assert!(denied(), "{what}");
        assert_eq!(gateway.send("GET", "/readyz", &[], "").body, r#"{"status":"degraded"}"#, "{what}");
        put(Some(forbid.as_bytes()));
    }
}

#[test]
fn t147_t136_what_cannot_be_evaluated_denies_is_written_down_and_harms_nobody_else() {
    let overflow = "rules:\n  - {id: too-much, forbid: {tools: [time/convert]}, when: '9223372036854775807 + (if context.oauth then 1 else 0) > 0'}\n";
    let gateway = Running::start(&format!("{DEMO}{overflow}"));
    let token = gateway.token("tag:clock", &[]);
    assert_eq!(gateway.tools("/mcp", Some(&token)), ["time__now"], "a list shows nothing that cannot be decided");
    for _ in 0..20 {
        let refused = gateway.call("/mcp", Some(&token), "time__convert", json!({}));
        assert_eq!((refused.status, refused.code()), (200, -32603), "{refused:?}");
        assert!(!refused.body.contains("too-much") && !refused.body.contains("overflow"), "I7: {refused:?}");
        let decision = &gateway.last_decision()["decision"];
        assert_eq!((&decision["verdict"], &decision["because"]), (&json!("deny"), &json!("policy-error")));
        assert!(decision["errors"][0].as_str().unwrap().contains("rule/too-much"), "{decision}");
    }
    assert!(gateway.call("/mcp", Some(&token), "time__now", json!({})).json()["result"].is_object());
    assert_eq!(gateway.send("GET", "/healthz", &[], "").status, 200);
}

#[test]
fn t038_lists_of_different_callers_never_cross() {
    let gateway = Running::start(DEMO);
    std::fs::create_dir_all(gateway.path("notes")).unwrap();
    let tokens = ["tag:clock", "tag:notes", "tag:clock,tag:notes,tag:write"].map(|scopes| gateway.token(scopes, &[]));
    let robot = gateway.token("tag:clock", &["--client", "robot"]);
    let asks: Vec<(&str, &String)> = tokens
        .iter()
        .chain([&robot])
        .map(|token| ("/mcp", token))
        .chain([("/mcp?tags=clock", &tokens[2]), ("/mcp?tags=notes", &tokens[2]), ("/mcp?tags=notes", &tokens[1])])
        .collect();
    let listed = |path: &str, token: &str| {
        let answer = gateway.modern(path, Some(token), "tools/list", json!({}));
        assert_eq!((answer.status, answer.header("cache-control")), (200, Some("no-store")), "{answer:?}");
        let result = &answer.json()["result"];
        assert_eq!((&result["cacheScope"], &result["ttlMs"]), (&json!("private"), &json!(0)), "{result}");
        let names = result["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap().to_owned());
        names.collect::<Vec<_>>()
    };
    gateway.until("all servers", || listed("/mcp", &tokens[2]).len() == 6);
    let first: Vec<Vec<String>> = asks.iter().map(|(path, token)| listed(path, token)).collect();
    assert_eq!(first.iter().map(Vec::len).collect::<Vec<_>>(), [2, 3, 6, 2, 2, 3, 3]);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (asks, first, listed, gateway) = (&asks, &first, &listed, &gateway);
            scope.spawn(move || {
                for turn in 0..30 {
                    let nth = (thread * 5 + turn * 3) % asks.len();
                    let (path, token) = asks[nth];
                    assert_eq!(listed(path, token), first[nth], "{path}");
                    if turn % 5 == 0 {
                        assert_eq!(gateway.tools(path, Some(token)), first[nth], "{path}, in a session");
                    }
                }
            });
        }
    });
}

#[test]
fn t017_who_was_granted_nothing_gets_no_token_and_no_default() {
    let clients = "clients: {desk: {redirect_uris: ['http://127.0.0.1/cb']}}";
    let gateway = Running::start(&format!("{DEMO}oauth: {{baseline: ['tag:clock'], {clients}}}\n"));
    let store = Consenting::at(&gateway, &format!("http://{}", gateway.address()));
    let given = |scopes: &[&str]| redeem(&gateway, &store.approve(&Given { endpoint: "/mcp", scopes, opened: &[] }));
    let none = given(&[]);
    assert_eq!((none.status, &none.json()["error"]), (400, &json!("invalid_grant")), "{none:?}");
    // Nor is the baseline put in the place of less.
    let notes = given(&["tag:notes"]).json();
    assert_eq!(notes["scope"], "tag:notes", "{notes}");
    let token = notes["access_token"].as_str().unwrap();
    assert_eq!(gateway.call("/mcp", Some(token), "time__now", json!({})).status, 403);
    assert_eq!(gateway.last_decision()["principal"]["scopes"], json!(["tag:notes"]));
}

/// What each of the refusals of one life is called.
#[test]
fn sm29_every_kind_of_security_event_is_in_one_trail_under_words_that_are_known() {
    const KNOWN: [&str; 14] = [
        "permitted",
        "unauthenticated",
        "token-invalid",
        "audience-mismatch",
        "missing-scope",
        "explicit-forbid",
        "condition-failed",
        "no-matching-grant",
        "unknown-server",
        "unknown-tool",
        "rate-limited",
        "validation-failed",
        "policy-error",
        "shadow-would-deny",
    ];
    let rates = "rates:\n  few: {limit: 12, window: 10m, by: user, on: [mcp]}\nvalidation: {path-traversal: deny}\n";
    let gateway = Running::start(&format!("{DEMO}{FORBID}{rates}"));
    let token = gateway.token("tag:clock", &[]);
    let list = request("tools/list", json!({}));
    gateway.post_in("/mcp", None, None, &list);
    gateway.post_in("/mcp", Some("pc_at_0nonsense"), None, &list);
    let call = |name: &str| gateway.modern("/mcp", Some(&token), "tools/call", json!({"name": name, "arguments": {}}));
    for tool in ["time__now", "notes__list_notes", "time__convert", "hidden__sha256", "nowhere__x", "time__x"] {
        call(tool);
    }
    let dots = json!({"name": "time__now", "arguments": {"zone": "../../etc/passwd"}});
    gateway.modern("/mcp", Some(&token), "tools/call", dots);
    gateway.send("POST", "/mcp", &[("Host", "evil.test"), ("Content-Type", "application/json")], &list.to_string());
    gateway.until("the limit", || call("time__now").status == 429);
    let told: std::collections::BTreeSet<String> = gateway
        .audit()
        .iter()
        .filter(|record| record["type"] == "decision")
        .map(|record| record["decision"]["because"].as_str().unwrap().to_owned())
        .collect();
    assert!(told.iter().all(|word| KNOWN.contains(&word.as_str())), "{told:?}");
    for word in [
        "permitted",
        "unauthenticated",
        "token-invalid",
        "missing-scope",
        "explicit-forbid",
        "no-matching-grant",
        "unknown-server",
        "unknown-tool",
        "rate-limited",
        "validation-failed",
    ] {
        assert!(told.contains(word), "{word}: {told:?}");
    }
}

#[test]
fn sm42_what_callers_say_to_servers_is_kept_nowhere() {
    let gateway = Running::start(DEMO);
    let token = gateway.token("tag:notes,tag:write", &[]);
    let (said, name) = ("ein-geheimes-wort-7731", "a-name-nobody-keeps");
    let written = gateway.call("/mcp", Some(&token), "notes__write_note", json!({"name": name, "text": said}));
    assert!(written.json()["result"].is_object(), "{written:?}");
    let read = gateway.call("/mcp", Some(&token), "notes__read_note", json!({"name": name}));
    assert!(read.body.contains(said), "{read:?}");
    let record = gateway.last_decision();
    assert!(record["request"]["digest"].is_string() && record["request"]["size"].as_u64() > Some(0), "{record}");
    assert!(record["principal"]["token"].is_string(), "a keyed hash: {record}");
    let mut seen = 0;
    for file in std::fs::read_dir(gateway.path(".portcullis")).unwrap() {
        let path = file.unwrap().path();
        seen += 1;
        for word in [said, name, &token] {
            assert!(!crate::support::running::holds(&path, word), "{word} in {}", path.display());
        }
    }
    assert!(seen >= 3, "the trail, the store and its key");
    for word in [said, name, &token] {
        assert!(!gateway.log().contains(word), "{word}");
    }
}
