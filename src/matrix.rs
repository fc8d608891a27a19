//! Who may use what, as a table: principals × what each server offers, each principal with the most
//! that it may be granted.
//!
//! The text is stable and sorted, so that its difference is a review: a line for each thing that is
//! offered, a column for each principal. What no inventory pins stands for itself where the
//! configuration names it, and `*` for the rest.
//!
//! SPEC: `requirements/lint-rules.md` §4.4.

use std::{collections::BTreeMap, fmt::Write as _};

use serde::Serialize;

use crate::{
    name::{ScopeName, ServerName},
    policy::Verb,
    reach::{Aim, Caller, Known, Letter, Reach},
};

/// The whole table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Matrix {
    /// The columns.
    pub principals: Vec<Column>,
    /// The lines, by server, kind and name.
    pub rows: Vec<Row>,
}

/// A principal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Column {
    /// As in `group local/staff`.
    pub name: String,
    /// The most that it may be granted.
    pub scopes: Vec<ScopeName>,
}

/// One thing that a server offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The server.
    pub server: ServerName,
    /// `tool`, `prompt` or `resource`.
    pub kind: &'static str,
    /// Its name, a pattern, or `*` for every other.
    pub name: String,
    /// Whether it is known to exist.
    pub pinned: bool,
    /// The answers, one for each principal.
    pub letters: Vec<Letter>,
}

/// What the letters say.
const LEGEND: [(Letter, &str); 5] = [
    (Letter::Allowed, "allowed"),
    (Letter::Sometimes, "allowed under a condition"),
    (Letter::Forbidden, "forbidden"),
    (Letter::NotPermitted, "not permitted"),
    (Letter::Error, "a policy cannot be evaluated, which denies"),
];

/// The table of these callers.
#[must_use]
pub fn matrix<'k>(reach: &Reach<'_>, callers: impl IntoIterator<Item = &'k Caller>) -> Matrix {
    let callers: Vec<&Caller> = callers.into_iter().collect();
    let principals = callers
        .iter()
        .map(|caller| Column { name: caller.who.to_string(), scopes: reach.ceiling(caller).iter().cloned().collect() })
        .collect();
    let kinds = [("tool", Verb::ToolsCall), ("prompt", Verb::PromptsGet), ("resource", Verb::ResourcesRead)];
    let mut rows = Vec::new();
    for server in reach.servers() {
        for (kind, verb) in kinds {
            for aim in reach.aims(server, verb).filter(|aim| kind == "tool" || is_named(aim)) {
                let letters = callers.iter().map(|caller| reach.at_most(caller, verb, &aim.target)).collect();
                let pinned = aim.known == Known::Pinned;
                rows.push(Row { server: server.clone(), kind, name: aim.name().to_owned(), pinned, letters });
            }
        }
    }
    Matrix { principals, rows }
}

/// Prompts and resources that nothing is said of are no line: every server would have two.
fn is_named(aim: &Aim) -> bool {
    match aim.known {
        Known::Pinned | Known::Named | Known::Fits(_) => true,
        Known::Server | Known::Other => false,
    }
}

impl Row {
    /// As it is shown under its server.
    fn label(&self) -> String {
        if self.kind == "tool" { self.name.clone() } else { format!("{} {}", self.kind, self.name) }
    }
}

impl Matrix {
    /// The table for people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::from("each with the most that it may be granted\n");
        let width = widest(self.principals.iter().map(|principal| principal.name.as_str()));
        for (nth, principal) in self.principals.iter().enumerate() {
            let scopes = listed(&principal.scopes);
            // Writing to a string does not fail.
            _ = writeln!(text, "{}", format!("{:>4}  {:width$}  {scopes}", nth + 1, principal.name).trim_end());
        }
        let labels: Vec<String> = self.rows.iter().map(Row::label).collect();
        let width = widest(labels.iter().map(String::as_str));
        let digits = self.principals.len().to_string().len();
        let heads: String = (1..=self.principals.len()).map(|nth| format!(" {nth:>digits$}")).collect();
        _ = write!(text, "\n  {:width$} {heads}", "");
        let mut server = None;
        for (row, label) in self.rows.iter().zip(&labels) {
            if server != Some(&row.server) {
                _ = write!(text, "\n{}", row.server);
                server = Some(&row.server);
            }
            let cells: String = row.letters.iter().map(|letter| format!(" {:>digits$}", letter.to_string())).collect();
            _ = write!(text, "\n  {label:width$} {cells}");
        }
        _ = write!(text, "\n\n{}\n", self.legend("  "));
        text
    }

    /// The table in Markdown, for a pull request.
    #[must_use]
    pub fn markdown(&self) -> String {
        let heads: String =
            self.principals.iter().map(|principal| format!(" {} |", escaped(&principal.name))).collect();
        let rule: String = self.principals.iter().map(|_| " :-: |").collect();
        let mut text = format!("| |{heads}\n| --- |{rule}\n");
        let scopes: String =
            self.principals.iter().map(|principal| format!(" {} |", escaped(&listed(&principal.scopes)))).collect();
        _ = writeln!(text, "| *at most* |{scopes}");
        for row in &self.rows {
            let cells: String = row.letters.iter().map(|letter| format!(" {letter} |")).collect();
            _ = writeln!(text, "| {} |{cells}", escaped(&format!("{}/{}", row.server, row.label())));
        }
        _ = writeln!(text, "\n{}", self.legend(", "));
        text
    }

    /// What the letters that occur say.
    fn legend(&self, between: &str) -> String {
        let mut used: BTreeMap<Letter, ()> = BTreeMap::new();
        used.extend(self.rows.iter().flat_map(|row| &row.letters).map(|letter| (*letter, ())));
        let words = LEGEND.iter().filter(|(letter, _)| used.contains_key(letter));
        words.map(|(letter, meaning)| format!("{letter} {meaning}")).collect::<Vec<_>>().join(between)
    }
}

fn widest<'t>(texts: impl Iterator<Item = &'t str>) -> usize {
    texts.map(|text| text.chars().count()).max().unwrap_or_default()
}

fn listed(scopes: &[ScopeName]) -> String {
    scopes.iter().map(ScopeName::as_str).collect::<Vec<_>>().join(" ")
}

/// A cell of a Markdown table in which nothing is markup.
fn escaped(text: &str) -> String {
    text.chars()
        .flat_map(|c| (c.is_ascii_punctuation() && !"-/:.,".contains(c)).then_some('\\').into_iter().chain([c]))
        .collect()
}
