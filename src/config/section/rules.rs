//! `rules:`: what is forbidden although the tags would allow it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::grants::entry_id;
use crate::{
    config::{
        document::Written,
        findings,
        resolve::{Resolver, good},
    },
    diagnostic::{Place, Placed},
    name::{EntryId, Pattern, ServerName},
};

/// What comes of a server that is not there.
const NOTHING: &str = "so this forbids nothing";

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

/// One forbid: what it is about, and under which conditions.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RuleSection {
    /// Its own name, by which findings and policies call it.
    #[schemars(extend("pattern" = "^[a-z0-9][a-z0-9-]{0,62}$"))]
    id: Option<Written<String>>,
    /// What is forbidden.
    forbid: Written<ForbidSection>,
    /// A Cedar expression: the rule holds only where it is true.
    when: Option<Written<String>>,
    /// A Cedar expression: the rule does not hold where it is true.
    unless: Option<Written<String>>,
}

/// What a rule forbids; at least one of the four lists.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("minProperties" = 1))]
pub(crate) struct ForbidSection {
    /// Whole servers by name; `*` is every server.
    #[schemars(extend("minItems" = 1))]
    servers: Option<Written<Vec<Written<String>>>>,
    /// Tools as `SERVER/PATTERN`, as in `files/write_*`.
    #[schemars(extend("minItems" = 1))]
    tools: Option<Written<Vec<Written<String>>>>,
    /// Prompts as `SERVER/PATTERN`.
    #[schemars(extend("minItems" = 1))]
    prompts: Option<Written<Vec<Written<String>>>>,
    /// Resources as `SERVER/PATTERN`, the pattern one of URIs, as in `files/file:///etc/*`.
    #[schemars(extend("minItems" = 1))]
    resources: Option<Written<Vec<Written<String>>>>,
}

pub(crate) fn resolve(section: Option<Written<Vec<Written<RuleSection>>>>, cx: &mut Resolver<'_>) -> Vec<Rule> {
    let mut ids = BTreeMap::new();
    let entries = section.and_then(|section| section.value).unwrap_or_default();
    entries.into_iter().filter_map(|entry| Rule::resolve(entry, &mut ids, cx)).collect()
}

impl Rule {
    fn resolve(entry: Written<RuleSection>, ids: &mut BTreeMap<EntryId, Place>, cx: &mut Resolver<'_>) -> Option<Self> {
        let Written { place, value } = entry;
        let RuleSection { id, forbid, when, unless } = value?;
        let id = id.and_then(Written::placed).and_then(|id| entry_id(&id, ids, cx));
        let forbid = selectors(forbid, cx);
        let when = condition("when", when, cx);
        let unless = condition("unless", unless, cx);
        Some(Self { id, forbid: forbid?, when, unless, place })
    }
}

fn selectors(section: Written<ForbidSection>, cx: &mut Resolver<'_>) -> Option<Vec<Placed<Selector>>> {
    let Written { place, value } = section;
    let ForbidSection { servers, tools, prompts, resources } = value?;
    if servers.is_none() && tools.is_none() && prompts.is_none() && resources.is_none() {
        let finding = findings::EMPTY_SELECTOR.at(&place, "`forbid` is empty, so this forbids nothing");
        cx.find(finding.help("name `servers`, `tools`, `prompts` or `resources`, or remove the rule"));
        return None;
    }
    let mut found = Vec::new();
    for name in listed("servers", servers, cx) {
        if name.value == "*" {
            found.push(Placed::new(Selector::Server(None), name.place));
        } else if let Some(server) = cx.server(&name.value, &name.place, NOTHING) {
            found.push(Placed::new(Selector::Server(Some(server)), name.place));
        }
    }
    for (kind, list, make) in [
        ("tools", tools, Selector::Tool as fn(ServerName, Pattern) -> Selector),
        ("prompts", prompts, Selector::Prompt),
        ("resources", resources, Selector::Resource),
    ] {
        for written in listed(kind, list, cx) {
            if let Some((server, pattern)) = qualified(kind, &written, cx) {
                found.push(Placed::new(make(server, pattern), written.place));
            }
        }
    }
    Some(cx.distinct(found))
}

/// A list under `forbid`; an empty one is a finding.
fn listed(kind: &str, list: Option<Written<Vec<Written<String>>>>, cx: &mut Resolver<'_>) -> Vec<Placed<String>> {
    let Some(Written { place, value }) = list else { return Vec::new() };
    let Some(items) = value else { return Vec::new() };
    if items.is_empty() {
        let finding = findings::EMPTY_SELECTOR.at(&place, format!("`{kind}` is empty, so it forbids nothing"));
        cx.find(finding);
    }
    good(items)
}

/// `SERVER/PATTERN`.
fn qualified(kind: &str, written: &Placed<String>, cx: &mut Resolver<'_>) -> Option<(ServerName, Pattern)> {
    let Some((server, pattern)) = written.value.split_once('/') else {
        let message = format!("`{}` names no server", cx.shown(kind, written));
        let help = "write `SERVER/PATTERN`, as in `files/write_*`; for several servers, one entry each";
        cx.find(findings::INVALID_IDENTIFIER.at(&written.place, message).help(help));
        return None;
    };
    if server.contains('*') {
        let message = format!("`{server}` is no server; patterns stand only after the `/`");
        let help = "write one entry for each server, or forbid whole servers with `servers: [\"*\"]`";
        cx.find(findings::INVALID_IDENTIFIER.at(&written.place, message).help(help));
        return None;
    }
    let server = cx.server(server, &written.place, NOTHING);
    let pattern = cx.named(&written.place, pattern.parse::<Pattern>());
    Some((server?, pattern?.value))
}

/// A Cedar expression, which is not empty.
pub(super) fn condition(key: &str, written: Option<Written<String>>, cx: &mut Resolver<'_>) -> Option<Placed<String>> {
    let written = written?.placed()?;
    if written.value.trim().is_empty() {
        let finding = findings::WRONG_TYPE.at(&written.place, format!("`{key}` holds no expression"));
        cx.find(finding.help("write a Cedar expression, or remove the key: it then holds always"));
        return None;
    }
    Some(written)
}

impl std::fmt::Display for Selector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Server(None) => f.write_str("*"),
            Self::Server(Some(server)) => write!(f, "{server}"),
            Self::Tool(server, pattern) | Self::Prompt(server, pattern) | Self::Resource(server, pattern) => {
                write!(f, "{server}/{pattern}")
            }
        }
    }
}
