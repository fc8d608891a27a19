//! `audit:`: where the audit trail is written.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::{document::Written, resolve::Resolver};

/// Where the audit trail is written.
#[derive(Debug, Clone)]
pub struct Audit {
    /// An NDJSON file; relative paths are the configuration file's.
    pub file: PathBuf,
}

/// Where the audit trail is written.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AuditSection {
    /// An NDJSON file, relative to this file. Default: `.portcullis/audit.ndjson`.
    file: Option<Written<String>>,
}

impl Audit {
    pub(crate) fn resolve(section: Option<Written<AuditSection>>, cx: &mut Resolver<'_>) -> Option<Self> {
        let Some(section) = section else { return Some(Self { file: cx.path(".portcullis/audit.ndjson") }) };
        let AuditSection { file } = section.value?;
        let file = match file {
            Some(file) => cx.file("audit.file", file.placed()?)?,
            None => cx.path(".portcullis/audit.ndjson"),
        };
        Some(Self { file })
    }
}
