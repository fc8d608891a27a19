//! What tells a finding apart from others when lines have moved: its rule, the path of keys to it,
//! and the text it stands at.
//!
//! In a fingerprint, entries of a list go by their `id` or by no name at all: an entry put in before
//! them changes nothing. Two findings may therefore share a fingerprint; who compares, counts.
//!
//! INVARIANT: no fingerprint is made of a secret, which could be guessed from it. Texts come from
//! `Sources::shown`.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use crate::{
    config::Node,
    diagnostic::{Diagnostic, Place},
};

/// The fingerprint of a finding: 64 hexadecimal digits. `tree` is the configuration's, `shown` the text
/// of the finding's file as `Sources::shown` gives it.
pub(crate) fn fingerprint(finding: &Diagnostic, tree: Option<&Node>, shown: &str) -> String {
    let place = finding.place();
    let path = tree.zip(place).map(|(tree, place)| stable_path(tree, place)).unwrap_or_default();
    let text = place.and_then(|place| shown.get(place.start..place.end)).unwrap_or_default();
    // A file with other line ends says the same.
    let text = text.trim().replace("\r\n", "\n");
    let digest = Sha256::digest(format!("{}|{path}|{text}", finding.code));
    digest.iter().fold(String::with_capacity(64), |mut hex, byte| {
        // Writing to a text cannot fail.
        _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// The keys from the root to a place: `servers.docs.http.url`, `grants[0].scopes[1]`,
/// `rules[writes-stay].unless`. Empty for the root, and for what is not in this tree.
pub(crate) fn yaml_path(tree: &Node, place: &Place) -> String {
    path(tree, place, true)
}

/// The same with entries of lists by their `id` or by nothing, as in `grants[].scopes[]`.
pub(super) fn stable_path(tree: &Node, place: &Place) -> String {
    path(tree, place, false)
}

fn path(tree: &Node, place: &Place, numbered: bool) -> String {
    let mut steps = Vec::new();
    descend(tree, place, numbered, &mut steps);
    let mut path = String::new();
    for step in steps.iter().rev() {
        if !path.is_empty() && !step.starts_with('[') {
            path.push('.');
        }
        path.push_str(step);
    }
    path
}

/// The steps to the innermost value that holds the place, the innermost first. Whether there is any.
fn descend(node: &Node, place: &Place, numbered: bool, steps: &mut Vec<String>) -> bool {
    for entry in node.entries() {
        if covers(&entry.place, place) || below(&entry.value, place, numbered, steps) {
            steps.push(step(&entry.key));
            return true;
        }
    }
    for (index, item) in node.items().iter().enumerate() {
        if below(item, place, numbered, steps) {
            steps.push(match item.get("id").and_then(Node::text) {
                Some(id) => format!("[{}]", id.escape_debug()),
                None if numbered => format!("[{index}]"),
                None => "[]".into(),
            });
            return true;
        }
    }
    covers(&node.place, place)
}

/// Looks only where the place can be: below what holds it, or below what another file was laid over.
fn below(node: &Node, place: &Place, numbered: bool, steps: &mut Vec<String>) -> bool {
    (node.place.file != place.file || covers(&node.place, place)) && descend(node, place, numbered, steps)
}

fn covers(outer: &Place, inner: &Place) -> bool {
    outer.file == inner.file && outer.start <= inner.start && inner.end <= outer.end && outer.start < outer.end
}

/// A key as a step. One with a dot or a bracket in it is quoted, so that no two paths look alike.
fn step(key: &str) -> String {
    if key.contains(['.', '[', ']', '"']) { format!("{key:?}") } else { key.escape_debug().to_string() }
}
