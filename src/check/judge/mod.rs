//! Which findings count: what is left of them once levels and suppressions are applied.
//!
//! INVARIANT: a finding is counted once, as one that counts or as one that is suppressed, unless its
//! rule is turned off altogether.
//!
//! SPEC: `requirements/lint-rules.md` §3.2.

use jiff::civil::Date;
use serde::Serialize;

use crate::diagnostic::{Diagnostic, Place};

/// The findings of a run, judged.
#[derive(Debug, Clone, Default)]
pub struct Judged {
    /// What counts, each with the class that its level gives it, by place.
    pub findings: Vec<Diagnostic>,
    /// What somebody answers for, by place.
    pub suppressed: Vec<Suppressed>,
}

/// A finding that does not count, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suppressed {
    /// What was found.
    pub finding: Diagnostic,
    /// What suppresses it.
    pub by: By,
    /// Why, in the words of whoever wrote it.
    pub reason: Option<String>,
    /// The last day on which it is suppressed.
    pub until: Option<Date>,
    /// Where that is written.
    pub place: Option<Place>,
}

/// What a finding is suppressed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum By {
    /// A comment beside it.
    Comment,
    /// An entry of `lint.ignore`.
    Config,
    /// An entry of the baseline.
    Baseline,
    /// A flag.
    CommandLine,
}
