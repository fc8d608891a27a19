//! What a server offers at one time, without places: what `lock` asks for, compares and writes.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::said::{Said, digest};
use crate::{
    mcp::Kind,
    name::{NameError, PromptName, ResourceUri, ToolName},
};

/// What of a server is pinned one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// A prompt.
    Prompt,
    /// A template of resources. Resources themselves come and go, and are not pinned.
    Template,
    /// A tool.
    Tool,
}

impl Part {
    /// Every part, as the lock sorts them.
    pub const ALL: [Self; 3] = [Self::Prompt, Self::Template, Self::Tool];

    /// The part that a list is of, if it is pinned.
    #[must_use]
    pub const fn of(kind: Kind) -> Option<Self> {
        match kind {
            Kind::Tools => Some(Self::Tool),
            Kind::Prompts => Some(Self::Prompt),
            Kind::Templates => Some(Self::Template),
            Kind::Resources => None,
        }
    }

    /// The list that it is in.
    #[must_use]
    pub const fn kind(self) -> Kind {
        match self {
            Self::Prompt => Kind::Prompts,
            Self::Template => Kind::Templates,
            Self::Tool => Kind::Tools,
        }
    }

    /// The key of the lock that holds them.
    #[must_use]
    pub const fn section(self) -> &'static str {
        match self {
            Self::Prompt => "prompts",
            Self::Template => "templates",
            Self::Tool => "tools",
        }
    }

    /// The word for one of them.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Prompt => "prompt",
            Self::Template => "template",
            Self::Tool => "tool",
        }
    }

    /// Whether the gateway has a word for a name: what it has none for, nobody can see or use.
    ///
    /// # Errors
    /// Why it has none.
    pub fn fits(self, name: &str) -> Result<(), NameError> {
        match self {
            Self::Prompt => name.parse::<PromptName>().map(drop),
            Self::Template => name.parse::<ResourceUri>().map(drop),
            Self::Tool => name.parse::<ToolName>().map(drop),
        }
    }
}

/// What a server offers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Inventory {
    /// What it tells every model.
    pub instructions: Option<Said>,
    /// Its tools, prompts and templates, by name.
    pub entries: BTreeMap<(Part, String), Said>,
}

impl Inventory {
    /// `sha256:` and the digest of all of it.
    #[must_use]
    pub fn digest(&self) -> String {
        let Self { instructions, entries } = self;
        let mut sections: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
        for ((part, name), said) in entries {
            sections.entry(part.section()).or_default().insert(name.clone(), said.digest().into());
        }
        let mut all: Map<String, Value> =
            sections.into_iter().map(|(section, entries)| (section.to_owned(), entries.into())).collect();
        if let Some(said) = instructions {
            all.insert("instructions".into(), said.digest().into());
        }
        digest(&all.into())
    }

    /// How many there are of a part.
    #[must_use]
    pub fn count(&self, part: Part) -> usize {
        self.entries.keys().filter(|(of, _)| *of == part).count()
    }
}
