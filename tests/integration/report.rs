//! Findings as they are printed: for people and for programs.

use std::path::Path;

use portcullis::{
    check,
    cli::{
        check::{CheckArgs, Format, run},
        report,
    },
    config::Wanted,
};

use crate::support::{checked, golden, load, no_env};

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

fn args(format: Format) -> CheckArgs {
    CheckArgs { format, allow_missing_env: false, list_rules: false }
}

#[test]
fn the_exit_status_is_the_answer() {
    let folder = tempfile::tempdir().unwrap();
    let server = |rest: &str| format!("version: 1\ntags: {{a: A}}\nservers: {{s: {{{rest}}}}}\n");
    for (name, text, status) in [
        ("good", "version: 1\n".to_owned(), 0),
        (
            "suggestion",
            "version: 1\ntags: {a: A}\ngrants: [{to: {user: \"*\"}, scopes: [tag:a, tag:a]}]\n".to_owned(),
            0,
        ),
        ("security", server("public: true, http: {url: \"http://a.example\"}"), 1),
        ("error", server("http: {url: \"https://a.example\"}"), 1),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        for format in [Format::Human, Format::Json] {
            assert_eq!(
                run(&args(format), &Wanted::of(&path), &no_env, &mut Vec::new(), false).unwrap(),
                status,
                "{name}"
            );
        }
    }
    let missing = Path::new("no-such-folder/portcullis.yaml");
    let mut out = Vec::new();
    assert_eq!(run(&args(Format::Human), &Wanted::of(missing), &no_env, &mut out, false).unwrap(), 2);
    golden("report", "a_missing_file", &String::from_utf8(out).unwrap());
}
