//! `lint:`: which rules of `check` count for how much, and which of their findings are answered for.
//!
//! Rules are named here as they are written: which there are is known to `check`, which is declared
//! below and finds the names that are none.

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    config::{
        document::{Named, Written},
        findings,
        resolve::{Resolver, good},
    },
    diagnostic::{Place, Placed},
};

/// What the author says about the findings of `check`.
#[derive(Debug, Clone, Default)]
pub struct Lint {
    /// Which rules run.
    pub profile: Option<Profile>,
    /// How grave the findings of a rule, a range or a class are, in the order of the file.
    pub levels: Vec<(Placed<String>, LintLevel)>,
    /// Findings that somebody answers for, in the order of the file.
    pub ignore: Vec<Ignore>,
}

/// Findings of one rule in one part of the file that somebody answers for.
#[derive(Debug, Clone)]
pub struct Ignore {
    /// The rule, by code or name.
    pub rule: Placed<String>,
    /// The part, as in `servers.docs`.
    pub path: Placed<String>,
    /// Why. Without it, nothing is suppressed.
    pub reason: Option<String>,
    /// The last day.
    pub until: Option<Placed<Date>>,
    /// Where the entry is written.
    pub place: Place,
}

/// Which rules run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// Those for everybody.
    Default,
    /// More of them.
    Strict,
    /// All of them: false alarms are to be expected.
    Audit,
}

/// How grave findings are made. Ordered from mild to grave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LintLevel {
    /// Not looked for.
    Ignore,
    /// A suggestion.
    Suggestion,
    /// A warning.
    Warning,
    /// A security finding: of the rule's own level, or medium.
    Security,
    /// An error.
    Error,
}

/// What `check` looks for, how grave it is, and which findings are answered for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LintSection {
    /// Which rules run. Default: `default`.
    profile: Option<Written<Profile>>,
    /// How grave findings are, by rule (`unpinned-package` or `PC304`), by range (`PC1xx` or
    /// `PC100-PC199`) or by class (`suggestion`). The most specific entry counts. A rule at `ignore`
    /// is not looked for at all; to answer for one finding, `ignore` is better, since it is counted.
    #[schemars(extend("propertyNames" = { "pattern": "^(PC[0-9]{3}(-PC[0-9]{3})?|PC[0-9]{1,2}x{1,2}|[a-z][a-z0-9-]*)$" }))]
    levels: Option<Written<Named<LintLevel>>>,
    /// Findings that somebody answers for.
    ignore: Option<Written<Vec<Written<IgnoreSection>>>>,
}

/// Findings of one rule in one part of the file that somebody answers for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct IgnoreSection {
    /// The rule, by name or code.
    rule: Written<String>,
    /// The part of this file, with all that is below it, as in `servers.docs` or `rules[my-rule]`.
    path: Written<String>,
    /// Why this is all right. Without a reason nothing is suppressed.
    reason: Option<Written<String>>,
    /// The last day on which it is, as in `2027-01-31`.
    #[schemars(extend("format" = "date"))]
    until: Option<Written<String>>,
}

impl Lint {
    pub(crate) fn resolve(section: Option<Written<LintSection>>, cx: &mut Resolver<'_>) -> Self {
        let Some(LintSection { profile, levels, ignore }) = section.and_then(|section| section.value) else {
            return Self::default();
        };
        let Named(levels) = levels.and_then(|levels| levels.value).unwrap_or_default();
        let entries = ignore.and_then(|ignore| ignore.value).unwrap_or_default();
        Self {
            profile: profile.and_then(|profile| profile.value),
            levels: levels.into_iter().filter_map(|(rule, level)| Some((rule, level.value?))).collect(),
            ignore: good(entries).into_iter().filter_map(|entry| Ignore::resolve(entry, cx)).collect(),
        }
    }
}

impl Ignore {
    fn resolve(entry: Placed<IgnoreSection>, cx: &mut Resolver<'_>) -> Option<Self> {
        let IgnoreSection { rule, path, reason, until } = entry.value;
        let until = match until {
            Some(until) => {
                let written = until.placed()?;
                let Ok(date) = written.value.parse() else {
                    let finding = findings::WRONG_TYPE.at(&written.place, "`until` must be a date");
                    cx.find(finding.help("write the last day as in `2027-01-31`"));
                    return None;
                };
                Some(Placed::new(date, written.place))
            }
            None => None,
        };
        let path = path.placed()?;
        if path.value.trim().is_empty() {
            let finding = findings::EMPTY_SELECTOR.at(&path.place, "`path` is empty, so this suppresses nothing");
            cx.find(finding.help("name the part of the file, as in `servers.docs`"));
            return None;
        }
        let reason = reason.and_then(|reason| reason.value).filter(|reason| !reason.trim().is_empty());
        Some(Self { rule: rule.placed()?, path, reason, until, place: entry.place })
    }
}
