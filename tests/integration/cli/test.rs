//! `test`: 0 all pass, 1 some fail, 2 a broken file, 3 nothing tested; every format, and what it covers.

use std::process::Command;

use serde_json::Value;

use super::{CONFIG, Said, at, plain, run, run_with, says};
use crate::support::{root, running::Running};

/// What the servers of [`CONFIG`] offer.
const LOCK: &str = r#"{"version": 1, "servers": {"notes": {"prompts": {"summary": {}}, "tools": {
  "read_note": {"annotations": {"readOnlyHint": true}}, "write_note": {}, "delete_note": {}
}}}}"#;

/// Who asks what.
const HEAD: &str = "suite: notes
principals:
  reader: {sub: owner, scopes: ['tag:notes']}
  bot: {client: bot, scopes: ['tag:notes']}
  anon: {anonymous: true}
requests:
  read: {server: notes, tool: read_note, args: {name: it's}}
  write: {server: notes, tool: write_note}
  delete: {server: notes, tool: delete_note, tags: [notes]}
  summary: {server: notes, prompt: summary}
";

/// All of it as it is.
const GOOD: &str = "tests:
  - name: who reads
    principals: [reader, bot, anon]
    requests: [read, summary]
    expect:
      - {principal: reader, request: [read, summary], decision: allow, by: server/notes}
      - {principal: bot, request: [read, summary], decision: deny, because: explicit-forbid, by: rule/no-bots-in-notes}
      - {principal: anon, request: read, decision: deny, status: 401}
  - {name: later, principals: reader, requests: write, skip: true, skip_reason: the scope is not granted yet}
lists:
  - {principal: reader, server: notes, exactly: [read_note]}
never:
  - {name: nobody deletes, principal: {any: true}, tool: notes/delete_note}
";

/// None of it as it is.
const BAD: &str = "tests:
  - name: who reads
    principals: [reader, bot, anon]
    requests: [read, write, delete, summary]
    expect:
      - {principal: bot, request: read, decision: allow}
      - {principal: reader, request: summary, decision: deny}
      - {principal: [reader, bot], request: write, decision: allow}
      - {principal: reader, request: delete, decision: allow}
      - {principal: anon, request: read, decision: deny, status: 403}
lists:
  - {name: who sees what, principal: reader, server: notes, exactly: [read_note, write_note]}
never:
  - {name: nobody reads, principal: {scopes_subset_of: ['tag:notes']}, tool: notes/read_*}
always:
  - {name: everybody deletes, principal: {any: true}, tool: notes/delete_note}
";

/// A configuration, its inventory and one test file.
fn with(tests: &str) -> Running {
    let place = at(CONFIG);
    std::fs::write(place.path("portcullis.lock"), LOCK).unwrap();
    std::fs::write(place.path("notes.test.yaml"), tests).unwrap();
    place
}

fn test(tests: &str, arguments: &[&str]) -> Said {
    run(&with(tests), &[&["test"], arguments].concat())
}

#[test]
fn what_is_as_expected_passes() {
    let said = test(&format!("{HEAD}{GOOD}"), &[]);
    says("test_pass", &said);
    assert_eq!(said.status, 0);
}

#[test]
fn a_failure_says_why_and_how_to_see_it() {
    let said = test(&format!("{HEAD}{BAD}"), &[]);
    says("test_failure", &said);
    assert_eq!(said.status, 1);
}

#[test]
fn every_format() {
    let place = with(&format!(
        "{HEAD}{GOOD}always:\n  - {{name: all read, principal: {{any: true}}, tool: notes/read_note}}\n"
    ));
    for format in ["list", "json", "junit", "tap"] {
        let said = run(&place, &["test", "--format", format]);
        says(&format!("test_{format}"), &said);
        assert_eq!(said.status, 1, "{format}");
    }
}

#[test]
fn the_explain_command_of_a_failure_runs_and_shows_the_same_decision() {
    let place = with(&format!("{HEAD}{BAD}"));
    let said = run(&place, &["test", "--format", "json"]);
    let report: Value = serde_json::from_str(&said.out).unwrap();
    let cases = report["suites"][0]["cases"].as_array().unwrap();
    let mut shown = 0;
    for case in cases {
        let Some(explain) = case["failure"]["explain"].as_str() else { continue };
        let ours = place.command(&[]);
        let binary = std::path::Path::new(ours.get_program()).parent().unwrap();
        let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
        let mut command = Command::new("sh");
        command.args(["-c", &format!("{explain} --format json")]).current_dir(place.path("")).env("PATH", path);
        let output = plain(&mut command).env_remove("PORTCULLIS_CONFIG").output().unwrap();
        let explained: Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{explain}: {error} {output:?}"));
        let wanted = &case["failure"]["decision"];
        assert_eq!(explained["decision"]["verdict"], wanted["verdict"], "{explain}");
        assert_eq!(explained["decision"]["because"], wanted["because"], "{explain}");
        assert_eq!(output.status.code(), Some(i32::from(wanted["verdict"] != "allow")), "{explain}");
        shown += 1;
    }
    assert_eq!(shown, 10, "{}", said.out);
}

#[test]
fn a_broken_file_is_told_apart_from_a_failing_one() {
    let said = test("suite: notes\ntets: []\nprincipals: {a: {sub: ana, claims: {dept: eng}}}\nlimits: []\n", &[]);
    says("test_broken", &said);
    assert_eq!(said.status, 2);
    // A broken file hides no good one, and is not hidden by it.
    let place = with(&format!("{HEAD}{GOOD}"));
    std::fs::write(place.path("broken.test.yaml"), "tests: 1\n").unwrap();
    let said = run(&place, &["test"]);
    assert_eq!(said.status, 2, "{said:?}");
    assert!(said.out.contains("0 failed, 1 skipped in 1 suite") && said.err.contains("broken.test.yaml"), "{said:?}");
}

#[test]
fn slips_and_broken_configurations_are_no_failures() {
    for (tests, words) in [
        (
            "principals: {a: {sub: x, scopes: ['tag:notse']}}\nnever: [{principal: {any: true}, server: notes}]\n",
            "did you mean `tag:notes`?",
        ),
        ("config: none.yaml\nnever: [{principal: {any: true}, server: notes}]\n", "there is no such file"),
        ("inventory: none.lock\nnever: [{principal: {any: true}, server: notes}]\n", "there is no such file"),
        ("config: /etc/hostname\nnever: [{principal: {any: true}, server: notes}]\n", "an absolute path"),
    ] {
        let said = test(tests, &[]);
        assert!(said.status == 2 && said.err.contains(words), "{tests}: {said:?}");
    }
    let place = with(&format!("{HEAD}{GOOD}"));
    std::fs::write(place.path("portcullis.yaml"), "version: 2\n").unwrap();
    let said = run(&place, &["test"]);
    assert!(said.status == 2 && said.err.contains("PC008"), "{said:?}");
    for (arguments, words) in [
        (&["no/such"][..], "there is no such file or folder"),
        (&["--filter", "x"], "must be KEY=GLOB"),
        (&["--filter", "x=y"], "no key `x`"),
    ] {
        let said = test(&format!("{HEAD}{GOOD}"), arguments);
        assert!(said.status == 2 && said.err.contains(words), "{said:?}");
    }
}

#[test]
fn a_run_that_tests_nothing_is_3() {
    for tests in ["", "# soon\n", "suite: empty\n", HEAD, "tests: []\nlists: []\n"] {
        let said = test(tests, &[]);
        assert_eq!((said.status, said.err.as_str()), (3, "notes.test.yaml: tests nothing\n"), "{tests}");
    }
    let place = at(CONFIG);
    let said = run(&place, &["test"]);
    says("test_none", &said);
    assert_eq!(said.status, 3);
    // A file with tests does not make up for one without, and neither does a filter.
    let place = with(&format!("{HEAD}{GOOD}"));
    std::fs::write(place.path("empty.test.yaml"), "suite: empty\n").unwrap();
    assert_eq!(run(&place, &["test"]).status, 3);
    let place = with(&format!("{HEAD}{GOOD}"));
    assert_eq!(run(&place, &["test", "--filter", "tool=nothing"]).status, 3);
    std::fs::write(place.path("other.test.yaml"), format!("{HEAD}{GOOD}").replace("suite: notes", "suite: other"))
        .unwrap();
    let only = ["test", "--filter", "suite=other"];
    assert_eq!(run(&place, &only).status, 0);
    assert_eq!(run(&place, &[&only[..], &["--fail-on-empty"]].concat()).status, 3);
}

#[test]
fn test_files_are_found_beside_and_below_the_configuration() {
    let place = at(CONFIG);
    std::fs::write(place.path("portcullis.lock"), LOCK).unwrap();
    for folder in ["tests/deep", "node_modules/x", ".hidden"] {
        std::fs::create_dir_all(place.path(folder)).unwrap();
    }
    let text = |config: &str| format!("config: {config}\n{HEAD}{GOOD}");
    std::fs::write(place.path("tests/one.test.yaml"), text("../portcullis.yaml")).unwrap();
    std::fs::write(place.path("tests/deep/two.test.yaml"), text("../../portcullis.yaml")).unwrap();
    std::fs::write(place.path("tests/not-a-test.yaml"), "{").unwrap();
    std::fs::write(place.path("node_modules/x/three.test.yaml"), "{").unwrap();
    std::fs::write(place.path(".hidden/four.test.yaml"), "{").unwrap();
    for arguments in [&["test"][..], &["test", "."], &["test", "tests"], &["test", "tests/one.test.yaml", "tests/deep"]]
    {
        let said = run(&place, arguments);
        assert!(said.status == 0 && said.out.contains("in 2 suites"), "{arguments:?}: {said:?}");
    }
}

#[cfg(unix)]
#[test]
fn t_what_a_test_names_does_not_lead_out_of_its_folder() {
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("portcullis.yaml"), CONFIG.replace("{address}", "127.0.0.1:0")).unwrap();
    let place = at(CONFIG);
    std::fs::create_dir(place.path("tests")).unwrap();
    std::os::unix::fs::symlink(outside.path(), place.path("tests/link")).unwrap();
    let name = outside.path().file_name().unwrap().to_str().unwrap();
    let absolute = outside.path().join("portcullis.yaml");
    for config in
        [format!("../../{name}/portcullis.yaml"), "link/portcullis.yaml".into(), absolute.display().to_string()]
    {
        std::fs::write(
            place.path("tests/a.test.yaml"),
            format!("config: {config}\nnever: [{{principal: {{any: true}}, tool: notes/delete_note}}]\n"),
        )
        .unwrap();
        let said = run(&place, &["test"]);
        assert!(said.status == 2 && said.err.contains("--allow-external-files"), "{config}: {said:?}");
        let said = run(&place, &["test", "--allow-external-files"]);
        assert_eq!(said.status, 0, "{config}: {said:?}");
    }
}

#[test]
fn an_environment_is_tested_as_it_is_served() {
    let place = with("never: [{name: n, principal: {any: true}, tool: notes/read_note}]\n");
    std::fs::write(place.path("portcullis.locked.yaml"), "servers: {notes: {tools: {read_note: deny}}}\n").unwrap();
    let said = run(&place, &["test"]);
    assert_eq!(said.status, 1, "{said:?}");
    let said = run(&place, &["test", "--env", "locked"]);
    assert_eq!(said.status, 0, "{said:?}");
}

#[test]
fn coverage_in_every_format() {
    let place = with(&format!("{HEAD}{GOOD}"));
    for format in ["human", "lcov", "json", "html"] {
        says(&format!("test_coverage_{format}"), &run(&place, &["test", &format!("--coverage={format}")]));
    }
    assert_eq!(run(&place, &["test", "--coverage"]).out, run(&place, &["test", "--coverage=human"]).out);
    let said = run(&place, &["test", "--min-coverage", "90"]);
    assert!(said.status == 1 && said.err.contains("% is asked for"), "{said:?}");
    assert_eq!(run(&place, &["test", "--min-coverage", "0"]).status, 0);
}

#[test]
fn the_matrix_of_a_suite_is_kept_checked_and_renewed() {
    let place = with(&format!("{HEAD}{GOOD}"));
    let snap = place.path("notes.matrix.snap");
    assert_eq!(run(&place, &["test", "--check"]).status, 1, "there is none yet");
    assert_eq!(run(&place, &["test", "--snapshot"]).status, 0);
    let first = std::fs::read_to_string(&snap).unwrap();
    crate::support::golden("cli", "test_matrix", &first);
    assert_eq!(run(&place, &["test", "--check"]).status, 0);
    let yaml = std::fs::read_to_string(place.path("portcullis.yaml")).unwrap();
    std::fs::write(place.path("portcullis.yaml"), yaml.replace("time: {tags: [clock]", "time: {tags: [notes]"))
        .unwrap();
    for arguments in [&["test", "--check"][..], &["test", "--snapshot"]] {
        let said = run(&place, arguments);
        says("test_matrix_differs", &said);
        assert_eq!(std::fs::read_to_string(&snap).unwrap(), first);
    }
    assert_eq!(run(&place, &["test"]).status, 0);
    assert_eq!(run_with(&place, &["test"], &[("CI", "true")]).status, 1);
    assert_eq!(run(&place, &["test", "--update"]).status, 0);
    assert_eq!(run_with(&place, &["test"], &[("CI", "true")]).status, 0);
    assert_ne!(std::fs::read_to_string(&snap).unwrap(), first);
}

/// Runs a tool of the system on a file; without the tool the test says so and is skipped, unless
/// `PORTCULLIS_TEST_ALL=1`.
fn tool(name: &str, arguments: &[&str]) {
    match Command::new(name).args(arguments).output() {
        Ok(output) => assert!(
            output.status.success(),
            "{name} {arguments:?}: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        ),
        Err(error) => {
            crate::support::skipped(&format!("what `{name}` says"), &error.to_string());
        }
    }
}

#[test]
fn genhtml_takes_the_lcov() {
    let place = with(&format!("{HEAD}{GOOD}"));
    let said = run(&place, &["test", "--coverage=lcov"]);
    assert_eq!(said.status, 0, "{said:?}");
    let info = place.path("lcov.info");
    // The paths are those of the configuration's folder.
    std::fs::write(&info, said.out.replace("SF:", &format!("SF:{}", place.path("").display()))).unwrap();
    tool("genhtml", &["--output-directory", place.path("html").to_str().unwrap(), info.to_str().unwrap()]);
    tool("lcov", &["--summary", info.to_str().unwrap()]);
}

#[test]
fn junit_is_valid_by_its_schema() {
    let schema = root().join("tests/fixtures/junit.xsd");
    for tests in [GOOD, BAD] {
        let place = with(&format!("{}{tests}", HEAD.replace("suite: notes", "suite: 'n<o>t&\"es'")));
        let said = run(&place, &["test", "--format", "junit"]);
        let file = place.path("junit.xml");
        std::fs::write(&file, &said.out).unwrap();
        tool("xmllint", &["--noout", "--schema", schema.to_str().unwrap(), file.to_str().unwrap()]);
    }
}
