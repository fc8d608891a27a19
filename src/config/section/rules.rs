//! `rules:`: what is forbidden although the tags would allow it.

use crate::{
    diagnostic::{Place, Placed},
    name::{EntryId, Pattern, ServerName},
};

/// One forbid.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Its own name, if it has one.
    pub id: Option<EntryId>,
    /// What it is about; every selector names one kind of thing. Not empty.
    pub forbid: Vec<Placed<Selector>>,
    /// A Cedar expression: the rule holds only where it is true.
    pub when: Option<Placed<String>>,
    /// A Cedar expression: the rule does not hold where it is true.
    pub unless: Option<Placed<String>>,
    /// Where the entry is written.
    pub place: Place,
}

/// What a rule is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Selector {
    /// Everything of one server, or of all: `servers: ["*"]`.
    Server(Option<ServerName>),
    /// Tools of a server: `tools: [files/write_*]`.
    Tool(ServerName, Pattern),
    /// Prompts of a server.
    Prompt(ServerName, Pattern),
    /// Resources of a server, by URI.
    Resource(ServerName, Pattern),
}
