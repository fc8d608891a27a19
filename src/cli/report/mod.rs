//! Findings as people and programs read them.
//!
//! INVARIANT: what is printed of a source line comes from `Sources::shown`, which holds no secret.

mod human;
mod json;
pub mod junit;
mod progress;
pub(super) mod suite;
mod xml;

use std::io::{self, Write as _};

use crate::{
    config::Config,
    diagnostic::{Class, Diagnostic},
};

pub use human::human;
pub use json::json;
pub(crate) use progress::Progress;

/// How many findings there are of each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Summary {
    /// All of them.
    pub findings: usize,
    /// Of class error.
    pub error: usize,
    /// Of class security, whatever the level.
    pub security: usize,
    /// Of class warning.
    pub warning: usize,
    /// Of class suggestion.
    pub suggestion: usize,
}

impl Summary {
    /// Counts.
    #[must_use]
    pub fn of(findings: &[Diagnostic]) -> Self {
        let mut summary = Self { findings: findings.len(), ..Self::default() };
        for finding in findings {
            match finding.class {
                Class::Error => summary.error += 1,
                Class::Security(_) => summary.security += 1,
                Class::Warning => summary.warning += 1,
                Class::Suggestion => summary.suggestion += 1,
            }
        }
        summary
    }
}

/// What was looked at, so that no run is silently empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Checked {
    /// Servers.
    pub servers: usize,
    /// Tags, each of which is a scope.
    pub tags: usize,
    /// Ceilings.
    pub grants: usize,
    /// Rules.
    pub rules: usize,
    /// Files of hand-written Cedar.
    pub policies: usize,
}

impl Checked {
    /// Counts.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        Self {
            servers: config.servers.len(),
            tags: config.tags.len(),
            grants: config.grants.len(),
            rules: config.rules.len(),
            policies: config.policies.len(),
        }
    }
}

/// `1 server`, `2 servers`.
fn counted(number: usize, word: &str) -> String {
    if number == 1 { format!("1 {word}") } else { format!("{number} {word}s") }
}

/// How an answer is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    Human,
    /// One JSON value.
    Json,
}

/// Writes the answer of a command to stdout.
///
/// # Errors
/// When stdout cannot be written to.
pub(super) fn answer(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Says something on stderr; nobody listening is no failure.
pub(super) fn talk(text: &str) {
    _ = writeln!(io::stderr().lock(), "{text}");
}
