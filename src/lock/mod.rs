//! `portcullis.lock`: the inventory that somebody reviewed and pinned.
//!
//! It stands beside the configuration and says what each server offers: names, descriptions, schemas
//! and annotations, each entry with its digest. What is decided never rests on it alone; what is
//! checked, tested and shown without asking a server does, and what a server offers that differs from it
//! is *drifted* ([`compare`]). No lock is fine, one that cannot be read is a finding and never ignored.
//!
//! The format is JSON with sorted keys ([`mod@write`] makes it, `read` takes it):
//!
//! ```json
//! {
//!   "version": 1,
//!   "servers": {
//!     "github": {
//!       "digest": "sha256:…",
//!       "instructions": "…",
//!       "prompts": {"summary": {"description": "…", "digest": "sha256:…"}},
//!       "resources": {"repo://a/b": {"description": "…", "mimeType": "text/plain"}},
//!       "templates": {"repo://{owner}/{name}": {"description": "…", "digest": "sha256:…", "name": "Repository"}},
//!       "tools": {
//!         "search_code": {
//!           "annotations": {"readOnlyHint": true},
//!           "description": "…",
//!           "digest": "sha256:…",
//!           "inputSchema": {"type": "object"},
//!           "other": {"_meta": {}}
//!         }
//!       }
//!     }
//!   }
//! }
//! ```
//!
//! Every part but `version` may be missing. A key of ours that is not known is a finding; what MCP
//! lets a server say freely (schemas, further annotations) is kept as it is, and fields that the lock has
//! no key for stand under `other`. The digest of an entry is that of the whole entry as the server lists
//! it, its name included; a digest that is not that of what stands beside it is a finding. `resources`
//! are written by hand, for tests and tables: they come and go, and are not compared.

pub mod compare;
mod inventory;
mod read;
mod said;
pub mod write;

use std::{collections::BTreeMap, sync::Arc};

pub use inventory::{Inventory, Part};
pub use said::Said;

use crate::{
    config::Node,
    diagnostic::{Diagnostic, Place},
    name::{PromptName, ResourceUri, ServerName, ToolName},
    policy::Risk,
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

    /// `sha256:` and the digest of everything that is pinned.
    #[must_use]
    pub fn digest(&self) -> String {
        let servers = self.servers.iter().map(|(name, offered)| (name.to_string(), offered.digest.as_str().into()));
        said::digest(&serde_json::Value::Object(servers.collect()))
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
    /// Resources that somebody wrote down by hand.
    pub resources: BTreeMap<ResourceUri, Entry>,
    /// Templates of its resources.
    pub templates: BTreeMap<ResourceUri, Entry>,
    /// What it tells every model.
    pub instructions: Option<String>,
    /// The same, to be compared.
    pub(crate) instructions_said: Option<Arc<Said>>,
    /// `sha256:` and the digest of all that is pinned of it.
    pub digest: String,
    /// Where its name is written.
    pub place: Place,
}

impl Offered {
    /// One entry, whole, and where it is written.
    #[must_use]
    pub fn entry(&self, part: Part, name: &str) -> Option<(&Arc<Said>, &Place)> {
        match part {
            Part::Prompt => self.prompts.get(&name.parse().ok()?).map(|entry| (&entry.said, &entry.place)),
            Part::Template => self.templates.get(&name.parse().ok()?).map(|entry| (&entry.said, &entry.place)),
            Part::Tool => self.tools.get(&name.parse().ok()?).map(|tool| (&tool.said, &tool.place)),
        }
    }

    /// Every entry that is pinned, with its name and its place.
    pub fn entries(&self) -> impl Iterator<Item = (Part, &str, &Arc<Said>, &Place)> {
        let prompts = self.prompts.iter().map(|(name, of)| (Part::Prompt, name.as_str(), &of.said, &of.place));
        let templates = self.templates.iter().map(|(uri, of)| (Part::Template, uri.as_str(), &of.said, &of.place));
        let tools = self.tools.iter().map(|(name, of)| (Part::Tool, name.as_str(), &of.said, &of.place));
        prompts.chain(templates).chain(tools)
    }

    /// What is pinned of it, without places.
    #[must_use]
    pub fn inventory(&self) -> Inventory {
        let entries = self.entries().map(|(part, name, said, _)| ((part, name.to_owned()), Said::clone(said)));
        Inventory { instructions: self.instructions_said.as_deref().cloned(), entries: entries.collect() }
    }
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
    /// All that it says, with its digest.
    pub said: Arc<Said>,
    /// Where its name is written.
    pub place: Place,
}

/// A prompt, a resource or a template of resources.
#[derive(Debug, Clone)]
pub struct Entry {
    /// What it tells every model of itself.
    pub description: Option<String>,
    /// All that it says, with its digest.
    pub said: Arc<Said>,
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
    /// Reads a tool as its server sends it; what does not read is taken at its worst.
    #[must_use]
    pub fn of_tool(tool: &serde_json::Value) -> Self {
        let (worst, annotations) = (Self::default(), tool.get("annotations"));
        let said = |name: &str, worst| annotations.and_then(|all| all.get(name)?.as_bool()).unwrap_or(worst);
        Self {
            read_only: said("readOnlyHint", worst.read_only),
            destructive: said("destructiveHint", worst.destructive),
            idempotent: said("idempotentHint", worst.idempotent),
            open_world: said("openWorldHint", worst.open_world),
        }
    }

    /// What the tool may do: what a person consents to, and what is held against that.
    #[must_use]
    pub const fn risk(self) -> Risk {
        if self.read_only {
            Risk::Read
        } else if self.destructive {
            Risk::Destructive
        } else {
            Risk::Write
        }
    }

    /// Whether it may destroy something.
    #[must_use]
    pub const fn destroys(self) -> bool {
        matches!(self.risk(), Risk::Destructive)
    }
}
