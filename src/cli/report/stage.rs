//! How far a check went: which stages found nothing, which found something, and which wait.
//!
//! Reading and compiling are told by what they gave, the rest by the range of codes. A stage works on
//! whatever those before it could build, so a stage after one that failed may still have findings.

use serde::Serialize;

use crate::{
    compile,
    config::{Loaded, findings},
    diagnostic::{Class, Diagnostic},
};

/// A stage and how it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Stage {
    /// Its name.
    pub name: &'static str,
    /// How it went.
    pub state: State,
}

/// How a stage went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It found nothing.
    Ok,
    /// It found warnings or suggestions.
    Warned,
    /// It found errors, or what is too permissive.
    Failed,
    /// It waits until what is before it is mended.
    Waits,
}

impl State {
    /// As a table shows it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warned => "warn",
            Self::Failed => "FAIL",
            Self::Waits => "waits",
        }
    }
}

/// The stages that are told by codes: what they look at, and how their codes begin.
const RANGES: &[(&str, &[&str])] = &[
    ("policies", &["PC1"]),
    ("listener", &["PC2"]),
    ("servers", &["PC3", "PC8"]),
    ("secrets", &["PC4"]),
    ("limits", &["PC5"]),
    ("suppressions", &["PC9"]),
];

/// What is wrong with the text itself, not with what it says.
const OF_THE_TEXT: &[&str] = &["PC001", "PC002", "PC003", "PC007", "PC010"];

/// The stages of a check, in their order.
pub(super) fn stages(loaded: &Loaded, compiled: bool, found: &[Diagnostic]) -> Vec<Stage> {
    let of_the_text = |code: &str| OF_THE_TEXT.contains(&code);
    let of_the_shape = |code: &str| code.starts_with("PC0") && !of_the_text(code);
    let of_the_compiler = |code: &str| {
        compile::findings::ALL.iter().any(|about| about.code == code)
            && !findings::RAISED.iter().any(|about| about.code == code)
    };
    let mut parse = state(found, of_the_text);
    if !loaded.readable {
        parse = State::Failed;
    }
    let mut schema = state(found, of_the_shape);
    if loaded.tree.is_none() && schema == State::Ok {
        schema = State::Waits;
    }
    let compile = match (compiled, loaded.whole().is_some()) {
        (true, _) => State::Ok,
        (false, true) => State::Failed,
        (false, false) => State::Waits,
    };
    let mut stages = vec![
        Stage { name: "parse", state: parse },
        Stage { name: "schema", state: schema },
        Stage { name: "compile", state: compile },
    ];
    for (name, prefixes) in RANGES {
        let in_range = |code: &str| prefixes.iter().any(|prefix| code.starts_with(prefix));
        let mut state = state(found, |code| in_range(code) && !of_the_compiler(code));
        // What can be reached is asked of the compiled policies, and no rule runs without a tree.
        let waits = if prefixes.contains(&"PC1") { !compiled } else { loaded.tree.is_none() };
        if waits && state == State::Ok {
            state = State::Waits;
        }
        stages.push(Stage { name, state });
    }
    stages
}

fn state(found: &[Diagnostic], of: impl Fn(&str) -> bool) -> State {
    match found.iter().filter(|finding| of(finding.code)).map(|finding| finding.class).max() {
        None => State::Ok,
        Some(Class::Suggestion | Class::Warning) => State::Warned,
        Some(Class::Security(_) | Class::Error) => State::Failed,
    }
}

/// `parse … ok / schema … ok / policies … FAIL`
pub(super) fn table(stages: &[Stage]) -> String {
    let stages: Vec<_> = stages.iter().map(|stage| format!("{} … {}", stage.name, stage.state.word())).collect();
    stages.join(" / ")
}
