//! PC113 `empty-selector`: an empty list where one means nothing at all.
//!
//! Raised where the lists are read. Here, a list that may be left out is offered to be removed with
//! its key.

use super::{Check, Example, Fixable, Page, Subject};
use crate::{
    config::{Node, Value, findings},
    diagnostic::{About, Diagnostic, Place, Safety},
};

pub(super) struct EmptySelector;

const PAGE: Page = Page {
    tags: &["CWE-1188"],
    fix: Fixable::Unsafe,
    ..Page::new(
        "empty means nothing and never everything, and whoever wrote the key meant something",
        Example::of(
            "version: 1\ntags: {web: Pages}\nservers:\n  docs:\n    tags: []\n    public: true\n    http: {url: \"https://docs.example.com/mcp\"}\ngrants: [{to: {user: \"*\"}, scopes: [\"tag:web\"]}]\n",
        ),
        Example::of(
            "version: 1\ntags: {web: Pages}\nservers:\n  docs:\n    public: true\n    http: {url: \"https://docs.example.com/mcp\"}\ngrants: [{to: {user: \"*\"}, scopes: [\"tag:web\"]}]\n",
        ),
    )
};

impl Check for EmptySelector {
    fn about(&self) -> &'static About {
        &findings::EMPTY_SELECTOR
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn run(&self, subject: &Subject<'_>, findings: &mut Vec<Diagnostic>) {
        let Some(tree) = subject.tree else { return };
        let mine = |finding: &&mut Diagnostic| finding.code == findings::EMPTY_SELECTOR.code;
        for finding in findings.iter_mut().filter(mine) {
            let Some(place) = finding.place().cloned() else { continue };
            let optional = optional(tree).find(|(_, list)| **list == place);
            let Some(text) = subject.sources.text(&place.file) else { continue };
            if let Some((key, list)) = optional
                && let Some(whole) = entry(&text, key, list)
            {
                *finding = finding.clone().fix(Safety::Unsafe, "remove the key", &whole, "");
            }
        }
    }
}

/// Empty lists whose key may be left out, each with its key's place: the tags of a server, and one
/// of several kinds that a rule forbids.
fn optional(tree: &Node) -> impl Iterator<Item = (&Place, &Place)> {
    let servers = tree.get("servers").map(Node::entries).unwrap_or_default().iter().map(|entry| &entry.value);
    let forbids = tree.get("rules").map(Node::items).unwrap_or_default().iter().filter_map(|rule| rule.get("forbid"));
    let of_servers = servers.flat_map(Node::entries).filter(|entry| entry.key == "tags");
    let of_rules = forbids.filter(|forbid| forbid.entries().len() > 1).flat_map(Node::entries);
    of_servers
        .chain(of_rules)
        .filter(|entry| matches!(&entry.value.value, Value::List(items) if items.is_empty()))
        .map(|entry| (&entry.place, &entry.value.place))
}

/// All that stands for one entry: its line where it has one, else what is between two commas.
fn entry(text: &str, key: &Place, list: &Place) -> Option<Place> {
    if key.file != list.file {
        return None;
    }
    let before = text.get(..key.start)?;
    let after = text.get(list.end..)?;
    let line = before.rfind('\n').map_or(0, |at| at + 1);
    let rest = after.split_inclusive('\n').next().unwrap_or_default();
    let span = |start: usize, end: usize| Some(Place { start, end, ..key.clone() });
    if before.get(line..)?.trim().is_empty() && rest.trim().is_empty() {
        let place = span(line, list.end + rest.len())?;
        return Some(Place { column: 1, ..place });
    }
    if let Some(more) = rest.strip_prefix(',') {
        let blanks = more.len() - more.trim_start_matches(' ').len();
        return span(key.start, list.end + 1 + blanks);
    }
    let comma = before.trim_end().strip_suffix(',')?;
    let column = key.column.saturating_sub(u32::try_from(before.chars().count() - comma.chars().count()).ok()?);
    Some(Place { column, ..span(comma.len(), list.end)? })
}
