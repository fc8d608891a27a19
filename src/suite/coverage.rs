//! What the decisions of tests showed: which policies determined one, which scopes were seen both ways,
//! which tools were asked about, which lines were behind a decision.
//!
//! A permit is covered where it determined an allow, a forbid where it determined a deny. What ships
//! with the product, and the ceilings of `grants:`, which tests do not ask about, are not counted.
//!
//! SPEC: `requirements/lint-rules.md` §4.5, without clauses.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::Serialize;

use super::ground::Ground;
use crate::{
    name::ScopeName,
    policy::{Decision, Effect, Standing, Target},
    principal::Principal,
};

/// What the decisions of one or more suites showed.
#[derive(Debug, Default)]
pub struct Seen {
    /// How often each policy determined what it is for.
    policies: BTreeMap<Arc<str>, u64>,
    with: BTreeSet<ScopeName>,
    /// What each authenticated caller held.
    held: Vec<BTreeSet<ScopeName>>,
    targets: BTreeSet<String>,
}

impl Seen {
    /// Takes note of a decision.
    pub(super) fn note(&mut self, standing: &Standing, target: &Target, decision: &Decision) {
        for reason in &*decision.reasons {
            if decision.is_allow() == (reason.effect == Effect::Permit) {
                *self.policies.entry(reason.policy.clone()).or_default() += 1;
            }
        }
        if standing.principal != Principal::Anonymous && !self.held.contains(&standing.scopes) {
            self.with.extend(standing.scopes.iter().cloned());
            self.held.push(standing.scopes.clone());
        }
        if matches!(target, Target::Tool(..)) {
            self.targets.insert(target.to_string());
        }
    }

    /// Adds what another suite saw.
    pub fn merge(&mut self, other: &Self) {
        let Self { policies, with, held, targets } = other;
        for (policy, times) in policies {
            *self.policies.entry(policy.clone()).or_default() += times;
        }
        self.with.extend(with.iter().cloned());
        self.held.extend(held.iter().cloned());
        self.targets.extend(targets.iter().cloned());
    }
}

/// How much of a configuration was seen.
#[derive(Debug, Serialize)]
pub struct Coverage {
    /// The configuration.
    pub config: String,
    /// Policies, by id.
    pub policies: Part,
    /// Scopes.
    pub scopes: Part,
    /// Tools of the inventory; nothing to count without one.
    pub tools: Part,
    /// Lines behind policies.
    pub lines: Part,
    /// How often each line was behind a decision, file by file.
    #[serde(skip)]
    pub files: Lines,
}

/// How often each line was behind a decision: file → line → times.
pub type Lines = BTreeMap<Arc<str>, BTreeMap<u32, u64>>;

/// How many of something were seen.
#[derive(Debug, Default, Serialize)]
pub struct Part {
    /// How many were seen.
    pub covered: usize,
    /// How many there are.
    pub total: usize,
    /// Those that were not, sorted.
    pub uncovered: Vec<String>,
}

impl Part {
    fn of(all: impl IntoIterator<Item = (String, bool)>) -> Self {
        let mut part = Self::default();
        for (name, seen) in all {
            part.total += 1;
            if seen {
                part.covered += 1;
            } else {
                part.uncovered.push(name);
            }
        }
        part
    }

    /// In hundredths, rounded down; all of nothing is all.
    #[must_use]
    pub fn percent(&self) -> usize {
        (self.covered * 100).checked_div(self.total).unwrap_or(100)
    }
}

impl Coverage {
    /// How much of a configuration `seen` shows.
    #[must_use]
    pub fn of(config: String, ground: &Ground<'_>, seen: &Seen) -> Self {
        let bundle = ground.engine().bundle();
        let written = || bundle.policies.iter().filter_map(|policy| Some((policy, policy.place()?)));
        let times = |id: &str| seen.policies.get(id).copied().unwrap_or_default();
        let mut files = Lines::new();
        for (policy, place) in written() {
            *files.entry(place.file.clone()).or_default().entry(place.line).or_default() += times(policy.id());
        }
        let both = |scope: &ScopeName| seen.with.contains(scope) && seen.held.iter().any(|held| !held.contains(scope));
        let tools = ground
            .lock()
            .into_iter()
            .flat_map(|lock| &lock.servers)
            .flat_map(|(server, offered)| offered.tools.keys().map(move |tool| format!("{server}/{tool}")));
        let lines = files
            .iter()
            .flat_map(|(file, lines)| lines.iter().map(move |(line, times)| (format!("{file}:{line}"), *times > 0)));
        Self {
            config,
            policies: Part::of(written().map(|(policy, _)| (policy.id().to_owned(), times(policy.id()) > 0))),
            scopes: Part::of(bundle.scopes().iter().map(|scope| (scope.to_string(), both(scope)))),
            tools: Part::of(tools.map(|tool| {
                let seen = seen.targets.contains(&tool);
                (tool, seen)
            })),
            lines: Part::of(lines),
            files,
        }
    }

    /// Every part, with its name.
    #[must_use]
    pub fn parts(&self) -> [(&'static str, &Part); 4] {
        [("policies", &self.policies), ("scopes", &self.scopes), ("tools", &self.tools), ("lines", &self.lines)]
    }

    /// The worst of the parts, in hundredths.
    #[must_use]
    pub fn percent(&self) -> usize {
        self.parts().iter().map(|(_, part)| part.percent()).min().unwrap_or(100)
    }

    /// The lines as LCOV has them: one record a file.
    #[must_use]
    pub fn lcov(&self) -> String {
        let mut text = String::new();
        for (file, lines) in &self.files {
            text.push_str(&format!("TN:portcullis\nSF:{file}\n"));
            for (line, times) in lines {
                text.push_str(&format!("DA:{line},{times}\n"));
            }
            let hit = lines.values().filter(|times| **times > 0).count();
            text.push_str(&format!("LF:{}\nLH:{hit}\nend_of_record\n", lines.len()));
        }
        text
    }
}
