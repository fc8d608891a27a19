//! What in a request looks like an attack: detectors over its path, query, headers and body.
//!
//! A detector says *that* a text has a shape, never what comes of it: its word goes into
//! `context.findings`, and policies decide. They are a second line. The first is that arguments are
//! typed, names are parsed and nothing of ours puts a caller's text into a command or a statement.
//!
//! Tools of coding agents are handed source code, shell commands, SQL and markdown all day, so what is
//! looked for in arguments is not what these hold, but what is out of place: a value that goes on as a
//! command, a quote that closes what was opened outside, a path that climbs out of where it starts.
//!
//! INVARIANT: the time is linear in the text, with a small factor, and nothing panics.
//! INVARIANT: what is found does not depend on how a JSON string is written or a body is cut.
//! To add a detector: a variant of [`Detector`], then follow the compiler; a corpus in
//! `tests/fixtures/detect/`.

mod body;
mod command;
mod cursor;
mod field;
mod letter;
mod path;
mod percent;
mod pollution;
mod seen;
mod sql;
mod surface;
mod text;

use std::{collections::BTreeSet, fmt};

pub use body::Body;
pub(crate) use percent::decoded;
pub use surface::{head, header, path, query};
pub use text::argument;

/// Something that is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Detector {
    /// Characters that turn the direction of text around, and so hide what it says.
    Bidirectional,
    /// A value that goes on as a command of a shell.
    CommandInjection,
    /// Characters that steer a terminal or are not seen.
    ControlCharacters,
    /// A value that goes on as a header field.
    HeaderInjection,
    /// Bytes that are no UTF-8.
    InvalidUtf8,
    /// The character U+0000.
    NullByte,
    /// Deeper, longer or more than anything ordinary.
    Oversized,
    /// A path that climbs out of where it starts.
    PathTraversal,
    /// Keys that reach the prototype of every JavaScript object.
    PrototypePollution,
    /// A value that goes on as SQL.
    SqlInjection,
}

impl Detector {
    /// Every detector, sorted by its word.
    pub const ALL: [Self; 10] = [
        Self::Bidirectional,
        Self::CommandInjection,
        Self::ControlCharacters,
        Self::HeaderInjection,
        Self::InvalidUtf8,
        Self::NullByte,
        Self::Oversized,
        Self::PathTraversal,
        Self::PrototypePollution,
        Self::SqlInjection,
    ];

    /// Its permanent word, as in `context.findings`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Bidirectional => "bidirectional",
            Self::CommandInjection => "command-injection",
            Self::ControlCharacters => "control-characters",
            Self::HeaderInjection => "header-injection",
            Self::InvalidUtf8 => "invalid-utf8",
            Self::NullByte => "null-byte",
            Self::Oversized => "oversized",
            Self::PathTraversal => "path-traversal",
            Self::PrototypePollution => "prototype-pollution",
            Self::SqlInjection => "sql-injection",
        }
    }

    /// The detector of a word.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|detector| detector.word() == word)
    }

    /// What it looks for, in a few words that follow "this looks like".
    #[must_use]
    pub const fn about(self) -> &'static str {
        match self {
            Self::Bidirectional => "text with characters that reverse its direction",
            Self::CommandInjection => "a value that goes on as a shell command",
            Self::ControlCharacters => "text with control or unseen characters",
            Self::HeaderInjection => "a value that goes on as a header field",
            Self::InvalidUtf8 => "bytes that are no UTF-8",
            Self::NullByte => "text with a null character",
            Self::Oversized => "more, longer or deeper values than anything ordinary has",
            Self::PathTraversal => "a path that climbs out of where it starts",
            Self::PrototypePollution => "keys that reach a prototype",
            Self::SqlInjection => "a value that goes on as SQL",
        }
    }

    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

impl fmt::Display for Detector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A set of detectors: those that run, or those that found something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Detectors(u16);

impl Detectors {
    /// None of them.
    pub const NONE: Self = Self(0);
    /// All of them.
    pub const ALL: Self = Self((1 << Detector::ALL.len()) - 1);

    /// Just this one.
    #[must_use]
    pub const fn one(detector: Detector) -> Self {
        Self(detector.bit())
    }

    /// Whether it is among them.
    #[must_use]
    pub const fn contains(self, detector: Detector) -> bool {
        self.0 & detector.bit() != 0
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// With these besides.
    #[must_use]
    pub const fn with(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Only those that are among these, too.
    #[must_use]
    pub const fn among(self, others: Self) -> Self {
        Self(self.0 & others.0)
    }

    /// Without these.
    #[must_use]
    pub const fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    /// Them, sorted by their words.
    pub fn iter(self) -> impl Iterator<Item = Detector> {
        Detector::ALL.into_iter().filter(move |detector| self.contains(*detector))
    }

    /// Their words, as policies are told of them.
    #[must_use]
    pub fn words(self) -> BTreeSet<String> {
        self.iter().map(|detector| detector.word().to_owned()).collect()
    }

    /// Adds one where `found` holds.
    fn note(&mut self, detector: Detector, found: bool) {
        if found {
            self.0 |= detector.bit();
        }
    }
}

impl FromIterator<Detector> for Detectors {
    fn from_iter<I: IntoIterator<Item = Detector>>(detectors: I) -> Self {
        detectors.into_iter().fold(Self::NONE, |all, detector| all.with(Self::one(detector)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_detector_has_its_word_and_its_place() {
        for detector in Detector::ALL {
            assert_eq!(Detector::of_word(detector.word()), Some(detector));
            assert_eq!(Detectors::one(detector).iter().collect::<Vec<_>>(), [detector]);
            assert!(Detectors::ALL.contains(detector) && !Detectors::NONE.contains(detector));
        }
        assert!(Detector::ALL.is_sorted_by_key(|detector| detector.word()));
        assert_eq!(Detectors::ALL.iter().count(), Detector::ALL.len());
        assert_eq!(Detectors::ALL.without(Detectors::one(Detector::NullByte)).iter().count(), Detector::ALL.len() - 1);
    }
}
