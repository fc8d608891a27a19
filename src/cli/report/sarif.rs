//! SARIF 2.1.0, for code scanning.
//!
//! Every rule is declared, also those that are silent: an alert closes when its rule is there and its
//! result is not.
//!
//! SPEC: OASIS SARIF 2.1.0; `tests/fixtures/sarif-2.1.0.schema.json` is its schema.

use std::io::{self, Write};

use serde_json::{Map, Value, json};

use super::{
    Links, Report,
    escape::visible,
    json::value,
    rule::{self, Rule},
    spot::uri,
};
use crate::{
    check::{By, Suppressed},
    diagnostic::{Class, Confidence, Diagnostic, Fix, Label, Level, Place},
};

/// Where the root of the checkout is, as code scanning calls it.
const ROOT: &str = "%SRCROOT%";

/// Writes the log: one run.
pub(super) fn sarif(out: &mut dyn Write, report: &Report<'_>, links: &Links) -> io::Result<()> {
    let rules = rule::all();
    let results = report.findings.iter().map(|finding| result(report, &rules, finding, None));
    let suppressed = report.suppressed.iter().map(|one| result(report, &rules, &one.finding, Some(one)));
    let results: Vec<Value> = results.chain(suppressed).collect();
    let mut driver = object(json!({
        "name": "portcullis",
        "semanticVersion": env!("CARGO_PKG_VERSION"),
        "rules": rules.iter().map(|rule| descriptor(rule, links)).collect::<Vec<_>>(),
    }));
    let repository = env!("CARGO_PKG_REPOSITORY");
    if !repository.is_empty() {
        driver.insert("informationUri".into(), repository.into());
    }
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": driver },
            "automationDetails": { "id": automation(report) },
            "columnKind": "unicodeCodePoints",
            "originalUriBaseIds": { ROOT: { "description": { "text": "the root of the checkout" } } },
            "results": results,
        }],
    });
    value(out, &log)
}

/// One category of alerts for each environment, so that one run does not close the alerts of another.
fn automation(report: &Report<'_>) -> String {
    match &report.environment {
        Some(environment) => format!("portcullis/check/{environment}/"),
        None => "portcullis/check/".into(),
    }
}

fn descriptor(rule: &Rule, links: &Links) -> Value {
    let Rule { about, page } = rule;
    let mut tags: Vec<&str> = page.map(|page| page.tags.to_vec()).unwrap_or_default();
    let mut properties = Map::new();
    if let Class::Security(level) = about.class {
        tags.push("security");
        properties.insert("security-severity".into(), score(level).into());
    }
    if let Some(page) = page {
        properties.insert("precision".into(), precision(page.confidence).into());
    }
    properties.insert("tags".into(), json!(tags));
    let mut descriptor = object(json!({
        "id": about.code,
        "name": about.name,
        "shortDescription": { "text": about.summary },
        "fullDescription": { "text": page.map_or(about.summary, |page| page.why) },
        "help": { "text": about.help, "markdown": rule::markdown(rule) },
        "defaultConfiguration": { "level": level(about.class) },
        "properties": properties,
    }));
    // It has to be a whole address, so there is none where none is known.
    if let Some(url) = links.url(about.code) {
        descriptor.insert("helpUri".into(), url.into());
    }
    Value::Object(descriptor)
}

fn result(report: &Report<'_>, rules: &[Rule], finding: &Diagnostic, by: Option<&Suppressed>) -> Value {
    let Diagnostic { code, name: _, class, confidence, message, help, labels, fixes } = finding;
    let help = help.as_deref().map(|help| format!(" ({})", visible(help))).unwrap_or_default();
    let mut result = object(json!({
        "ruleId": code,
        "level": level(*class),
        "message": { "text": format!("{}{help}", visible(message)) },
        "partialFingerprints": { "portcullis/v1": report.fingerprint(finding) },
        "locations": labels.iter().take(1).map(|label| location(report, label, None)).collect::<Vec<_>>(),
        "properties": { "class": class, "confidence": confidence },
    }));
    if let Some(index) = rules.iter().position(|rule| rule.about.code == *code) {
        result.insert("ruleIndex".into(), index.into());
    }
    let related: Vec<_> = labels.iter().skip(1).zip(1..).map(|(label, id)| location(report, label, Some(id))).collect();
    if !related.is_empty() {
        result.insert("relatedLocations".into(), related.into());
    }
    if !fixes.is_empty() {
        result.insert("fixes".into(), fixes.iter().map(|fix| mending(report, fix)).collect());
    }
    // What counts says so: a consumer then knows that suppressions were looked at.
    result.insert("suppressions".into(), by.map(|by| suppression(report, by)).into_iter().collect());
    Value::Object(result)
}

fn suppression(report: &Report<'_>, suppressed: &Suppressed) -> Value {
    let kind = match suppressed.by {
        By::Comment => "inSource",
        By::Config | By::Baseline | By::CommandLine => "external",
    };
    let mut suppression = object(json!({ "kind": kind, "status": "accepted" }));
    if let Some(reason) = &suppressed.reason {
        suppression.insert("justification".into(), visible(reason).into());
    }
    if let Some(place) = &suppressed.place {
        suppression
            .insert("location".into(), json!({ "physicalLocation": { "artifactLocation": artifact(report, place) } }));
    }
    Value::Object(suppression)
}

fn location(report: &Report<'_>, label: &Label, id: Option<usize>) -> Value {
    let mut location = object(json!({
        "physicalLocation": { "artifactLocation": artifact(report, &label.place), "region": region(report, &label.place) },
    }));
    if let Some(path) = report.spot(&label.place).path {
        location.insert("logicalLocations".into(), json!([{ "fullyQualifiedName": path, "kind": "member" }]));
    }
    if let Some(id) = id {
        location.insert("id".into(), id.into());
    }
    if !label.text.is_empty() {
        location.insert("message".into(), json!({ "text": visible(&label.text) }));
    }
    Value::Object(location)
}

fn artifact(report: &Report<'_>, place: &Place) -> Value {
    let path = report.file(&place.file);
    if path.starts_with('/') {
        json!({ "uri": format!("file://{}", uri(&path)) })
    } else {
        json!({ "uri": uri(&path), "uriBaseId": ROOT })
    }
}

fn region(report: &Report<'_>, place: &Place) -> Value {
    let spot = report.spot(place);
    json!({
        "startLine": place.line,
        "startColumn": place.column,
        "endLine": spot.end_line,
        "endColumn": spot.end_column,
        "byteOffset": place.start,
        "byteLength": place.end.saturating_sub(place.start),
    })
}

fn mending(report: &Report<'_>, fix: &Fix) -> Value {
    let Fix { title, safety, edits } = fix;
    let mut files: Vec<&str> = edits.iter().map(|edit| &*edit.place.file).collect();
    files.sort_unstable();
    files.dedup();
    let changes = files.into_iter().filter_map(|file| {
        let edits = || edits.iter().filter(|edit| &*edit.place.file == file);
        let artifact = artifact(report, &edits().next()?.place);
        let replacements: Vec<_> = edits()
            .map(|edit| {
                json!({ "deletedRegion": region(report, &edit.place), "insertedContent": { "text": edit.text } })
            })
            .collect();
        Some(json!({ "artifactLocation": artifact, "replacements": replacements }))
    });
    json!({
        "description": { "text": visible(title) },
        "artifactChanges": changes.collect::<Vec<_>>(),
        "properties": { "safety": safety },
    })
}

fn level(class: Class) -> &'static str {
    match class {
        Class::Error | Class::Security(Level::Critical | Level::High) => "error",
        Class::Security(Level::Medium) | Class::Warning => "warning",
        Class::Security(Level::Low) | Class::Suggestion => "note",
    }
}

/// A number on the scale of CVSS, written as text: that is how code scanning reads it.
const fn score(level: Level) -> &'static str {
    match level {
        Level::Critical => "9.5",
        Level::High => "8.0",
        Level::Medium => "5.5",
        Level::Low => "2.5",
    }
}

const fn precision(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::Low => "low",
        Confidence::Medium => "medium",
        Confidence::High => "high",
    }
}

/// The members of an object literal.
fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    }
}
