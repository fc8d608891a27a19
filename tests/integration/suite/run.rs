//! Pairs and lists, decided by the engine and compared with what is expected.

use portcullis::policy::{Decision, Target, Verb};
use proptest::prelude::*;

use super::{CONFIG, LOCK, outcomes, ran, ran_with};
use crate::support::{ask, engine, tool, user};

const WHO: &str = "principals:
  ana: {sub: ana, scopes: ['tag:read', 'tag:write']}
  ben: {sub: ben, scopes: ['tag:read']}
  anon: {anonymous: true}
groups: {people: [ana, ben]}
requests:
  read: {server: files, tool: read_file}
  write: {server: files, tool: write_file}
  delete: {server: files, tool: delete_file}
  ghost: {server: files, tool: ghost}
  lost: {server: lost, tool: read_file}
";

#[test]
fn a_pair_that_is_not_listed_is_expected_to_be_denied() {
    let suite = format!(
        "{WHO}now: 2026-01-01T12:00:00Z\ntests: [{{name: t, principals: [people, anon], requests: [read, delete]}}]\n"
    );
    let (ran, _) = ran(CONFIG, None, &suite);
    let unlisted = "expected deny, for `expect` does not list this pair; it is allow (permitted)";
    assert_eq!(
        outcomes(&ran),
        [
            format!("t | ana: read | {unlisted}"),
            "t | ana: delete | ok".into(),
            format!("t | ben: read | {unlisted}"),
            "t | ben: delete | ok".into(),
            "t | anon: read | ok".into(),
            "t | anon: delete | ok".into(),
        ]
    );
}

#[test]
fn everything_that_is_expected_is_compared() {
    let suite = |wrong: bool| {
        let or = |good: &'static str, bad: &'static str| if wrong { bad } else { good };
        format!(
            "{WHO}now: 2026-01-01T12:00:00Z
tests:
  - name: t
    principals: [people, anon]
    requests: [write, delete]
    expect:
      - {{principal: ana, request: write, decision: allow, by: {}, status: {}, errors: {}}}
      - {{principal: ben, request: write, decision: deny, because: {}, missing: ['tag:{}'], status: 200, jsonrpc: {}}}
      - {{principal: people, request: delete, decision: deny, by: {}, because: explicit-forbid}}
      - {{principal: anon, request: delete, decision: deny, because: unauthenticated, status: 401, jsonrpc: -31002}}
",
            or("server/files", "server/other"),
            or("200", "403"),
            or("0", "1"),
            or("no-matching-grant", "missing-scope"),
            or("write", "read"),
            or("-32602", "-31001"),
            or("'server/files/tool/delete_*'", "rule/night"),
        )
    };
    let (good, _) = ran(CONFIG, None, &suite(false));
    assert!(good.counts() == (6, 0, 0), "{:#?}", outcomes(&good));
    let (wrong, _) = ran(CONFIG, None, &suite(true));
    crate::support::golden("suite", "differences", &outcomes(&wrong).join("\n"));
}

#[test]
fn the_clock_is_the_files_own() {
    let at = |now: &str| {
        let expect = "[{principal: ben, request: read, decision: deny, because: condition-failed, by: rule/night}]";
        let suite =
            format!("{WHO}now: {now}\ntests: [{{name: t, principals: ben, requests: read, expect: {expect}}}]\n");
        ran(CONFIG, None, &suite).0.counts()
    };
    assert_eq!([at("2026-01-01T05:59:59Z"), at("2026-01-01T06:00:00Z")], [(1, 0, 0), (0, 1, 0)]);
}

#[test]
fn a_rule_may_read_one_fact_of_the_moment_and_not_the_others() {
    for (when, quiet, loud) in [
        ("context.tls", "tls: false", "tls: true"),
        ("context.address.isInRange(ip(\"10.0.0.0/8\"))", "address: 192.0.2.1", "address: 10.1.2.3"),
        ("context.tls && context.address.isIpv6()", "address: '::1'", "address: '::1', tls: true"),
    ] {
        let yaml = CONFIG.replace("context.now < datetime(\"2026-01-01T06:00:00Z\")", when);
        let suite = format!(
            "principals: {{ana: {{sub: ana, scopes: ['tag:read']}}}}
requests:
  quiet: {{server: files, tool: read_file, {quiet}}}
  loud: {{server: files, tool: read_file, {loud}}}
tests:
  - principals: ana
    requests: [quiet, loud]
    expect:
      - {{principal: ana, request: quiet, decision: allow, errors: 0}}
      - {{principal: ana, request: loud, decision: deny, because: condition-failed, by: rule/night, status: 200, jsonrpc: -32602}}
"
        );
        let (ran, _) = ran(&yaml, None, &suite);
        assert_eq!(ran.counts(), (2, 0, 0), "{when}: {:?}", outcomes(&ran));
    }
}

#[test]
fn an_inventory_says_what_there_is_and_without_one_all_is_there() {
    let expect =
        "[{principal: ana, request: ghost, decision: deny, because: unknown-tool, status: 200, jsonrpc: -32602},
        {principal: ana, request: lost, decision: deny, because: unknown-server}]";
    let suite = format!("{WHO}tests: [{{name: t, principals: ana, requests: [ghost, lost], expect: {expect}}}]\n");
    assert_eq!(outcomes(&ran(CONFIG, Some(LOCK), &suite).0), ["t | ana: ghost | ok", "t | ana: lost | ok"]);
    assert_eq!(
        outcomes(&ran(CONFIG, None, &suite).0),
        ["t | ana: ghost | expected deny; it is allow (permitted)", "t | ana: lost | ok"]
    );
}

#[test]
fn lists_are_exact_sets_of_what_the_inventory_has() {
    let lists = "lists:
  - {name: exact, principal: ben, server: files, exactly: [read_file, drop_all]}
  - {name: less, principal: ben, server: files, exactly: [read_file]}
  - {name: more, principal: ben, server: files, exactly: [read_file, drop_all, write_file]}
  - {name: some, principal: people, server: files, contains: [read_file], lacks: [delete_file]}
  - {name: not, principal: ana, server: files, contains: [ghost], lacks: [write_file]}
  - {name: none, principal: anon, server: files, exactly: []}
  - {name: prompts, principal: ana, server: files, method: prompts/list, exactly: []}
";
    let suite = format!("{WHO}now: 2026-01-01T12:00:00Z\n{lists}");
    assert_eq!(
        outcomes(&ran(CONFIG, Some(LOCK), &suite).0),
        [
            "exact | ben: tools/list of files | ok",
            "less | ben: tools/list of files | the list shows `drop_all` too",
            "more | ben: tools/list of files | the list does not show `write_file`",
            "some | ana: tools/list of files | ok",
            "some | ben: tools/list of files | ok",
            "not | ana: tools/list of files | the list does not show `ghost`; the list shows `write_file`",
            "none | anon: tools/list of files | ok",
            "prompts | ana: prompts/list of files | ok",
        ]
    );
    let without = outcomes(&ran(CONFIG, None, &suite).0);
    assert!(without.iter().all(|outcome| outcome.contains("there is no inventory of `files`")), "{without:?}");
}

#[test]
fn filters_and_skips_leave_out_and_say_so() {
    let suite = format!(
        "{WHO}suite: access\ntests:\n  - {{name: a, principals: people, requests: [read, delete]}}\n  - {{name: b, principals: ana, requests: delete, skip: true, skip_reason: flaky server}}\n"
    );
    assert_eq!(
        outcomes(&ran_with(CONFIG, None, &suite, "principal=ana;tool=delete*").0),
        ["a | ana: delete | ok", "b | ana: delete | skipped, flaky server"]
    );
    assert!(ran_with(CONFIG, None, &suite, "suite=other").0.cases.is_empty());
    assert_eq!(ran_with(CONFIG, None, &suite, "suite=acc*;test=b").0.counts(), (0, 0, 1));
}

/// What a suite is told to expect of a decision.
fn expectation(who: &str, ask: &str, decision: &Decision, turned: bool) -> String {
    let word = if decision.is_allow() == turned { "deny" } else { "allow" };
    if turned {
        return format!("      - {{principal: {who}, request: {ask}, decision: {word}}}\n");
    }
    let missing: Vec<String> = decision.missing.iter().map(|scope| format!("'{scope}'")).collect();
    let by: Vec<String> = decision.reasons.iter().map(|reason| format!("'{}'", reason.policy)).collect();
    let by = if by.is_empty() { String::new() } else { format!(", by: [{}]", by.join(", ")) };
    format!(
        "      - {{principal: {who}, request: {ask}, decision: {word}, because: {}, missing: [{}]{by}}}\n",
        decision.because,
        missing.join(", ")
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// lint-rules §4.6: what a suite decides is what the engine decides, with the same reasons.
    #[test]
    fn a_suite_decides_as_the_engine_does(model in crate::policy::model(), held in proptest::collection::vec(0_u8..16, 1..4)) {
        let yaml = model.yaml(false, true);
        let engine = engine(&yaml);
        let names = ["read", "write", "delete_all", "other"];
        let scopes = |mask: u8| -> Vec<String> {
            ["a", "b", "c", "d"].iter().enumerate().filter(|(bit, _)| mask >> bit & 1 == 1).map(|(_, tag)| format!("tag:{tag}")).collect()
        };
        let mut head = String::from("principals:\n");
        for (nth, mask) in held.iter().enumerate() {
            let scopes: Vec<String> = scopes(*mask).iter().map(|scope| format!("'{scope}'")).collect();
            head.push_str(&format!("  p{nth}: {{sub: ana, scopes: [{}]}}\n", scopes.join(", ")));
        }
        head.push_str("requests:\n");
        let mut targets: Vec<Target> = Vec::new();
        for server in ["s0", "s1", "s9"] {
            for name in names {
                head.push_str(&format!("  {server}-{name}: {{server: {server}, tool: {name}}}\n"));
                targets.push(tool(server, name));
            }
        }
        for turned in [false, true] {
            let mut text = format!("{head}tests:\n  - name: t\n    principals: [{}]\n", (0..held.len()).map(|nth| format!("p{nth}")).collect::<Vec<_>>().join(", "));
            text.push_str(&format!("    requests: [{}]\n    expect:\n", targets.iter().map(|target| format!("{}-{}", target.server(), target.name())).collect::<Vec<_>>().join(", ")));
            for (nth, mask) in held.iter().enumerate() {
                let scopes = scopes(*mask);
                let scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
                for target in &targets {
                    let decision = ask(&engine, user(&scopes), Verb::ToolsCall, target);
                    let name = format!("{}-{}", target.server(), target.name());
                    text.push_str(&expectation(&format!("p{nth}"), &name, &decision, turned));
                }
            }
            let (ran, _) = ran(&yaml, None, &text);
            let cases = held.len() * targets.len();
            let wanted = if turned { (0, cases, 0) } else { (cases, 0, 0) };
            prop_assert_eq!(ran.counts(), wanted, "{}\n{}\n{:#?}", yaml, text, outcomes(&ran));
        }
    }
}

#[test]
fn sm14_requests_and_lists_go_through_views() {
    let config = format!("{CONFIG}views: {{reading: {{tags: [read]}}, all: {{tags: [read, write]}}}}\n");
    let suite = format!(
        "{WHO}now: 2026-01-01T12:00:00Z
tests:
  - {{name: t, principals: [ana, ben], requests: [seen, hidden, through], expect: [
      {{principal: [ana, ben], request: seen, decision: allow}},
      {{principal: ana, request: through, decision: allow}},
      {{principal: ben, request: through, decision: deny, status: 400}}]}}
lists:
  - {{principal: ana, server: files, view: reading, exactly: [read_file, drop_all]}}
  - {{principal: ana, server: files, view: all, exactly: [read_file, write_file, drop_all]}}
  - {{principal: ana, server: files, view: all, tags: [read], exactly: [read_file, drop_all]}}
"
    )
    .replace(
        "requests:\n  read:",
        "requests:
  seen: {server: files, tool: read_file, view: reading}
  hidden: {server: files, tool: write_file, view: reading}
  through: {server: files, tool: write_file, view: all}
  read:",
    );
    let (ran, _) = ran(&config, Some(LOCK), &suite);
    assert!(outcomes(&ran).iter().all(|line| line.ends_with("| ok")), "{:#?}", outcomes(&ran));
    assert_eq!(ran.cases.len(), 9);
}
