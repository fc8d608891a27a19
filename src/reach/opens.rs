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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{compile, config, name::ClientId, principal::Principal};

    const YAML: &str = "version: 1
tags: {web: w, files: f, write: c, secret: s}
servers:
  files:
    tags: [files]
    tools: {write: {tags: [write]}, vault: {tags: [secret]}, drop: deny}
    http: {url: 'https://files.example.com/mcp'}
  both: {tags: [web, files], require: any, http: {url: 'https://both.example.com/mcp'}}
grants: [{to: {user: '*'}, scopes: ['tag:web', 'tag:files', 'tag:write']}]
rules: [{id: no-format, forbid: {tools: ['files/format*']}}]
";

    fn set(words: &[&str]) -> BTreeSet<ScopeName> {
        words.iter().map(|word| word.parse().unwrap()).collect()
    }

    #[test]
    fn as33_a_tool_opens_with_the_fewest_scopes_that_suffice_and_a_forbidden_one_with_none() {
        let config = config::load_text("f", YAML, &|_| None).config.unwrap();
        let reach = Reach::new(&config, Arc::new(compile::bundle(&config, None).unwrap()), None).unwrap();
        let client: ClientId = "desk".parse().unwrap();
        let ana = reach.caller(Principal::User("local/ana".parse().unwrap()), Some(client), BTreeSet::new());
        let names: Vec<ToolName> =
            ["read", "list", "write", "vault", "drop", "format_disk"].map(|name| name.parse().unwrap()).into();
        let opened = |scopes: &[&str], server: &str| {
            let opens = reach.opened(&ana, &set(scopes), &server.parse().unwrap(), &names)?;
            Some((opens.door, opens.tools.into_iter().map(|(name, way)| (name.to_string(), way)).collect::<Vec<_>>()))
        };
        let with = |sets: &[&[&str]]| Way::With(sets.iter().map(|words| set(words)).collect());
        let (door, tools) = opened(&["tag:files", "tag:write", "tag:web"], "files").unwrap();
        assert_eq!(door, set(&["tag:files"]));
        let files = &["tag:files"][..];
        assert_eq!(
            tools,
            [
                ("read".to_owned(), with(&[files])),
                ("list".to_owned(), with(&[files])),
                ("write".to_owned(), with(&[&["tag:files", "tag:write"]])),
                ("drop".to_owned(), Way::Forbidden),
                ("format_disk".to_owned(), Way::Forbidden),
            ],
            "what needs a scope that is not among these is not told"
        );
        assert_eq!(opened(&["tag:write", "tag:web"], "files"), None, "its door stays shut");
        let (door, tools) = opened(&["tag:files", "tag:web"], "both").unwrap();
        assert_eq!(door, set(&["tag:files", "tag:web"]), "either will do");
        assert_eq!(tools[0].1, with(&[&["tag:files"], &["tag:web"]]));
    }
}
