//! `compile`: the same policies in four forms, each with its line.

use serde_json::Value;

use super::{CONFIG, at, run, says};

fn json(format: &str) -> Value {
    let said = run(&at(CONFIG), &["compile", "--format", format]);
    assert_eq!((said.status, said.err.as_str()), (0, ""));
    serde_json::from_str(&said.out).unwrap()
}

#[test]
fn cedar_with_the_lines_behind_it() {
    let place = at(CONFIG);
    says("compile_cedar", &run(&place, &["compile"]));
    let bare = run(&place, &["compile", "--no-places"]);
    assert!(bare.status == 0 && !bare.out.contains("//"), "{bare:?}");
}

#[test]
fn json_holds_policies_places_schema_and_digest() {
    let bundle = json("json");
    assert!(bundle["digest"].as_str().unwrap().starts_with("sha256:"));
    assert_eq!(bundle["oauth"], true);
    assert!(bundle["schema"].as_str().unwrap().starts_with("namespace Portcullis"));
    let policies = bundle["policies"].as_array().unwrap();
    let rule = policies.iter().find(|policy| policy["id"] == "rule/no-bots-in-notes").unwrap();
    assert_eq!((&rule["effect"], &rule["place"]["line"]), (&"forbid".into(), &16.into()));
    let shipped = policies.iter().filter(|policy| policy["place"].is_null());
    assert!(shipped.clone().count() > 0);
    let kinds = ["admit/", "check/", "guard/", "header/", "rate/"];
    let ships = |id: &str| kinds.iter().any(|kind| id.starts_with(kind));
    assert!(shipped.into_iter().all(|policy| ships(policy["id"].as_str().unwrap())));
}

#[test]
fn the_schema_and_the_entities() {
    let said = run(&at(CONFIG), &["compile", "--format", "schema"]);
    assert!(said.status == 0 && said.out.contains("entity Tool = { name: String, server: Server };"), "{said:?}");
    let entities = json("entities");
    let ids: Vec<&str> = entities.as_array().unwrap().iter().map(|one| one["uid"]["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["notes", "time", "tag:clock", "tag:notes", "tag:notes-write"]);
}

#[test]
fn the_same_meaning_is_the_same_text() {
    let places =
        [at(CONFIG), at(&CONFIG.replace("tags: {clock: Tell the time, notes", "# x\n\ntags: {clock: Now, notes"))];
    let [one, other] = places.map(|place| run(&place, &["compile", "--no-places"]).out);
    assert_eq!(one, other);
}

#[test]
fn what_is_wrong_is_said_on_stderr() {
    let place = at(&CONFIG.replace("tags: [notes]", "tags: [nots]"));
    let said = run(&place, &["compile"]);
    says("compile_wrong", &said);
    assert_eq!((said.status, said.out.as_str()), (1, ""));
    let said = run(&place, &["compile", "--config", "no/such.yaml"]);
    assert_eq!((said.status, said.out.as_str()), (2, ""));
}

#[test]
fn a_condition_that_cedar_refuses_is_wrong_too() {
    let said = run(&at(&CONFIG.replace("context has client &&", "context.colour == 1 &&")), &["compile"]);
    says("compile_condition", &said);
}
