//! Findings beside their source lines, as compilers show them.
//!
//! SPEC: `requirements/lint-rules.md` §3.1.

use std::io::{self, Write};

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Renderer, Snippet};

use super::{Links, Look, Report, count::closing, escape::visible, stage};
use crate::diagnostic::{Class, Diagnostic, Label, Level as Gravity, Safety};

/// Writes how far it went, every finding with its lines, and what it comes to.
pub(super) fn human(out: &mut dyn Write, report: &Report<'_>, look: &Look) -> io::Result<()> {
    if !report.findings.is_empty() {
        if !report.stages.is_empty() {
            writeln!(out, "{}\n", stage::table(&report.stages))?;
        }
        let renderer = if look.colour { Renderer::styled() } else { Renderer::plain() };
        for finding in report.findings {
            writeln!(out, "{}\n", renderer.render(&[group(finding, report, &look.links)]))?;
        }
    }
    closing(report).iter().try_for_each(|line| writeln!(out, "{line}"))
}

fn group<'a>(finding: &'a Diagnostic, report: &'a Report<'_>, links: &Links) -> Group<'a> {
    let mut title = level(finding.class).primary_title(visible(&finding.message)).id(finding.code);
    if let Some(url) = links.behind(finding.code) {
        title = title.id_url(url);
    }
    let mut group = Group::with_title(title);
    let mut files: Vec<&str> = Vec::new();
    for label in &finding.labels {
        if !files.contains(&&*label.place.file) {
            files.push(&label.place.file);
        }
    }
    for file in files {
        let Some(text) = report.texts.get(file) else {
            group = group.element(annotate_snippets::Origin::path(visible(file)));
            continue;
        };
        let labels: Vec<&Label> = finding.labels.iter().filter(|label| &*label.place.file == file).collect();
        let window = Window::around(&labels, text);
        let snippet = Snippet::source(window.text).line_start(window.line).path(visible(file));
        let snippet = labels
            .iter()
            .map(|label| window.annotation(is_primary(finding, label), label))
            .fold(snippet, Snippet::annotation);
        group = group.element(snippet);
    }
    if let Some(help) = &finding.help {
        group = group.element(Level::HELP.message(visible(help)));
    }
    if let Some(fix) = fix(finding) {
        group = group.element(Level::NOTE.with_name("fix").message(visible(&fix).into_owned()));
    }
    match links.printed(finding.code) {
        Some(url) => group.element(Level::NOTE.with_name("see").message(url)),
        None => group,
    }
}

/// How it can be mended by us, if it can.
pub(super) fn fix(finding: &Diagnostic) -> Option<String> {
    let fix = finding.fixes.iter().min_by_key(|fix| fix.safety)?;
    Some(match fix.safety {
        Safety::Safe => format!("{} (safe: `--fix` does it)", fix.title),
        Safety::Unsafe => format!("{} (unsafe: `--fix=all` does it, for you to review)", fix.title),
    })
}

fn is_primary(finding: &Diagnostic, label: &Label) -> bool {
    finding.labels.first().is_some_and(|first| std::ptr::eq(first, label))
}

/// The lines that labels stand in: to look for lines in a whole file for each finding takes too long.
struct Window<'a> {
    text: &'a str,
    /// The number of its first line.
    line: usize,
    /// Where in the file it begins.
    start: usize,
}

impl<'a> Window<'a> {
    fn around(labels: &[&Label], text: &'a str) -> Self {
        let places = || labels.iter().map(|label| &label.place);
        let first = floor(text, places().map(|place| place.start).min().unwrap_or_default());
        let last = floor(text, places().map(|place| place.end).max().unwrap_or_default()).max(first);
        let start = text.get(..first).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
        let end = text.get(last..).and_then(|after| after.find('\n')).map_or(text.len(), |at| last + at);
        let line = places().map(|place| place.line).min().unwrap_or(1);
        Self { text: text.get(start..end).unwrap_or_default(), line: usize::try_from(line).unwrap_or(1), start }
    }

    fn annotation<'l>(&self, primary: bool, label: &'l Label) -> Annotation<'l> {
        let kind = if primary { AnnotationKind::Primary } else { AnnotationKind::Context };
        let inside = |at: usize| at.saturating_sub(self.start);
        let span = kind.span(one_line(self.text, inside(label.place.start), inside(label.place.end)));
        if label.text.is_empty() { span } else { span.label(visible(&label.text)) }
    }
}

/// The span, cut to its first line and to characters of the text.
fn one_line(text: &str, start: usize, end: usize) -> std::ops::Range<usize> {
    let start = floor(text, start);
    let end = floor(text, end).max(start);
    let line = text.get(start..end).and_then(|span| span.find(['\n', '\r'])).map_or(end, |at| start + at);
    start..line
}

fn floor(text: &str, at: usize) -> usize {
    let at = at.min(text.len());
    (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default()
}

fn level(class: Class) -> Level<'static> {
    match class {
        Class::Error => Level::ERROR,
        Class::Security(Gravity::Critical) => Level::ERROR.with_name("security:critical"),
        Class::Security(Gravity::High) => Level::ERROR.with_name("security:high"),
        Class::Security(Gravity::Medium) => Level::WARNING.with_name("security:medium"),
        Class::Security(Gravity::Low) => Level::WARNING.with_name("security:low"),
        Class::Warning => Level::WARNING,
        Class::Suggestion => Level::INFO.with_name("suggestion"),
    }
}
