//! `who-can`: minimal scopes and who may hold them, what somebody may use, and slips.

use super::{CONFIG, Said, at, run, says};

fn who_can(arguments: &str) -> Said {
    run(&at(CONFIG), &[&["who-can"], arguments.split_whitespace().collect::<Vec<_>>().as_slice()].concat())
}

#[test]
fn who_may_use_a_tool() {
    for (name, arguments, status) in [
        ("tool", "notes/read_note", 0),
        ("ungranted", "notes/write_note", 1),
        ("forbidden", "notes/delete_note", 1),
        ("prompt", "--get notes/summary", 0),
    ] {
        let said = who_can(arguments);
        says(&format!("who_can_{name}"), &said);
        assert_eq!(said.status, status, "{arguments}");
    }
}

#[test]
fn what_somebody_may_use() {
    for (name, arguments, status) in [
        ("user", "--user owner", 0),
        ("client", "--client bot", 0),
        ("through", "--user owner --client bot", 0),
        ("stranger", "--group nobody", 1),
    ] {
        let said = who_can(arguments);
        says(&format!("who_can_{name}"), &said);
        assert_eq!(said.status, status, "{arguments}");
    }
}

#[test]
fn json_holds_the_sets_and_the_callers() {
    let said = who_can("notes/read_note --format json");
    let found: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(found["ways"][0]["scopes"][0], "tag:notes");
    assert_eq!(found["ways"][0]["callers"][0], "user local/owner");
    assert_eq!(found["complete"], true);
    let said = who_can("--user owner --format json");
    let found: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(found["at_most"].as_array().unwrap().len(), 2);
}

#[test]
fn slips_are_usage() {
    for (arguments, words) in [
        ("note/read_note", "error: no server `note`; did you mean `notes`?\n"),
        ("notes", "error: `notes` must be SERVER/NAME\n"),
        ("--user ownr", "error: no policy names the user `local/ownr`; did you mean `local/owner`?\n"),
        ("--client bat", "error: no policy names the client `bat`; did you mean `bot`?\n"),
        ("", "error: name a tool as SERVER/TOOL, or somebody with --user, --group or --client\n"),
    ] {
        let said = who_can(arguments);
        assert_eq!((said.status, said.out.as_str(), said.err.as_str()), (2, "", words), "{arguments}");
    }
    assert_eq!(who_can("notes/x --user owner").status, 2);
}

#[test]
fn a_tool_that_is_not_pinned_is_a_slip_where_the_server_is() {
    let place = at(CONFIG);
    let lock = r#"{"version": 1, "servers": {"notes": {"tools": {"read_note": {}, "write_note": {}}}}}"#;
    std::fs::write(place.path("portcullis.lock"), lock).unwrap();
    let said = run(&place, &["who-can", "notes/read_notes"]);
    assert_eq!(
        (said.status, said.err.as_str()),
        (2, "error: `notes` has no tool `read_notes` in portcullis.lock; did you mean `read_note`?\n")
    );
    assert_eq!(run(&place, &["who-can", "notes/read_note"]).status, 0);
}
