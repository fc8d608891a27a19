//! PC904 `unknown-rule`.

use portcullis::{check, diagnostic::Class};

use super::suppress::{judge, unpinned};

#[test]
fn a_rule_that_does_not_exist_is_an_error_wherever_it_is_named() {
    let good = "lint: {levels: {unpinned-package: warning, PC303: ignore}, ignore: [{rule: unpinned-package, path: servers.b, reason: x}]}\n";
    let good = unpinned("", " # portcullis: ignore[unpinned-package] reason=ours", good);
    assert_eq!(judge(&good).findings, []);
    let bad = good.replace("unpinned-package", "unpined-package").replace("PC303", "PC999");
    let judged = judge(&bad);
    let found: Vec<_> = judged.findings.iter().filter(|finding| finding.code == "PC904").collect();
    assert_eq!(found.len(), 4);
    assert!(found.iter().all(|finding| finding.class == Class::Error));
    // Nothing is near to a number.
    let edits: Vec<_> = found.iter().flat_map(|finding| &finding.fixes).flat_map(|fix| fix.edits.clone()).collect();
    assert_eq!(check::mend(&bad, &edits).unwrap().replace("PC999", "PC303"), good);
}

#[test]
fn it_cannot_be_suppressed() {
    let judged = judge(&unpinned("", " # portcullis: ignore[PC304,PC999,PC904] reason=x", ""));
    assert!(judged.findings.iter().any(|finding| finding.code == "PC904"));
}
