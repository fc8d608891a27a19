//! `keys`: what is shown, renewed and dropped, beside a running gateway too.

use super::{CONFIG, at, run, run_with};
use crate::support::running::Running;

fn status(place: &Running) -> serde_json::Value {
    let said = run(place, &["keys", "status", "--format", "json"]);
    assert_eq!(said.status, 0, "{said:?}");
    serde_json::from_str(&said.out).unwrap()
}

fn ids(place: &Running) -> Vec<(u64, String, bool)> {
    let key = |key: &serde_json::Value| {
        (key["id"].as_u64().unwrap(), key["use"].as_str().unwrap().to_owned(), key["in_use"].as_bool().unwrap())
    };
    status(place)["keys"].as_array().unwrap().iter().map(key).collect()
}

#[test]
fn without_a_store_nothing_is_made() {
    let place = at(CONFIG);
    for (arguments, code) in
        [(&["keys", "status"][..], 3), (&["keys", "rotate"], 2), (&["keys", "rewrap"], 2), (&["keys", "drop", "1"], 2)]
    {
        let said = run(&place, arguments);
        assert_eq!((said.status, said.out.as_str()), (code, ""), "{said:?}");
        assert!(said.err.starts_with("there is no store at `"), "{said:?}");
    }
    assert!(!place.path(".portcullis").exists());
}

#[test]
fn oa134_keys_are_shown_renewed_and_dropped() {
    let place = at(CONFIG);
    place.token("tag:clock", &[]);
    assert_eq!(ids(&place), [(1, "digests".to_owned(), true), (2, "sealing".to_owned(), true)]);
    assert_eq!(status(&place)["master_key"], "raw");
    let said = run(&place, &["keys", "rotate"]);
    assert_eq!((said.status, said.out.as_str()), (0, "data key 3 is in use\n"));
    let said = run(&place, &["keys", "rewrap"]);
    assert_eq!((said.status, said.out.as_str()), (0, "0 sealed again; nothing is left under older keys\n"));
    let said = run(&place, &["keys", "drop", "3"]);
    let words = "error: data key 3 is in use and stays; `portcullis keys rotate` makes another of `sealing`\n";
    assert_eq!((said.status, said.err.as_str()), (1, words));
    let said = run(&place, &["keys", "drop", "2", "--format", "json"]);
    assert_eq!((said.status, said.out.as_str()), (0, "{\n  \"dropped\": 2\n}\n"));
    let said = run(&place, &["keys", "drop", "2"]);
    assert_eq!(said.status, 1);
    assert_eq!(said.err, "error: there is no data key 2; `portcullis keys status` shows them\n");
    let shown = run(&place, &["keys", "status"]).out;
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines[0], "The master key is a key of 32 bytes.");
    assert!(lines[4].starts_with("3    sealing  in use  20") && lines[4].ends_with("Z  0        0"), "{shown}");
}

#[test]
fn t211_another_master_key_is_named_and_never_said() {
    let place = at(CONFIG);
    place.token("tag:clock", &[]);
    let said = run(&place, &["keys", "rotate", "--to", "hunter2hunter2hunter2"]);
    assert_eq!(said.status, 2);
    assert_eq!(said.err, "error: `--to` takes `env:NAME` or `file:PATH`, never a key itself\n");
    let said = run(&place, &["keys", "rotate", "--to", "env:NOT_SET"]);
    assert_eq!((said.status, said.err.as_str()), (2, "error: `--to`: the variable `NOT_SET` is not set\n"));
    let key = "base64:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let said = run_with(&place, &["keys", "rotate", "--to", "env:NEW_KEY"], &[("NEW_KEY", key)]);
    assert_eq!((said.status, said.out.as_str()), (0, "the data keys are wrapped under the new master key\n"));
    assert!(!said.err.contains("AAEC"), "{said:?}");
    let old = run(&place, &["token", "issue", "--scopes", "tag:clock"]);
    assert_eq!(old.status, 2);
    let words =
        "the encryption key from the key file is not the one that the store `.portcullis/portcullis.db` was made with";
    assert!(old.err.contains(words), "{old:?}");
    let variable = [("PORTCULLIS_ENCRYPTION_KEY", key)];
    assert_eq!(run_with(&place, &["token", "issue", "--scopes", "tag:clock"], &variable).status, 0);
}

#[test]
fn keys_rotate_beside_a_running_gateway_and_it_records_so() {
    let mut place = at(CONFIG);
    place.launch();
    let token = place.token("tag:clock", &[]);
    assert_eq!(run(&place, &["keys", "rotate"]).status, 0);
    assert_eq!(run(&place, &["keys", "rewrap"]).status, 0);
    assert_eq!(run(&place, &["keys", "drop", "2"]).status, 0);
    assert!(!place.tools("/mcp", Some(&token)).is_empty(), "tokens stay good");
    place.until("the trail has the keys", || {
        let told = place.audit();
        let has = |what: &str| told.iter().any(|record| record.to_string().contains(what));
        has("key-made") && has("key-dropped")
    });
}

/// Without that lock another process takes itself for the first, and empties the index under the gateway.
#[test]
fn a_running_gateway_holds_its_lock_on_the_index_of_the_store() {
    use std::os::unix::fs::MetadataExt as _;
    let mut place = at(CONFIG);
    place.launch();
    place.token("tag:clock", &[]);
    let index = std::fs::metadata(place.path(".portcullis/portcullis.db-shm")).unwrap().ino();
    let locks = std::fs::read_to_string("/proc/locks").unwrap();
    // Byte 128 is SQLite's mark of a connection that is open.
    let held = format!("READ {} ", place.pid());
    let held = locks.lines().any(|line| line.contains(&held) && line.ends_with(&format!(":{index} 128 128")));
    assert!(held, "{locks}");
}
