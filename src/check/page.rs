//! What a rule's page says besides its identity: why it matters, what trips it, what is good.
//!
//! `check --explain`, the machine formats and the test of every rule read it: *bad* fires, *good* is
//! silent, and where there is a fix, *bad* fixed is as silent as *good*.

use serde::Serialize;

pub use crate::config::Profile;
use crate::diagnostic::Confidence;

/// What stands on the page of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Page {
    /// Why a finding matters, one or two sentences.
    pub why: &'static str,
    /// Who runs it.
    pub profile: Profile,
    /// How sure its findings are, at best.
    pub confidence: Confidence,
    /// Whether and how it can be mended by `--fix`.
    pub fix: Fixable,
    /// Weaknesses and lists that it belongs to, as in `CWE-862` or `OWASP-MCP07`.
    pub tags: &'static [&'static str],
    /// A configuration that it finds something in.
    pub bad: Example,
    /// The same, mended.
    pub good: Example,
}

impl Page {
    /// The usual rule: everybody runs it, it follows from what is written, and it has no fix.
    pub(super) const fn new(why: &'static str, bad: Example, good: Example) -> Self {
        Self { why, profile: Profile::Default, confidence: Confidence::High, fix: Fixable::No, tags: &[], bad, good }
    }
}

/// Whether and how `--fix` mends a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Fixable {
    /// It does not.
    No,
    /// `--fix` does.
    Safe,
    /// `--fix=all` does.
    Unsafe,
}

/// A small configuration, with what stands beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Example {
    /// `portcullis.yaml`.
    pub yaml: &'static str,
    /// Other files, each by its path beside it.
    pub files: &'static [(&'static str, &'static str)],
}

impl Example {
    /// One file.
    pub(super) const fn of(yaml: &'static str) -> Self {
        Self { yaml, files: &[] }
    }
}

/// A sound configuration with one server, and what follows it.
macro_rules! and {
    ($part:literal) => {
        $crate::check::Example::of(concat!(
            "version: 1\ntags: {web: Pages}\nservers:\n  docs:\n    tags: [web]\n    http: {url: \"https://docs.example.com/mcp\"}\ngrants: [{to: {user: \"*\"}, scopes: [\"tag:web\"]}]\n",
            $part
        ))
    };
}

/// A sound configuration but for what is said of its one server `docs`, of six spaces' indent or in one line.
macro_rules! server {
    ($part:literal) => {
        $crate::check::Example::of(concat!(
            "version: 1\ntags: {web: Pages}\nservers:\n  docs:\n    tags: [web]\n",
            $part,
            "\ngrants: [{to: {user: \"*\"}, scopes: [\"tag:web\"]}]\n"
        ))
    };
}

pub(super) use {and, server};
