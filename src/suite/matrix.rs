//! The access matrix of a suite: its principals × what there is to call, as stable text.
//!
//! Each cell is the letter of [`crate::reach`]: `A` allowed, `a` at some moments, `F` forbidden, `.` not
//! permitted, `!` an error.

use super::{ground::Ground, read::Suite};
use crate::{policy::Verb, reach::Letter};

/// The matrix, a row a tool. Lines end where they have something to say.
#[must_use]
pub fn matrix(suite: &Suite, ground: &Ground<'_>) -> String {
    let reach = ground.reach();
    let callers: Vec<_> = suite
        .principals
        .iter()
        .map(|who| {
            let standing = &who.standing;
            let caller = reach.caller(standing.principal.clone(), standing.client.clone(), standing.groups.clone());
            (who, caller)
        })
        .collect();
    let verbs = [Verb::ToolsCall, Verb::PromptsGet, Verb::ResourcesRead];
    let mut rows: Vec<(String, Vec<Letter>)> = Vec::new();
    for server in reach.servers() {
        for verb in verbs {
            for aim in reach.aims(server, verb) {
                let kind = if verb == Verb::ToolsCall { "" } else { verb.action() };
                let name = format!("{server}/{}", aim.name());
                let label = if kind.is_empty() { name } else { format!("{kind} {name}") };
                let cells =
                    callers.iter().map(|(who, caller)| reach.letter(caller, &who.standing.scopes, verb, &aim.target));
                rows.push((label, cells.collect()));
            }
        }
    }
    let width = rows.iter().map(|(label, _)| label.chars().count()).max().unwrap_or_default();
    let mut text = String::from("A allowed, a at some moments, F forbidden, . not permitted, ! error\n\n");
    let columns: Vec<usize> = suite.principals.iter().map(|who| who.name.chars().count()).collect();
    let heads: Vec<&str> = suite.principals.iter().map(|who| who.name.as_str()).collect();
    text.push_str(&format!("{:width$}  {}\n", "", heads.join("  ")));
    for (label, cells) in rows {
        let cells: Vec<String> =
            cells.iter().zip(&columns).map(|(letter, column)| format!("{:column$}", letter.as_char())).collect();
        text.push_str(format!("{label:width$}  {}", cells.join("  ")).trim_end());
        text.push('\n');
    }
    text
}
