//! What is meant where rules are named: one rule, a range of codes, or a class.

use crate::{
    check::catalogue,
    diagnostic::{About, Class, nearest},
};

/// Rules that a text names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chosen {
    /// One, by code or name.
    Rule(&'static str),
    /// The codes from one number to another, both included.
    Range(u16, u16),
    /// All of one class.
    Class(Kind),
}

/// A class, whatever the level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `suggestion`
    Suggestion,
    /// `warning`
    Warning,
    /// `security`
    Security,
    /// `error`
    Error,
}

/// A text that names no rule, and what may have been meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no rule `{written}`{}", near.as_ref().map(|near| format!("; did you mean `{near}`?")).unwrap_or_default())]
pub struct NoSuchRule {
    /// What was written.
    pub written: String,
    /// The near match, if there is one alone.
    pub near: Option<&'static str>,
}

const KINDS: &[(&str, Kind)] = &[
    ("suggestion", Kind::Suggestion),
    ("warning", Kind::Warning),
    ("security", Kind::Security),
    ("error", Kind::Error),
];

impl Chosen {
    /// Reads a rule, a range or a class.
    ///
    /// # Errors
    /// When there is no such rule, or no rule in that range.
    pub fn read(written: &str) -> Result<Self, NoSuchRule> {
        if let Some((_, kind)) = KINDS.iter().find(|(name, _)| *name == written) {
            return Ok(Self::Class(*kind));
        }
        match range(written) {
            Some((from, to)) if catalogue().iter().any(|about| in_range(about, from, to)) => Ok(Self::Range(from, to)),
            Some(_) => Err(NoSuchRule { written: written.to_owned(), near: None }),
            None => rule(written).map(|about| Self::Rule(about.code)),
        }
    }

    /// Whether a rule is among them.
    pub(super) fn holds(self, about: &About) -> bool {
        match self {
            Self::Rule(code) => about.code == code,
            Self::Range(from, to) => in_range(about, from, to),
            Self::Class(kind) => Kind::of(about.class) == kind,
        }
    }

    /// How many rules there could be among them: of two that hold a rule, the narrower one counts.
    pub(super) const fn width(self) -> u16 {
        match self {
            Self::Rule(_) => 0,
            Self::Range(from, to) => to - from + 1,
            Self::Class(_) => u16::MAX,
        }
    }
}

impl Kind {
    const fn of(class: Class) -> Self {
        match class {
            Class::Suggestion => Self::Suggestion,
            Class::Warning => Self::Warning,
            Class::Security(_) => Self::Security,
            Class::Error => Self::Error,
        }
    }
}

/// The rule of a code or a name.
pub(super) fn rule(written: &str) -> Result<&'static About, NoSuchRule> {
    let rules = catalogue();
    if let Some(about) = rules.iter().find(|about| about.code == written || about.name == written) {
        return Ok(about);
    }
    // Codes are near to one another by nature: only a name tells what was meant, or a code's case.
    let code = rules.iter().map(|about| about.code).find(|code| code.eq_ignore_ascii_case(written));
    let near = code.or_else(|| nearest(written, rules.iter().map(|about| about.name)));
    Err(NoSuchRule { written: written.to_owned(), near })
}

/// `PC1xx`, `PC30x`, `PC100-PC199`.
fn range(written: &str) -> Option<(u16, u16)> {
    if let Some((from, to)) = written.split_once('-') {
        let number = |code: &str| code.strip_prefix("PC").filter(|digits| digits.len() == 3)?.parse().ok();
        let (from, to): (u16, u16) = (number(from)?, number(to)?);
        return (from <= to).then_some((from, to));
    }
    let digits = written.strip_prefix("PC").filter(|digits| digits.len() == 3 && digits.ends_with('x'))?;
    let known = digits.trim_end_matches('x');
    if !known.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let step = 10_u16.pow(u32::try_from(digits.len() - known.len()).ok()?);
    let from = known.parse::<u16>().ok()?.checked_mul(step)?;
    Some((from, from + step - 1))
}

fn in_range(about: &About, from: u16, to: u16) -> bool {
    let number = about.code.strip_prefix("PC").and_then(|digits| digits.parse::<u16>().ok());
    number.is_some_and(|number| (from..=to).contains(&number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read() {
        assert_eq!(Chosen::read("PC1xx"), Ok(Chosen::Range(100, 199)));
        assert_eq!(Chosen::read("PC30x"), Ok(Chosen::Range(300, 309)));
        assert_eq!(Chosen::read("PC100-PC119"), Ok(Chosen::Range(100, 119)));
        assert_eq!(Chosen::read("security"), Ok(Chosen::Class(Kind::Security)));
        assert_eq!(Chosen::read("PC304"), Chosen::read("unpinned-package"));
        for nothing in ["PC7xx", "PCxxx", "PC119-PC100", "PC999", "pc304", "", "unpined-package", "PC1x", "PC+1x"] {
            assert!(Chosen::read(nothing).is_err(), "{nothing}");
        }
        assert_eq!(Chosen::read("unpined-package").unwrap_err().near, Some("unpinned-package"));
        assert_eq!(Chosen::read("pc304").unwrap_err().near, Some("PC304"));
        assert_eq!(Chosen::read("PC999").unwrap_err().near, None);
    }
}
