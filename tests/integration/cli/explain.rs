//! `explain`: 0 allowed, 1 denied, 2 could not tell; every reason with its line.

use std::{io::Write as _, path::PathBuf, process::Stdio};

use portcullis::{
    explain::{Supposed, command_line},
    policy::{Target, Verb},
    principal::Principal,
};
use serde_json::{Value, json};

use super::{CONFIG, Said, at, plain, run, says};
use crate::support::{self, running::Running};

fn explain(arguments: &[&str]) -> Said {
    run(&at(CONFIG), &[&["explain"], arguments].concat())
}

#[test]
fn an_allow_names_its_line() {
    says("explain_allow", &explain(&["--scopes", "tag:notes", "--call", "notes/read_note"]));
}

#[test]
fn denials_say_what_would_turn_them() {
    for (name, arguments) in [
        ("missing", "--call notes/read_note"),
        ("ceiling", "--scopes tag:notes --call notes/write_note"),
        ("denied", "--scopes tag:notes --call notes/delete_note"),
        ("rule", "--client bot --scopes tag:notes --call notes/read_note"),
        ("client", "--client bot --no-user --scopes tag:notes --get notes/summary"),
        ("anonymous", "--anonymous --discover notes"),
        ("named", "--scopes tag:notes --tags clock --read notes/notes://welcome"),
        ("unknown_server", "--scopes tag:notes --call note/read_note"),
    ] {
        let said = explain(&arguments.split(' ').collect::<Vec<_>>());
        says(&format!("explain_{name}"), &said);
        assert_eq!(said.status, 1, "{name}");
    }
}

#[test]
fn tags_narrow() {
    let narrowed = |tags| explain(&["--scopes", "tag:notes,tag:clock", "--tags", tags, "--call", "time/now"]);
    assert_eq!([narrowed("clock").status, narrowed("notes").status], [0, 1]);
}

#[test]
fn json_holds_the_decision_and_the_questions() {
    let said = explain(&["--scopes", "tag:notes", "--call", "notes/write_note", "--format", "json"]);
    assert_eq!(said.status, 1);
    let explanation: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(explanation["decision"]["verdict"], "deny");
    assert_eq!(explanation["decision"]["missing"][0], "tag:notes-write");
    assert_eq!(explanation["decision"]["reasons"][0]["place"]["line"], 10);
    let asked: Vec<_> = explanation["questions"].as_array().unwrap().iter().map(|one| &one["action"]).collect();
    assert_eq!(asked, ["grant", "tools/list", "tools/call"]);
    assert!(explanation["turn"].as_str().unwrap().contains("`grants:`"));
}

#[test]
fn slips_are_usage() {
    for (arguments, words) in [
        ("--scopes tag:notse --call notes/read_note", "error: no scope `tag:notse`; did you mean `tag:notes`?\n"),
        ("--scopes tag:zebra --call notes/read_note", "error: no scope `tag:zebra`: `tags:` declares no such tag\n"),
        ("--tags zebra --call notes/read_note", "error: no scope `tag:zebra`: `tags:` declares no such tag\n"),
        ("--call notes", "error: `notes` must be SERVER/NAME\n"),
        (
            "--scopes notes --call notes/read_note",
            "error: scope `notes` must be `tag:` and a tag of 1 to 64 of `A-Z a-z 0-9 _ -`; there are no wildcards\n",
        ),
    ] {
        let said = explain(&arguments.split(' ').collect::<Vec<_>>());
        assert_eq!((said.status, said.out.as_str(), said.err.as_str()), (2, "", words), "{arguments}");
    }
    for arguments in
        ["", "--anonymous --scopes tag:notes --call notes/x", "--call a/b --discover a", "--no-user --call a/b"]
    {
        let said = explain(&arguments.split_whitespace().collect::<Vec<_>>());
        assert!(said.status == 2 && said.err.contains("Usage: portcullis explain"), "{said:?}");
    }
}

#[test]
fn with_oauth_off_nobody_needs_a_scope_and_denials_still_hold() {
    let place = at(&format!("{CONFIG}oauth: {{enabled: false}}\n"));
    let said = run(&place, &["explain", "--anonymous", "--call", "notes/read_note"]);
    assert_eq!(said.status, 0, "{said:?}");
    assert_eq!(run(&place, &["explain", "--anonymous", "--call", "notes/delete_note"]).status, 1);
}

#[test]
fn a_wrong_configuration_explains_nothing() {
    let place = at("version: 2\n");
    let said = run(&place, &["explain", "--call", "a/b"]);
    says("explain_wrong", &said);
    assert_eq!(run(&place, &["explain", "--call", "a/b", "--config", "no/such.yaml"]).status, 2);
}

/// A rule that reads the moment and the groups, besides what `CONFIG` has.
const RULES: &str =
    "  - {id: tls-or-ops, forbid: {tools: [time/now]}, unless: 'context.tls || context.groups.contains(\"local/ops\")'}
";

#[test]
fn a_denial_names_the_changes_that_would_turn_it() {
    let place = at(&format!("{CONFIG}{RULES}"));
    let asked = ["explain", "--scopes", "tag:clock", "--call", "time/now", "--args", r#"{"zone": "UTC"}"#];
    let said = run(&place, &asked);
    says("explain_changes", &said);
    for more in [["--tls"].as_slice(), &["--groups", "ops"]] {
        assert_eq!(run(&place, &[&asked, more].concat()).status, 0, "{more:?}");
    }
}

#[test]
fn a_rule_that_reads_one_fact_of_the_moment_needs_no_other() {
    for (when, more) in [
        ("context.tls", ["--tls", "--drifted"]),
        ("context.address.isInRange(ip(\"10.0.0.0/8\"))", ["--address", "10.1.2.3"]),
        ("context.now < datetime(\"2026-01-01T00:00:00Z\")", ["--now", "2025-12-31T23:59:59Z"]),
    ] {
        let place = at(&format!("{CONFIG}  - {{id: moment, forbid: {{tools: [time/now]}}, when: '{when}'}}\n"));
        let asked = ["explain", "--scopes", "tag:clock", "--call", "time/now"];
        assert_eq!(run(&place, &asked).status, 0, "{when}");
        let denied = run(&place, &[asked.as_slice(), &more].concat());
        assert!(denied.status == 1 && denied.out.contains("forbid rule/moment"), "{when}: {denied:?}");
    }
}

#[test]
fn mermaid_draws_the_gates() {
    says("explain_mermaid", &explain(&["--scopes", "tag:notes", "--call", "notes/write_note", "--format", "mermaid"]));
}

#[test]
fn tree_is_human_and_nothing_is_coloured_off_a_terminal() {
    let asked = |format| explain(&["--scopes", "tag:notes", "--call", "notes/write_note", "--format", format]).out;
    assert_eq!(asked("tree"), asked("human"));
    let coloured = explain(&["--call", "notes/write_note", "--color", "always"]).out;
    assert!(coloured.contains('\u{1b}') && !asked("human").contains('\u{1b}'));
}

#[test]
fn gates_stand_in_order_and_none_that_is_not_asked_has_passed() {
    let said = explain(&["--scopes", "tag:notes", "--call", "notes/read_note", "--format", "json"]);
    let explanation: Value = serde_json::from_str(&said.out).unwrap();
    let gates: Vec<_> = explanation["gates"]
        .as_array()
        .unwrap()
        .iter()
        .map(|gate| format!("{}={}", gate["gate"].as_str().unwrap(), gate["passed"].as_str().unwrap()))
        .collect();
    assert_eq!(
        gates,
        [
            "token=pass",
            "audience=not-decided",
            "scope=pass",
            "filter=pass",
            "listed=pass",
            "policy=pass",
            "limit=pass",
            "validation=not-decided",
            "consent=not-decided"
        ]
    );
}

#[test]
fn oa82_consent_is_a_gate_only_where_a_person_is_held_to_it() {
    let words = |yaml: &str, who: &str| {
        let place = at(yaml);
        let asked = format!("explain {who} --scopes tag:notes --call notes/read_note --format json");
        let said = run(&place, &asked.split(' ').collect::<Vec<_>>());
        let explanation: Value = serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {said:?}"));
        let gate = explanation["gates"].as_array().unwrap().last().unwrap().clone();
        assert_eq!(gate["gate"], "consent");
        format!("{}: {}", gate["passed"].as_str().unwrap(), gate["why"].as_str().unwrap())
    };
    let open = format!("{CONFIG}oauth: {{login: owner, scope_drift: allow}}\n");
    let no_drift = "pass: what joined a tag after consent is open: `oauth.scope_drift`";
    assert_eq!(words(&open, "--user owner"), no_drift);
    let unknown = "not-decided: not decided here: only `serve` knows what the person was asked about";
    assert_eq!(words(CONFIG, "--user owner"), unknown);
    let alone = "pass: nobody is asked for consent: no person is behind it";
    assert_eq!(words(&CONFIG.replace("client == \"bot\"", "client == \"other\""), "--client bot --no-user"), alone);
}

#[test]
fn a_request_is_read_from_a_file_and_from_stdin() {
    let place = at(CONFIG);
    let request = json!({"user": "owner", "scopes": ["tag:notes"], "tags": ["notes"], "method": "tools/call",
        "server": "notes", "tool": "read_note", "args": {"name": null}, "address": "10.0.0.1", "tls": true,
        "now": "2026-01-01T00:00:00Z"});
    std::fs::write(place.path("request.json"), request.to_string()).unwrap();
    let said = run(&place, &["explain", "--request", "request.json"]);
    says("explain_request", &said);
    let mut command = place.command(&["explain", "--request", "-"]);
    let mut child = plain(&mut command).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(request.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), said.out);
    assert_eq!(run(&place, &["explain", "--request", &request.to_string()]).out, said.out);
}

#[test]
fn every_mistake_of_a_request_is_said_with_its_place() {
    let place = at(CONFIG);
    let request = "{\n  \"usr\": \"ana\",\n  \"scopes\": [\"tag:notes\", \"notes\"],\n  \"method\": \"tools/cal\",\n  \"server\": \"notes\"\n}\n";
    std::fs::write(place.path("request.json"), request).unwrap();
    says("explain_request_wrong", &run(&place, &["explain", "--request", "request.json"]));
    for (request, words) in [
        ("{", "this is no JSON"),
        ("{\"method\": \"tools/call\", \"server\": \"notes\"}", "needs the key `tool`"),
        ("{\"method\": \"server/discover\", \"server\": \"notes\", \"tool\": \"x\"}", "says nothing beside"),
        (
            "{\"anonymous\": true, \"user\": \"a\", \"method\": \"server/discover\", \"server\": \"notes\"}",
            "cannot stand beside",
        ),
        ("{\"tls\": 1, \"method\": \"server/discover\", \"server\": \"notes\"}", "must be true or false"),
        ("{\"server\": \"notes\", \"server\": \"time\", \"method\": \"server/discover\"}", "written twice"),
        ("no/such.json", "cannot read `no/such.json`"),
    ] {
        let said = run(&place, &["explain", "--request", request]);
        assert!(said.status == 2 && said.out.is_empty() && said.err.contains(words), "{request}: {said:?}");
    }
}

#[test]
fn a_printed_command_line_is_read_by_a_shell_as_the_same_request() {
    let tool = |server: &str, name: &str| support::tool(server, name);
    let ana = || Principal::User("local/a'na;$(x)".parse().unwrap());
    let plain_call = Supposed::new(ana(), support::scopes(&["tag:clock"]), Verb::ToolsCall, tool("time", "now"));
    let bot: portcullis::name::ClientId = "-b \"o't".replace(' ', "!").parse().unwrap();
    let prompt = Target::Prompt("notes".parse().unwrap(), "-it's `a` $PROMPT \\".parse().unwrap());
    let cases = [
        plain_call.clone(),
        Supposed { tls: true, ..plain_call.clone() },
        Supposed { groups: ["local/ops".parse().unwrap()].into(), ..plain_call.clone() },
        // A comma in a group's name goes through JSON.
        Supposed { groups: ["local/ops".parse().unwrap(), "local/a,b".parse().unwrap()].into(), ..plain_call.clone() },
        Supposed {
            verb: Verb::ToolsList,
            drifted: true,
            named: Some(support::scopes(&["tag:clock"])),
            ..plain_call.clone()
        },
        Supposed {
            client: Some(bot.clone()),
            now: Some("2026-01-01T00:00:00Z".parse().unwrap()),
            address: "2001:db8::1".parse().unwrap(),
            args: Some(json!({"a": "it's"})),
            findings: ["a b".to_owned()].into(),
            ..plain_call
        },
        Supposed {
            client: Some(bot.clone()),
            ..Supposed::new(Principal::Client(bot), support::scopes(&["tag:notes"]), Verb::PromptsGet, prompt)
        },
        Supposed::new(
            Principal::Anonymous,
            support::scopes(&[]),
            Verb::ServerDiscover,
            Target::Server("notes".parse().unwrap()),
        ),
    ];
    let yaml = format!("{CONFIG}{RULES}");
    let place = at(&yaml);
    let engine = support::engine(&yaml.replace("{address}", "127.0.0.1:1"));
    let binary = PathBuf::from(env!("CARGO_BIN_EXE_portcullis"));
    let path = std::env::join_paths([binary.parent().unwrap().to_owned(), "/usr/bin".into(), "/bin".into()]).unwrap();
    for supposed in cases {
        let line = command_line(&supposed);
        let mut command = std::process::Command::new("sh");
        command.current_dir(place.path("")).args(["-c", &format!("{line} --format json")]).env("PATH", &path);
        let output = plain(&mut command).env_remove("PORTCULLIS_CONFIG").output().unwrap();
        let said: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{line}: {}", String::from_utf8_lossy(&output.stderr)));
        let decision = support::ask_at(
            &engine,
            supposed.standing(&engine),
            supposed.verb,
            &supposed.target,
            &supposed.moment(support::moment().now),
        );
        let decided = serde_json::to_value(&decision).unwrap();
        assert_eq!(
            (&said["decision"]["verdict"], &said["decision"]["because"]),
            (&decided["verdict"], &decided["because"]),
            "{line}"
        );
        assert_eq!(said["command"], line.as_str());
        assert_eq!(said["principal"], supposed.principal.to_string());
        assert_eq!(said["target"], supposed.target.to_string());
    }
}

/// What `explain` says of a decision, without what differs from run to run.
fn again(gateway: &Running, record: &Value, more: &[&str]) -> Said {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let (id, ts, bundle) = (text(&record["id"]), text(&record["ts"]), text(&record["policy"]["bundle"]));
    let mut said = run(gateway, &[&["explain", "--decision", &id], more].concat());
    for (from, to) in [(&id, "ID"), (&ts, "TIME"), (&bundle, "BUNDLE")] {
        (said.out, said.err) = (said.out.replace(from, to), said.err.replace(from, to));
    }
    said
}

#[test]
fn a_decision_of_a_real_trail_is_explained_then_and_today() {
    let mut gateway = Running::start(CONFIG);
    let token = gateway.token("tag:notes", &[]);
    let refused = gateway.call("/mcp", Some(&token), "notes__write_note", json!({"name": "x", "text": "y"}));
    assert!(refused.status >= 200, "{refused:?}");
    let record = gateway.last_decision();
    assert_eq!(record["decision"]["verdict"], "deny");
    // A gateway need not run, and one that does is not in the way.
    says("explain_decision", &again(&gateway, &record, &[]));
    assert!(gateway.stop().success());

    // What the record does not hold can be said.
    let narrowed = again(&gateway, &record, &["--tags", "clock"]);
    assert!(!narrowed.out.contains("`?tags=` narrowed") && narrowed.status == 1, "{narrowed:?}");

    // Under another configuration both are told.
    let file = gateway.path("portcullis.yaml");
    let yaml = CONFIG.replace("{address}", &gateway.address().to_string());
    std::fs::write(&file, yaml.replace("      write_note: {tags: [notes-write]}\n", "")).unwrap();
    says("explain_decision_changed", &again(&gateway, &record, &[]));
    let told: Value = serde_json::from_str(&again(&gateway, &record, &["--format", "json"]).out).unwrap();
    assert_eq!((&told["same_bundle"], &told["then"]["decision"]["verdict"]), (&json!(false), &json!("deny")));
    assert_eq!(told["today"]["decision"]["verdict"], "allow");

    // Lines that do not read are skipped and counted; a request that no policy was asked of is told so.
    let mut trail = std::fs::OpenOptions::new().append(true).open(gateway.path(".portcullis/audit.ndjson")).unwrap();
    let other = "019a8f0e-5b7c-7d21-9c55-0242ac120002";
    let early = json!({"v": 1, "seq": 99, "type": "decision", "kind": "refusal", "refusal": "bad-\u{1b}[31mtoken", "id": other,
        "ts": "2026-01-01T00:00:00Z", "decision": {"verdict": "deny", "because": "token-invalid"}});
    writeln!(trail, "not a record\n{early}").unwrap();
    let early = run(&gateway, &["explain", "--decision", other]);
    assert_eq!(early.status, 2, "{early:?}");
    assert!(early.out.contains("no policy was asked") && !early.out.contains('\u{1b}'), "{early:?}");
    assert!(early.err.contains("skipped 1 line"), "{early:?}");

    let unknown = run(&gateway, &["explain", "--decision", "019a8f0e-5b7c-7d21-9c55-000000000000"]);
    assert!(unknown.status == 2 && unknown.err.contains("no decision `019a8f0e"), "{unknown:?}");
    let none = run(&gateway, &["explain", "--decision", "12"]);
    assert!(none.status == 2 && none.err.contains("`12` is not an id"), "{none:?}");
}
