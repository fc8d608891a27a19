//! `store:`: where grants and tokens are kept.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::{document::Written, resolve::Resolver};

/// Where grants and tokens are kept.
#[derive(Debug, Clone)]
pub struct Store {
    /// A SQLite file; relative paths are the configuration file's.
    pub sqlite: PathBuf,
}

/// Where grants and tokens are kept.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StoreSection {
    /// A SQLite file, relative to this file. Default: `.portcullis/portcullis.db`.
    sqlite: Option<Written<String>>,
}

impl Store {
    pub(crate) fn resolve(section: Option<Written<StoreSection>>, cx: &mut Resolver<'_>) -> Option<Self> {
        let Some(section) = section else { return Some(Self { sqlite: cx.path(".portcullis/portcullis.db") }) };
        let StoreSection { sqlite } = section.value?;
        let sqlite = match sqlite {
            Some(file) => cx.file("store.sqlite", file.placed()?)?,
            None => cx.path(".portcullis/portcullis.db"),
        };
        Some(Self { sqlite })
    }
}
