//! One decision of the audit trail, found by its id.
//!
//! The file is read once from its beginning, a line at a time, so that a trail of any length needs the
//! memory of one line. The last record with the id counts: there is but one in a sound trail.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read as _},
    path::Path,
};

use anyhow::{Context as _, bail};
use serde::Deserialize;

use crate::{cli::report, explain::Past, id::Id};

/// The longest line that is read; records are far shorter.
const LONGEST: u64 = 1 << 20;

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow, rename = "type")]
    kind: &'a str,
    id: &'a str,
}

/// Reads an id.
///
/// # Errors
/// When it is none.
pub(super) fn id(text: &str) -> anyhow::Result<Id> {
    let help = "take it from `id` of a `decision` record in the audit trail";
    text.parse().map_err(|error| anyhow::anyhow!("`{text}` is {error}; {help}"))
}

/// The decision with this id.
///
/// # Errors
/// When the trail cannot be read or holds none.
pub(super) fn find(path: &Path, id: Id) -> anyhow::Result<Past> {
    let shown = path.display();
    let file = File::open(path).with_context(|| {
        format!("cannot read the audit trail `{shown}`, which `serve` writes and `audit.file` names")
    })?;
    let wanted = id.to_string();
    let (mut unreadable, mut decisions, mut found) = (0_u64, 0_u64, None);
    let mut lines = BufReader::with_capacity(1 << 16, file);
    let mut line = Vec::new();
    while next(&mut lines, &mut line).with_context(|| format!("cannot read the audit trail `{shown}`"))? {
        match serde_json::from_slice::<Head<'_>>(&line) {
            Ok(Head { kind: "decision", id }) => {
                decisions += 1;
                if id == wanted {
                    match serde_json::from_slice::<Past>(&line) {
                        Ok(past) => found = Some(past),
                        Err(_) => unreadable += 1,
                    }
                }
            }
            Ok(_) => {}
            Err(_) => unreadable += 1,
        }
    }
    if unreadable > 0 {
        let lines = if unreadable == 1 { "line that does" } else { "lines that do" };
        report::talk(&format!("warning: skipped {unreadable} {lines} not read as a record in `{shown}`"));
    }
    match found {
        Some(past) => Ok(past),
        None => bail!(
            "no decision `{wanted}` among the {decisions} of `{shown}`; it may stand in a file that was moved away: `audit.file` says which is read"
        ),
    }
}

/// The next line; one that is too long is skipped to its end and left empty, which reads as nothing.
fn next(lines: &mut impl BufRead, line: &mut Vec<u8>) -> std::io::Result<bool> {
    line.clear();
    if lines.take(LONGEST).read_until(b'\n', line)? == 0 {
        return Ok(false);
    }
    if line.len() as u64 == LONGEST && line.last() != Some(&b'\n') {
        line.clear();
        lines.skip_until(b'\n')?;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_without_end_costs_no_more_than_its_bound() {
        let mut text = vec![b'x'; 3 << 20];
        text.extend_from_slice(b"\nlast");
        let (mut lines, mut line) = (text.as_slice(), Vec::new());
        assert!(next(&mut lines, &mut line).unwrap() && line.is_empty());
        assert!(line.capacity() as u64 <= 2 * LONGEST);
        assert!(next(&mut lines, &mut line).unwrap() && line == b"last");
        assert!(!next(&mut lines, &mut line).unwrap());
    }
}
