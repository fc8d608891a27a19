//! Configurations from text, findings as lines, golden files.

use portcullis::{
    check,
    config::{self, Loaded},
    diagnostic::Diagnostic,
};

/// An environment without variables.
pub(crate) fn no_env(_: &str) -> Option<String> {
    None
}

/// Reads a text as `portcullis.yaml`, in an empty environment.
pub(crate) fn load(text: &str) -> Loaded {
    config::load_text("portcullis.yaml", text, &no_env)
}

/// Every finding as a line: place, code, message.
pub(crate) fn lines(findings: &[Diagnostic]) -> Vec<String> {
    findings
        .iter()
        .map(|finding| {
            let place = finding.place().unwrap();
            format!("{}:{} {} {}", place.line, place.column, finding.code, finding.message)
        })
        .collect()
}

/// What `check` prints of a text.
pub(crate) fn checked(text: &str) -> String {
    let loaded = load(text);
    let mut out = Vec::new();
    let counts = loaded.config.as_ref().map(portcullis::cli::report::Checked::of);
    portcullis::cli::report::human(&mut out, &check::run(&loaded), &loaded.sources, counts, false).unwrap();
    String::from_utf8(out).unwrap()
}

/// The codes that `check` finds in a text.
pub(crate) fn codes(text: &str) -> Vec<&'static str> {
    check::run(&load(text)).iter().map(|finding| finding.code).collect()
}

/// Compares with a file of a folder under the top-level `snapshots/`.
pub(crate) fn golden(folder: &str, name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(format!("{}/snapshots/{folder}", env!("CARGO_MANIFEST_DIR")));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}
