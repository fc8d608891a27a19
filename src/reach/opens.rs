//! What scopes open of a server to one caller: its tools, each with the fewest scopes that suffice.
//!
//! Tools that no policy tells apart are asked about once, so that a thousand of them cost what one does.

use std::collections::{BTreeSet, HashMap};

use super::{Caller, Letter, Reach};
use crate::{
    name::{ScopeName, ServerName, ToolName},
    policy::{Target, Verb},
};

/// What scopes open of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opens {
    /// The scopes that its door takes.
    pub door: BTreeSet<ScopeName>,
    /// The tools that open, and those that are forbidden whatever is granted; in the order given.
    pub tools: Vec<(ToolName, Way)>,
}

/// How a tool opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// With each of these sets, the smallest first.
    With(Vec<BTreeSet<ScopeName>>),
    /// With none: it is forbidden.
    Forbidden,
}

impl Reach<'_> {
    /// What these scopes open of a server to a caller, of the tools given; nothing where its door stays shut.
    #[must_use]
    pub fn opened<'t>(
        &self,
        caller: &Caller,
        scopes: &BTreeSet<ScopeName>,
        server: &ServerName,
        tools: impl IntoIterator<Item = &'t ToolName>,
    ) -> Option<Opens> {
        let door = Target::Server(server.clone());
        if !self.opens_with(caller, scopes, Verb::ServerDiscover, &door) {
            return None;
        }
        let door = self.minimal(caller, Verb::ServerDiscover, &door, scopes).sets.into_iter().flatten().collect();
        let mut alike: HashMap<u64, Option<Way>> = HashMap::new();
        let tools = tools.into_iter().filter_map(|tool| {
            let target = Target::Tool(server.clone(), tool.clone());
            let way = || self.way(caller, scopes, &target);
            let way = match self.engine().class_at_once(Verb::ToolsCall, &target) {
                Some(class) => alike.entry(class).or_insert_with(way).clone(),
                None => way(),
            };
            Some((tool.clone(), way?))
        });
        Some(Opens { door, tools: tools.collect() })
    }

    /// How a tool opens; nothing where these scopes do not open it, and others might.
    fn way(&self, caller: &Caller, scopes: &BTreeSet<ScopeName>, target: &Target) -> Option<Way> {
        if self.opens_with(caller, scopes, Verb::ToolsCall, target) {
            return Some(Way::With(self.minimal(caller, Verb::ToolsCall, target, scopes).sets));
        }
        match self.letter(caller, scopes, Verb::ToolsCall, target) {
            Letter::Forbidden | Letter::Error => Some(Way::Forbidden),
            Letter::Allowed | Letter::Sometimes | Letter::NotPermitted => None,
        }
    }
}
