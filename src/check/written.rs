//! What rules about keys that this version does not build read of the tree.
//!
//! PC004 refuses such keys, and nothing of them is resolved. The rules read them as they are written
//! all the same, by the names of the design, so that a file that is written ahead is reviewed too.
//! Where the default is safe, a rule fires on what is written and weakens it, never on absence.

use std::net::SocketAddr;

use super::{Example, page::and};
use crate::{
    config::{Node, secrecy},
    diagnostic::Place,
};

/// A listener that other machines reach, as the pages about such listeners show it.
pub(super) const REACHED_BY_OTHERS: Example = and!(
    r#"listen: {address: "0.0.0.0:3050", public_url: "https://mcp.example.com"}
"#
);

/// The same listener, reached by a proxy on its own machine.
pub(super) const BEHIND_A_PROXY: Example = and!(
    r#"listen: {address: "127.0.0.1:3050", public_url: "https://mcp.example.com"}
"#
);

/// Whether a value says no, or that there is no bound.
pub(super) fn is_off(node: &Node) -> bool {
    is(node, &["", "0", "disabled", "false", "never", "no", "none", "off", "skip", "unlimited"])
}

/// Whether a value says yes.
pub(super) fn is_on(node: &Node) -> bool {
    is(node, &["1", "true", "yes", "on"])
}

/// Whether a value is one of these words, in any case.
pub(super) fn is(node: &Node, words: &[&str]) -> bool {
    node.scalar().is_some_and(|text| words.contains(&text.trim().to_ascii_lowercase().as_str()))
}

/// The values of a list, or the one that stands for a list of one. Nothing at all is an empty list.
pub(super) fn each(node: &Node) -> Vec<&Node> {
    match node.scalar() {
        Some(text) if text.is_empty() && node.text().is_none() => Vec::new(),
        Some(_) => vec![node],
        None => node.items().iter().collect(),
    }
}

/// Whether callers need a token.
pub(super) fn oauth_is_on(tree: &Node) -> bool {
    !tree.at(&["oauth", "enabled"]).is_some_and(is_off)
}

/// `oauth`, and each of `oauth.clients`: what stands at one client holds for it.
pub(super) fn oauth_and_clients(tree: &Node) -> impl Iterator<Item = &Node> {
    let oauth = tree.get("oauth");
    let clients = oauth.and_then(|oauth| oauth.get("clients")).map(Node::entries).unwrap_or_default();
    oauth.into_iter().chain(clients.iter().map(|entry| &entry.value))
}

/// The address of a socket, if the value is one. `:80` and `*:80` are every address.
pub(super) fn socket(node: &Node) -> Option<SocketAddr> {
    let text = node.text()?;
    let port = text.strip_prefix(':').or_else(|| text.strip_prefix("*:"));
    match port {
        Some(port) => Some(SocketAddr::from(([0, 0, 0, 0], port.parse().ok()?))),
        None => text.parse().ok(),
    }
}

/// The listener's address, where other machines reach it.
pub(super) fn public_address(tree: &Node) -> Option<&Node> {
    let address = tree.at(&["listen", "address"])?;
    (!socket(address)?.ip().is_loopback()).then_some(address)
}

/// A value in backticks, as a message may show it.
pub(super) fn shown(key: &str, node: &Node) -> String {
    match node.scalar() {
        Some(text) if !node.from_env => format!("`{}`", secrecy::shown(key, &text)),
        _ => "`…`".to_owned(),
    }
}

/// A text as YAML in double quotes.
pub(super) fn quoted(text: &str) -> String {
    let escaped: String =
        text.chars().flat_map(|c| if matches!(c, '"' | '\\') { vec!['\\', c] } else { vec![c] }).collect();
    format!("\"{escaped}\"")
}

/// Every single value below a node, with the keys that lead to it.
pub(super) fn walk<'t>(node: &'t Node, visit: &mut dyn FnMut(&[&'t str], &'t Node)) {
    fn step<'t>(node: &'t Node, path: &mut Vec<&'t str>, visit: &mut dyn FnMut(&[&'t str], &'t Node)) {
        for entry in node.entries() {
            path.push(&entry.key);
            step(&entry.value, path, visit);
            path.pop();
        }
        node.items().iter().for_each(|item| step(item, path, visit));
        if node.scalar().is_some() {
            visit(path, node);
        }
    }
    step(node, &mut Vec::new(), visit);
}

/// What to take out of the text so that `map` no longer has `key`: nothing where it would be left
/// empty, or where a comma cannot be told from here.
pub(super) fn cut(map: &Node, key: &str) -> Option<Place> {
    let entries = map.entries();
    let at = entries.iter().position(|entry| entry.key == key)?;
    let entry = entries.get(at)?;
    // With an environment laid over it, a map is of two files, and its order of neither.
    let file = &map.place.file;
    if !entries.iter().all(|entry| entry.place.file == *file && entry.value.place.file == *file) {
        return None;
    }
    let (start, end) = (entry.place.start, entry.value.place.end.max(entry.place.end));
    let before = at.checked_sub(1).and_then(|at| entries.get(at)).map(|entry| entry.value.place.end);
    let next = entries.get(at + 1).map(|entry| entry.place.start);
    let in_braces = entries.last().is_some_and(|last| map.place.end > last.value.place.end);
    let column = usize::try_from(entry.place.column).ok()?;
    match (before, next) {
        (None, None) => None,
        (None, Some(next)) if in_braces => Some(Place { end: next, ..entry.place.clone() }),
        (None, Some(_)) => Some(Place { end, ..entry.place.clone() }),
        // Only `, ` stands between two entries of one line.
        (Some(before), _) if start.checked_sub(before)? < column => {
            let column = u32::try_from(column - (start - before)).ok()?;
            Some(Place { start: before, end, column, ..entry.place.clone() })
        }
        (Some(_), Some(_)) if in_braces => None,
        (Some(_), _) => Some(Place { start: start + 1 - column, end, column: 1, ..entry.place.clone() }),
    }
}
