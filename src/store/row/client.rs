//! Clients that registered themselves or publish what they are. Those of the configuration are
//! not kept here.

use jiff::Timestamp;

use super::Opaque;
use crate::name::ClientId;

/// How we come to know a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ClientKind {
    /// It registered itself (RFC 7591).
    Registered,
    /// Its id is the URL of a document about it, and this is what we read there.
    Published,
}

impl ClientKind {
    /// The word in the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::Published => "published",
        }
    }
}

/// A client that is no client of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientRow {
    /// Its id.
    pub id: ClientId,
    /// How we know it.
    pub kind: ClientKind,
    /// Its metadata as checked, JSON.
    pub metadata: String,
    /// The keyed digest of the secret that we gave it, if we did.
    pub secret: Option<Opaque<Vec<u8>>>,
    /// Since when we know it, or when its document was read.
    pub created_at: Timestamp,
    /// When it was used last.
    pub used_at: Option<Timestamp>,
    /// When it is forgotten, or its document is to be read again.
    pub expires_at: Timestamp,
}
