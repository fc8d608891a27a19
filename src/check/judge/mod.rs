//! Which findings count: what is left of them once levels and suppressions are applied.
//!
//! INVARIANT: a finding is counted once, as one that counts or as one that is suppressed, unless its
//! rule is not looked for. What keeps a configuration from being loaded cannot be suppressed, and
//! neither can what is found about suppressions.
//!
//! SPEC: `requirements/lint-rules.md` §3.2.

mod chosen;
mod comment;
mod levels;
mod written;

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use serde::Serialize;

pub use chosen::{Chosen, Kind, NoSuchRule};
pub use levels::{Effective, Origin, effective};

use super::{Examined, yaml_path};
use crate::{
    compile,
    config::{Config, LintLevel, Loaded, Profile, findings},
    diagnostic::{About, Class, Diagnostic, Level, Place},
};
use written::{Told, Written};

/// What the caller of a check asks for, besides the configuration.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Which rules run; else the configuration says.
    pub profile: Option<Profile>,
    /// Levels that win over those of the configuration.
    pub levels: Vec<(Chosen, LintLevel)>,
    /// Whether what is suppressed counts all the same.
    pub no_ignores: bool,
    /// The day, on which suppressions may have expired.
    pub today: Date,
}

impl Asked {
    /// What the configuration says and no more.
    #[must_use]
    pub const fn nothing(today: Date) -> Self {
        Self { profile: None, levels: Vec::new(), no_ignores: false, today }
    }
}

/// The findings of a run, judged.
#[derive(Debug, Clone, Default)]
pub struct Judged {
    /// What counts, each with the class that its level gives it, by place.
    pub findings: Vec<Diagnostic>,
    /// What somebody answers for, by place.
    pub suppressed: Vec<Suppressed>,
}

/// A finding that does not count, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suppressed {
    /// What was found.
    pub finding: Diagnostic,
    /// What suppresses it.
    pub by: By,
    /// Why, in the words of whoever wrote it.
    pub reason: Option<String>,
    /// The last day on which it is suppressed.
    pub until: Option<Date>,
    /// Where that is written.
    pub place: Option<Place>,
}

/// What a finding is suppressed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum By {
    /// A comment beside it.
    Comment,
    /// An entry of `lint.ignore`.
    Config,
    /// An entry of the baseline.
    Baseline,
    /// A flag.
    CommandLine,
}

impl Judged {
    /// Whether `serve` must not start: on errors, on what is critical, on a public listener without
    /// TLS, and where it is `strict`, on every security finding.
    #[must_use]
    pub fn forbids_serving(&self, strict: bool) -> bool {
        self.findings.iter().any(|finding| match finding.class {
            Class::Error | Class::Security(Level::Critical) => true,
            Class::Security(Level::Low | Level::Medium | Level::High) => strict || finding.code == PUBLIC_BIND_NO_TLS,
            Class::Warning | Class::Suggestion => false,
        })
    }

    /// The configuration that may be used: a whole one, of which nothing critical that reading finds
    /// is left without somebody who answers for it.
    #[must_use]
    pub fn usable<'l>(&self, loaded: &'l Loaded) -> Option<&'l Config> {
        let raised: BTreeSet<_> = loaded.findings.iter().map(|finding| finding.code).collect();
        let critical = |f: &Diagnostic| f.class >= Class::Security(Level::Critical) && raised.contains(f.code);
        loaded.whole().filter(|_| !self.findings.iter().any(critical))
    }
}

/// A listener that other machines can reach without TLS: `serve` refuses it although it is not critical.
const PUBLIC_BIND_NO_TLS: &str = "PC202";

/// Judges what was found.
#[must_use]
pub fn judge(loaded: &Loaded, examined: &Examined, asked: &Asked) -> Judged {
    let rules = effective(&loaded.lint, asked);
    let rules: BTreeMap<&str, &Effective> = rules.iter().map(|effective| (effective.rule.code, effective)).collect();
    let (mut written, told) = Written::of(loaded, asked.today);
    let mut judged = Judged::default();
    for finding in &examined.findings {
        let Some(effective) = rules.get(finding.code) else {
            judged.findings.push(finding.clone());
            continue;
        };
        if keeps_from_loading(finding, loaded, examined) {
            judged.findings.push(finding.clone());
            continue;
        }
        let flagged = effective.origin == Origin::CommandLine;
        let class = effective.apply(finding.class);
        if class.is_none() && !flagged {
            continue;
        }
        let path = || match (&loaded.tree, finding.place()) {
            (Some(tree), Some(place)) => yaml_path(tree, place),
            _ => String::new(),
        };
        let by_comment = written.comment(finding);
        // A flag wins over the configuration, and a comment over both.
        let by_entry = if by_comment.is_some() || flagged { None } else { written.entry(finding, path) };
        let suppressed = by_comment.or(by_entry);
        match (suppressed, class) {
            (Some(suppressed), _) if !asked.no_ignores => judged.suppressed.push(suppressed),
            (_, Some(class)) => judged.findings.push(Diagnostic { class, ..finding.clone() }),
            (_, None) => judged.suppressed.push(Suppressed {
                finding: finding.clone(),
                by: By::CommandLine,
                reason: None,
                until: None,
                place: None,
            }),
        }
    }
    let Told { mut findings } = told;
    // Where something keeps rules from running, what is unused cannot be told.
    if examined.bundle.is_some() {
        let runs = |code: &str| rules.get(code).is_some_and(|effective| effective.class().is_some());
        written.unused(&runs, &mut findings);
    }
    for finding in findings {
        let class = rules.get(finding.code).map_or(Some(finding.class), |effective| effective.apply(finding.class));
        judged.findings.extend(class.map(|class| Diagnostic { class, ..finding }));
    }
    // Nothing can be mended in a file where a flag or a variable says it.
    let elsewhere = |place: &Place| loaded.overridden.contains(&&*place.file);
    for finding in &mut judged.findings {
        finding.fixes.retain(|fix| !fix.edits.iter().any(|edit| elsewhere(&edit.place)));
    }
    judged.findings.sort_by(|a, b| (a.place(), a.code, &a.message).cmp(&(b.place(), b.code, &b.message)));
    judged
}

/// Whether a finding keeps the configuration from being used: an error of reading, or whatever the
/// compiler refuses.
fn keeps_from_loading(finding: &Diagnostic, loaded: &Loaded, examined: &Examined) -> bool {
    let is = |about: &About| about.code == finding.code;
    let by_reading = finding.class == Class::Error && findings::RAISED.iter().any(|about| is(about));
    // The bundle is that of the file alone; of the environments there is none to ask.
    let unsure = examined.bundle.is_none() || !loaded.others.is_empty();
    unsure && (by_reading || compile::findings::ALL.into_iter().any(is))
}
