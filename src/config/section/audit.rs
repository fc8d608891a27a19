//! `audit:`: where the audit trail is written.

use std::path::PathBuf;

/// Where the audit trail is written.
#[derive(Debug, Clone)]
pub struct Audit {
    /// An NDJSON file; relative paths are the configuration file's.
    pub file: PathBuf,
}
