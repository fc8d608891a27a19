//! Findings as people and programs read them: one value, and a file for each format.
//!
//! INVARIANT: what is printed of a source line comes from `Sources::shown`, which holds no secret, and
//! what is printed of the author's words goes through `escape` or a writer that escapes.
//!
//! SPEC: `requirements/lint-rules.md` §3.1, §3.5. To add a format: a file, a variant of [`Style`], and
//! an arm in [`write()`].

mod cases;
mod concise;
mod count;
#[cfg(feature = "serve")]
pub(crate) mod drift;
mod escape;
mod github;
mod gitlab;
mod human;
mod json;
pub mod junit;
mod link;
mod markdown;
mod plain;
mod progress;
pub mod rule;
mod sarif;
mod spot;
mod stage;
pub(super) mod suite;
mod xml;

use std::{
    collections::BTreeMap,
    io::{self, Write},
    iter,
    path::{Path, PathBuf},
};

pub use count::{Checked, Summary};
pub use github::summarise;
pub use link::{Links, ShowUrls, docs_url};
pub(crate) use progress::Progress;
pub use stage::{Stage, State};

use crate::{
    check::{Suppressed, fingerprint, yaml_path},
    config::{Loaded, Node, Sources},
    diagnostic::{Class, Diagnostic, Level, Place},
    policy::Bundle,
};

/// What a check found, and in what. Every format renders this.
#[derive(Debug)]
pub struct Report<'a> {
    /// What counts, by place.
    pub findings: &'a [Diagnostic],
    /// What does not, by place.
    pub suppressed: &'a [Suppressed],
    /// What was looked at; nothing where the configuration could not be read whole.
    pub checked: Option<Checked>,
    /// How far it went.
    pub stages: Vec<Stage>,
    /// Which environment's file was laid over the configuration.
    pub environment: Option<String>,
    /// The mildest class that makes the answer no.
    pub fail_on: Class,
    /// The texts of the files as they may be shown.
    texts: BTreeMap<&'a str, String>,
    /// The folder of the configuration.
    base: PathBuf,
    /// What is written, in every environment that was read.
    trees: Vec<&'a Node>,
}

impl<'a> Report<'a> {
    /// What was found in a configuration. `bundle` is what it compiles to, where it does.
    #[must_use]
    pub fn of(
        loaded: &'a Loaded,
        bundle: Option<&Bundle>,
        findings: &'a [Diagnostic],
        suppressed: &'a [Suppressed],
    ) -> Self {
        let environment = match &loaded.environment {
            Some(environment) => Some(environment.to_string()),
            None => (!loaded.others.is_empty()).then(|| "all".into()),
        };
        Self {
            findings,
            suppressed,
            checked: loaded.whole().map(|config| Checked::of(config, bundle)),
            stages: stage::stages(loaded, bundle.is_some(), findings),
            environment,
            fail_on: Class::Security(Level::Medium),
            texts: texts(&loaded.sources),
            base: folder(loaded),
            trees: iter::once(loaded).chain(&loaded.others).filter_map(|loaded| loaded.tree.as_ref()).collect(),
        }
    }

    /// What was found in a file that is no configuration: it has no stages.
    #[must_use]
    pub fn of_file(sources: &'a Sources, findings: &'a [Diagnostic]) -> Self {
        Self {
            findings,
            suppressed: &[],
            checked: None,
            stages: Vec::new(),
            environment: None,
            fail_on: Class::Security(Level::Medium),
            texts: texts(sources),
            base: PathBuf::new(),
            trees: Vec::new(),
        }
    }

    /// Whether any finding makes the answer no.
    #[must_use]
    pub fn fails(&self) -> bool {
        self.findings.iter().any(|finding| self.fails_by(finding))
    }

    fn fails_by(&self, finding: &Diagnostic) -> bool {
        finding.class >= self.fail_on
    }

    fn summary(&self) -> Summary {
        Summary::of(self.findings, self.suppressed.len())
    }

    fn fingerprint(&self, finding: &Diagnostic) -> String {
        let place = finding.place();
        let shown = place.and_then(|place| self.texts.get(&*place.file));
        let tree = place.and_then(|place| self.tree_of(place)).or(self.trees.first().copied());
        fingerprint(finding, tree, shown.map_or("", String::as_str))
    }

    /// The tree that holds a place.
    fn tree_of(&self, place: &Place) -> Option<&'a Node> {
        self.trees.iter().copied().find(|tree| !yaml_path(tree, place).is_empty())
    }
}

/// Every text as it may be shown.
fn texts(sources: &Sources) -> BTreeMap<&str, String> {
    sources.files().filter_map(|file| Some((file, escape::source(sources.shown(file)?)))).collect()
}

/// The folder that the configuration stands in.
fn folder(loaded: &Loaded) -> PathBuf {
    let file = loaded.tree.as_ref().map(|tree| Path::new(&*tree.place.file));
    file.and_then(Path::parent).map(Path::to_owned).unwrap_or_default()
}

/// How findings are printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Style {
    /// Beside their source lines
    #[default]
    Human,
    /// In sentences, without drawings, for screen readers
    Plain,
    /// One line a finding
    Concise,
    /// One JSON object; `json` is the newest version of it
    #[value(name = "json-v1", alias = "json")]
    Json,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// Annotations of GitHub Actions, and a job summary
    Github,
    /// Code Quality of GitLab
    Gitlab,
    /// JUnit XML
    Junit,
    /// Markdown, for a comment on a pull request
    Markdown,
}

/// How the output may look.
#[derive(Debug, Clone, Default)]
pub struct Look {
    /// Whether it has colours.
    pub colour: bool,
    /// Where rules are described.
    pub links: Links,
}

/// Writes a report.
///
/// # Errors
/// When `out` cannot be written to.
pub fn write(out: &mut dyn Write, style: Style, report: &Report<'_>, look: &Look) -> io::Result<()> {
    match style {
        Style::Human => human::human(out, report, look),
        Style::Plain => plain::plain(out, report, look),
        Style::Concise => concise::concise(out, report),
        Style::Json => json::json(out, report, &look.links),
        Style::Sarif => sarif::sarif(out, report, &look.links),
        Style::Github => github::github(out, report),
        Style::Gitlab => gitlab::gitlab(out, report),
        Style::Junit => cases::cases(out, report),
        Style::Markdown => markdown::markdown(out, report, &look.links),
    }
}

/// How an answer is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    Human,
    /// One JSON value.
    Json,
}

/// Writes to who may stop listening, as `head -1` does: what comes after that goes nowhere, and the exit status
/// is the one of the answer. Not for what is told once and never again.
#[derive(Debug)]
pub(super) struct Leaving<W>(pub(super) W);

impl<W: Write> Write for Leaving<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(bytes.len()),
            written => written,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.0.flush() {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            flushed => flushed,
        }
    }
}

/// Writes the answer of a command to stdout.
///
/// # Errors
/// When stdout cannot be written to.
pub(super) fn answer(text: &str) -> io::Result<()> {
    let mut out = Leaving(io::stdout().lock());
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Says something on stderr; nobody listening is no failure.
pub(super) fn talk(text: &str) {
    _ = writeln!(io::stderr().lock(), "{text}");
}
