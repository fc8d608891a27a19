//! PC011 `confusable-name`: a character that looks like another one, or that is not seen at all.
//!
//! Letters of another script count in names, and in what compares them; what is not seen counts
//! anywhere in a file, also in a comment: it can turn what a reviewer sees around. Names that have a
//! small alphabet have PC012 already, which names the character.

use std::collections::BTreeSet;

use super::{Check, Example, Page, Subject};
use crate::{
    config::{Node, findings, look_alike, source},
    diagnostic::{About, Diagnostic, Place},
};

pub(super) struct ConfusableName;

/// Findings of what is not seen, a file: one a line, and nobody reads more.
const MOST: usize = 100;

const PAGE: Page = Page {
    tags: &["CWE-1007"],
    ..Page::new(
        "a name that looks like another one defeats the review: a rule that forbids the one does not forbid the other",
        Example::of(
            "version: 1\ntags: {web: Pages}\nservers:\n  docs:\n    tags: [web]\n    http: {url: \"https://docs.example.com/mcp\"}\n    tools: {\"dele\u{442}e_*\": deny}\ngrants: [{to: {user: \"*\"}, scopes: [\"tag:web\"]}]\n",
        ),
        Example::of(
            "version: 1\ntags: {web: Pages}\nservers:\n  docs:\n    tags: [web]\n    http: {url: \"https://docs.example.com/mcp\"}\n    tools: {\"delete_*\": deny}\ngrants: [{to: {user: \"*\"}, scopes: [\"tag:web\"]}]\n",
        ),
    )
};

impl Check for ConfusableName {
    fn about(&self) -> &'static About {
        &findings::CONFUSABLE_NAME
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn run(&self, subject: &Subject<'_>, findings: &mut Vec<Diagnostic>) {
        let named: Vec<Place> = findings.iter().filter_map(Diagnostic::place).cloned().collect();
        let mut found = Vec::new();
        // What is pinned in the lock are the words of servers, not of authors.
        for file in subject.sources.files().filter(|file| !file.ends_with(".lock")) {
            let Some(text) = subject.sources.text(file).filter(|text| !text.is_ascii()) else { continue };
            unseen(file, &text, &mut found);
            if file.ends_with(".cedar") {
                policies(file, &text, &mut found);
            }
        }
        // One finding a mistake: what has a finding of its own there is named by it.
        let within = |place: &Place| {
            named.iter().any(|name| name.file == place.file && name.start <= place.start && place.end <= name.end)
        };
        found.retain(|finding: &Diagnostic| finding.place().is_none_or(|place| !within(place)));
        let known = named.iter().chain(found.iter().filter_map(Diagnostic::place));
        let mut walk = Walk { known: known.cloned().collect(), found: Vec::new() };
        if let Some(tree) = subject.tree {
            walk.node(tree, &mut Vec::new());
        }
        findings.append(&mut found);
        findings.append(&mut walk.found);
    }
}

fn unseen(file: &str, text: &str, found: &mut Vec<Diagnostic>) {
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut start = text.len() - body.len();
    let file = file.into();
    let before = found.len();
    for line in body.split_inclusive('\n') {
        let mut last = ' ';
        let at = line.char_indices().find(|(_, character)| {
            // Scripts and pictures that are joined by these two need them.
            let joins = matches!(character, '\u{200c}' | '\u{200d}') && !last.is_ascii();
            last = *character;
            look_alike::is_unseen(*character) && !joins
        });
        if let Some((at, character)) = at {
            let place = source::position(&file, text, start + at);
            let message = format!("there is something here that is not seen: U+{:04X}", u32::from(character));
            let finding = findings::CONFUSABLE_NAME.at(&place, message);
            found.push(finding.help("remove it; where a text needs it, write it as an escape in double quotes"));
            if found.len() - before >= MOST {
                return;
            }
        }
        start += line.len();
    }
}

fn policies(file: &str, text: &str, found: &mut Vec<Diagnostic>) {
    let file = file.into();
    let mut start = 0;
    let before = found.len();
    for line in text.split_inclusive('\n') {
        let code = line.split("//").next().unwrap_or_default();
        if found.len() - before < MOST
            && !code.chars().any(look_alike::is_unseen)
            && let Some(what) = look_alike::first(code)
        {
            let at = code.char_indices().find(|(_, c)| !c.is_ascii()).map_or(0, |(at, _)| at);
            let place = source::position(&file, text, start + at);
            found.push(findings::CONFUSABLE_NAME.at(&place, "a name here is not what it seems").label(what));
        }
        start += line.len();
    }
}

struct Walk {
    known: BTreeSet<Place>,
    found: Vec<Diagnostic>,
}

impl Walk {
    fn node<'n>(&mut self, node: &'n Node, path: &mut Vec<&'n str>) {
        if let Some(text) = node.text()
            && !node.from_env
            && !is_prose(path)
        {
            self.name(text, &node.place);
        }
        node.items().iter().for_each(|item| self.node(item, path));
        for entry in node.entries() {
            self.name(&entry.key, &entry.place);
            path.push(&entry.key);
            self.node(&entry.value, path);
            path.pop();
        }
    }

    fn name(&mut self, name: &str, place: &Place) {
        let Some(what) = look_alike::first(name) else { return };
        let inside = |known: &Place| known.file == place.file && place.start <= known.start && known.end <= place.end;
        if self.known.contains(place) || self.known.iter().any(inside) {
            return;
        }
        let shown: String = name.chars().take(60).flat_map(char::escape_debug).collect();
        let message = format!("`{shown}` is not what it seems");
        self.found.push(findings::CONFUSABLE_NAME.at(place, message).label(what));
    }
}

/// Whether what stands there is read by people, and compared with nothing.
fn is_prose(path: &[&str]) -> bool {
    match path {
        [first, _] | [first, _, "description"] => *first == "tags",
        [.., last] => *last == "reason",
        [] => false,
    }
}
