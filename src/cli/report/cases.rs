//! Findings as JUnit: a suite for each file, a case for each finding.
//!
//! What fails the check is a failure; what does not, and what is suppressed, is a skipped case that
//! says so. A file without findings has one case, which passed.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use super::{
    Report,
    escape::visible,
    human::fix,
    junit::{Case, Cause, Outcome, Suite, junit},
};
use crate::diagnostic::{Diagnostic, Label};

/// Writes the report as one document.
pub(super) fn cases(out: &mut dyn Write, report: &Report<'_>) -> io::Result<()> {
    let mut suites: BTreeMap<String, Vec<Case>> =
        report.texts.keys().map(|file| (report.file(file), Vec::new())).collect();
    let mut add = |finding: &Diagnostic, outcome: Outcome| {
        let place = finding.place();
        let file = place.map(|place| report.file(&place.file)).filter(|file| !file.is_empty());
        let at = place.map(|place| format!("{}:{}", place.line, place.column)).unwrap_or_default();
        let case = Case {
            name: format!("{} {} at {at}", finding.code, finding.name),
            class: format!("portcullis.check.{}", finding.name),
            took: None,
            outcome,
        };
        suites.entry(file.unwrap_or_else(|| "portcullis".into())).or_default().push(case);
    };
    for finding in report.findings {
        let message = format!("{}: {}", finding.class, visible(&finding.message));
        let outcome = if report.fails_by(finding) {
            Outcome::Failed(Cause { kind: finding.class.to_string(), message, text: text(finding) })
        } else {
            Outcome::Skipped(message)
        };
        add(finding, outcome);
    }
    for suppressed in report.suppressed {
        let why = suppressed.reason.as_deref().map(|why| format!(": {}", visible(why))).unwrap_or_default();
        let message = visible(&suppressed.finding.message);
        add(&suppressed.finding, Outcome::Skipped(format!("suppressed{why} ({message})")));
    }
    let suites: Vec<Suite> = suites
        .into_iter()
        .map(|(name, mut cases)| {
            if cases.is_empty() {
                let (name, class) = ("no findings".into(), "portcullis.check".into());
                cases.push(Case { name, class, took: None, outcome: Outcome::Passed });
            }
            Suite { name, cases }
        })
        .collect();
    junit(out, "portcullis check", &suites)
}

/// All there is to say of a finding, a line each.
fn text(finding: &Diagnostic) -> String {
    let mut lines = Vec::new();
    for Label { place, text } in &finding.labels {
        let what = if text.is_empty() { String::new() } else { format!(": {}", visible(text)) };
        lines.push(format!("{}{what}", visible(&place.to_string())));
    }
    if let Some(help) = &finding.help {
        lines.push(format!("help: {}", visible(help)));
    }
    lines.extend(fix(finding).map(|fix| format!("fix: {}", visible(&fix))));
    lines.join("\n")
}
