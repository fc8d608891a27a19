//! What a server may ask a caller for: of a person, of its model, or where it works.
//!
//! SPEC: MCP 2025-11-25, elicitation, sampling, roots; 2026-07-28, `inputRequests`.
//! To add a kind: a variant, then follow the compiler.

use std::fmt;

use super::method::Method;

/// A kind of question to a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AskKind {
    /// Something of the person who uses the caller.
    Elicitation,
    /// Where the caller works.
    Roots,
    /// Something of the caller's model.
    Sampling,
}

impl AskKind {
    /// Every kind, by name.
    pub const ALL: [Self; 3] = [Self::Elicitation, Self::Roots, Self::Sampling];

    /// The kind that a method asks for.
    #[must_use]
    pub fn of(method: Method) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.method() == method)
    }

    /// The method that asks.
    #[must_use]
    pub const fn method(self) -> Method {
        match self {
            Self::Elicitation => Method::ElicitationCreate,
            Self::Roots => Method::RootsList,
            Self::Sampling => Method::SamplingCreateMessage,
        }
    }

    /// The capability of a caller that can be asked.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Elicitation => "elicitation",
            Self::Roots => "roots",
            Self::Sampling => "sampling",
        }
    }
}

impl fmt::Display for AskKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
