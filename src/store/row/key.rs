//! Data keys as they are kept, and what is sealed under them.

use jiff::Timestamp;

/// What a data key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DataKeyUse {
    /// The keyed digests are derived from it: of tokens, codes, sign-ins.
    Digests,
    /// It seals what must be read back.
    Sealing,
}

impl DataKeyUse {
    /// The word in the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Digests => "digests",
            Self::Sealing => "sealing",
        }
    }
}

/// A data key, wrapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataKeyRow {
    /// Its number; never used twice.
    pub id: u32,
    /// What for.
    pub purpose: DataKeyUse,
    /// The key, sealed under the master key.
    pub wrapped: Vec<u8>,
    /// Since when.
    pub created_at: Timestamp,
    /// How many messages were sealed under it.
    pub messages: u64,
}

/// A record that is sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedRow {
    /// What kind of thing it is.
    pub kind: String,
    /// Which of them.
    pub id: String,
    /// Counts how often it was written.
    pub revision: u64,
    /// The data key that it is sealed under.
    pub key: u32,
    /// The sealed record.
    pub content: Vec<u8>,
}
