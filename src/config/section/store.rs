//! `store:`: where grants and tokens are kept.

use std::path::PathBuf;

/// Where grants and tokens are kept.
#[derive(Debug, Clone)]
pub struct Store {
    /// A SQLite file; relative paths are the configuration file's.
    pub sqlite: PathBuf,
}
