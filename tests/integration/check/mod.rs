//! The static checks: each trips on one configuration at the right line, and not on another.

mod baseline;
mod fix;
mod levels;
mod pages;
mod pc0xx;
mod pc101;
mod pc102;
mod pc103;
mod pc104;
mod pc105;
mod pc106;
mod pc107;
mod pc108;
mod pc109;
mod pc110;
mod pc111;
mod pc112;
mod pc113;
mod pc114;
mod pc115;
mod pc116;
mod pc117;
mod pc118;
mod pc119;
mod pc122;
mod pc125;
mod pc128;
mod pc201;
mod pc202;
mod pc203;
mod pc204;
mod pc205;
mod pc206;
mod pc207;
mod pc208;
mod pc209;
mod pc210;
mod pc211;
mod pc212;
mod pc213;
mod pc214;
mod pc216;
mod pc217;
mod pc218;
mod pc220;
mod pc221;
mod pc222;
mod pc223;
mod pc227;
mod pc301;
mod pc302;
mod pc303;
mod pc304;
mod pc401;
mod pc402;
mod pc501;
mod pc502;
mod pc503;
mod pc504;
mod pc505;
mod pc509;
mod pc801;
mod pc901;
mod pc902;
mod pc903;
mod pc904;
mod suppress;

use std::{collections::BTreeSet, path::Path};

use portcullis::{
    check::{self, CHECKS, catalogue},
    config,
    diagnostic::Diagnostic,
};

use crate::support::{codes, golden, load};

/// A configuration without any finding, with what a test puts under its server.
pub(crate) fn with_server(server: &str) -> String {
    format!(
        "version: 1\ntags: {{web: Pages}}\nservers:\n  a:\n    {server}\ngrants: [{{to: {{user: \"*\"}}, scopes: [tag:web]}}]\n"
    )
}

/// The findings of a text with files beside it: line, code and message.
pub(crate) fn with_files(yaml: &str, files: &[(&str, &str)]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let file = folder.path().join("portcullis.yaml");
    std::fs::write(&file, yaml).unwrap();
    let found = check::run(&config::load(&file, &|_| None));
    found
        .iter()
        .map(|finding| format!("{} {} {}", finding.place().unwrap().line, finding.code, finding.message))
        .collect()
}

/// The findings of a text: line, code and message.
pub(crate) fn seen(yaml: &str) -> Vec<String> {
    with_files(yaml, &[])
}

/// What the page of a rule shows as bad is found by this rule and no other, what it shows as good by
/// none.
pub(crate) fn page_holds(code: &str) {
    let check = CHECKS.iter().find(|check| check.about().code == code).unwrap();
    let page = check.page();
    let bad = with_files(page.bad.yaml, page.bad.files);
    assert!(!bad.is_empty(), "{code}: the bad example is silent");
    assert!(bad.iter().all(|line| line.split(' ').nth(1) == Some(code)), "{code}: {bad:#?}");
    assert_eq!(with_files(page.good.yaml, page.good.files), Vec::<String>::new(), "{code}");
}

/// That a rule fires on each text (after `version: 1`), once, and underlines just that part of it.
pub(crate) fn trips(code: &str, cases: &[(&str, &str)]) {
    for (text, underlined) in cases {
        let whole = format!("version: 1\n{text}\n");
        let found = check::run(&load(&whole));
        let places = found.iter().filter(|finding| finding.code == code).filter_map(Diagnostic::place);
        let parts: Vec<_> = places.map(|place| &whole[place.start..place.end]).collect();
        assert_eq!(parts, [*underlined], "{text}");
    }
}

/// That a rule is silent on each text (after `version: 1`).
pub(crate) fn silent(code: &str, texts: &[&str]) {
    for text in texts {
        assert!(!codes(&format!("version: 1\n{text}\n")).contains(&code), "{code}: {text}");
    }
}

/// The text with every finding of a rule mended by its first fix.
pub(crate) fn mended(code: &str, text: &str) -> String {
    let whole = format!("version: 1\n{text}\n");
    let found = check::run(&load(&whole));
    let fixes = found.iter().filter(|finding| finding.code == code).flat_map(|finding| finding.fixes.first());
    let edits: Vec<_> = fixes.flat_map(|fix| fix.edits.clone()).collect();
    let mended = check::mend(&whole, &edits).unwrap();
    mended.strip_prefix("version: 1\n").unwrap().strip_suffix('\n').unwrap().to_owned()
}

#[test]
fn codes_and_names_are_unique_and_permanent() {
    let rules = catalogue();
    let codes: BTreeSet<_> = rules.iter().map(|about| about.code).collect();
    let names: BTreeSet<_> = rules.iter().map(|about| about.name).collect();
    assert_eq!((codes.len(), names.len()), (rules.len(), rules.len()));
    let list: Vec<_> =
        rules.iter().map(|about| format!("{} {} {}: {}", about.code, about.name, about.class, about.summary)).collect();
    golden("check", "codes", &list.join("\n"));
}

#[test]
fn checks_are_sorted_and_what_has_no_page_is_tested_by_itself() {
    let codes: Vec<_> = CHECKS.iter().map(|check| check.about().code).collect();
    assert!(codes.is_sorted());
    for about in catalogue().into_iter().filter(|about| !codes.contains(&about.code)) {
        let file = match about.code.strip_prefix("PC0") {
            Some(_) => "pc0xx".to_owned(),
            None => about.code.to_lowercase(),
        };
        let path = format!("{}/tests/integration/check/{file}.rs", env!("CARGO_MANIFEST_DIR"));
        assert!(Path::new(&path).exists(), "{path}");
    }
}

#[test]
fn messages_are_lower_case_without_full_stop() {
    for about in catalogue() {
        for text in [about.summary, about.help] {
            assert!(!text.ends_with('.') && !text.starts_with(char::is_uppercase), "{}: {text}", about.code);
        }
    }
}

#[test]
fn a_sound_configuration_has_no_findings() {
    assert_eq!(codes(&with_server("tags: [web]\n    http: {url: \"https://a.example/mcp\"}")), Vec::<&str>::new());
}
