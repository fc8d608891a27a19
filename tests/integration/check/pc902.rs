//! PC902 `suppression-without-reason`: it suppresses nothing.

use super::suppress::{judge, told, unpinned};

#[test]
fn without_a_reason_nothing_is_suppressed() {
    for beside in ["ignore[PC304]", "ignore[PC304] reason=\"\"", "ignore[PC304] reason=\" \" until=2027-01-31"] {
        let found = told(&judge(&unpinned("", &format!(" # portcullis: {beside}"), "")));
        assert_eq!(found, (vec!["6 PC304".into(), "6 PC902".into(), "9 PC304".into()], vec![]), "{beside}");
    }
    for reason in ["", ", reason: \"\""] {
        let lint = format!("lint:\n  ignore:\n    - {{rule: PC304, path: servers{reason}}}\n");
        let found = told(&judge(&unpinned("", "", &lint)));
        assert_eq!(found, (vec!["6 PC304".into(), "9 PC304".into(), "13 PC902".into()], vec![]), "{reason}");
    }
}
