//! Small MCP servers that need nothing else: for a first try, for tests, and as a yardstick.
//!
//! To add a kind: one file with its [`Demo`], and a line in [`KINDS`].

mod notes;
mod serve;
mod text;
mod time;

use std::path::Path;

use serde_json::{Map, Value, json};

use crate::clock::Clock;

pub use serve::serve;

/// The kinds of demo server, with what each is for, sorted.
pub const KINDS: &[(&str, &str)] = &[
    ("notes", "keeps Markdown notes in a directory (`--dir DIR`)"),
    ("text", "counts words and computes digests"),
    ("time", "tells the time and converts between UTC offsets"),
];

/// The demo server of a kind; `dir` is where `notes` keeps its notes.
///
/// # Errors
/// With what is wrong, for the one who started it.
pub fn open(kind: &str, dir: Option<&Path>, clock: Box<dyn Clock>) -> Result<Box<dyn Demo>, String> {
    match (kind, dir) {
        ("notes", Some(dir)) => Ok(Box::new(notes::Notes::open(dir)?)),
        ("notes", None) => Err("`notes` needs `--dir DIR`, the directory of the notes".into()),
        ("text", None) => Ok(Box::new(text::Text)),
        ("time", None) => Ok(Box::new(time::Time::new(clock))),
        ("text" | "time", Some(_)) => Err(format!("`{kind}` takes no `--dir`")),
        _ => {
            let known: Vec<String> = KINDS.iter().map(|(name, purpose)| format!("`{name}` {purpose}")).collect();
            Err(format!("there is no demo server `{kind}`; there are: {}", known.join("; ")))
        }
    }
}

/// What a demo server offers.
pub trait Demo {
    /// What it is called.
    fn name(&self) -> &'static str;

    /// What a model should know of it.
    fn instructions(&self) -> &'static str;

    /// Its tools, as `tools/list` shows them.
    fn tools(&self) -> Vec<Value>;

    /// Calls a tool. `progress` is told how much of how much is done.
    ///
    /// # Errors
    /// When there is no such tool, or it cannot do what is asked.
    fn call(&self, tool: &str, arguments: &Arguments, progress: &mut dyn FnMut(usize, usize)) -> Result<Done, Failure>;

    /// Its prompts, if it knows of any.
    fn prompts(&self) -> Option<Vec<Value>> {
        None
    }

    /// A prompt, as one message of the user's.
    ///
    /// # Errors
    /// When there is no such prompt or it lacks an argument.
    fn prompt(&self, name: &str, arguments: &Arguments) -> Result<String, Failure> {
        let _ = arguments;
        Err(Failure::Unknown(format!("there is no prompt `{name}`")))
    }

    /// Its resources, if it knows of any.
    fn resources(&self) -> Option<Vec<Value>> {
        None
    }

    /// Templates of its resources.
    fn templates(&self) -> Vec<Value> {
        Vec::new()
    }

    /// The text of a resource and its media type.
    ///
    /// # Errors
    /// When there is no such resource.
    fn read(&self, uri: &str) -> Result<(String, &'static str), Failure> {
        Err(Failure::Unknown(format!("there is no resource `{uri}`")))
    }
}

/// What a tool has done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// What came of it, in words.
    pub text: String,
    /// The same as values.
    pub structured: Option<Value>,
    /// Whether the list of resources is another now.
    pub resources_changed: bool,
}

impl Done {
    fn said(text: impl Into<String>) -> Self {
        Self { text: text.into(), structured: None, resources_changed: false }
    }

    fn found(text: impl Into<String>, structured: Value) -> Self {
        Self { text: text.into(), structured: Some(structured), resources_changed: false }
    }
}

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// There is no such thing: an error of the protocol.
    #[error("{0}")]
    Unknown(String),
    /// It was tried and did not work: a result that says so.
    #[error("{0}")]
    Failed(String),
}

/// The arguments of a call.
#[derive(Debug, Default)]
pub struct Arguments(Map<String, Value>);

impl Arguments {
    /// A text that must be given.
    fn text(&self, name: &str) -> Result<&str, Failure> {
        self.optional(name)?.ok_or_else(|| Failure::Failed(format!("argument `{name}` is missing")))
    }

    /// A text that may be given.
    fn optional(&self, name: &str) -> Result<Option<&str>, Failure> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Failure::Failed(format!("argument `{name}` must be a text"))),
        }
    }

    /// Refuses arguments that are not among `known`.
    fn only(&self, known: &[&str]) -> Result<(), Failure> {
        match self.0.keys().find(|name| !known.contains(&name.as_str())) {
            Some(name) => Err(Failure::Failed(format!("there is no argument `{name}`"))),
            None => Ok(()),
        }
    }
}

/// What a tool does to the world.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Effect {
    Reads,
    Writes,
    Destroys,
}

/// A tool as it is listed. Its arguments are texts: name, description, whether it must be given.
fn tool(name: &str, title: &str, about: &str, effect: Effect, arguments: &[(&str, &str, bool)]) -> Value {
    let properties: Map<String, Value> = arguments
        .iter()
        .map(|(name, about, _)| ((*name).to_owned(), json!({"type": "string", "description": about})))
        .collect();
    let required: Vec<&str> = arguments.iter().filter(|(.., must)| *must).map(|(name, ..)| *name).collect();
    json!({
        "name": name,
        "title": title,
        "description": about,
        "inputSchema": {
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": false
        },
        "annotations": {
            "readOnlyHint": effect == Effect::Reads,
            "destructiveHint": effect == Effect::Destroys,
            "openWorldHint": false
        }
    })
}

#[cfg(test)]
mod tests;
