//! The versions of the protocol and the era each belongs to.
//!
//! INVARIANT: `initialize` never yields a modern version; a modern one is named by every request.
//! SPEC: MCP lifecycle, "Version Negotiation".
//! To add a version: a variant, then follow the compiler.

use std::fmt;

/// How a conversation is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Era {
    /// `initialize`, then a session.
    Legacy,
    /// Every request says all that is to be known.
    Modern,
}

/// A version of the protocol that we speak. Ordered by age.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// 2025-03-26
    V2025_03_26,
    /// 2025-06-18
    V2025_06_18,
    /// 2025-11-25
    V2025_11_25,
    /// 2026-07-28
    V2026_07_28,
}

impl Version {
    /// Every version, oldest first.
    pub const ALL: [Self; 4] = [Self::V2025_03_26, Self::V2025_06_18, Self::V2025_11_25, Self::V2026_07_28];
    /// The version offered and answered where the other side's is not known to us.
    pub const LATEST_LEGACY: Self = Self::V2025_11_25;
    /// The version meant by a legacy request over HTTP without a version header and session.
    pub const HEADERLESS: Self = Self::V2025_03_26;

    /// The version `text` names, if we speak it.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|version| version.as_str() == text)
    }

    /// What to answer an `initialize` that asks for `asked`: the same if it is a legacy version we
    /// speak, else the latest such.
    #[must_use]
    pub fn negotiate(asked: &str) -> Self {
        Self::from_text(asked).filter(|version| version.era() == Era::Legacy).unwrap_or(Self::LATEST_LEGACY)
    }

    /// The version as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V2025_03_26 => "2025-03-26",
            Self::V2025_06_18 => "2025-06-18",
            Self::V2025_11_25 => "2025-11-25",
            Self::V2026_07_28 => "2026-07-28",
        }
    }

    /// The era it belongs to.
    #[must_use]
    pub const fn era(self) -> Era {
        match self {
            Self::V2025_03_26 | Self::V2025_06_18 | Self::V2025_11_25 => Era::Legacy,
            Self::V2026_07_28 => Era::Modern,
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tr34_initialize_never_yields_the_modern_version() {
        for (asked, answer) in [
            ("2025-03-26", Version::V2025_03_26),
            ("2025-06-18", Version::V2025_06_18),
            ("2025-11-25", Version::V2025_11_25),
            ("2026-07-28", Version::V2025_11_25),
            ("1999-01-01", Version::V2025_11_25),
            ("", Version::V2025_11_25),
        ] {
            assert_eq!(Version::negotiate(asked), answer, "{asked}");
        }
    }

    #[test]
    fn every_version_reads_back() {
        for version in Version::ALL {
            assert_eq!(Version::from_text(version.as_str()), Some(version));
        }
    }
}
