//! What the author wrote to suppress findings, in comments and under `lint.ignore`, and how much of it
//! was used.

use jiff::civil::Date;

use super::{
    By, Suppressed,
    chosen::{NoSuchRule, rule},
    comment::{self, Directive},
};
use crate::{
    check::{suppression_expired, suppression_without_reason, unknown_rule, unused_suppression},
    config::{Ignore, Loaded},
    diagnostic::{Diagnostic, Placed},
};

/// Every suppression that is in force.
pub(super) struct Written<'l> {
    loaded: &'l Loaded,
    comments: Vec<InForce<Directive>>,
    entries: Vec<InForce<&'l Ignore>>,
}

/// What was found about suppressions themselves.
#[derive(Default)]
pub(super) struct Told {
    pub(super) findings: Vec<Diagnostic>,
}

/// A suppression with the rules that it is in force for.
struct InForce<T> {
    suppression: T,
    rules: Vec<Use>,
}

struct Use {
    code: &'static str,
    /// Its number among the rules that the comment names.
    index: usize,
    used: bool,
}

impl<'l> Written<'l> {
    /// Reads them; what is wrong with them is told.
    pub(super) fn of(loaded: &'l Loaded, today: Date) -> (Self, Told) {
        let mut told = Told::default();
        for (level, _) in &loaded.lint.levels {
            if let Err(error) = super::Chosen::read(&level.value) {
                told.unknown(level, &error);
            }
        }
        let mut comments = Vec::new();
        for directive in comment::directives(loaded) {
            let rules = told.rules(&directive.rules);
            let Directive { reason, until, trouble, place, .. } = &directive;
            if let Some(trouble) = trouble {
                told.findings.push(unused_suppression::unread(place, trouble));
            } else if reason.as_ref().is_none_or(|reason| reason.trim().is_empty()) {
                told.findings.push(suppression_without_reason::find(place));
            } else if let Some(until) = until.filter(|until| *until < today) {
                told.findings.push(suppression_expired::find(place, until));
            } else {
                comments.push(InForce { suppression: directive, rules });
            }
        }
        let mut entries = Vec::new();
        for ignore in &loaded.lint.ignore {
            let rules = told.rules(std::slice::from_ref(&ignore.rule));
            let until = ignore.until.as_ref().filter(|until| until.value < today);
            if ignore.reason.is_none() {
                told.findings.push(suppression_without_reason::find(&ignore.place));
            } else if let Some(until) = until {
                told.findings.push(suppression_expired::find(&until.place, until.value));
            } else {
                entries.push(InForce { suppression: ignore, rules });
            }
        }
        (Self { loaded, comments, entries }, told)
    }

    /// The comment that suppresses a finding; every one that would is used.
    pub(super) fn comment(&mut self, finding: &Diagnostic) -> Option<Suppressed> {
        let place = finding.place()?;
        let mut found = None;
        for InForce { suppression, rules } in &mut self.comments {
            for rule in rules.iter_mut().filter(|rule| rule.code == finding.code) {
                let Some(text) = self.loaded.sources.text(&place.file) else { continue };
                if suppression.covers(place, &text) {
                    rule.used = true;
                    found.get_or_insert_with(|| Suppressed {
                        finding: finding.clone(),
                        by: By::Comment,
                        reason: suppression.reason.clone(),
                        until: suppression.until,
                        place: Some(suppression.place.clone()),
                    });
                }
            }
        }
        found
    }

    /// The entry of `lint.ignore` that suppresses a finding; every one that would is used.
    pub(super) fn entry(&mut self, finding: &Diagnostic, path: impl Fn() -> String) -> Option<Suppressed> {
        let mut found = None;
        let mut known = None;
        for InForce { suppression, rules } in &mut self.entries {
            for rule in rules.iter_mut().filter(|rule| rule.code == finding.code) {
                if is_below(known.get_or_insert_with(&path), suppression.path.value.trim()) {
                    rule.used = true;
                    found.get_or_insert_with(|| Suppressed {
                        finding: finding.clone(),
                        by: By::Config,
                        reason: suppression.reason.clone(),
                        until: suppression.until.as_ref().map(|until| until.value),
                        place: Some(suppression.place.clone()),
                    });
                }
            }
        }
        found
    }

    /// Finds what suppressed nothing, of the rules that run.
    pub(super) fn unused(&self, runs: &dyn Fn(&str) -> bool, findings: &mut Vec<Diagnostic>) {
        for InForce { suppression, rules } in &self.comments {
            let unused: Vec<usize> =
                rules.iter().filter(|rule| !rule.used && runs(rule.code)).map(|rule| rule.index).collect();
            unused_suppression::of_comment(
                &suppression.rules,
                &unused,
                &suppression.place,
                &suppression.whole,
                findings,
            );
        }
        for InForce { suppression, rules } in &self.entries {
            if rules.iter().any(|rule| !rule.used && runs(rule.code)) {
                findings.push(unused_suppression::of_entry(suppression));
            }
        }
    }
}

impl Told {
    /// The rules that names stand for; those that stand for none are told.
    fn rules(&mut self, names: &[Placed<String>]) -> Vec<Use> {
        let mut rules = Vec::new();
        for (index, name) in names.iter().enumerate() {
            match rule(&name.value) {
                Ok(about) => rules.push(Use { code: about.code, index, used: false }),
                Err(error) => self.unknown(name, &error),
            }
        }
        rules
    }

    fn unknown(&mut self, name: &Placed<String>, error: &NoSuchRule) {
        self.findings.push(unknown_rule::find(&name.place, &name.value, error.near));
    }
}

/// Whether a path is the same as another, or below it.
fn is_below(path: &str, above: &str) -> bool {
    path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}
