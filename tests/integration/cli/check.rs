//! `check`: findings are the answer, 1; what cannot be read is 2.

use super::{CONFIG, at, run, run_with, says};
use crate::support::root;

/// Twelve mistakes, of which none hides another.
pub(super) const TWELVE: &str = "version: 1
listen: {address: '{address}', limits: {body: much}}
telemetry: {}
serverz: {}
tags:
  a: A
  a: again
  b c: a name with a blank
  d: ${NOT_SET_ANYWHERE}
servers:
  both: {tags: [a], http: {url: \"https://a.example/mcp\"}, stdio: {command: [cat]}}
  none: {tags: [a]}
  lost: {tags: [x], stdio: {command: [cat]}}
  idle: {tags: [a], stdio: {command: []}}
grants:
  - {to: {user: ana, group: staff}, scopes: ['tag:a']}
  - {to: {user: ana}, scopes: []}
";

#[test]
fn a_good_configuration() {
    says("check_good", &run(&at(CONFIG), &["check"]));
}

#[test]
fn findings_are_no() {
    let place = at(&CONFIG.replace("[portcullis, demo-server, time]", "[npx, -y, some-package]"));
    let said = run(&place, &["check"]);
    says("check_findings", &said);
    assert_eq!(said.status, 1);
}

#[test]
fn a_suggestion_alone_is_yes() {
    let said = run(&at(&CONFIG.replace("['tag:clock']", "['tag:clock', 'tag:clock']")), &["check"]);
    assert!(said.status == 0 && said.out.contains("suggestion[PC106]"), "{said:?}");
}

#[test]
fn what_cannot_be_read_is_neither() {
    let place = at(CONFIG);
    says("check_unreadable", &run(&place, &["check", "--config", "no/such.yaml"]));
    for directory in [".", "/dev/null"] {
        assert_eq!(run(&place, &["check", "--config", directory]).status, 2, "{directory}");
    }
}

#[test]
fn json_is_one_object_with_every_place() {
    let said = run(&at(TWELVE), &["check", "--format", "json"]);
    assert_eq!((said.status, said.err.as_str()), (1, ""));
    let report: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    let findings = report["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 12);
    assert_eq!(report["summary"]["error"], 12);
    for finding in findings {
        for text in ["code", "name", "class", "message"] {
            assert!(finding[text].as_str().is_some_and(|text| !text.is_empty()), "{finding:#}");
        }
        let place = &finding["locations"][0];
        assert!(place["file"] == "portcullis.yaml" && place["line"].as_u64() > Some(0), "{finding:#}");
        assert!(place["column"].as_u64() > Some(0), "{finding:#}");
    }
}

#[test]
fn the_format_may_come_from_the_environment() {
    let said = run_with(&at(CONFIG), &["check"], &[("PORTCULLIS_CHECK_FORMAT", "json")]);
    assert!(said.out.starts_with('{'), "{said:?}");
}

#[test]
fn twelve_mistakes_are_twelve_findings() {
    let said = run(&at(&TWELVE.replace("{address}", "127.0.0.1:3050")), &["check"]);
    says("check_twelve", &said);
    assert_eq!(said.status, 1);
    assert_eq!(said.out.matches("error[PC").count(), 12);
    assert_eq!(said.out.matches("--> portcullis.yaml:").count(), 12);
}

#[test]
fn the_rules_can_be_listed_without_a_configuration() {
    let place = at(CONFIG);
    let arguments = ["check", "--list-rules", "--config", "no/such.yaml"];
    let said = run(&place, &arguments);
    says("check_list_rules", &said);
    let json = run(&place, &[&arguments[..], &["--format", "json"]].concat());
    let rules: Vec<serde_json::Value> = serde_json::from_str(&json.out).unwrap();
    assert_eq!((json.status, rules.len()), (0, portcullis::check::catalogue().len()));
    for (rule, line) in rules.iter().zip(said.out.lines()) {
        assert!(line.starts_with(rule["code"].as_str().unwrap()) && line.ends_with(rule["summary"].as_str().unwrap()));
        assert!(rule["help"].as_str().is_some_and(|help| !help.is_empty()), "{rule:#}");
    }
}

#[test]
fn every_example_is_good() {
    let place = at(CONFIG);
    for entry in std::fs::read_dir(root().join("examples")).unwrap() {
        let file = entry.unwrap().path().join("portcullis.yaml");
        let said = run(&place, &["check", "--config", file.to_str().unwrap()]);
        assert!(said.status == 0 && said.out.starts_with("No findings."), "{}: {said:?}", file.display());
    }
}

/// One finding that somebody answers for, one that can be mended, and one that counts.
const MIXED: &str = "version: 1
listen: {address: '{address}'}
tags: {web: Pages}
servers:
  a:
    tags: [web]
    stdio: {command: [npx, -y, some-server]} # portcullis: ignore[unpinned-package] reason=\"our own mirror\"
  b: # portcullis: ignore[stdio-through-shell] reason=\"was a shell once\"
    tags: [web]
    stdio: {command: [uvx, other-server]}
grants: [{to: {user: \"*\"}, scopes: ['tag:web']}]
";

#[test]
fn what_fails_is_a_choice() {
    let place = at(MIXED);
    for (arguments, status) in [
        (&["check"][..], 1),
        (&["check", "--fail-on", "error"], 0),
        (&["check", "-W", "PC3xx"], 0),
        (&["check", "-W", "PC3xx", "--fail-on=warning"], 1),
        (&["check", "-A", "PC304,unused-suppression", "--fail-on=suggestion"], 0),
        (&["check", "-A", "PC304", "-D", "unused-suppression", "--fail-on=error"], 1),
        // What a rule that does not run would have found is not known: nothing is unused then.
        (&["check", "-A", "security", "-D", "unused-suppression", "--fail-on=error"], 0),
        (&["check", "-D", "no-such-rule"], 2),
        (&["check", "--profile", "loose"], 2),
    ] {
        assert_eq!(run(&place, arguments).status, status, "{arguments:?}");
    }
    let by_variable = run_with(&place, &["check"], &[("PORTCULLIS_CHECK_FAIL_ON", "error")]);
    assert_eq!(by_variable.status, 0);
}

#[test]
fn a_patch_is_printed_and_nothing_written() {
    let place = at(MIXED);
    let file = place.path("portcullis.yaml");
    let before = std::fs::read_to_string(&file).unwrap();
    let said = run(&place, &["check", "--diff"]);
    says("check_diff", &said);
    assert_eq!((said.status, std::fs::read_to_string(&file).unwrap()), (1, before));
}

#[test]
fn a_file_is_mended_unless_git_could_not_give_it_back() {
    let place = at(MIXED);
    let file = place.path("portcullis.yaml");
    let before = std::fs::read_to_string(&file).unwrap();
    let git = |arguments: &[&str]| {
        let mut git = std::process::Command::new("git");
        git.args(["-c", "user.name=t", "-c", "user.email=t@t.example"]).args(arguments);
        assert!(git.current_dir(place.path("")).output().unwrap().status.success(), "{arguments:?}");
    };
    git(&["init", "-q"]);
    let refused = run(&place, &["check", "--fix"]);
    assert!(refused.status == 2 && refused.err.contains("--allow-dirty"), "{refused:?}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), before);
    git(&["add", "portcullis.yaml"]);
    git(&["commit", "-qm", "one"]);
    let mended = run(&place, &["check", "--fix", "--baseline", "known.json", "--update-baseline"]);
    assert_eq!(mended.status, 0, "{mended:?}");
    let after = std::fs::read_to_string(&file).unwrap();
    assert_eq!(after, before.replace(" # portcullis: ignore[stdio-through-shell] reason=\"was a shell once\"", ""));
    let known = std::fs::read_to_string(place.path("known.json")).unwrap();
    assert!(known.contains("PC304") && !known.contains("PC901"), "mended first, recorded afterwards: {known}");
    assert_eq!(run(&place, &["check", "--baseline", "known.json"]).status, 0);
    std::fs::write(&file, after.replace("uvx, other-server", "uvx, other-server@1.0.0")).unwrap();
    assert_eq!(run(&place, &["check", "--baseline", "known.json"]).status, 0);
    assert_eq!(run(&place, &["check", "--baseline", "known.json", "--strict-baseline"]).status, 1);
    assert_eq!(run(&place, &["check", "--baseline", "known.json", "--prune-baseline"]).status, 0);
    assert_eq!(run(&place, &["check", "--baseline", "known.json", "--strict-baseline"]).status, 0);
    std::fs::rename(place.path("known.json"), place.path("other.json")).unwrap();
    std::fs::copy(&file, place.path("copy.yaml")).unwrap();
    let other = run(&place, &["check", "copy.yaml", "--baseline", "other.json"]);
    assert!(other.status == 2 && other.err.contains("not of `copy.yaml`"), "{other:?}");
}

#[test]
fn each_rule_says_where_its_level_comes_from() {
    let place = at(&format!("{MIXED}lint: {{levels: {{PC304: warning}}}}\n"));
    let said = run(&place, &["check", "--show-effective", "-D", "PC303", "--format", "json"]);
    let rows: Vec<serde_json::Value> = serde_json::from_str(&said.out).unwrap();
    let of = |code: &str| rows.iter().find(|row| row["code"] == code).unwrap();
    assert_eq!((&of("PC304")["level"], &of("PC304")["origin"]), (&"warning".into(), &"portcullis.yaml:12:17".into()));
    assert_eq!((&of("PC303")["level"], &of("PC303")["origin"]), (&"error".into(), &"command line".into()));
    assert_eq!((said.status, &of("PC301")["origin"]), (0, &"default".into()));
}
