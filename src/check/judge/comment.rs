//! Comments that suppress findings: `# portcullis: ignore[RULE, …] reason="…" until=2027-01-31`.
//!
//! One at the end of a line, or on a line inside of a finding, speaks of the finding there. One on a
//! line of its own speaks of what stands directly below: the line, and where an entry begins in it,
//! the whole entry. Above a key of the top level it speaks of that line alone, so that no comment
//! hides what is written into a section later.

use std::sync::Arc;

use jiff::civil::Date;

use crate::{
    config::{Loaded, Node},
    diagnostic::{Place, Placed},
};

/// A comment that is meant to suppress.
#[derive(Debug, Clone)]
pub(super) struct Directive {
    /// The rules it names, with their places.
    pub(super) rules: Vec<Placed<String>>,
    /// Why.
    pub(super) reason: Option<String>,
    /// The last day.
    pub(super) until: Option<Date>,
    /// What is wrong with how it is written; then it suppresses nothing.
    pub(super) trouble: Option<String>,
    /// The comment.
    pub(super) place: Place,
    /// What goes where it is removed.
    pub(super) whole: Place,
    /// What it speaks of besides the line it stands in.
    below: Option<Below>,
}

/// What stands below a comment.
#[derive(Debug, Clone, Copy)]
struct Below {
    /// The line below, as the offsets of its text.
    line: (usize, usize),
    /// The entry that begins there.
    entry: Option<(usize, usize)>,
}

impl Directive {
    /// Whether it speaks of a finding at this place.
    pub(super) fn covers(&self, place: &Place, text: &str) -> bool {
        if place.file != self.place.file {
            return false;
        }
        let (first, last) = (line_start(text, place.start), line_end(text, place.end.max(place.start)));
        let inside = first <= self.place.start && self.place.start <= last;
        let below = self.below.is_some_and(|Below { line, entry }| {
            (line.0..=line.1).contains(&place.start)
                || entry.is_some_and(|(start, end)| start <= place.start && place.start < end)
        });
        inside || below
    }
}

/// Every such comment.
pub(super) fn directives(loaded: &Loaded) -> Vec<Directive> {
    let mut directives = Vec::new();
    let mut open: Option<(Arc<str>, Arc<str>)> = None;
    for comment in &loaded.comments {
        if !comment.value.starts_with(WORD) {
            continue;
        }
        let file = &comment.place.file;
        if open.as_ref().is_none_or(|(name, _)| name != file) {
            open = loaded.sources.text(file).map(|text| (file.clone(), text));
        }
        let Some((_, text)) = &open else { continue };
        directives.push(directive(&comment.place, text, loaded.tree.as_ref()));
    }
    directives
}

const WORD: &str = "portcullis:";

fn directive(place: &Place, text: &str, tree: Option<&Node>) -> Directive {
    let end = line_end(text, place.start);
    let place = Place { end, ..place.clone() };
    let line = line_start(text, place.start);
    let before = text.get(line..place.start).unwrap_or_default();
    let alone = before.trim().is_empty();
    let whole = if alone {
        // With its line feed.
        Place { line: place.line, column: 1, start: line, end: (end + 1).min(text.len()), file: place.file.clone() }
    } else {
        let start = line + before.trim_end().len();
        let column = u32::try_from(before.trim_end().chars().count() + 1).unwrap_or(u32::MAX);
        // The carriage return belongs to the line.
        let end = line + text.get(line..end).unwrap_or_default().trim_end_matches('\r').len();
        Place { start, end, column, ..place.clone() }
    };
    let below = if alone { below(&place, text, tree) } else { None };
    let mut directive = Directive { rules: Vec::new(), reason: None, until: None, trouble: None, place, whole, below };
    let start = directive.place.start;
    let written = text.get(start..directive.place.end).unwrap_or_default().trim_end();
    if let Err(trouble) = read(&mut directive, start, written) {
        directive.trouble = Some(trouble);
    }
    directive
}

/// What stands directly below a comment on a line of its own; further comments may stand between.
fn below(place: &Place, text: &str, tree: Option<&Node>) -> Option<Below> {
    let mut number = place.line;
    let mut at = place.end;
    loop {
        at += 1;
        number += 1;
        let end = line_end(text, at);
        let line = text.get(at..end)?.trim();
        if line.is_empty() {
            return None;
        }
        if !line.starts_with('#') {
            let entry = tree.and_then(|tree| tree.entries().iter().find_map(|top| entry(&top.value, place, number)));
            return Some(Below { line: (at, end), entry });
        }
        at = end;
    }
}

/// The outermost entry below `node` that begins in a line.
fn entry(node: &Node, comment: &Place, line: u32) -> Option<(usize, usize)> {
    let begins = |place: &Place| place.file == comment.file && place.line == line;
    // What ends above the comment need not be looked into.
    let later = |value: &Node| value.place.file != comment.file || value.place.end > comment.start;
    for entry in node.entries() {
        if begins(&entry.place) {
            return Some((entry.place.start, entry.value.place.end.max(entry.place.end)));
        }
    }
    for item in node.items() {
        if begins(&item.place) {
            return Some((item.place.start, item.place.end));
        }
    }
    let values = node.entries().iter().map(|entry| &entry.value).chain(node.items());
    values.filter(|value| later(value)).find_map(|value| self::entry(value, comment, line))
}

/// Reads the comment's own words; `written` begins at the offset `start`.
fn read(directive: &mut Directive, start: usize, written: &str) -> Result<(), String> {
    let from = |rest: &str| start + written.len() - rest.len();
    let rest = written.trim_start_matches(['#', ' ', '\t']);
    let rest = rest.strip_prefix(WORD).unwrap_or(rest).trim_start();
    let Some(rest) = rest.strip_prefix("ignore[") else {
        return Err("what follows `portcullis:` must be `ignore[RULE]`".into());
    };
    let Some((list, mut rest)) = rest.split_once(']') else {
        return Err("the bracket after `ignore` is not closed".into());
    };
    let mut at = from(rest) - 1 - list.len();
    for rule in list.split(',') {
        let name = rule.trim();
        let lead = rule.len() - rule.trim_start().len();
        if name.is_empty() {
            return Err("the brackets of `ignore` must hold rules, as in `ignore[PC304]`".into());
        }
        let before = written.get(..at + lead - start).unwrap_or_default();
        let column = directive.place.column + u32::try_from(before.chars().count()).unwrap_or_default();
        let place = Place { start: at + lead, end: at + lead + name.len(), column, ..directive.place.clone() };
        directive.rules.push(Placed::new(name.to_owned(), place));
        at += rule.len() + 1;
    }
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            return Ok(());
        }
        let Some((key, after)) = rest.split_once('=') else {
            return Err("after the brackets stand `reason=\"…\"` and `until=2027-01-31`, and nothing else".into());
        };
        let (value, after) = value(after)?;
        match key {
            "reason" if directive.reason.is_none() => directive.reason = Some(value),
            "until" if directive.until.is_none() => {
                let date = value.parse().map_err(|_| "`until` must be a date as in `2027-01-31`".to_owned())?;
                directive.until = Some(date);
            }
            "reason" | "until" => return Err(format!("`{key}` is given twice")),
            _ => return Err("after the brackets stand `reason=\"…\"` and `until=2027-01-31`, and nothing else".into()),
        }
        rest = after;
    }
}

/// A quoted text with `\"` and `\\` in it, or a word; and what follows.
fn value(text: &str) -> Result<(String, &str), String> {
    let Some(quoted) = text.strip_prefix('"') else {
        let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        return Ok((word.to_owned(), rest));
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Ok((value, quoted.get(at + 1..).unwrap_or_default())),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            _ => value.push(character),
        }
    }
    Err("a quotation mark is not closed".into())
}

fn line_start(text: &str, at: usize) -> usize {
    text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |feed| feed + 1)
}

fn line_end(text: &str, at: usize) -> usize {
    text.get(at..).and_then(|after| after.find('\n')).map_or(text.len(), |feed| at + feed)
}
