//! The findings that were there when somebody began to look: they do not fail, new ones do.
//!
//! An entry is known by its finding's fingerprint, so that moved lines change nothing; of findings
//! that share one it covers as many as there were.
//!
//! INVARIANT: an error is never covered, whatever the file says, and a baseline of another
//! configuration covers nothing: who reads one says of which it must be.
//!
//! SPEC: `requirements/lint-rules.md` §3.2.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{By, Judged, Suppressed, fingerprint};
use crate::{
    config::Loaded,
    diagnostic::{Class, Diagnostic},
};

/// Findings that are known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    version: u8,
    /// The configuration, relative to the folder of the baseline.
    root: String,
    /// By rule, path and fingerprint.
    findings: Vec<Known>,
}

/// A finding that is known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    /// The code of its rule.
    pub rule: String,
    /// Where it was, for people.
    pub path: String,
    /// What it is known by.
    pub fingerprint: String,
    /// How many there were.
    pub count: usize,
}

/// Why a baseline cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// It is no baseline.
    #[error("it is no baseline: {0}")]
    Unreadable(String),
    /// It is of another version.
    #[error("it is of version {0}, and only version 1 is known")]
    Version(u8),
    /// It is of another configuration.
    #[error("it is the baseline of `{found}`, not of `{wanted}`")]
    OtherRoot {
        /// Of which it is.
        found: String,
        /// Of which it should be.
        wanted: String,
    },
}

impl Baseline {
    /// Reads the baseline of the configuration `root`.
    ///
    /// # Errors
    /// When it is none, or of another.
    pub fn read(text: &str, root: &str) -> Result<Self, Unusable> {
        let baseline: Self = serde_json::from_str(text).map_err(|error| Unusable::Unreadable(error.to_string()))?;
        if baseline.version != 1 {
            return Err(Unusable::Version(baseline.version));
        }
        if baseline.root != root {
            return Err(Unusable::OtherRoot { found: baseline.root, wanted: root.to_owned() });
        }
        Ok(baseline)
    }

    /// The baseline of all that counts now, errors left out.
    #[must_use]
    pub fn of(judged: &Judged, loaded: &Loaded, root: &str) -> Self {
        let mut counts: BTreeMap<(String, String, String), usize> = BTreeMap::new();
        let mut prints = Prints::of(loaded);
        for finding in judged.findings.iter().filter(|finding| finding.class != Class::Error) {
            let (path, fingerprint) = (prints.path(finding), prints.fingerprint(finding));
            *counts.entry((finding.code.to_owned(), path, fingerprint)).or_default() += 1;
        }
        let known = |((rule, path, fingerprint), count)| Known { rule, path, fingerprint, count };
        Self { version: 1, root: root.to_owned(), findings: counts.into_iter().map(known).collect() }
    }

    /// Suppresses what is known. What is left over of the baseline is stale.
    #[must_use]
    pub fn apply(&self, judged: Judged, loaded: &Loaded) -> (Judged, Vec<Known>) {
        let mut left: BTreeMap<(String, String), usize> = BTreeMap::new();
        for known in &self.findings {
            *left.entry((known.rule.clone(), known.fingerprint.clone())).or_default() += known.count;
        }
        let mut prints = Prints::of(loaded);
        let Judged { findings, mut suppressed } = judged;
        let mut counted = Vec::new();
        for finding in findings {
            let print = if finding.class == Class::Error { String::new() } else { prints.fingerprint(&finding) };
            match left.get_mut(&(finding.code.to_owned(), print)).filter(|count| **count > 0) {
                Some(count) => {
                    *count -= 1;
                    suppressed.push(Suppressed { finding, by: By::Baseline, reason: None, until: None, place: None });
                }
                None => counted.push(finding),
            }
        }
        suppressed.sort_by(|a, b| (a.finding.place(), a.finding.code).cmp(&(b.finding.place(), b.finding.code)));
        let mut stale = Vec::new();
        for known in &self.findings {
            if let Some(count) = left.get_mut(&(known.rule.clone(), known.fingerprint.clone())) {
                let over = known.count.min(*count);
                *count -= over;
                stale.extend((over > 0).then(|| Known { count: over, ..known.clone() }));
            }
        }
        (Judged { findings: counted, suppressed }, stale)
    }

    /// The same without what is stale.
    #[must_use]
    pub fn pruned(mut self, stale: &[Known]) -> Self {
        for known in &mut self.findings {
            let same = |other: &&Known| {
                (&other.rule, &other.path, &other.fingerprint) == (&known.rule, &known.path, &known.fingerprint)
            };
            known.count -= stale.iter().find(same).map_or(0, |stale| stale.count.min(known.count));
        }
        self.findings.retain(|known| known.count > 0);
        self
    }

    /// The text of its file.
    #[must_use]
    pub fn text(&self) -> String {
        // Of these types JSON can always be made.
        serde_json::to_string_pretty(self).map(|text| text + "\n").unwrap_or_default()
    }
}

/// The fingerprints of one run; each file is read for them once.
#[derive(Debug)]
struct Prints<'l> {
    loaded: &'l Loaded,
    shown: BTreeMap<String, String>,
}

impl<'l> Prints<'l> {
    /// Of what was loaded.
    const fn of(loaded: &'l Loaded) -> Self {
        Self { loaded, shown: BTreeMap::new() }
    }

    /// The fingerprint of a finding.
    fn fingerprint(&mut self, finding: &Diagnostic) -> String {
        let file = finding.place().map(|place| place.file.to_string()).unwrap_or_default();
        let shown = || self.loaded.sources.shown(&file).unwrap_or_default();
        let shown = self.shown.entry(file.clone()).or_insert_with(shown);
        fingerprint::fingerprint(finding, self.loaded.tree.as_ref(), shown)
    }

    fn path(&self, finding: &Diagnostic) -> String {
        let place = self.loaded.tree.as_ref().zip(finding.place());
        place.map(|(tree, place)| fingerprint::stable_path(tree, place)).unwrap_or_default()
    }
}
