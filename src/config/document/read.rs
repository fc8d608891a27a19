//! The first reader: events of the YAML parser become a tree with places.
//!
//! What YAML allows and a policy file must not hold is found here and pruned, so that the rest
//! can still be read: keys written twice, merge keys, aliases, YAML tags, keys that are not
//! text, a second document. Depth and number of values are bounded before anything is built.
//!
//! SPEC: YAML 1.2.2; `requirements/lint-rules.md` §5.

use std::{
    collections::{BTreeMap, btree_map::Entry as Slot},
    sync::Arc,
};

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError, Span, options};

use super::{
    node::{Entry, MERGE, Node, Value},
    scalar,
};
use crate::{
    config::{findings, secrecy},
    diagnostic::{Diagnostic, Place, Placed},
};

/// Lists and maps within each other.
const DEPTH: usize = 64;
/// Values in a file.
const NODES: usize = 500_000;

/// Reads `text` into a tree, if there is any.
pub(super) fn read(
    file: &Arc<str>,
    text: &str,
    hidden: &mut Vec<Place>,
    comments: &mut Vec<Placed<String>>,
    findings: &mut Vec<Diagnostic>,
) -> Option<Node> {
    let options = options! {
        disallow_directives: true,
        block_scalar_eof_without_line_feed: true,
        emit_unresolved_aliases: true,
        emit_comments: true,
        flow_nesting_limit: DEPTH,
        block_nesting_limit: DEPTH,
    };
    let mut tree = Tree { file, text, hidden, comments, findings, open: Vec::new(), root: None, nodes: 0 };
    let mut documents = 0_usize;
    for next in Parser::new_from_str_with_options(text, options) {
        let (event, span) = match next {
            Ok(next) => next,
            Err(error) => {
                tree.syntax(&error);
                return None;
            }
        };
        if matches!(event, Event::DocumentStart(..)) {
            documents += 1;
        }
        if documents > 1 {
            let place = tree.place(&span);
            let first = tree.root.as_ref().map(|root| root.place.clone());
            let mut finding =
                findings::MULTI_DOCUMENT.at(&place, "a second document begins here").label("the second document");
            if let Some(first) = first {
                finding = finding.also(&Place { end: first.start, ..first }, "the first document begins here");
            }
            tree.findings.push(finding);
            break;
        }
        tree.event(event, &span);
        if tree.nodes > NODES {
            let place = tree.place(&span);
            let message = format!("the file holds more than {NODES} values");
            tree.findings
                .push(findings::YAML_SYNTAX.at(&place, message).help("split the gateway, or mend what wrote the file"));
            return None;
        }
    }
    let root = tree.root?;
    (!matches!(root.value, Value::Null)).then_some(root)
}

struct Tree<'a> {
    file: &'a Arc<str>,
    text: &'a str,
    hidden: &'a mut Vec<Place>,
    comments: &'a mut Vec<Placed<String>>,
    findings: &'a mut Vec<Diagnostic>,
    open: Vec<Open>,
    root: Option<Node>,
    nodes: usize,
}

/// A list or map that is not closed yet.
struct Open {
    place: Place,
    flow: bool,
    /// Under a merge key, which has its finding already.
    muted: bool,
    kind: OpenKind,
}

enum OpenKind {
    List(Vec<Node>),
    Map { entries: Vec<Entry>, seen: Seen, key: Option<Key> },
}

/// A key whose value is awaited.
enum Key {
    Good(String, Place, Option<&'static str>),
    /// The value is read and thrown away; `muted` where findings below it would only repeat.
    Bad {
        muted: bool,
    },
}

impl Tree<'_> {
    fn event(&mut self, event: Event<'_>, span: &Span) {
        let place = self.place(span);
        if event.is_node() {
            self.nodes += 1;
        }
        if event.tag().is_some() {
            let place = span.tag_span().map_or_else(|| place.clone(), |tag| self.place(&tag));
            let message = format!("the YAML tag `{}` is not allowed", self.slice(&place));
            self.report(
                findings::YAML_SYNTAX.at(&place, message).help("remove the tag; every key knows the kind of its value"),
            );
        }
        match event {
            Event::Scalar(text, style, _, tag) => {
                let plain = style == ScalarStyle::Plain;
                let other = if plain { scalar::in_yaml_1_1(&text) } else { None };
                let value = match (tag, style) {
                    (Some(_), _) => Value::Bad,
                    (None, ScalarStyle::Plain) => scalar::resolve(&text),
                    (None, _) => Value::Text(text.into_owned()),
                };
                self.complete(Node { place, value, from_env: false, other }, plain);
            }
            Event::Alias(_) | Event::UnresolvedAlias(_) => {
                let message = format!("the alias `{}` is not allowed", self.slice(&place));
                self.report(findings::YAML_SYNTAX.at(&place, message).help("write the value out where it is used"));
                self.complete(Node { place, value: Value::Bad, from_env: false, other: None }, false);
            }
            Event::SequenceStart(style, _, _) => {
                let flow = style == granit_parser::StructureStyle::Flow;
                let muted = self.muted();
                self.open.push(Open { place, flow, muted, kind: OpenKind::List(Vec::new()) });
            }
            Event::MappingStart(style, _, _) => {
                let flow = style == granit_parser::StructureStyle::Flow;
                let muted = self.muted();
                let kind = OpenKind::Map { entries: Vec::new(), seen: Seen::default(), key: None };
                self.open.push(Open { place, flow, muted, kind });
            }
            Event::Comment(text, _) => self.comments.push(Placed::new(text.trim().to_owned(), place)),
            Event::SequenceEnd | Event::MappingEnd => self.close(&place),
            _ => {}
        }
    }

    fn close(&mut self, end: &Place) {
        let Some(Open { mut place, flow, muted: _, kind }) = self.open.pop() else { return };
        let value = match kind {
            OpenKind::List(items) => {
                place.end = if flow { end.end } else { items.last().map_or(place.end, |last| last.place.end) };
                Value::List(items)
            }
            OpenKind::Map { entries, seen: _, key: _ } => {
                place.end = if flow { end.end } else { entries.last().map_or(place.end, |last| last.value.place.end) };
                Value::Map(entries)
            }
        };
        place.end = place.end.max(place.start);
        self.complete(Node { place, value, from_env: false, other: None }, false);
    }

    /// Puts a finished value where it belongs: key, value, item or root.
    fn complete(&mut self, node: Node, plain: bool) {
        let Some(open) = self.open.last_mut() else {
            self.root.get_or_insert(node);
            return;
        };
        match &mut open.kind {
            OpenKind::List(items) => {
                if let Value::Text(text) = &node.value {
                    let before = items.last().and_then(|item| match &item.value {
                        Value::Text(text) => Some(text.as_str()),
                        _ => None,
                    });
                    let (key, value) = secrecy::argument(before, text);
                    if secrecy::is_secret(key, value) && !text.contains("${") {
                        self.hidden.push(node.place.clone());
                    }
                }
                items.push(node);
            }
            OpenKind::Map { entries, seen, key } => match key.take() {
                Some(Key::Good(key, place, other)) => {
                    if let Value::Text(text) = &node.value
                        && (secrecy::names_a_secret(&key) || secrecy::is_secret(&key, text))
                        && !text.contains("${")
                    {
                        self.hidden.push(node.place.clone());
                    }
                    entries.push(Entry { key, place, other, value: node });
                }
                Some(Key::Bad { muted: true }) => {
                    let (key, place) = (MERGE.to_owned(), node.place.clone());
                    entries.push(Entry { key, place, other: None, value: Node { value: Value::Bad, ..node } });
                }
                Some(Key::Bad { muted: false }) => {}
                None => {
                    let (next, finding) = as_key(node, plain, seen);
                    *key = Some(next);
                    if let Some(finding) = finding {
                        self.report(finding);
                    }
                }
            },
        }
    }

    /// Whether findings here would only repeat one that was made.
    fn muted(&self) -> bool {
        self.open.last().is_some_and(|open| {
            open.muted || matches!(&open.kind, OpenKind::Map { key: Some(Key::Bad { muted: true }), .. })
        })
    }

    fn report(&mut self, finding: Diagnostic) {
        if !self.muted() || finding.code == findings::MERGE_KEY.code {
            self.findings.push(finding);
        }
    }

    fn syntax(&mut self, error: &ScanError) {
        let mark = error.marker();
        let start = mark.byte_offset().unwrap_or(self.text.len()).min(self.text.len());
        let place = Place {
            file: self.file.clone(),
            line: number(mark.line()),
            column: number(mark.col() + 1),
            start,
            end: self.text.get(start..).and_then(|rest| rest.chars().next()).map_or(start, |c| start + c.len_utf8()),
        };
        let (message, help) = match error.kind() {
            ErrorKind::RecursionLimitExceeded => (
                format!("lists and maps stand more than {DEPTH} deep within each other"),
                "no configuration needs that depth; mend what wrote the file".to_owned(),
            ),
            ErrorKind::TabInBlockIndentation | ErrorKind::TabNotAllowed => {
                ("a tab indents this line".to_owned(), "indent with spaces; YAML does not allow tabs".to_owned())
            }
            ErrorKind::DirectiveDisallowed => (
                "a `%` directive is not allowed".to_owned(),
                "remove the line; if it is text, put it in quotes".to_owned(),
            ),
            _ => {
                let info = error.info();
                // The line below is read as more of the value here.
                let tab = info.contains("found a tab");
                let help =
                    if tab { "a line below begins with a tab: indent with spaces" } else { findings::YAML_SYNTAX.help };
                (format!("the YAML cannot be read: {info}"), help.to_owned())
            }
        };
        self.findings.push(findings::YAML_SYNTAX.at(&place, message).help(help));
    }

    fn place(&self, span: &Span) -> Place {
        let length = self.text.len();
        let start = span.start.byte_offset().unwrap_or(length).min(length);
        let end = span.end.byte_offset().unwrap_or(start).clamp(start, length);
        Place {
            file: self.file.clone(),
            line: number(span.start.line()),
            column: number(span.start.col() + 1),
            start,
            end,
        }
    }

    fn slice(&self, place: &Place) -> String {
        self.text.get(place.start..place.end).unwrap_or_default().chars().take(60).collect()
    }
}

/// The keys of a map so far, and the same without their case.
#[derive(Default)]
struct Seen {
    exact: BTreeMap<String, Place>,
    folded: BTreeMap<String, (String, Place)>,
}

enum Entered {
    First,
    Again(Place),
    Alike(String, Place),
}

impl Seen {
    fn enter(&mut self, key: &str, place: &Place) -> Entered {
        if let Some(first) = self.exact.get(key) {
            return Entered::Again(first.clone());
        }
        self.exact.insert(key.to_owned(), place.clone());
        match self.folded.entry(key.to_lowercase()) {
            Slot::Occupied(known) => Entered::Alike(known.get().0.clone(), known.get().1.clone()),
            Slot::Vacant(free) => {
                free.insert((key.to_owned(), place.clone()));
                Entered::First
            }
        }
    }
}

/// What a value in a key's position means.
fn as_key(node: Node, plain: bool, seen: &mut Seen) -> (Key, Option<Diagnostic>) {
    let Node { place, value, from_env: _, other } = node;
    match value {
        Value::Text(text) if plain && text == MERGE => {
            (Key::Bad { muted: true }, Some(findings::MERGE_KEY.at(&place, "merge keys are not allowed")))
        }
        Value::Text(text) => match seen.enter(&text, &place) {
            Entered::Again(first) => {
                let message = format!("the key `{}` is written twice", secrecy::shown("", &text));
                let finding = findings::DUPLICATE_KEY.at(&place, message).label("written again here");
                (Key::Bad { muted: false }, Some(finding.also(&first, "first written here")))
            }
            Entered::Alike(known, first) => {
                let (known, new) = (secrecy::shown("", &known), secrecy::shown("", &text));
                let message = format!("the keys `{known}` and `{new}` differ only in their case");
                let finding = findings::DUPLICATE_KEY_CASE.at(&place, message).label("this one");
                (Key::Good(text, place, other), Some(finding.also(&first, "and this one")))
            }
            Entered::First => (Key::Good(text, place, other), None),
        },
        Value::Bad => (Key::Bad { muted: false }, None),
        value @ (Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::List(_) | Value::Map(_)) => {
            let node = Node { place, value, from_env: false, other: None };
            let message = format!("a key must be text, not {}", node.shown(""));
            let finding = findings::WRONG_TYPE.at(&node.place, message).help("put the key in quotes");
            (Key::Bad { muted: false }, Some(finding))
        }
    }
}

fn number(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}
