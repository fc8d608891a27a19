//! `text`: counts words, computes digests. Nothing is kept, nothing is changed.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Arguments, Demo, Done, Effect, Failure, tool};

/// The demo server `text`.
#[derive(Debug)]
pub(super) struct Text;

impl Demo for Text {
    fn name(&self) -> &'static str {
        "text"
    }

    fn instructions(&self) -> &'static str {
        "Counts the words of a text and computes SHA-256 digests."
    }

    fn tools(&self) -> Vec<Value> {
        let text = [("text", "The text.", true)];
        vec![
            tool("count_words", "Count words", "Counts lines, words and characters.", Effect::Reads, &text),
            tool("sha256", "SHA-256", "The SHA-256 digest of a text, in hexadecimal.", Effect::Reads, &text),
        ]
    }

    fn call(&self, tool: &str, arguments: &Arguments, _: &mut dyn FnMut(usize, usize)) -> Result<Done, Failure> {
        match tool {
            "count_words" => {
                arguments.only(&["text"])?;
                let text = arguments.text("text")?;
                let (lines, words, characters) =
                    (text.lines().count(), text.split_whitespace().count(), text.chars().count());
                Ok(Done::found(
                    format!("{lines} lines, {words} words, {characters} characters"),
                    json!({"lines": lines, "words": words, "characters": characters}),
                ))
            }
            "sha256" => {
                arguments.only(&["text"])?;
                let digest = Sha256::digest(arguments.text("text")?);
                Ok(Done::said(digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>()))
            }
            _ => Err(Failure::Unknown(format!("there is no tool `{tool}`"))),
        }
    }
}
