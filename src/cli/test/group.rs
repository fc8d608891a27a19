//! The tests of one configuration, run together: it is read and compiled once.

use std::path::{Path, PathBuf};

use super::{
    find::{Found, folder_of},
    snapshot::{self, Mode},
};
use crate::{
    check as checks,
    cli::Globals,
    config::{self, Sources, findings},
    diagnostic::{Class, Diagnostic, Level, Place, Placed},
    lock::Lock,
    reach::Reach,
    suite::{self, Coverage, Filter, Ground, Ran, Seen, Suite},
};

/// What could not be tested, and why.
pub(super) struct Broken {
    pub(super) findings: Vec<Diagnostic>,
    pub(super) sources: Sources,
}

/// Suites of one configuration and inventory.
pub(super) struct Group {
    config: PathBuf,
    inventory: Option<PathBuf>,
    suites: Vec<(Suite, PathBuf, Sources)>,
}

/// What was read.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) groups: Vec<Group>,
    pub(super) broken: Vec<Broken>,
    /// Files without any test.
    pub(super) empty: Vec<String>,
}

/// What became of a group.
#[derive(Default)]
pub(super) struct Done {
    pub(super) ran: Vec<Ran>,
    pub(super) covered: Option<Coverage>,
    /// Snapshots that differ, as unified diffs.
    pub(super) differs: Vec<String>,
    pub(super) broken: Vec<Broken>,
}

/// Reads every test file and finds what it names.
pub(super) fn read(files: Vec<Found>, external: bool, globals: &Globals) -> Gathered {
    let mut gathered = Gathered::default();
    for found in files {
        let mut sources = Sources::default();
        let mut findings = Vec::new();
        let suite = match config::text_of(&found.path, &mut sources) {
            Ok(text) => suite::read(&found.path.display().to_string().into(), &text, &mut findings),
            Err(finding) => {
                findings.push(finding);
                None
            }
        };
        let named = suite.as_ref().map(|suite| named(suite, &found, external, globals, &mut findings));
        let (Some(suite), Some((config, inventory)), true) = (suite, named, findings.is_empty()) else {
            gathered.broken.push(Broken { findings, sources });
            continue;
        };
        if suite.is_empty() {
            gathered.empty.push(suite.file.to_string());
            continue;
        }
        let same = |group: &&mut Group| group.config == config && group.inventory == inventory;
        match gathered.groups.iter_mut().find(same) {
            Some(group) => group.suites.push((suite, found.path, sources)),
            None => {
                gathered.groups.push(Group { config, inventory, suites: vec![(suite, found.path, sources)] });
            }
        }
    }
    gathered
}

/// The configuration of a suite, and its inventory where it names one.
fn named(
    suite: &Suite,
    found: &Found,
    external: bool,
    globals: &Globals,
    findings: &mut Vec<Diagnostic>,
) -> (PathBuf, Option<PathBuf>) {
    let mut path = |key: &str, written: &Placed<String>| {
        found.named(&written.value, external).unwrap_or_else(|problem| {
            findings.push(
                findings::WRONG_TYPE
                    .at(&written.place, format!("`{key}` is {problem}"))
                    .help("keep what tests name beside them, or say `--allow-external-files`"),
            );
            PathBuf::new()
        })
    };
    let config = match &suite.config {
        Some(written) => path("config", written),
        None => {
            let beside = folder_of(&found.path).join("portcullis.yaml");
            let beside = beside.strip_prefix(".").map_or_else(|_| beside.clone(), Path::to_owned);
            if beside.exists() { beside } else { globals.config.clone() }
        }
    };
    (config, suite.inventory.as_ref().map(|written| path("inventory", written)))
}

impl Group {
    /// Runs every suite.
    pub(super) fn run(&self, filter: &Filter, globals: &Globals, mode: Mode) -> anyhow::Result<Done> {
        let mut done = Done::default();
        let mut loaded = globals.load_at(&self.config)?;
        let examined = checks::examine(&loaded);
        let (Some(config), Some(bundle)) = (loaded.config.take(), examined.bundle) else {
            let mut findings = examined.findings;
            findings.retain(|finding| finding.class >= Class::Security(Level::Critical));
            done.broken.push(Broken { findings, sources: loaded.sources });
            return Ok(done);
        };
        let mut sources = loaded.sources;
        let mut lock = examined.lock;
        if let Some(path) = &self.inventory {
            let mut findings = Vec::new();
            lock = config::lock_at(path, &mut sources, &mut findings)
                .and_then(|tree| Lock::read(&tree, &mut findings))
                .map(Into::into);
            if lock.is_none() {
                if findings.is_empty() {
                    let message = format!("cannot read `{}`: there is no such file", path.display());
                    findings.push(findings::YAML_SYNTAX.at(&Place::of_file(path), message).help("mend `inventory`"));
                }
                done.broken.push(Broken { findings, sources });
                return Ok(done);
            }
        }
        let reach = Reach::new(&config, bundle, lock.as_deref()).map_err(anyhow::Error::msg)?;
        let ground = Ground::new(&reach, &sources, globals.options_of(&self.config));
        let mut seen = Seen::default();
        for (suite, path, own) in &self.suites {
            let undeclared = suite.undeclared(reach.engine().bundle());
            if !undeclared.is_empty() {
                done.broken.push(Broken { findings: undeclared, sources: own.clone() });
                continue;
            }
            let ran = suite::run(suite, &ground, filter);
            done.differs.extend(snapshot::compare(suite, &ground, path, mode)?);
            seen.merge(&ran.seen);
            done.ran.push(ran);
        }
        done.covered = Some(Coverage::of(self.config.display().to_string(), &ground, &seen));
        Ok(done)
    }
}
