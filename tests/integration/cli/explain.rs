//! `explain`: 0 allowed, 1 denied, 2 could not tell; every reason with its line.

use super::{CONFIG, Said, at, run, says};

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
