//! What a baseline covers, and what never.

use portcullis::check::{Baseline, By};

use super::suppress::{judge, told, unpinned};
use crate::support::{asked, golden, judged, load};

const ROOT: &str = "portcullis.yaml";

fn baseline(text: &str) -> Baseline {
    Baseline::of(&judge(text), &load(text), ROOT)
}

/// What counts beside a baseline, and the rules of what is stale in it.
fn beside(baseline: &Baseline, text: &str) -> (Vec<String>, Vec<String>) {
    let loaded = load(text);
    let (judged, stale) = baseline.apply(judged(&loaded, &asked()), &loaded);
    assert!(judged.suppressed.iter().all(|one| one.by == By::Baseline));
    (told(&judged).0, stale.iter().map(|known| format!("{} {}", known.rule, known.path)).collect())
}

#[test]
fn it_is_sorted_text_without_lines() {
    let text = baseline(&unpinned("", "", "")).text();
    golden("check", "baseline", &text);
    assert_eq!(baseline(&unpinned("\n\n  # a word\n", "  # and more", "")).text(), text, "moved lines change nothing");
    assert_eq!(Baseline::read(&text, ROOT).unwrap().text(), text);
}

#[test]
fn what_was_there_is_covered_and_what_is_new_is_not() {
    let old = unpinned("", "", "");
    let known = baseline(&old);
    assert_eq!(beside(&known, &old), (vec![], vec![]));
    let more = old.replace("grants:", "  c: {tags: [web], stdio: {command: [npx, third-server]}}\ngrants:");
    assert_eq!(beside(&known, &more), (vec!["10 PC304".into()], vec![]));
    let other = old.replace("some-server", "another-server");
    assert_eq!(beside(&known, &other), (vec!["6 PC304".into()], vec!["PC304 servers.a.stdio.command[]".into()]));
}

#[test]
fn as_many_are_covered_as_there_were() {
    let one = "version: 1\ntags: {web: Pages}\ngrants:\n  - {to: {user: ana}, scopes: [\"tag:web\", \"tag:web\"]}\n";
    let two = format!("{one}  - {{to: {{user: bo}}, scopes: [\"tag:web\", \"tag:web\"]}}\n");
    let known = baseline(one);
    let repeated = |text: &str| beside(&known, text).0.iter().filter(|found| found.ends_with("PC106")).count();
    assert_eq!((repeated(one), repeated(&two)), (0, 1));
}

#[test]
fn errors_are_never_covered() {
    let text = unpinned("", "", "  \nlint: {levels: {PC304: error}}\n");
    let known = baseline(&text);
    assert!(!known.text().contains("PC304"));
    assert_eq!(beside(&known, &text).0, ["6 PC304", "9 PC304"]);
    // Neither by a baseline from when they were none.
    assert_eq!(beside(&baseline(&unpinned("", "", "")), &text).0, ["6 PC304", "9 PC304"]);
}

#[test]
fn what_is_stale_is_pruned_and_no_more() {
    let known = baseline(&unpinned("", "", ""));
    let half = unpinned("", "", "").replace("other-server", "other-server@1.0.0");
    let loaded = load(&half);
    let (_, stale) = known.apply(judged(&loaded, &asked()), &loaded);
    assert_eq!(stale.len(), 1);
    assert_eq!(known.pruned(&stale), baseline(&half));
}

#[test]
fn a_baseline_of_another_configuration_or_version_is_refused() {
    let text = baseline(&unpinned("", "", "")).text();
    for (text, root) in [
        (text.clone(), "other.yaml"),
        (text.replace("\"version\": 1", "\"version\": 2"), ROOT),
        (text.replace("\"root\"", "\"rot\""), ROOT),
        (String::new(), ROOT),
    ] {
        assert!(Baseline::read(&text, root).is_err(), "{text}");
    }
}

#[test]
fn no_fingerprint_is_made_of_a_secret() {
    let secret = |value: &str| {
        let text = format!(
            "version: 1\ntags: {{web: Pages}}\nservers: {{a: {{tags: [web], http: {{url: \"https://a.example/mcp\", headers: {{X-Api-Key: {value}}}}}}}}}\n"
        );
        baseline(&text).text()
    };
    let first = secret("ghp_0123456789abcdefABCDEF0123456789abcd");
    assert!(first.contains("PC401"), "{first}");
    assert_eq!(first, secret("ghp_ABCDEF0123456789abcd0123456789abcdef"));
}
