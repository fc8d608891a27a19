//! Where in the tree a reader is, as a message names it: `servers.docs.tags`, `rules[2].when`.

use std::fmt;

/// Where in the tree we are, for messages.
#[derive(Clone, Copy)]
pub(super) struct Path<'p> {
    pub(super) parent: Option<&'p Path<'p>>,
    pub(super) step: Step<'p>,
}

#[derive(Clone, Copy)]
pub(super) enum Step<'p> {
    Root,
    Key(&'p str),
    Item(usize),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            write!(f, "{parent}")?;
        }
        let first = self.parent.is_none_or(|parent| matches!(parent.step, Step::Root));
        match self.step {
            Step::Root => Ok(()),
            Step::Key(key) if first => write!(f, "{}", key.escape_debug()),
            Step::Key(key) => write!(f, ".{}", key.escape_debug()),
            Step::Item(index) => write!(f, "[{index}]"),
        }
    }
}

impl Path<'_> {
    pub(super) fn key(&self) -> &str {
        match (self.step, self.parent) {
            (Step::Key(key), _) => key,
            (Step::Item(_), Some(parent)) => parent.key(),
            _ => "",
        }
    }

    pub(super) fn is_version(&self) -> bool {
        let top = self.parent.is_some_and(|parent| matches!(parent.step, Step::Root));
        top && matches!(self.step, Step::Key("version"))
    }

    /// The path in backticks, or the file.
    pub(super) fn shown(&self) -> String {
        match self.step {
            Step::Root => "the configuration".into(),
            Step::Key(_) | Step::Item(_) => format!("`{self}`"),
        }
    }
}
