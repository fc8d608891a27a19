//! Text that a person who reviews a list would not see, and a model would.
//!
//! In what describes (`description`, `title`) it is shown as escapes. Anywhere else, in a name, a key or
//! a value that arguments are held against, it cannot be changed without changing what it means, so the
//! entry is left out.
//!
//! SPEC: T-183; CWE-1007, CWE-150.

use serde_json::Value;

use crate::plain;

/// The fields that describe and mean nothing else.
const DESCRIBES: [&str; 2] = ["description", "title"];

/// What became of an entry's text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Hidden {
    /// Nothing is hidden.
    Nothing,
    /// The entry with everything to be seen.
    Shown(String),
    /// Something is hidden where it cannot be shown.
    Kept,
}

/// Looks for hidden text in an entry.
pub(super) fn look(json: &str) -> Hidden {
    // Nearly none has any, or could.
    if !json.contains("\\u") && !json.chars().any(plain::hides) {
        return Hidden::Nothing;
    }
    let Ok(mut value) = serde_json::from_str::<Value>(json) else { return Hidden::Kept };
    let mut shown = false;
    if show(&mut value, false, &mut shown).is_err() {
        return Hidden::Kept;
    }
    if shown { Hidden::Shown(value.to_string()) } else { Hidden::Nothing }
}

/// Shows what a value hides, `describes` where it is free text.
fn show(value: &mut Value, describes: bool, shown: &mut bool) -> Result<(), ()> {
    match value {
        Value::String(text) if text.chars().any(plain::hides) => {
            if !describes {
                return Err(());
            }
            *text = plain::shown(text).into_owned();
            *shown = true;
        }
        Value::Array(items) => items.iter_mut().try_for_each(|item| show(item, false, shown))?,
        Value::Object(fields) => {
            for (key, value) in fields {
                if key.chars().any(plain::hides) {
                    return Err(());
                }
                show(value, DESCRIBES.contains(&key.as_str()), shown)?;
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t183_hidden_text_is_shown_where_it_describes_and_keeps_an_entry_out_elsewhere() {
        for plain in [
            r#"{"name":"a","description":"one\ntwo\tthree \u0041 žluť"}"#,
            r#"{"name":"a","description":"نمی‌خواهم 👨‍👩‍👧"}"#,
            r#"{"name":"a"}"#,
        ] {
            assert_eq!(look(plain), Hidden::Nothing, "{plain}");
        }
        for hidden in
            ["\u{e0041}\u{e0042}", "\u{202e}evil\u{202c}", "\u{200b}", "\u{2066}x\u{2069}", "\u{feff}", "\u{9b}31m"]
        {
            for json in [
                format!(r#"{{"name":"a","description":"x{hidden}y"}}"#),
                format!(r#"{{"name":"a","inputSchema":{{"properties":{{"p":{{"description":"x{hidden}y"}}}}}}}}"#),
                format!(r#"{{"name":"a","annotations":{{"title":"x{hidden}y"}}}}"#),
            ] {
                let Hidden::Shown(shown) = look(&json) else { panic!("{json}") };
                assert!(!shown.chars().any(crate::plain::hides) && shown.contains(r"\\u{"), "{shown}");
                assert_eq!(look(&shown), Hidden::Nothing, "{shown}");
            }
            for json in [
                format!(r#"{{"name":"a{hidden}"}}"#),
                format!(r#"{{"name":"a","x{hidden}":1}}"#),
                format!(r#"{{"name":"a","inputSchema":{{"enum":["{hidden}"]}}}}"#),
                format!(r#"{{"name":"a","_meta":{{"x":["{hidden}"]}}}}"#),
            ] {
                assert_eq!(look(&json), Hidden::Kept, "{json}");
            }
        }
        // An escape hides as well as the character.
        assert!(matches!(look(r#"{"name":"a","description":"x\u001b[8mhidden\udb40\udc41"}"#), Hidden::Shown(_)));
        assert_eq!(look(r#"{"name":"a","x":"\u200b"}"#), Hidden::Kept);
    }
}
