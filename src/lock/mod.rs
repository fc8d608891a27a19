//! `portcullis.lock`: the inventory that somebody reviewed and pinned.
//!
//! It stands beside the configuration and says what each server offers: names, descriptions, schemas
//! and annotations, each entry with its digest. What is decided never rests on it alone; what is
//! checked, tested and shown without asking a server does. No lock is fine, one that cannot be read is
//! a finding and never ignored.
//!
//! The format is JSON with sorted keys:
//!
//! ```json
//! {
//!   "version": 1,
//!   "servers": {
//!     "github": {
//!       "instructions": "…",
//!       "prompts": {"summary": {"description": "…", "digest": "sha256:…"}},
//!       "resources": {"repo://a/b": {"description": "…", "mimeType": "text/plain", "digest": "sha256:…"}},
//!       "tools": {
//!         "search_code": {
//!           "annotations": {"readOnlyHint": true},
//!           "description": "…",
//!           "digest": "sha256:…",
//!           "inputSchema": {"type": "object"}
//!         }
//!       }
//!     }
//!   }
//! }
//! ```
//!
//! Every part but `version` may be missing. A key of ours that is not known is a finding; what MCP
//! lets a server say freely (schemas, further annotations) is kept as it is.

mod read;

use std::collections::BTreeMap;

use crate::{
    config::Node,
    diagnostic::{Diagnostic, Place},
    name::{PromptName, ResourceUri, ServerName, ToolName},
};

/// What was pinned.
#[derive(Debug, Clone, Default)]
pub struct Lock {
    /// What each server offers.
    pub servers: BTreeMap<ServerName, Offered>,
}

impl Lock {
    /// Reads the tree of a lock; nothing where anything in it is wrong, which goes to `findings`.
    pub(crate) fn read(tree: &Node, findings: &mut Vec<Diagnostic>) -> Option<Self> {
        read::read(tree, findings)
    }

    /// What a server offers, if it was pinned.
    #[must_use]
    pub fn server(&self, name: &ServerName) -> Option<&Offered> {
        self.servers.get(name)
    }

    /// One tool, if it was pinned.
    #[must_use]
    pub fn tool(&self, server: &ServerName, tool: &ToolName) -> Option<&Tool> {
        self.server(server)?.tools.get(tool)
    }
}

/// What a server offers.
#[derive(Debug, Clone)]
pub struct Offered {
    /// Its tools.
    pub tools: BTreeMap<ToolName, Tool>,
    /// Its prompts.
    pub prompts: BTreeMap<PromptName, Entry>,
    /// Its resources.
    pub resources: BTreeMap<ResourceUri, Entry>,
    /// What it tells every model.
    pub instructions: Option<String>,
    /// Where its name is written.
    pub place: Place,
}

/// A tool.
#[derive(Debug, Clone)]
pub struct Tool {
    /// What it tells every model of itself.
    pub description: Option<String>,
    /// The JSON Schema of its arguments.
    pub input_schema: Option<serde_json::Value>,
    /// What it says of its effects.
    pub hints: Hints,
    /// `sha256:` and the digest of what was reviewed.
    pub digest: Option<String>,
    /// Where its name is written.
    pub place: Place,
}

/// A prompt or a resource.
#[derive(Debug, Clone)]
pub struct Entry {
    /// What it tells every model of itself.
    pub description: Option<String>,
    /// `sha256:` and the digest of what was reviewed.
    pub digest: Option<String>,
    /// Where its name is written.
    pub place: Place,
}

/// What a tool says of its effects. What it does not say is taken at its worst, as MCP has it.
///
/// SPEC: MCP 2025-11-25, `ToolAnnotations`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hints {
    /// It changes nothing.
    pub read_only: bool,
    /// What it changes may be lost. Means something only where it is not `read_only`.
    pub destructive: bool,
    /// To call it twice is to call it once.
    pub idempotent: bool,
    /// It speaks with the world outside its server.
    pub open_world: bool,
}

impl Default for Hints {
    fn default() -> Self {
        Self { read_only: false, destructive: true, idempotent: false, open_world: true }
    }
}

impl Hints {
    /// Whether it may destroy something.
    #[must_use]
    pub const fn destroys(self) -> bool {
        self.destructive && !self.read_only
    }
}
