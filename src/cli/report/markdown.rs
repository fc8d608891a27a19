//! Findings as Markdown, for a comment on a pull request and for the summary of a job.
//!
//! INVARIANT: no word of the author's file becomes a heading, a link, a mention, an image or HTML.

use std::io::{self, Write};

use super::{
    Links, Report,
    count::closing,
    escape::{code, markdown as line},
    stage,
};
use crate::diagnostic::{Class, Diagnostic};

/// How many findings are told: a comment holds 65,536 characters.
const TOLD: usize = 50;

/// Writes the sum, a table of findings, and what to do about each.
pub(super) fn markdown(out: &mut dyn Write, report: &Report<'_>, links: &Links) -> io::Result<()> {
    writeln!(out, "## Portcullis check\n")?;
    if let Some(environment) = &report.environment {
        writeln!(out, "Environment {}.\n", code(environment))?;
    }
    let closing = closing(report);
    if let Some(first) = closing.first() {
        writeln!(out, "**{first}**\n")?;
    }
    if !report.findings.is_empty() {
        writeln!(out, "{}\n", stage::table(&report.stages))?;
        writeln!(out, "| | Rule | Where | What |\n|---|---|---|---|")?;
        for finding in report.findings.iter().take(TOLD) {
            let place = finding.place().map(ToString::to_string).unwrap_or_default();
            let (rule, where_, what) = (rule(finding, links), code(&place), line(&finding.message));
            writeln!(out, "| {} {} | {rule} | {where_} | {what} |", mark(finding.class), finding.class)?;
        }
        writeln!(out)?;
        if report.findings.len() > TOLD {
            writeln!(out, "… and {} more.\n", report.findings.len() - TOLD)?;
        }
        writeln!(out, "<details><summary>What to do</summary>\n")?;
        for finding in report.findings.iter().take(TOLD) {
            let place = finding.place().map(ToString::to_string).unwrap_or_default();
            let help = finding.help.as_deref().map(line).unwrap_or_default();
            let fix = super::human::fix(finding).map_or_else(String::new, |fix| format!(". Fix: {}", line(&fix)));
            writeln!(out, "- {} {}: {help}{fix}", rule(finding, links), code(&place))?;
        }
        writeln!(out, "\n</details>\n")?;
        closing.iter().skip(1).try_for_each(|told| writeln!(out, "{}\n", line(told)))?;
    }
    if !report.suppressed.is_empty() {
        writeln!(out, "<details><summary>Suppressed</summary>\n")?;
        for suppressed in report.suppressed.iter().take(TOLD) {
            let finding = &suppressed.finding;
            let place = finding.place().map(ToString::to_string).unwrap_or_default();
            let why = suppressed.reason.as_deref().map_or_else(|| "no reason given".into(), line);
            writeln!(out, "- {} {}: {why}", rule(finding, links), code(&place))?;
        }
        writeln!(out, "\n</details>\n")?;
    }
    Ok(())
}

fn rule(finding: &Diagnostic, links: &Links) -> String {
    let name = format!("{} {}", finding.code, finding.name);
    links.url(finding.code).map_or_else(|| name.clone(), |url| format!("[{name}]({url})"))
}

/// For the eye; the class stands beside it in words.
fn mark(class: Class) -> char {
    match class {
        Class::Error | Class::Security(_) => '✗',
        Class::Warning => '!',
        Class::Suggestion => '·',
    }
}
