//! What we tell the author of a configuration or policy, and where.
//!
//! Diagnostics are gathered, never the first only; each has a permanent code and name, and places
//! that are lines of the author's own files. Rendering is `cli/report`'s.

use std::{fmt, path::Path, sync::Arc};

use serde::Serialize;

/// A stretch of an author's file.
///
/// Lines and columns are 1-based, columns count characters; `start..end` are byte offsets.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Place {
    /// The file, as the author would name it.
    pub file: Arc<str>,
    /// 1-based line of the first character.
    pub line: u32,
    /// 1-based column of the first character, in characters.
    pub column: u32,
    /// Byte offset of the first character.
    pub start: usize,
    /// Byte offset after the last character.
    pub end: usize,
}

impl Place {
    /// The place that is a whole file: what is wrong has no line.
    #[must_use]
    pub fn of_file(file: &Path) -> Self {
        Self { file: file.display().to_string().into(), line: 1, column: 1, start: 0, end: 0 }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// A value and where it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed<T> {
    /// The value.
    pub value: T,
    /// Where it was written.
    pub place: Place,
}

impl<T> Placed<T> {
    /// Puts a value and its place together.
    pub const fn new(value: T, place: Place) -> Self {
        Self { value, place }
    }
}

/// How bad a security finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Worth knowing.
    Low,
    /// Worth mending.
    Medium,
    /// To be mended.
    High,
    /// Never to be served.
    Critical,
}

/// What kind of finding it is. Ordered from mild to grave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// No effect on access.
    Suggestion,
    /// Works, but is not best practice.
    Warning,
    /// Works, but is too permissive.
    Security(Level),
    /// Part of the configuration does not work or cannot be loaded.
    Error,
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Suggestion => "suggestion",
            Self::Warning => "warning",
            Self::Security(Level::Low) => "security:low",
            Self::Security(Level::Medium) => "security:medium",
            Self::Security(Level::High) => "security:high",
            Self::Security(Level::Critical) => "security:critical",
            Self::Error => "error",
        })
    }
}

impl Serialize for Class {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// What a rule is: its permanent identity and how it is described.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct About {
    /// `PC` and three digits, permanent.
    pub code: &'static str,
    /// Kebab-case, permanent.
    pub name: &'static str,
    /// How grave a finding of it is.
    pub class: Class,
    /// What it finds, one line.
    pub summary: &'static str,
    /// What to do, one line.
    pub help: &'static str,
}

impl About {
    /// A finding at `place`, with the rule's own help.
    #[must_use]
    pub fn at(&self, place: &Place, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            code: self.code,
            name: self.name,
            class: self.class,
            confidence: Confidence::High,
            message: message.into(),
            help: Some(self.help.into()),
            labels: vec![Label { place: place.clone(), text: String::new() }],
            fixes: Vec::new(),
        }
    }
}

/// How sure a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// It may well be meant.
    Low,
    /// Mostly right.
    Medium,
    /// It follows from what is written.
    High,
}

/// Whether a fix may be made without being looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Safety {
    /// It changes no decision, or only denies more: `--fix` makes it.
    Safe,
    /// It guesses what was meant: `--fix=all` makes it, and somebody reviews it.
    Unsafe,
}

/// A text to be put in the place of another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Edit {
    /// What is replaced: `start..end` of it. Nothing where the two are equal.
    #[serde(flatten)]
    pub place: Place,
    /// What stands there afterwards.
    #[serde(rename = "replacement")]
    pub text: String,
}

/// A way to mend a finding. Its edits do not overlap and are made together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fix {
    /// What it does, as an imperative.
    pub title: String,
    /// Whether it may be made unseen.
    pub safety: Safety,
    /// What it replaces.
    pub edits: Vec<Edit>,
}

/// A place in a finding and what is to be seen there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Label {
    /// Where.
    #[serde(flatten)]
    pub place: Place,
    /// What is there; may be empty.
    pub text: String,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// The code of its rule.
    pub code: &'static str,
    /// The name of its rule.
    pub name: &'static str,
    /// How grave it is.
    pub class: Class,
    /// How sure it is.
    pub confidence: Confidence,
    /// Lower case, no full stop, what the author wrote in backticks.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
    /// Where, the primary place first. Never empty.
    #[serde(rename = "locations")]
    pub labels: Vec<Label>,
    /// How it may be mended, the best first.
    pub fixes: Vec<Fix>,
}

impl Diagnostic {
    /// The same finding with another help.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same finding with what is to be seen at its primary place.
    #[must_use]
    pub fn label(mut self, text: impl Into<String>) -> Self {
        if let Some(first) = self.labels.first_mut() {
            first.text = text.into();
        }
        self
    }

    /// The same finding with one more place.
    #[must_use]
    pub fn also(mut self, place: &Place, text: impl Into<String>) -> Self {
        self.labels.push(Label { place: place.clone(), text: text.into() });
        self
    }

    /// The same finding, less sure.
    #[must_use]
    pub const fn confidence(mut self, confidence: Confidence) -> Self {
        self.confidence = confidence;
        self
    }

    /// The same finding with one more way to mend it: `text` in the place of `place`.
    #[must_use]
    pub fn fix(mut self, safety: Safety, title: impl Into<String>, place: &Place, text: impl Into<String>) -> Self {
        let edits = vec![Edit { place: place.clone(), text: text.into() }];
        self.fixes.push(Fix { title: title.into(), safety, edits });
        self
    }

    /// The same finding with one more way to mend it: `before` and `after` put around `place`.
    #[must_use]
    pub fn enclose(
        mut self,
        safety: Safety,
        title: impl Into<String>,
        place: &Place,
        before: &str,
        after: &str,
    ) -> Self {
        let edits = vec![
            Edit { place: Place { end: place.start, ..place.clone() }, text: before.into() },
            Edit { place: Place { start: place.end, ..place.clone() }, text: after.into() },
        ];
        self.fixes.push(Fix { title: title.into(), safety, edits });
        self
    }

    /// The primary place.
    #[must_use]
    pub fn place(&self) -> Option<&Place> {
        self.labels.first().map(|label| &label.place)
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = self.place() {
            write!(f, "{place}: ")?;
        }
        write!(f, "{}[{}]: {}", self.class, self.code, self.message)?;
        match &self.help {
            Some(help) => write!(f, " (help: {help})"),
            None => Ok(()),
        }
    }
}

/// The one of `known` that `written` is a slip of, where no other is as well: at most two characters
/// differ, and fewer in short words.
pub fn slip_of<'k>(written: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let allowed = written.chars().count().div_ceil(2).saturating_sub(1).min(2);
    let mut near = known.into_iter().filter(|name| strsim::damerau_levenshtein(written, name) <= allowed);
    let first = near.next()?;
    near.next().is_none().then_some(first)
}

/// The near match of `written` among `known`, if there is one worth offering.
///
/// The distance allowed grows with the length: 1 for short words, 2 from five characters on,
/// 3 from nine. Of a single letter nothing would be left.
pub fn nearest<'k>(written: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let allowed = match written.chars().count() {
        0 | 1 => 0,
        2..=4 => 1,
        5..=8 => 2,
        _ => 3,
    };
    known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&written.to_lowercase(), &name.to_lowercase()), name))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, name)| name)
}
