//! How grave findings are made, and by whom.

use portcullis::{
    check::{Asked, By, Chosen, Profile, effective},
    config::LintLevel,
    diagnostic::{Class, Level},
};

use super::suppress::{judge, told, unpinned};
use crate::support::{asked, judged, load};

/// The class of the first finding of PC304 under these levels.
fn class(levels: &str) -> Option<Class> {
    let judged = judge(&unpinned("", "", &format!("lint: {{levels: {{{levels}}}}}\n")));
    judged.findings.iter().find(|finding| finding.code == "PC304").map(|finding| finding.class)
}

#[test]
fn the_narrowest_entry_counts_and_of_two_as_narrow_the_graver() {
    for (levels, expected) in [
        ("", Some(Class::Security(Level::High))),
        ("security: warning", Some(Class::Warning)),
        ("security: error, PC3xx: warning", Some(Class::Warning)),
        ("PC3xx: error, PC30x: suggestion", Some(Class::Suggestion)),
        ("PC300-PC305: warning, PC3xx: error", Some(Class::Warning)),
        ("PC30x: suggestion, PC304: error", Some(Class::Error)),
        ("PC304: suggestion, unpinned-package: warning", Some(Class::Warning)),
        ("PC304: security", Some(Class::Security(Level::High))),
        ("unpinned-package: ignore", None),
        ("warning: ignore", Some(Class::Security(Level::High))),
    ] {
        assert_eq!(class(levels), expected, "{levels}");
    }
}

#[test]
fn the_command_line_wins_over_the_configuration_and_a_comment_over_both() {
    let at = |level| Asked { levels: vec![(Chosen::read("PC3xx").unwrap(), level)], ..asked() };
    let lint = "lint: {levels: {PC304: error}, ignore: [{rule: PC304, path: servers.b, reason: x}]}\n";
    let text = unpinned("", " # portcullis: ignore[PC304] reason=x", lint);
    let warned = judged(&load(&text), &at(LintLevel::Warning));
    assert_eq!(told(&warned), (vec!["9 PC304".into(), "11 PC901".into()], vec!["6 PC304".into()]));
    assert_eq!(warned.findings[0].class, Class::Warning);
    let allowed = judged(&load(&text), &at(LintLevel::Ignore));
    assert_eq!(allowed.suppressed.iter().map(|one| one.by).collect::<Vec<_>>(), [By::Comment, By::CommandLine]);
}

#[test]
fn each_rule_says_who_set_its_level() {
    let loaded = load("version: 1\nlint:\n  profile: strict\n  levels:\n    PC4xx: error\n    PC304: ignore\n");
    let flags = vec![(Chosen::read("PC303").unwrap(), LintLevel::Warning)];
    let rules = effective(&loaded.lint, &Asked { levels: flags, ..asked() });
    let of = |code: &str| {
        let rule = rules.iter().find(|rule| rule.rule.code == code).unwrap();
        (rule.class().map(|class| class.to_string()), rule.origin.to_string())
    };
    assert_eq!(of("PC401"), (Some("error".into()), "portcullis.yaml:5:5".into()));
    assert_eq!(of("PC304"), (None, "portcullis.yaml:6:5".into()));
    assert_eq!(of("PC303"), (Some("warning".into()), "command line".into()));
    assert_eq!(of("PC101"), (Some("error".into()), "default".into()));
}

#[test]
fn no_level_and_no_suppression_makes_an_error_of_reading_milder() {
    let text = "version: 1\nnonsense: 1\nlint: {levels: {PC004: suggestion}}\n";
    let judged =
        judged(&load(text), &Asked { levels: vec![(Chosen::read("error").unwrap(), LintLevel::Ignore)], ..asked() });
    assert_eq!(told(&judged), (vec!["2 PC004".into()], vec![]));
    assert_eq!(judged.findings[0].class, Class::Error);
}

#[test]
fn serving_is_refused_by_what_counts() {
    let serves = |levels: &str, strict| {
        !judge(&unpinned("", "", &format!("lint: {{levels: {{{levels}}}}}\n"))).forbids_serving(strict)
    };
    assert!(serves("", false) && !serves("", true));
    assert!(serves("PC304: warning", true) && !serves("PC304: error", false));
    assert!(
        judged(&load(&unpinned("", "", "")), &Asked { profile: Some(Profile::Audit), ..asked() }).findings.len() >= 2
    );
}
