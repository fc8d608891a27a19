//! The static checks: pure functions from what a configuration means to findings.
//!
//! What reading a configuration finds by itself (`PC0xx` and broken references) is raised in
//! `config`; [`catalogue`] lists both. Findings are sorted by place, so that the author mends the
//! file from the top.
//!
//! To add a check: a file named after it, and a line in [`CHECKS`].

mod plaintext_secret;
mod server_unreachable;
mod stdio_through_shell;
mod unpinned_package;
mod upstream_http;

use crate::{
    compile,
    config::{Config, Loaded, findings},
    diagnostic::{About, Diagnostic},
    policy::Bundle,
};

/// A static check.
pub trait Check: Sync {
    /// What it is.
    fn about(&self) -> &'static About;

    /// Looks at the subject and adds what it finds.
    fn run(&self, subject: &Subject<'_>, findings: &mut Vec<Diagnostic>);
}

/// What checks look at.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// What the configuration means.
    pub config: &'a Config,
}

/// Every check, by code.
pub const CHECKS: &[&dyn Check] = &[
    &server_unreachable::ServerUnreachable,
    &upstream_http::UpstreamHttp,
    &stdio_through_shell::StdioThroughShell,
    &unpinned_package::UnpinnedPackage,
    &plaintext_secret::PlaintextSecret,
];

/// What a check found, and the bundle where the policies compile.
#[derive(Debug)]
pub struct Examined {
    /// Everything that was found, by place.
    pub findings: Vec<Diagnostic>,
    /// What the policies compile to; nothing where something in them is wrong.
    pub bundle: Option<Bundle>,
}

/// Everything that was found in reading, in compiling, and by the checks.
#[must_use]
pub fn examine(loaded: &Loaded) -> Examined {
    let mut findings = loaded.findings.clone();
    let mut bundle = None;
    if let Some(config) = &loaded.config {
        match compile::bundle(config) {
            Ok(compiled) => bundle = Some(compiled),
            Err(problems) => findings.extend(problems),
        }
        let subject = Subject { config };
        for check in CHECKS {
            check.run(&subject, &mut findings);
        }
    }
    // What Cedar finds at one place comes in no order.
    findings.sort_by(|a, b| (a.place(), a.code, &a.message).cmp(&(b.place(), b.code, &b.message)));
    Examined { findings, bundle }
}

/// The findings alone.
#[must_use]
pub fn run(loaded: &Loaded) -> Vec<Diagnostic> {
    examine(loaded).findings
}

/// Every rule that can fire, by code.
#[must_use]
pub fn catalogue() -> Vec<&'static About> {
    let checks = CHECKS.iter().map(|check| check.about());
    let mut rules: Vec<_> = findings::RAISED.iter().copied().chain(compile::findings::ALL).chain(checks).collect();
    rules.sort_by_key(|about| about.code);
    // A rule that several stages raise is one rule.
    rules.dedup_by_key(|about| about.code);
    rules
}
