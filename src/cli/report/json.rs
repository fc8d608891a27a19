//! Findings for programs: one JSON object, the shape of design §7, `json-v1`.
//!
//! INVARIANT: what stands in this version keeps its name, place and meaning; more may be added. What
//! cannot be added is a new version; `docs/output.md` says when `json` comes to mean it.

use std::io::{self, Write};

use serde::Serialize;

use super::{Checked, Links, Report, Stage, Summary, escape, spot::Spot};
use crate::{
    check::{By, Suppressed},
    diagnostic::{Class, Confidence, Diagnostic, Fix, Level, Safety},
};

#[derive(Serialize)]
struct Whole<'a> {
    version: &'static str,
    findings: Vec<Finding<'a>>,
    suppressed: Vec<Answered<'a>>,
    summary: Summary,
    checked: Option<Checked>,
    stages: &'a [Stage],
    environment: Option<&'a str>,
    tool: Tool,
}

#[derive(Serialize)]
struct Tool {
    name: &'static str,
    version: &'static str,
}

#[derive(Serialize)]
struct Finding<'a> {
    code: &'static str,
    name: &'static str,
    class: Class,
    severity: Option<Level>,
    confidence: Confidence,
    message: &'a str,
    help: Option<&'a str>,
    url: Option<String>,
    fingerprint: String,
    fails: bool,
    locations: Vec<Location<'a>>,
    fixes: Vec<Mending<'a>>,
}

#[derive(Serialize)]
struct Location<'a> {
    #[serde(flatten)]
    spot: Spot<'a>,
    text: &'a str,
}

#[derive(Serialize)]
struct Mending<'a> {
    title: &'a str,
    safety: Safety,
    edits: Vec<Replacing<'a>>,
}

#[derive(Serialize)]
struct Replacing<'a> {
    #[serde(flatten)]
    spot: Spot<'a>,
    replacement: &'a str,
}

#[derive(Serialize)]
struct Answered<'a> {
    by: By,
    reason: Option<&'a str>,
    until: Option<String>,
    written: Option<Spot<'a>>,
    #[serde(flatten)]
    finding: Finding<'a>,
}

/// Writes the whole report as one JSON object and a line feed.
pub(super) fn json(out: &mut dyn Write, report: &Report<'_>, links: &Links) -> io::Result<()> {
    let whole = Whole {
        version: "json-v1",
        findings: report.findings.iter().map(|one| finding(report, links, one)).collect(),
        suppressed: report.suppressed.iter().map(|one| answered(report, links, one)).collect(),
        summary: report.summary(),
        checked: report.checked,
        stages: &report.stages,
        environment: report.environment.as_deref(),
        tool: Tool { name: "portcullis", version: env!("CARGO_PKG_VERSION") },
    };
    value(out, &whole)
}

/// Writes a value, indented, with every character escaped that could act on a terminal.
pub(super) fn value(out: &mut dyn Write, value: &impl Serialize) -> io::Result<()> {
    let text = serde_json::to_string_pretty(value).map_err(io::Error::from)?;
    writeln!(out, "{}", escape::json(&text))
}

fn finding<'a>(report: &Report<'_>, links: &Links, finding: &'a Diagnostic) -> Finding<'a> {
    let Diagnostic { code, name, class, confidence, message, help, labels, fixes } = finding;
    Finding {
        code,
        name,
        class: *class,
        severity: match class {
            Class::Security(level) => Some(*level),
            Class::Suggestion | Class::Warning | Class::Error => None,
        },
        confidence: *confidence,
        message,
        help: help.as_deref(),
        url: links.url(code),
        fingerprint: report.fingerprint(finding),
        fails: report.fails_by(finding),
        locations: labels.iter().map(|label| Location { spot: report.spot(&label.place), text: &label.text }).collect(),
        fixes: fixes.iter().map(|fix| mending(report, fix)).collect(),
    }
}

fn mending<'a>(report: &Report<'_>, fix: &'a Fix) -> Mending<'a> {
    let Fix { title, safety, edits } = fix;
    let edits =
        edits.iter().map(|edit| Replacing { spot: report.spot(&edit.place), replacement: &edit.text }).collect();
    Mending { title, safety: *safety, edits }
}

fn answered<'a>(report: &Report<'_>, links: &Links, suppressed: &'a Suppressed) -> Answered<'a> {
    let Suppressed { finding: found, by, reason, until, place } = suppressed;
    Answered {
        by: *by,
        reason: reason.as_deref(),
        until: until.map(|day| day.to_string()),
        written: place.as_ref().map(|place| report.spot(place)),
        finding: finding(report, links, found),
    }
}
