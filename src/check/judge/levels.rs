//! How grave the findings of each rule are, and who says so.
//!
//! The command line wins over the configuration, that over the profile, that over the rule's own
//! class. Within one of them the narrowest entry counts, and of two as narrow the graver one.
//!
//! INVARIANT: a rule that the profile leaves out runs only where it is named itself: a range or a
//! class speaks of the rules that run.

use std::fmt;

use serde::Serialize;

use super::{Asked, chosen::Chosen};
use crate::{
    check::{CHECKS, catalogue},
    config::{Lint, LintLevel, Profile},
    diagnostic::{About, Class, Level, Place},
};

/// What a run does with a rule.
#[derive(Debug, Clone, Serialize)]
pub struct Effective {
    /// The rule.
    #[serde(flatten)]
    pub rule: &'static About,
    /// What findings of it are made: nothing where they are what the rule says.
    #[serde(skip)]
    pub level: Option<LintLevel>,
    /// Who says so.
    #[serde(skip)]
    pub origin: Origin,
}

/// Who says how grave a rule is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The rule.
    Default,
    /// The profile, which leaves it out.
    Profile(Profile),
    /// `lint.levels`, and where.
    Config(Place),
    /// A flag.
    CommandLine,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Profile(Profile::Default) => f.write_str("profile default"),
            Self::Profile(Profile::Strict) => f.write_str("profile strict"),
            Self::Profile(Profile::Audit) => f.write_str("profile audit"),
            Self::Config(place) => write!(f, "{place}"),
            Self::CommandLine => f.write_str("command line"),
        }
    }
}

impl Effective {
    /// The class of its findings; nothing where it is not looked for.
    #[must_use]
    pub const fn class(&self) -> Option<Class> {
        self.apply(self.rule.class)
    }

    /// The class of a finding of it whose own class is given.
    pub(super) const fn apply(&self, class: Class) -> Option<Class> {
        match (self.level, class) {
            (None, class) | (Some(LintLevel::Security), class @ Class::Security(_)) => Some(class),
            (Some(LintLevel::Ignore), _) => None,
            (Some(LintLevel::Suggestion), _) => Some(Class::Suggestion),
            (Some(LintLevel::Warning), _) => Some(Class::Warning),
            (Some(LintLevel::Security), _) => Some(Class::Security(Level::Medium)),
            (Some(LintLevel::Error), _) => Some(Class::Error),
        }
    }
}

/// What a run does with every rule, by code.
#[must_use]
pub fn effective(lint: &Lint, asked: &Asked) -> Vec<Effective> {
    let profile = asked.profile.or(lint.profile).unwrap_or(Profile::Default);
    // What names no rule has a finding, or was refused by the command line.
    let written: Vec<(Chosen, LintLevel, &Place)> = lint
        .levels
        .iter()
        .filter(|(_, level)| !(asked.no_ignores && *level == LintLevel::Ignore))
        .filter_map(|(rule, level)| Some((Chosen::read(&rule.value).ok()?, *level, &rule.place)))
        .collect();
    catalogue().into_iter().map(|rule| of(rule, profile, &written, &asked.levels)).collect()
}

fn of(
    rule: &'static About,
    profile: Profile,
    written: &[(Chosen, LintLevel, &Place)],
    flags: &[(Chosen, LintLevel)],
) -> Effective {
    let runs = CHECKS.iter().find(|check| check.about().code == rule.code).is_none_or(|c| c.page().profile <= profile);
    let says = |chosen: &Chosen| chosen.holds(rule) && (runs || chosen.width() == 0);
    let narrowest = |chosen: &Chosen, level: &LintLevel| (u16::MAX - chosen.width(), *level);
    let flag = flags.iter().filter(|(chosen, _)| says(chosen)).max_by_key(|(chosen, level)| narrowest(chosen, level));
    if let Some((_, level)) = flag {
        return Effective { rule, level: Some(*level), origin: Origin::CommandLine };
    }
    let entry =
        written.iter().filter(|(chosen, ..)| says(chosen)).max_by_key(|(chosen, level, _)| narrowest(chosen, level));
    if let Some((_, level, place)) = entry {
        return Effective { rule, level: Some(*level), origin: Origin::Config((*place).clone()) };
    }
    if runs {
        Effective { rule, level: None, origin: Origin::Default }
    } else {
        Effective { rule, level: Some(LintLevel::Ignore), origin: Origin::Profile(profile) }
    }
}
