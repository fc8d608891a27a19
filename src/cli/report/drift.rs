//! How what servers offer differs from what is pinned, for people and for programs.
//!
//! INVARIANT: nothing that a server says reaches a terminal but through [`shown`]: characters that act,
//! turn or hide are written as escapes.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::{
    lock::{
        Part, Said,
        compare::{Change, Difference, How},
    },
    name::ServerName,
    record::visible,
};

/// The most of one value that is shown.
const LONGEST: usize = 240;

/// A server and what was found of it.
#[derive(Debug)]
pub(crate) struct Compared {
    /// The server.
    pub(crate) name: ServerName,
    /// What was found.
    pub(crate) state: State,
}

/// What was found of a server.
#[derive(Debug)]
pub(crate) enum State {
    /// It was asked: whether it is pinned, and every difference.
    Asked {
        /// Whether it is in the lock.
        pinned: bool,
        /// How it differs.
        changes: Vec<Change>,
    },
    /// It could not be asked.
    Silent(String),
    /// It is in the lock and not in the configuration.
    Unconfigured,
}

impl Compared {
    /// Whether it is known to differ.
    pub(crate) fn differs(&self) -> bool {
        match &self.state {
            State::Asked { pinned, changes } => !pinned || !changes.is_empty(),
            State::Silent(_) | State::Unconfigured => false,
        }
    }
}

/// For people.
pub(crate) fn human(servers: &[Compared]) -> String {
    let mut text = String::new();
    let width = servers.iter().map(|server| server.name.as_str().len()).max().unwrap_or_default();
    for Compared { name, state } in servers {
        let said = match state {
            State::Silent(why) => format!("could not be asked: {}", shown(why)),
            State::Unconfigured => "pinned, but not in this configuration".into(),
            State::Asked { pinned: true, changes } if changes.is_empty() => "same".into(),
            State::Asked { pinned: true, changes } => count(changes),
            State::Asked { pinned: false, changes } => format!("not pinned: {}", parts(changes)),
        };
        // Writing to a string does not fail.
        _ = writeln!(text, "{:width$}  {said}", name.as_str());
        if let State::Asked { changes, .. } = state {
            changes.iter().for_each(|change| write_change(change, &mut text));
        }
    }
    text
}

fn count(changes: &[Change]) -> String {
    let all = [How::Added, How::Changed, How::Removed];
    let counted = all.map(|how| (changes.iter().filter(|change| change.how == how).count(), how.word()));
    let said: Vec<_> = counted.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
    said.join(", ")
}

/// `4 tools, 1 prompt`
fn parts(changes: &[Change]) -> String {
    use crate::lock::compare::Subject;
    let said: Vec<String> = [Part::Tool, Part::Prompt, Part::Template]
        .into_iter()
        .map(|part| {
            let of_it = |change: &&Change| matches!(change.subject, Subject::Entry(of, _) if of == part);
            (changes.iter().filter(of_it).count(), part)
        })
        .filter(|(n, _)| *n > 0)
        .map(|(n, part)| counted(n, part.word()))
        .collect();
    if said.is_empty() { "offers nothing".into() } else { said.join(", ") }
}

/// `1 tool`, `2 tools`
pub(crate) fn counted(n: usize, word: &str) -> String {
    if n == 1 { format!("1 {word}") } else { format!("{n} {word}s") }
}

fn write_change(change: &Change, text: &mut String) {
    let Change { subject, how, pinned, seen } = change;
    let name = subject.name().map(|name| format!(" {}", shown(name))).unwrap_or_default();
    let fields = match how {
        How::Changed if subject.name().is_some() => format!(": {}", change.fields().join(", ")),
        How::Changed | How::Added | How::Removed => String::new(),
    };
    _ = writeln!(text, "  {:7} {}{name}{fields}", how.word(), subject.word());
    match how {
        How::Changed => {
            for Difference { at, pinned, seen } in change.differences() {
                if !at.is_empty() {
                    _ = writeln!(text, "      {}", shown(&at));
                }
                write_values(pinned.as_ref(), seen.as_ref(), text);
            }
        }
        How::Added | How::Removed => write_values(said(pinned.as_deref()), said(seen.as_deref()), text),
    }
}

/// What is most worth reading of a thing that came or went: what it tells a model.
fn said(said: Option<&Said>) -> Option<&Value> {
    let value = said?.value();
    if value.is_object() { value.get("description") } else { Some(value) }
}

fn write_values(pinned: Option<&Value>, seen: Option<&Value>, text: &mut String) {
    for (sign, value) in [("-", pinned), ("+", seen)] {
        if let Some(value) = value {
            _ = writeln!(text, "        {sign} {}", shown(&value.to_string()));
        }
    }
}

/// One line in which nothing acts or hides, not too long.
fn shown(text: &str) -> String {
    let mut out = Vec::new();
    let cut = text.floor_char_boundary(LONGEST);
    visible(text.get(..cut).unwrap_or_default(), &mut out);
    let mut line = String::from_utf8(out).unwrap_or_default();
    if cut < text.len() {
        _ = write!(line, "… ({} bytes)", text.len());
    }
    line
}

/// For programs.
pub(crate) fn json(servers: &[Compared]) -> Value {
    let one = |server: &Compared| match &server.state {
        State::Silent(why) => json!({"name": server.name.as_str(), "state": "silent", "problem": why}),
        State::Unconfigured => json!({"name": server.name.as_str(), "state": "unconfigured"}),
        State::Asked { pinned, changes } => {
            let state = match (pinned, changes.is_empty()) {
                (false, _) => "unpinned",
                (true, true) => "same",
                (true, false) => "differs",
            };
            let changes: Vec<Value> = changes.iter().map(change_as_json).collect();
            json!({"name": server.name.as_str(), "state": state, "changes": changes})
        }
    };
    servers.iter().map(one).collect()
}

fn change_as_json(change: &Change) -> Value {
    let Change { subject, how, pinned, seen } = change;
    let differences: Vec<Value> = change
        .differences()
        .into_iter()
        .map(|Difference { at, pinned, seen }| json!({"at": at, "pinned": pinned, "seen": seen}))
        .collect();
    json!({
        "kind": subject.word(),
        "name": subject.name(),
        "how": how.word(),
        "fields": change.fields(),
        "pinned": pinned.as_deref().map(Said::digest),
        "seen": seen.as_deref().map(Said::digest),
        "differences": differences,
    })
}

/// A JSON value over several lines, in which nothing acts or hides.
pub(crate) fn text_of(value: &Value) -> String {
    let mut out = Vec::new();
    for line in format!("{value:#}").lines() {
        visible(line, &mut out);
        out.push(b'\n');
    }
    String::from_utf8(out).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t183_what_hides_is_shown_and_what_acts_does_not() {
        assert_eq!(shown("a\u{1b}[2Jb\u{200b}\u{202e}c\u{e0041}\n"), r"a\u001b[2Jb\u200b\u202ec\udb40\udc41\u000a");
        assert_eq!(shown(&"é".repeat(200)).chars().filter(|c| *c == 'é').count(), 120);
    }
}
