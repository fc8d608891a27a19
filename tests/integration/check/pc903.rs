//! PC903 `suppression-expired`: it suppresses nothing any more.

use super::suppress::{judge, told, unpinned};

#[test]
fn the_day_after_the_last_nothing_is_suppressed() {
    let beside = " # portcullis: ignore[PC304] reason=x until=2026-05-31";
    let found = told(&judge(&unpinned("", beside, "")));
    assert_eq!(found, (vec!["6 PC304".into(), "6 PC903".into(), "9 PC304".into()], vec![]));
    let lint = "lint: {ignore: [{rule: PC304, path: servers.b, reason: x, until: 2026-05-31}]}\n";
    let found = told(&judge(&unpinned("", "", lint)));
    assert_eq!(found, (vec!["6 PC304".into(), "9 PC304".into(), "11 PC903".into()], vec![]));
}

#[test]
fn a_date_that_is_none_is_an_error() {
    let lint = "lint: {ignore: [{rule: PC304, path: servers.b, reason: x, until: next week}]}\n";
    assert_eq!(told(&judge(&unpinned("", "", lint))).0, ["6 PC304", "9 PC304", "11 PC005"]);
}
