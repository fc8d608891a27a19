//! How much was found, and in how much.

use std::fmt;

use serde::Serialize;

use super::Report;
use crate::{
    config::Config,
    diagnostic::{Class, Diagnostic, Safety},
    policy::Bundle,
};

/// How many findings there are of each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// All that count.
    pub findings: usize,
    /// Those that do not.
    pub suppressed: usize,
    /// Those that `--fix` mends.
    pub fixable: usize,
    /// Those that only `--fix=all` mends.
    pub unsafe_fixable: usize,
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
    pub fn of(findings: &[Diagnostic], suppressed: usize) -> Self {
        let mut summary = Self { findings: findings.len(), suppressed, ..Self::default() };
        for finding in findings {
            match finding.class {
                Class::Error => summary.error += 1,
                Class::Security(_) => summary.security += 1,
                Class::Warning => summary.warning += 1,
                Class::Suggestion => summary.suggestion += 1,
            }
            match finding.fixes.iter().map(|fix| fix.safety).min() {
                Some(Safety::Safe) => summary.fixable += 1,
                Some(Safety::Unsafe) => summary.unsafe_fixable += 1,
                None => {}
            }
        }
        summary
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { findings, suppressed, fixable, unsafe_fixable: _, error, security, warning, suggestion } = self;
        let findings = counted(*findings, "finding");
        write!(f, "{findings} ({suppressed} suppressed, {fixable} fixable): ")?;
        write!(f, "{error} error, {security} security, {warning} warning, {suggestion} suggestion")
    }
}

/// What was looked at, so that no run is silently empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// Servers.
    pub servers: usize,
    /// Scopes: one for each tag.
    pub scopes: usize,
    /// Ceilings.
    pub grants: usize,
    /// Rules.
    pub rules: usize,
    /// Policies, compiled and hand-written; nothing where they do not compile.
    pub policies: Option<usize>,
}

impl Checked {
    /// Counts.
    #[must_use]
    pub fn of(config: &Config, bundle: Option<&Bundle>) -> Self {
        Self {
            servers: config.servers.len(),
            scopes: config.tags.len(),
            grants: config.grants.len(),
            rules: config.rules.len(),
            policies: bundle.map(|bundle| bundle.policies().count()),
        }
    }
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { servers, scopes, grants: _, rules: _, policies } = self;
        write!(f, "{}, {}", counted(*servers, "server"), counted(*scopes, "scope"))?;
        match policies {
            Some(1) => f.write_str(", 1 policy checked"),
            Some(policies) => write!(f, ", {policies} policies checked"),
            None => f.write_str(" checked; the policies do not compile"),
        }
    }
}

/// `1 server`, `2 servers`.
pub(super) fn counted(number: usize, word: &str) -> String {
    if number == 1 { format!("1 {word}") } else { format!("{number} {word}s") }
}

/// The last lines of a report for people: the sum, or what was looked at in vain.
pub(super) fn closing(report: &Report<'_>) -> Vec<String> {
    let summary = report.summary();
    if report.findings.is_empty() {
        let suppressed = match report.suppressed.len() {
            0 => String::new(),
            number => format!(" ({number} suppressed)"),
        };
        return vec![match report.checked {
            Some(checked) => format!("No findings{suppressed}. {checked}"),
            None => format!("No findings{suppressed}, and nothing checked"),
        }];
    }
    let mut lines = vec![summary.to_string()];
    if summary.fixable > 0 {
        lines.push(format!("`portcullis check --fix` mends {}", counted(summary.fixable, "finding")));
    }
    if summary.unsafe_fixable > 0 {
        let left = match summary.unsafe_fixable {
            1 => "1 unsafe fix".into(),
            more => format!("{more} unsafe fixes"),
        };
        lines.push(format!("{left} left out: review what `portcullis check --fix=all` changes"));
    }
    if report.checked.is_none() {
        lines.push("further checks wait until the above is mended".into());
    }
    if let Some(worst) = report.findings.iter().max_by_key(|finding| finding.class) {
        lines.push(format!("what a rule means: `portcullis check --explain {}`", worst.code));
    }
    lines
}
