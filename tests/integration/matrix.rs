//! The matrix of every example is a golden file: its diff is the review of who may do what.

use std::sync::Arc;

use portcullis::{check, config, matrix::matrix, reach::Reach};

use crate::support::{golden, root};

#[test]
fn every_example_has_its_golden_matrix_with_every_tool_and_group() {
    let mut seen = 0;
    for example in std::fs::read_dir(root().join("examples")).unwrap() {
        let folder = example.unwrap().path();
        let loaded = config::load(&folder.join("portcullis.yaml"), &|_| Some("from-the-environment".into()));
        let examined = check::examine(&loaded);
        let config = loaded.config.as_ref().unwrap_or_else(|| panic!("{}: {:#?}", folder.display(), loaded.findings));
        let bundle = examined.bundle.unwrap_or_else(|| panic!("{}: {:#?}", folder.display(), examined.findings));
        let reach = Reach::new(config, bundle, examined.lock.as_deref()).unwrap();
        let text = matrix(&reach, reach.callers()).text();
        golden("matrix", folder.file_name().unwrap().to_str().unwrap(), &text);
        for (server, meant) in &config.servers {
            let tools = meant.tools.keys().map(|pattern| pattern.as_str());
            for name in tools.chain([server.as_str(), "anonymous"]) {
                assert!(text.lines().any(|line| line.split_whitespace().any(|word| word == name)), "{name}\n{text}");
            }
        }
        for grant in &config.grants {
            if let config::Grantee::Group(group) = &grant.to {
                assert!(text.contains(&format!("group {group} ")), "{group}\n{text}");
            }
        }
        seen += 1;
    }
    assert!(seen > 0, "there are no examples");
}

#[test]
fn the_matrix_says_the_same_for_the_same_meaning() {
    let one = "version: 1\ntags: {a: A}\nservers: {s: {tags: [a], stdio: {command: [cat]}}, t: {tags: [a], stdio: {command: [cat]}}}\ngrants: [{to: {user: ana}, scopes: [tag:a]}, {to: {client: c}, scopes: [tag:a]}]\n";
    let other = "grants: [{to: {client: c}, scopes: [tag:a]}, {to: {user: ana}, scopes: [tag:a]}]\nservers: {t: {tags: [a], stdio: {command: [cat]}}, s: {tags: [a], stdio: {command: [cat]}}}\ntags: {a: A}\nversion: 1\n";
    let text = |text: &str| {
        let config = crate::support::config(text);
        let reach = Reach::new(&config, Arc::new(crate::support::bundle(text)), None).unwrap();
        matrix(&reach, reach.callers()).text()
    };
    assert_eq!(text(one), text(other));
}

#[test]
fn sm14_through_a_view_the_matrix_only_loses() {
    let text = "version: 1\ntags: {a: A, b: B}\nservers: {s: {tags: [a], stdio: {command: [cat]}}, t: {tags: [b], stdio: {command: [cat]}}}\nviews: {front: {tags: [a]}}\ngrants: [{to: {user: ana}, scopes: ['tag:a', 'tag:b']}, {to: {client: c}, scopes: ['tag:b']}]\n";
    let config = crate::support::config(text);
    let reach = || Reach::new(&config, Arc::new(crate::support::bundle(text)), None).unwrap();
    let letters = |reach: &Reach<'_>| -> Vec<(String, String)> {
        let table = matrix(reach, reach.callers());
        let rows = table
            .rows
            .iter()
            .map(|row| (row.server.to_string(), row.letters.iter().map(ToString::to_string).collect()));
        rows.collect()
    };
    let (whole, narrow) = (reach(), reach().through(&"front".parse().unwrap()).unwrap());
    let (whole, narrow) = (letters(&whole), letters(&narrow));
    assert_ne!(whole, narrow);
    for ((server, before), (_, after)) in whole.iter().zip(&narrow) {
        for (before, after) in before.chars().zip(after.chars()) {
            assert!(after != 'A' || (before == 'A' && server == "s"), "{server}: {whole:?} {narrow:?}");
        }
    }
    assert!(reach().through(&"back".parse().unwrap()).is_none());
}
