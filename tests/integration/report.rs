//! Findings as they are printed: for people and for programs.

use portcullis::{check, cli::report};

use crate::support::{checked, golden, load};

#[test]
fn no_findings_names_what_was_checked() {
    golden("report", "no_findings_names_what_was_checked", &checked("version: 1\ntags: {a: A}\n"));
}

#[test]
fn json_has_the_shape_of_the_design() {
    let loaded = load("version: 1\ntags: {a: é, a: B}\n");
    let mut out = Vec::new();
    report::json(&mut out, &check::run(&loaded), None).unwrap();
    golden("report", "json_has_the_shape_of_the_design", &String::from_utf8(out).unwrap());
}

#[test]
fn colour_only_when_told() {
    let loaded = load("version: 2\n");
    let mut plain = Vec::new();
    report::human(&mut plain, &loaded.findings, &loaded.sources, None, false).unwrap();
    let mut coloured = Vec::new();
    report::human(&mut coloured, &loaded.findings, &loaded.sources, None, true).unwrap();
    assert!(!plain.contains(&0x1b) && coloured.contains(&0x1b));
}
