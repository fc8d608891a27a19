//! Every rule by its page: the bad example trips it where its golden file says, the good one is silent,
//! and the bad one mended is the good one.

use portcullis::{
    check::{self, Asked, CHECKS, Check, Example, Fixable, Profile},
    config::{self, Loaded},
    diagnostic::{Diagnostic, Safety},
};

use crate::support::{asked, golden, human, judged, lines, no_env};

/// An example as files of a folder, read and checked, with the findings that `wanted` picks.
fn examined(example: &Example, wanted: impl Fn(&Diagnostic) -> bool) -> (Loaded, Vec<Diagnostic>, String) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in example.files.iter().chain([&("portcullis.yaml", example.yaml)]) {
        let file = folder.path().join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }
    let loaded = config::load(&folder.path().join("portcullis.yaml"), &no_env);
    let found: Vec<_> = judged(&loaded, &Asked { profile: Some(Profile::Audit), ..asked() })
        .findings
        .into_iter()
        .filter(wanted)
        .collect();
    (loaded, found, format!("{}/", folder.path().display()))
}

/// What a rule finds in its bad example.
fn bad(rule: &dyn Check) -> (Loaded, Vec<Diagnostic>, String) {
    examined(&rule.page().bad, |finding| finding.code == rule.about().code)
}

#[test]
fn bad_examples_trip_their_rule_where_the_golden_file_says() {
    for rule in CHECKS {
        let code = rule.about().code;
        let (loaded, found, folder) = bad(*rule);
        assert!(!found.is_empty(), "{code}: the bad example trips nothing");
        for finding in &found {
            assert_eq!((finding.name, finding.class), (rule.about().name, rule.about().class), "{code}");
            assert!(finding.confidence <= rule.page().confidence, "{code}");
        }
        golden("check/pages", &code.to_lowercase(), &human(&found, &loaded).replace(&folder, ""));
    }
}

#[test]
fn good_examples_are_silent() {
    // What this version does not build is refused as such, and that is all.
    let unbuilt = |finding: &Diagnostic| {
        finding.code == "PC004" && finding.message.ends_with("is not supported yet")
            // The ways of signing in that have settings of their own.
            || finding.message == "`oauth.login` must be text, not a map"
    };
    for rule in CHECKS {
        let (_, found, _) = examined(&rule.page().good, |finding| !unbuilt(finding));
        assert_eq!(lines(&found), Vec::<String>::new(), "{}", rule.about().code);
    }
}

#[test]
fn bad_examples_mended_are_the_good_ones() {
    for rule in CHECKS {
        let (code, page) = (rule.about().code, rule.page());
        let wanted = match page.fix {
            Fixable::Safe => Safety::Safe,
            Fixable::Unsafe => Safety::Unsafe,
            Fixable::No => {
                assert!(bad(*rule).1.iter().all(|finding| finding.fixes.is_empty()), "{code} has a fix after all");
                continue;
            }
        };
        let edits: Vec<_> = bad(*rule)
            .1
            .iter()
            .flat_map(|finding| finding.fixes.first())
            .inspect(|fix| assert_eq!(fix.safety, wanted, "{code}"))
            .flat_map(|fix| fix.edits.clone())
            .collect();
        assert_eq!(check::mend(page.bad.yaml, &edits).unwrap(), page.good.yaml, "{code}");
    }
}

/// The rules that come first, all of them pure functions of what is written and what it compiles to.
const WAVE_ONE: [&str; 57] = [
    "PC001", "PC002", "PC003", "PC004", "PC005", "PC006", "PC007", "PC008", "PC009", "PC010", "PC011", "PC012",
    "PC101", "PC102", "PC103", "PC104", "PC105", "PC106", "PC107", "PC108", "PC109", "PC110", "PC111", "PC112",
    "PC113", "PC114", "PC115", "PC116", "PC117", "PC118", "PC119", "PC201", "PC202", "PC203", "PC204", "PC205",
    "PC206", "PC207", "PC220", "PC221", "PC222", "PC223", "PC301", "PC302", "PC303", "PC304", "PC401", "PC402",
    "PC501", "PC502", "PC503", "PC504", "PC505", "PC901", "PC902", "PC903", "PC904",
];

#[test]
fn wave_one_is_complete() {
    let pages: Vec<_> = CHECKS.iter().map(|check| check.about().code).collect();
    let missing: Vec<_> = WAVE_ONE.into_iter().filter(|code| !pages.contains(code)).collect();
    assert_eq!(missing, Vec::<&str>::new());
}

#[test]
fn every_rule_that_can_fire_has_a_page() {
    let pages: Vec<_> = CHECKS.iter().map(|check| check.about().code).collect();
    let missing: Vec<_> =
        check::catalogue().iter().map(|about| about.code).filter(|code| !pages.contains(code)).collect();
    assert_eq!(missing, Vec::<&str>::new());
}
