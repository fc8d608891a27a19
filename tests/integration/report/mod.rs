//! Findings as they are printed: for people and for programs.

/// What continuous integration reads: the problem matcher and the hooks.
mod ci;
/// Every format over one configuration.
mod formats;
/// Words of the author that would do harm.
mod hostile;
/// What is said of rules, and `docs/rules.md`.
mod rules;

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use portcullis::{
    check::{self, Asked, Judged, judge},
    cli::{
        check::{CheckArgs, Output, Terminal, run},
        report::{self, Links, Look, Report, ShowUrls, Style},
    },
    config::{self, Loaded, Wanted},
    diagnostic::Safety,
    policy::Bundle,
};

use crate::support::{checked, golden, load, no_env, told};

/// A configuration with findings of every kind, of which one is suppressed and two can be mended.
///
/// Of what is found only these rules are kept: a new rule is no news here.
pub(super) struct Sample {
    loaded: Loaded,
    bundle: Option<std::sync::Arc<Bundle>>,
    judged: Judged,
}

impl Sample {
    pub(super) fn new() -> Self {
        let loaded = config::load(Path::new("tests/fixtures/report/portcullis.yaml"), &no_env);
        let mut examined = check::examine(&loaded);
        examined.findings.retain(|finding| ["PC106", "PC115", "PC301", "PC303", "PC304"].contains(&finding.code));
        let mut judged = judge(&loaded, &examined, &Asked::nothing("2026-01-01".parse().unwrap()));
        judged.findings.retain(|finding| !finding.code.starts_with("PC9"));
        for finding in &mut judged.findings {
            let place = finding.place().unwrap().clone();
            finding.fixes.clear();
            *finding = match finding.code {
                "PC106" => finding.clone().fix(Safety::Safe, "remove the second `tag:web`", &place, ""),
                "PC304" => {
                    finding.clone().fix(Safety::Unsafe, "write the version in use", &place, "some-package@1.2.3")
                }
                _ => finding.clone(),
            };
        }
        Self { loaded, bundle: examined.bundle, judged }
    }

    pub(super) fn report(&self) -> Report<'_> {
        Report::of(&self.loaded, self.bundle.as_deref(), &self.judged.findings, &self.judged.suppressed)
    }
}

/// What `xmllint` says of a JUnit document; nothing where it says nothing.
pub(super) fn against_the_xsd(document: &str) -> Option<String> {
    let schema = crate::support::root().join("tests/fixtures/junit.xsd");
    let mut command = Command::new("xmllint");
    command.args(["--noout", "--nonet", "--schema"]).arg(schema).arg("-");
    let child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let Ok(mut child) = child else {
        crate::support::skipped("the validation of JUnit", "there is no `xmllint`");
        return None;
    };
    child.stdin.take().unwrap().write_all(document.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    (!output.status.success()).then(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn no_findings_names_what_was_checked() {
    golden("report", "no_findings_names_what_was_checked", &checked("version: 1\ntags: {a: A}\n"));
}

#[test]
fn colour_only_when_told() {
    let loaded = load("version: 2\n");
    let report = Report::of(&loaded, None, &loaded.findings, &[]);
    let written = |colour| {
        let mut out = Vec::new();
        report::write(&mut out, Style::Human, &report, &Look { colour, links: Links::default() }).unwrap();
        out
    };
    assert!(!written(false).contains(&0x1b) && written(true).contains(&0x1b));
}

#[test]
fn the_address_of_a_rule_is_a_link_on_a_terminal_and_printed_elsewhere() {
    let loaded = load("version: 2\n");
    let report = Report::of(&loaded, None, &loaded.findings, &[]);
    let docs = || Some("https://docs.example/rules.md".to_owned());
    let written = |links| {
        let mut out = Vec::new();
        report::write(&mut out, Style::Human, &report, &Look { colour: true, links }).unwrap();
        String::from_utf8(out).unwrap()
    };
    let behind = "\x1b]8;;https://docs.example/rules.md#pc008\x1b\\";
    let printed = "see: https://docs.example/rules.md#pc008";
    let plain = |text: String| text.replace("\x1b[0m", "").replace("\x1b[1m", "");
    for (show, terminal, ci, linked, shown) in [
        (ShowUrls::Auto, true, false, true, false),
        (ShowUrls::Auto, true, true, false, true),
        (ShowUrls::Auto, false, false, false, true),
        (ShowUrls::Always, true, false, true, true),
        (ShowUrls::Never, true, false, false, false),
        (ShowUrls::Never, false, true, false, false),
    ] {
        let text = plain(written(Links::new(show, docs(), terminal, ci)));
        assert_eq!(
            (text.contains(behind), text.contains(printed)),
            (linked, shown),
            "{show:?} {terminal} {ci}: {text}"
        );
    }
    // Nobody said where the pages can be read: their place in the repository is all there is to say.
    let text = plain(written(Links::new(ShowUrls::Auto, None, false, true)));
    assert!(text.contains("docs/rules.md#pc008"), "{text}");
    assert!(report::docs_url("https://a.example/\x1b").is_err() && report::docs_url("javascript:x").is_err());
}

fn args(format: Style) -> CheckArgs {
    CheckArgs { output: Output { format, ..Output::default() }, ..CheckArgs::default() }
}

/// The exit status of a run, and what it prints.
fn status_of(args: &CheckArgs, file: &Path) -> (u8, String) {
    let mut out = Vec::new();
    let today = "2026-01-01".parse().unwrap();
    let status = run(args, &Wanted::of(file), &no_env, today, &mut out, Terminal::default()).unwrap();
    (status, String::from_utf8(out).unwrap())
}

#[test]
fn the_exit_status_is_the_answer() {
    let folder = tempfile::tempdir().unwrap();
    let server = |rest: &str| format!("version: 1\ntags: {{a: A}}\nservers: {{s: {{{rest}}}}}\n");
    for (name, text, status) in [
        ("good", "version: 1\n".to_owned(), 0),
        (
            "suggestion",
            "version: 1\ntags: {a: A}\ngrants: [{to: {user: \"*\"}, scopes: [tag:a, tag:a]}]\n".to_owned(),
            0,
        ),
        ("security", server("public: true, http: {url: \"http://a.example\"}"), 1),
        ("error", server("http: {url: \"https://a.example\"}"), 1),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        for format in [Style::Human, Style::Json] {
            assert_eq!(status_of(&args(format), &path).0, status, "{name}");
        }
        // Who uploads SARIF takes 1 for a failure to run.
        let mut sarif = args(Style::Sarif);
        assert_eq!(status_of(&sarif, &path).0, 0, "{name}");
        sarif.output.exit_code = true;
        assert_eq!(status_of(&sarif, &path).0, status, "{name}");
    }
    let missing = Path::new("no-such-folder/portcullis.yaml");
    let (status, out) = status_of(&args(Style::Human), missing);
    assert_eq!(status, 2);
    golden("report", "a_missing_file", &out);
    let loaded = config::load(missing, &no_env);
    assert!(told(&Report::of(&loaded, None, &loaded.findings, &[]), Style::Plain).contains("Stage parse: failed."));
}
