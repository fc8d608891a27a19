//! Cedar's names for what we talk about, and the entity stores that decisions are made over.
//!
//! Type names are parsed once: an [`EntityUid`] from a parsed type costs 45 ns, from text 280 ns.
//! A store holds one server and what it offers, never a principal; principals have no attributes and
//! stay out of it.

use std::{
    collections::{HashMap, HashSet},
    sync::LazyLock,
};

use cedar_policy::{Entities, Entity, EntityId, EntityTypeName, EntityUid, RestrictedExpression, Schema};

use super::{
    consent::Risk,
    front::EndpointClass,
    question::{Target, Verb},
};
use crate::{
    name::{PromptName, ResourceUri, ScopeName, ServerName, ToolName},
    principal::Principal,
};

static TYPES: LazyLock<HashMap<&'static str, EntityTypeName>> = LazyLock::new(|| {
    ["User", "Client", "Anonymous", "Server", "Tool", "Prompt", "Resource", "Scope", "Action", "Peer", "Endpoint"]
        .into_iter()
        .filter_map(|name| Some((name, format!("Portcullis::{name}").parse().ok()?)))
        .collect()
});

fn uid(kind: &'static str, id: &str) -> EntityUid {
    #[expect(clippy::expect_used, reason = "every kind asked for is in the table above; a test makes one of each")]
    let name = TYPES.get(kind).cloned().expect("a known entity type");
    EntityUid::from_type_name_and_id(name, EntityId::new(id))
}

pub(super) fn principal(principal: &Principal) -> EntityUid {
    match principal {
        Principal::User(user) => uid("User", user.as_str()),
        Principal::Client(client) => uid("Client", client.as_str()),
        Principal::Anonymous => uid("Anonymous", "anonymous"),
    }
}

pub(super) fn action(verb: Verb) -> EntityUid {
    uid("Action", verb.action())
}

/// The action of this name: of a call whose arguments are typed, or of another question than *use*.
pub(super) fn plain_action(action: &str) -> EntityUid {
    uid("Action", action)
}

/// Whoever sends a request, before anything of it is believed.
pub(super) fn peer() -> EntityUid {
    uid("Peer", "peer")
}

pub(super) fn endpoint(class: EndpointClass) -> EntityUid {
    uid("Endpoint", class.as_str())
}

pub(super) fn scope(scope: &ScopeName) -> EntityUid {
    uid("Scope", scope.as_str())
}

fn server(server: &ServerName) -> EntityUid {
    uid("Server", server.as_str())
}

/// The id of a thing of a server is `server/name`: no name of a server holds a slash, so it is unique.
fn target(of: &Target) -> EntityUid {
    match of {
        Target::Server(name) => server(name),
        Target::Tool(..) | Target::Prompt(..) | Target::Resource(..) => uid(of.kind(), &of.to_string()),
    }
}

/// What one server offers, as the engine needs it. Built when the server's lists change.
#[derive(Debug)]
pub struct Inventory {
    pub(super) server: ServerName,
    pub(super) store: Entities,
    known: HashMap<Target, EntityUid>,
    /// What its tools may do, as far as it is known.
    risks: HashMap<ToolName, Risk>,
}

impl Inventory {
    pub(super) fn build(
        schema: &Schema,
        of: &ServerName,
        targets: impl IntoIterator<Item = Target>,
    ) -> Result<Self, String> {
        let home = server(of);
        let attribute = |name: &str, value| (name.to_owned(), value);
        let owner = || attribute("server", RestrictedExpression::new_entity_uid(home.clone()));
        let entity = |uid: EntityUid, attributes: Vec<(String, RestrictedExpression)>| {
            Entity::new(uid, attributes.into_iter().collect(), HashSet::new()).map_err(|error| error.to_string())
        };
        let mut known = HashMap::from([(Target::Server(of.clone()), home.clone())]);
        let mut entities = vec![entity(home.clone(), vec![owner()])?];
        for thing in targets {
            if thing.server() != of || known.contains_key(&thing) {
                continue;
            }
            let uid = target(&thing);
            let label = if matches!(thing, Target::Resource(..)) { "uri" } else { "name" };
            let name = attribute(label, RestrictedExpression::new_string(thing.name().to_owned()));
            entities.push(entity(uid.clone(), vec![owner(), name])?);
            known.insert(thing, uid);
        }
        // With the schema, so that the store carries the action hierarchy: without it `action in` is
        // silently false.
        let store = Entities::from_entities(entities, Some(schema)).map_err(|error| error.to_string())?;
        Ok(Self { server: of.clone(), store, known, risks: HashMap::new() })
    }

    /// The same inventory, in which it is known what tools may do.
    #[must_use]
    pub fn with_risks(mut self, risks: impl IntoIterator<Item = (ToolName, Risk)>) -> Self {
        self.risks.extend(risks);
        self
    }

    /// What a target may do: a tool of which nothing is known may destroy something.
    #[must_use]
    pub fn risk(&self, target: &Target) -> Risk {
        match target {
            Target::Tool(_, tool) => self.risks.get(tool).copied().unwrap_or(Risk::Destructive),
            Target::Server(_) | Target::Prompt(..) | Target::Resource(..) => Risk::Read,
        }
    }

    pub(super) fn find(&self, target: &Target) -> Option<&EntityUid> {
        self.known.get(target)
    }

    /// Whether the server is known to offer this.
    #[must_use]
    pub fn knows(&self, target: &Target) -> bool {
        self.known.contains_key(target)
    }
}

/// The targets of a server's lists.
pub fn targets<'n>(
    server: &ServerName,
    tools: impl IntoIterator<Item = &'n ToolName>,
    prompts: impl IntoIterator<Item = &'n PromptName>,
    resources: impl IntoIterator<Item = &'n ResourceUri>,
) -> Vec<Target> {
    let tools = tools.into_iter().map(|name| Target::Tool(server.clone(), name.clone()));
    let prompts = prompts.into_iter().map(|name| Target::Prompt(server.clone(), name.clone()));
    let resources = resources.into_iter().map(|uri| Target::Resource(server.clone(), uri.clone()));
    tools.chain(prompts).chain(resources).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_entity_has_its_type() {
        let server: ServerName = "s".parse().unwrap();
        for (target_, shown) in [
            (Target::Server(server.clone()), r#"Portcullis::Server::"s""#),
            (Target::Tool(server.clone(), "t".parse().unwrap()), r#"Portcullis::Tool::"s/t""#),
            (Target::Prompt(server.clone(), "p".parse().unwrap()), r#"Portcullis::Prompt::"s/p""#),
            (Target::Resource(server, "u://x".parse().unwrap()), r#"Portcullis::Resource::"s/u://x""#),
        ] {
            assert_eq!(target(&target_).to_string(), shown);
        }
        assert_eq!(principal(&Principal::Anonymous).to_string(), r#"Portcullis::Anonymous::"anonymous""#);
        assert_eq!(scope(&"tag:a".parse().unwrap()).to_string(), r#"Portcullis::Scope::"tag:a""#);
        assert_eq!(peer().to_string(), r#"Portcullis::Peer::"peer""#);
        assert_eq!(endpoint(EndpointClass::Mcp).to_string(), r#"Portcullis::Endpoint::"mcp""#);
        assert_eq!(action(Verb::ToolsCall).to_string(), r#"Portcullis::Action::"tools/call""#);
    }

    #[test]
    fn t141_a_name_is_an_opaque_string() {
        let server: ServerName = "s".parse().unwrap();
        let hostile: PromptName = r#"x" , Action::"y"#.parse().unwrap();
        let uid = target(&Target::Prompt(server, hostile));
        assert_eq!(uid.id().unescaped(), r#"s/x" , Action::"y"#);
    }
}
