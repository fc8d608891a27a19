//! The text of a file with the edits of a fix made.

use crate::diagnostic::Edit;

/// Why edits cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Two of them change the same text.
    #[error("two edits overlap")]
    Overlap,
    /// One lies outside of the text, or cuts a character.
    #[error("an edit lies outside of the text")]
    Outside,
}

/// `text` with the edits made, which are all of its file and do not overlap.
///
/// Two insertions at one place overlap: their order would be a guess.
///
/// # Errors
/// When they overlap, or do not lie in the text.
pub fn mend(text: &str, edits: &[Edit]) -> Result<String, Unfit> {
    let mut edits: Vec<&Edit> = edits.iter().collect();
    edits.sort_by_key(|edit| (edit.place.start, edit.place.end));
    let mut mended = String::with_capacity(text.len());
    let mut done = 0;
    let mut last: Option<&Edit> = None;
    for edit in edits {
        let clash = |last: &Edit| last.place.start == edit.place.start || last.place.end > edit.place.start;
        if last.is_some_and(clash) {
            return Err(Unfit::Overlap);
        }
        // Checks the edit's own span too: it must begin and end on characters.
        text.get(edit.place.start..edit.place.end).ok_or(Unfit::Outside)?;
        mended.push_str(text.get(done..edit.place.start).ok_or(Unfit::Outside)?);
        mended.push_str(&edit.text);
        done = edit.place.end;
        last = Some(edit);
    }
    mended.push_str(text.get(done..).ok_or(Unfit::Outside)?);
    Ok(mended)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Place;

    fn edit(start: usize, end: usize, text: &str) -> Edit {
        Edit { place: Place { file: "f".into(), line: 1, column: 1, start, end }, text: text.into() }
    }

    #[test]
    fn edits_are_made_in_any_order() {
        assert_eq!(mend("abcdef", &[edit(4, 5, "E"), edit(0, 1, ""), edit(2, 2, "--")]).unwrap(), "b--cdEf");
        assert_eq!(mend("abc", &[edit(0, 1, "x"), edit(1, 3, "y")]).unwrap(), "xy");
        assert_eq!(mend("é", &[edit(2, 2, "!")]).unwrap(), "é!");
    }

    #[test]
    fn what_cannot_be_made_is_refused() {
        assert_eq!(mend("abc", &[edit(0, 2, ""), edit(1, 3, "")]), Err(Unfit::Overlap));
        assert_eq!(mend("abc", &[edit(1, 1, "x"), edit(1, 1, "y")]), Err(Unfit::Overlap));
        assert_eq!(mend("abc", &[edit(2, 4, "")]), Err(Unfit::Outside));
        assert_eq!(mend("é", &[edit(1, 2, "")]), Err(Unfit::Outside));
        assert_eq!(mend("abc", &[edit(2, 1, "")]), Err(Unfit::Outside));
    }
}
