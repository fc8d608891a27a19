//! `matrix`: the table in its formats, and slips in the names of principals.

use super::{CONFIG, at, run, says};

#[test]
fn a_table_for_people_and_one_for_a_pull_request() {
    let place = at(CONFIG);
    says("matrix", &run(&place, &["matrix"]));
    says("matrix_markdown", &run(&place, &["matrix", "--format", "markdown"]));
    says("matrix_principal", &run(&place, &["matrix", "--principal", "client bot", "--principal", "owner"]));
}

#[test]
fn json_has_a_letter_for_each_principal() {
    let said = run(&at(CONFIG), &["matrix", "--format", "json"]);
    let table: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    let principals = table["principals"].as_array().unwrap();
    for row in table["rows"].as_array().unwrap() {
        assert_eq!(row["letters"].as_array().unwrap().len(), principals.len());
    }
    assert_eq!(table["rows"][0]["server"], "notes");
}

#[test]
fn slips_are_usage_and_nothing_to_show_is_three() {
    let said = run(&at(CONFIG), &["matrix", "--principal", "ownr"]);
    assert_eq!((said.status, said.err.as_str()), (2, "error: no principal `ownr`; did you mean `local/owner`?\n"));
    let said = run(&at("version: 1\nlisten: {address: '{address}'}\n"), &["matrix"]);
    assert_eq!((said.status, said.out.as_str()), (3, ""), "{said:?}");
}
