//! What comments and `lint.ignore` suppress, and what they do not.

use portcullis::check::{Asked, By, Judged};

use crate::support::{asked, judged, load};

/// A configuration whose server `a` runs an unpinned package in line 6.
pub(super) fn unpinned(above: &str, beside: &str, rest: &str) -> String {
    format!(
        "version: 1\ntags: {{web: Pages}}\nservers:\n{above}  a:\n    tags: [web]\n    stdio: {{command: [npx, -y, some-server]}}{beside}\n  b:\n    tags: [web]\n    stdio: {{command: [uvx, other-server]}}\ngrants: [{{to: {{user: \"*\"}}, scopes: [\"tag:web\"]}}]\n{rest}"
    )
}

pub(super) fn judge(text: &str) -> Judged {
    judged(&load(text), &asked())
}

/// Findings that count, by line and code, and lines and codes of what is suppressed.
pub(super) fn told(judged: &Judged) -> (Vec<String>, Vec<String>) {
    let by =
        |finding: &portcullis::diagnostic::Diagnostic| format!("{} {}", finding.place().unwrap().line, finding.code);
    (judged.findings.iter().map(by).collect(), judged.suppressed.iter().map(|one| by(&one.finding)).collect())
}

const WHY: &str = "# portcullis: ignore[unpinned-package] reason=\"our own mirror\"";

#[test]
fn a_comment_beside_a_finding_suppresses_that_finding() {
    let judged = judge(&unpinned("", &format!(" {WHY}"), ""));
    assert_eq!(told(&judged), (vec!["9 PC304".into()], vec!["6 PC304".into()]));
    let one = &judged.suppressed[0];
    assert_eq!((one.by, one.reason.as_deref(), one.until), (By::Comment, Some("our own mirror"), None));
    assert_eq!(one.place.as_ref().unwrap().line, 6);
}

#[test]
fn a_comment_above_an_entry_covers_the_entry_and_no_other() {
    for above in [format!("  {WHY}\n"), format!("  {WHY}\n  # and a word more\n")] {
        let lines = above.lines().count();
        let found = told(&judge(&unpinned(&above, "", "")));
        let expected = (vec![format!("{} PC304", 9 + lines)], vec![format!("{} PC304", 6 + lines)]);
        assert_eq!(found, expected, "{above}");
    }
}

#[test]
fn a_comment_above_the_line_itself_covers_it() {
    let text =
        unpinned("", "", "").replace("    stdio: {command: [npx", &format!("    {WHY}\n    stdio: {{command: [npx"));
    assert_eq!(told(&judge(&text)), (vec!["10 PC304".into()], vec!["7 PC304".into()]));
}

#[test]
fn a_comment_that_is_not_directly_above_covers_nothing() {
    let (counted, suppressed) = told(&judge(&unpinned(&format!("  {WHY}\n\n"), "", "")));
    assert_eq!((counted, suppressed), (vec!["4 PC901".into(), "8 PC304".into(), "11 PC304".into()], vec![]));
}

#[test]
fn a_comment_above_a_top_level_key_covers_no_whole_section() {
    let text = unpinned("", "", "").replace("servers:\n", &format!("{WHY}\nservers:\n"));
    let (counted, suppressed) = told(&judge(&text));
    assert_eq!((counted, suppressed), (vec!["3 PC901".into(), "7 PC304".into(), "10 PC304".into()], vec![]));
}

#[test]
fn a_comment_names_rules_by_code_too_and_several() {
    let beside = " # portcullis: ignore[ stdio-through-shell , PC304 ]  until=2026-06-01 reason=\"say \\\"so\\\"\"";
    let judged = judge(&unpinned("", beside, ""));
    assert_eq!(told(&judged), (vec!["6 PC901".into(), "9 PC304".into()], vec!["6 PC304".into()]));
    assert_eq!(judged.suppressed[0].reason.as_deref(), Some("say \"so\""));
    assert_eq!(judged.suppressed[0].until, Some(asked().today), "the last day is one of them");
}

#[test]
fn text_that_looks_like_a_comment_is_none() {
    let text = unpinned("", "", "").replace("web: Pages", &format!("web: \"{}\"", WHY.replace('"', "'")));
    assert_eq!(told(&judge(&text)).1, Vec::<String>::new());
}

#[test]
fn an_entry_of_lint_ignore_covers_its_part_of_the_file() {
    let entry = |path: &str| {
        format!("lint: {{ignore: [{{rule: unpinned-package, path: {path}, reason: ours, until: 2027-01-31}}]}}\n")
    };
    for path in ["servers.a", "servers.a.stdio", "\"servers.a.stdio.command[2]\""] {
        let judged = judge(&unpinned("", "", &entry(path)));
        assert_eq!(told(&judged), (vec!["9 PC304".into()], vec!["6 PC304".into()]), "{path}");
        assert_eq!(judged.suppressed[0].by, By::Config);
        assert_eq!(judged.suppressed[0].until, Some("2027-01-31".parse().unwrap()));
    }
    assert_eq!(told(&judge(&unpinned("", "", &entry("servers")))).1.len(), 2);
    assert_eq!(told(&judge(&unpinned("", "", &entry("servers.aa")))).0.len(), 3, "and it is unused");
}

#[test]
fn without_ignores_everything_counts() {
    let text = unpinned("", &format!(" {WHY}"), "lint: {ignore: [{rule: PC304, path: servers.b, reason: ours}]}\n");
    assert_eq!(told(&judge(&text)).0, Vec::<String>::new());
    let all = judged(&load(&text), &Asked { no_ignores: true, ..asked() });
    assert_eq!(told(&all), (vec!["6 PC304".into(), "9 PC304".into()], vec![]));
}

#[test]
fn what_keeps_a_configuration_from_loading_cannot_be_suppressed() {
    let text = "version: 1\ntags: {web: Pages}\nservers:\n  # portcullis: ignore[unknown-tag] reason=\"later\"\n  a: {tags: [wob], stdio: {command: [cat]}}\n";
    let (counted, suppressed) = told(&judge(text));
    assert_eq!((counted, suppressed), (vec!["5 PC101".into()], vec![]));
}

#[test]
fn a_critical_finding_that_somebody_answers_for_lets_the_configuration_be_used() {
    let open = "version: 1\nlisten: {address: \"0.0.0.0:3050\", public_url: \"http://127.0.0.1:3050\"} # SAY\noauth: {enabled: false}\ntags: {web: Pages}\nservers: {a: {tags: [web], stdio: {command: [cat]}}}\ngrants: [{to: {user: \"*\"}, scopes: [\"tag:web\"]}]\n";
    let loaded = load(open);
    let plain = judged(&loaded, &asked());
    assert!(plain.usable(&loaded).is_none() && plain.forbids_serving(false));
    let answered = |rules: &str| {
        let loaded = load(&open.replace("SAY", &format!("portcullis: ignore[{rules}] reason=\"a lab\"")));
        let judged = judged(&loaded, &asked());
        (judged.usable(&loaded).is_some(), judged.forbids_serving(false), judged.forbids_serving(true))
    };
    assert_eq!(answered("PC201,PC202,PC501"), (true, false, false));
    assert_eq!(answered("PC201,PC202"), (true, false, true));
    assert_eq!(answered("PC201,PC501"), (true, true, true), "PC202 is refused although it is not critical");
    assert_eq!(answered("PC202,PC501"), (false, true, true));
}
