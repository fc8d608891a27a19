//! Code Quality of GitLab: a list of issues.
//!
//! INVARIANT: no two issues share a fingerprint, else GitLab shows one of them.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use serde_json::{Value, json};

use super::{Report, escape::visible, json::value};
use crate::diagnostic::{Class, Level};

/// Writes the list. What is suppressed is not in it.
pub(super) fn gitlab(out: &mut dyn Write, report: &Report<'_>) -> io::Result<()> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let issues: Vec<Value> = report
        .findings
        .iter()
        .map(|finding| {
            let fingerprint = report.fingerprint(finding);
            let times = seen.entry(fingerprint.clone()).or_default();
            *times += 1;
            let fingerprint = if *times == 1 { fingerprint } else { format!("{fingerprint}-{times}") };
            let spot = finding.place().map(|place| report.spot(place));
            let help = finding.help.as_deref().map(|help| format!("; {}", visible(help))).unwrap_or_default();
            json!({
                "description": format!("{} {}: {}{help}", finding.code, finding.name, visible(&finding.message)),
                "check_name": finding.name,
                "fingerprint": fingerprint,
                "severity": severity(finding.class),
                "location": {
                    "path": finding.place().map(|place| report.file(&place.file)),
                    "lines": {
                        "begin": spot.as_ref().map_or(1, |spot| spot.place.line),
                        "end": spot.as_ref().map_or(1, |spot| spot.end_line),
                    },
                },
            })
        })
        .collect();
    value(out, &issues)
}

fn severity(class: Class) -> &'static str {
    match class {
        Class::Security(Level::Critical) => "blocker",
        Class::Error | Class::Security(Level::High) => "critical",
        Class::Security(Level::Medium) => "major",
        Class::Security(Level::Low) | Class::Warning => "minor",
        Class::Suggestion => "info",
    }
}
