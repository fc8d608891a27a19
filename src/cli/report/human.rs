//! Findings beside their source lines, as compilers show them.
//!
//! SPEC: `requirements/lint-rules.md` §3.1.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet, normalize_untrusted_str};

use super::{Checked, Summary, counted};
use crate::{
    config::Sources,
    diagnostic::{Class, Diagnostic, Label, Level as Gravity},
};

/// Writes every finding with its lines, and a line that sums them up.
///
/// # Errors
/// When `out` cannot be written to.
pub fn human(
    out: &mut dyn Write,
    findings: &[Diagnostic],
    sources: &Sources,
    checked: Option<Checked>,
    colour: bool,
) -> io::Result<()> {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let texts: BTreeMap<&str, String> =
        sources.files().filter_map(|file| sources.shown(file).map(|text| (file, text))).collect();
    for finding in findings {
        writeln!(out, "{}\n", renderer.render(&[group(finding, &texts)]))?;
    }
    let summary = Summary::of(findings);
    if findings.is_empty() {
        return match checked {
            Some(checked) => writeln!(out, "No findings. {} checked", looked_at(checked)),
            None => writeln!(out, "No findings, and nothing checked"),
        };
    }
    let Summary { findings, error, security, warning, suggestion } = summary;
    writeln!(
        out,
        "{}: {}, {security} security, {}, {}",
        counted(findings, "finding"),
        counted(error, "error"),
        counted(warning, "warning"),
        counted(suggestion, "suggestion"),
    )?;
    if checked.is_none() {
        writeln!(out, "further checks wait until the configuration can be read")?;
    }
    Ok(())
}

fn looked_at(checked: Checked) -> String {
    let Checked { servers, tags, grants, rules, policies } = checked;
    format!(
        "{}, {}, {}, {} and {}",
        counted(servers, "server"),
        counted(tags, "tag"),
        counted(grants, "grant"),
        counted(rules, "rule"),
        counted(policies, "policy file"),
    )
}

fn group<'a>(finding: &'a Diagnostic, texts: &'a BTreeMap<&str, String>) -> Group<'a> {
    let title = level(finding.class).primary_title(&finding.message).id(finding.code);
    let mut group = Group::with_title(title);
    let mut files: Vec<&str> = Vec::new();
    for label in &finding.labels {
        if !files.contains(&&*label.place.file) {
            files.push(&label.place.file);
        }
    }
    for file in files {
        let Some(text) = texts.get(file) else {
            group = group.element(annotate_snippets::Origin::path(file));
            continue;
        };
        let snippet = finding
            .labels
            .iter()
            .enumerate()
            .filter(|(_, label)| &*label.place.file == file)
            .map(|(index, label)| annotation(index == 0, label, text))
            .fold(Snippet::source(text.as_str()).path(file), Snippet::annotation);
        group = group.element(snippet);
    }
    match &finding.help {
        Some(help) => group.element(Level::HELP.message(normalize_untrusted_str(help))),
        None => group,
    }
}

fn annotation<'a>(primary: bool, label: &'a Label, text: &str) -> annotate_snippets::Annotation<'a> {
    let kind = if primary { AnnotationKind::Primary } else { AnnotationKind::Context };
    let span = kind.span(one_line(text, label.place.start, label.place.end));
    if label.text.is_empty() { span } else { span.label(label.text.as_str()) }
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
