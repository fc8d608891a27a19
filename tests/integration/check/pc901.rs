//! PC901 `unused-suppression`.

use portcullis::check::{self, Profile};

use super::suppress::{judge, told, unpinned};
use crate::support::{asked, judged, lines, load};

#[test]
fn what_cannot_be_read_suppresses_nothing_and_says_why() {
    for (written, why) in [
        ("ignor[PC304]", "what follows `portcullis:` must be `ignore[RULE]`"),
        ("ignore[PC304", "the bracket after `ignore` is not closed"),
        ("ignore[]", "the brackets of `ignore` must hold rules, as in `ignore[PC304]`"),
        ("ignore[PC304] reason=\"x", "a quotation mark is not closed"),
        ("ignore[PC304] reason=x until=soon", "`until` must be a date as in `2027-01-31`"),
        ("ignore[PC304] reason=x reason=y", "`reason` is given twice"),
        ("ignore[PC304] because=x", "after the brackets stand `reason=\"…\"` and `until=2027-01-31`, and nothing else"),
    ] {
        let judged = judge(&unpinned("", &format!(" # portcullis: {written}"), ""));
        assert_eq!(judged.suppressed, []);
        let found = &judged.findings[1];
        assert_eq!((found.code, found.message.clone()), ("PC901", format!("this comment suppresses nothing: {why}")));
        assert!(found.fixes.is_empty(), "what was meant is not thrown away");
    }
}

#[test]
fn the_fix_removes_the_comment_with_its_line_or_one_rule_of_it() {
    let why = "reason=\"ours\"";
    let pinned = unpinned("", "", "").replace("some-server", "some-server@1.2.3");
    let beside = pinned.replace("@1.2.3]}", &format!("@1.2.3]}}  # portcullis: ignore[PC304] {why}"));
    let above = pinned.replace(
        "    stdio: {command: [npx",
        &format!("    # portcullis: ignore[PC304] {why}\n    stdio: {{command: [npx"),
    );
    for text in [beside.clone(), above, beside.replace('\n', "\r\n")] {
        let found = judge(&text).findings;
        let fix = &found.iter().find(|finding| finding.code == "PC901").unwrap().fixes[0];
        let mended = check::mend(&text, &fix.edits).unwrap();
        assert_eq!(mended, if text.contains('\r') { pinned.replace('\n', "\r\n") } else { pinned.clone() });
    }
    let many = unpinned("", &format!(" # portcullis: ignore[PC303, PC304, PC301] {why}"), "");
    let judged = judge(&many);
    let edits: Vec<_> =
        judged.findings.iter().flat_map(|finding| &finding.fixes).flat_map(|fix| fix.edits.clone()).collect();
    assert_eq!(check::mend(&many, &edits).unwrap(), unpinned("", &format!(" # portcullis: ignore[PC304] {why}"), ""));
}

#[test]
fn a_rule_that_is_not_looked_for_leaves_nothing_unused() {
    let text =
        unpinned("", "", "lint: {levels: {PC303: ignore}, ignore: [{rule: PC303, path: servers.a, reason: x}]}\n");
    assert_eq!(told(&judge(&text)).0, ["6 PC304", "9 PC304"]);
}

#[test]
fn where_not_everything_could_be_looked_at_nothing_is_unused() {
    let text = unpinned("", " # portcullis: ignore[PC303] reason=x", "nonsense: 1\n");
    assert!(judge(&text).findings.iter().all(|finding| finding.code != "PC901"));
}

#[test]
fn an_entry_that_suppresses_nothing() {
    let text = unpinned("", "", "lint:\n  ignore:\n    - {rule: PC303, path: servers.a, reason: x}\n");
    let strict = judged(&load(&text), &check::Asked { profile: Some(Profile::Strict), ..asked() });
    assert_eq!(lines(&strict.findings)[2], "13:7 PC901 nothing of `PC303` is suppressed at `servers.a`");
}
