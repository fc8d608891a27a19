//! `servers:` → one permit per server, and a forbid for each exception.
//!
//! The token's scopes are compared with the tags in the text of the policy, and the resource is tied
//! to its server by a single-valued attribute (design §4 "Encoding"). `containsAll` of nothing would
//! be vacuously true, so a server without tags gets no permit unless it is `public`.
//!
//! A request filter narrows in the same policies: where tags are named, every tag of the server and
//! of the tool must be among them.

use std::collections::BTreeSet;

use super::{
    argument::Typing,
    press::Written,
    render::{Draft, actions, named, pin, set},
    rule::Kind as Things,
};
use crate::{
    config::{Exception, Require, Server},
    diagnostic::Placed,
    name::{ScopeName, ServerName, TagName},
    policy::{Effect, Needs, Verb},
};

/// The policies of one server.
pub(super) fn policies(name: &ServerName, server: &Server, typing: &Typing) -> Vec<Written> {
    let typed = typing.actions(Some(name));
    let mut policies = Vec::new();
    policies.extend(permit(name, server, &typed));
    let groups = [
        (Things::Tools, "tool", &server.tools),
        (Things::Prompts, "prompt", &server.prompts),
        (Things::Resources, "resource", &server.resources),
    ];
    for (things, kind, exceptions) in groups {
        for (pattern, exception) in exceptions {
            let id = format!("server/{name}/{kind}/{pattern}");
            let when = vec![pin(name), named(things.attribute(), pattern)];
            let (unless, needs, place) = match exception {
                Exception::Deny(place) => (Vec::new(), None, place),
                Exception::Tags(tags, place) => {
                    let scopes = scopes(tags);
                    (vec![holds_all(&scopes), unfiltered_or(&scopes)], Some(Needs::All(scopes)), place)
                }
            };
            let draft = Draft {
                id: &id,
                notes: Vec::new(),
                effect: Effect::Forbid,
                principal: "principal",
                resource: things.scope(),
                actions: actions(things.verbs().iter().copied(), &typed),
                when,
                unless,
            };
            policies.push(Written { needs, patterns: vec![pattern.clone()], ..draft.written(Some(place)) });
        }
    }
    policies
}

fn permit(name: &ServerName, server: &Server, typed: &[&str]) -> Option<Written> {
    let scopes = scopes(&server.tags);
    let mut when = vec![pin(name)];
    let needs = if scopes.is_empty() || server.public {
        if !server.public {
            return None;
        }
        None
    } else {
        Some(match server.require {
            Require::All => {
                when.push(holds_all(&scopes));
                Needs::All(scopes.clone())
            }
            Require::Any => {
                when.push(format!("context.scopes.containsAny({})", set(scopes.iter().map(ScopeName::as_str))));
                Needs::Any(scopes.clone())
            }
        })
    };
    // A filter keeps only what has a tag and has every tag named.
    when.push(if scopes.is_empty() { "!context.filtered".into() } else { unfiltered_or(&scopes) });
    let id = format!("server/{name}");
    let draft = Draft {
        id: &id,
        notes: Vec::new(),
        effect: Effect::Permit,
        principal: "principal",
        resource: "resource",
        actions: actions(Verb::ALL, typed),
        when,
        unless: Vec::new(),
    };
    Some(Written { needs, ..draft.written(Some(&server.place)) })
}

fn scopes(tags: &[Placed<TagName>]) -> BTreeSet<ScopeName> {
    tags.iter().map(|tag| tag.value.scope()).collect()
}

fn holds_all(scopes: &BTreeSet<ScopeName>) -> String {
    format!("context.scopes.containsAll({})", set(scopes.iter().map(ScopeName::as_str)))
}

fn unfiltered_or(scopes: &BTreeSet<ScopeName>) -> String {
    format!("(!context.filtered || context.named.containsAll({}))", set(scopes.iter().map(ScopeName::as_str)))
}
