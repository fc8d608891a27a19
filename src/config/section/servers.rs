//! `servers:`: what stands behind the gateway, how each is reached and which tags it wears.

use std::collections::{BTreeMap, BTreeSet};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;

use super::transport::{Http, HttpSection, StdioSection, Transport, transport};
use crate::{
    config::{
        document::{Named, TextOr, Written},
        findings,
        resolve::{Resolver, good},
    },
    diagnostic::{Place, Placed},
    mcp::AskKind,
    name::{Pattern, ServerName, TagName},
};

/// A server behind the gateway.
#[derive(Debug, Clone)]
pub struct Server {
    /// Its tags, sorted, no repeats.
    pub tags: Vec<Placed<TagName>>,
    /// How many of its tags a caller needs.
    pub require: Require,
    /// Whether any caller with a token of ours may reach it without a tag.
    pub public: bool,
    /// How it is spoken to.
    pub transport: Transport,
    /// What becomes of what differs from `portcullis.lock`, where that is said.
    pub drift: Option<Drift>,
    /// What it may ask callers for while it answers them.
    pub asks: BTreeSet<AskKind>,
    /// Which era of the protocol it speaks.
    pub era: EraChoice,
    /// What is said of some of its tools, by pattern, sorted.
    pub tools: BTreeMap<Pattern, Exception>,
    /// What is said of some of its prompts.
    pub prompts: BTreeMap<Pattern, Exception>,
    /// What is said of some of its resources, by pattern of their URI.
    pub resources: BTreeMap<Pattern, Exception>,
    /// Where its name is written.
    pub place: Place,
}

/// How many of a server's tags a caller needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Require {
    /// Every tag.
    All,
    /// At least one tag.
    Any,
}

/// What becomes of what a server offers and `portcullis.lock` does not pin like that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drift {
    /// It is neither shown nor used.
    Refuse,
    /// It is used, logged, and marked in the audit trail.
    Warn,
    /// Nothing is compared.
    Allow,
}

/// Which era of the protocol a server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EraChoice {
    /// It is asked, and the answer remembered.
    Auto,
    /// A session that `initialize` opens.
    Legacy,
    /// Requests that say all that is to be known.
    Modern,
}

/// What is said of the tools, prompts or resources that a pattern fits.
#[derive(Debug, Clone)]
pub enum Exception {
    /// These tags are needed besides the server's. Sorted, not empty.
    Tags(Vec<Placed<TagName>>, Place),
    /// Nobody may.
    Deny(Place),
}

/// An MCP server behind the gateway: what it is tagged with, and how it is spoken to.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [{ "required": ["http"] }, { "required": ["stdio"] }]))]
pub(crate) struct ServerSection {
    /// Its tags, each declared under `tags`. A server without tags is reachable by nobody, unless
    /// it is `public`.
    #[schemars(extend("minItems" = 1, "uniqueItems" = true))]
    tags: Option<Written<Vec<Written<String>>>>,
    /// How many of its tags a caller needs. Default: `all`.
    require: Option<Written<RequireSection>>,
    /// Whether any caller with a token may reach it without a tag. Default: `false`.
    public: Option<Written<bool>>,
    /// It is spoken to over HTTP. Exactly one of `http` and `stdio`.
    http: Option<Written<HttpSection>>,
    /// It is a program that the gateway starts. Exactly one of `http` and `stdio`.
    stdio: Option<Written<StdioSection>>,
    /// What becomes of a tool, prompt, template or instructions that `portcullis.lock` does not pin
    /// like that, new ones too. Default: `refuse` for a server in the lock, `warn` for another.
    drift: Option<Written<DriftSection>>,
    /// What it may ask callers for while it answers them, if they can be asked. It then has a
    /// connection of its own for each of them. Default: nothing.
    #[schemars(extend("uniqueItems" = true))]
    asks: Option<Written<Vec<Written<AskSection>>>>,
    /// Which era of MCP it speaks: `legacy` is all before 2026-07-28. Default: `auto`, it is asked.
    era: Option<Written<EraSection>>,
    /// What is said of some of its tools, by name; `*` in a name stands for any characters.
    #[serde(default)]
    #[schemars(schema_with = "exceptions_schema")]
    tools: Option<Written<Named<TextOr<ExceptionSection>>>>,
    /// What is said of some of its prompts, by name.
    #[serde(default)]
    #[schemars(schema_with = "exceptions_schema")]
    prompts: Option<Written<Named<TextOr<ExceptionSection>>>>,
    /// What is said of some of its resources, by URI.
    #[serde(default)]
    #[schemars(schema_with = "exceptions_schema")]
    resources: Option<Written<Named<TextOr<ExceptionSection>>>>,
}

/// How many of a server's tags a caller needs.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RequireSection {
    /// Every tag.
    All,
    /// At least one tag.
    Any,
}

/// What becomes of what differs from `portcullis.lock`.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DriftSection {
    /// It is neither shown nor used.
    Refuse,
    /// It is used, logged, and marked in the audit trail.
    Warn,
    /// Nothing is compared.
    Allow,
}

/// What a server may ask a caller for.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AskSection {
    /// Something of the person who uses the caller.
    Elicitation,
    /// Where the caller works.
    Roots,
    /// Something of the caller's model.
    Sampling,
}

impl From<AskSection> for AskKind {
    fn from(section: AskSection) -> Self {
        match section {
            AskSection::Elicitation => Self::Elicitation,
            AskSection::Roots => Self::Roots,
            AskSection::Sampling => Self::Sampling,
        }
    }
}

/// Which era of the protocol a server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum EraSection {
    /// It is asked.
    Auto,
    /// Versions up to 2025-11-25, which open with `initialize`.
    Legacy,
    /// Versions from 2026-07-28 on.
    Modern,
}

/// What is said of the tools, prompts or resources that a pattern fits: `deny`, or more tags.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExceptionSection {
    /// Tags that are needed besides the server's; they only narrow.
    #[schemars(extend("minItems" = 1, "uniqueItems" = true))]
    tags: Written<Vec<Written<String>>>,
}

/// `deny`, or a map with `tags`, by pattern.
fn exceptions_schema(generator: &mut SchemaGenerator) -> Schema {
    let tags = generator.subschema_for::<ExceptionSection>();
    schemars::json_schema!({ "type": "object", "additionalProperties": { "anyOf": [{ "const": "deny" }, tags] } })
}

pub(crate) fn resolve(
    section: Option<Written<Named<ServerSection>>>,
    cx: &mut Resolver<'_>,
) -> BTreeMap<ServerName, Server> {
    let Named(entries) = section.and_then(|section| section.value).unwrap_or_default();
    let mut servers = BTreeMap::new();
    for (name, written) in entries {
        let parsed = cx.name::<ServerName>(&name);
        let server = written.value.and_then(|section| Server::resolve(section, &name, cx));
        if let (Some(name), Some(server)) = (parsed, server) {
            servers.insert(name.value, server);
        }
    }
    servers
}

impl Server {
    /// What becomes of drift, given whether `portcullis.lock` has the server.
    #[must_use]
    pub fn drift(&self, pinned: bool) -> Drift {
        self.drift.unwrap_or(if pinned { Drift::Refuse } else { Drift::Warn })
    }

    fn resolve(section: ServerSection, name: &Placed<String>, cx: &mut Resolver<'_>) -> Option<Self> {
        let ServerSection { tags, require, public, http, stdio, asks, era, drift, tools, prompts, resources } = section;
        let tags = match tags {
            Some(tags) => known_tags(tags, &format!("servers.{}.tags", name.value), cx),
            None => Some(Vec::new()),
        };
        let require = match require.and_then(|written| written.value) {
            Some(RequireSection::Any) => Require::Any,
            Some(RequireSection::All) | None => Require::All,
        };
        let transport = transport(http, stdio, name, cx);
        let drift = drift.and_then(|written| written.value).map(|written| match written {
            DriftSection::Refuse => Drift::Refuse,
            DriftSection::Warn => Drift::Warn,
            DriftSection::Allow => Drift::Allow,
        });
        let asks = good(asks.and_then(|asks| asks.value).unwrap_or_default());
        let era = EraChoice::resolve(era, transport.as_ref(), cx);
        let tools = exceptions(tools, cx);
        let prompts = exceptions(prompts, cx);
        let resources = exceptions(resources, cx);
        Some(Self {
            tags: tags?,
            require,
            public: public.and_then(|written| written.value).unwrap_or_default(),
            transport: transport?,
            drift,
            asks: asks.into_iter().map(|ask| ask.value.into()).collect(),
            era,
            tools,
            prompts,
            resources,
            place: name.place.clone(),
        })
    }
}

impl EraChoice {
    fn resolve(era: Option<Written<EraSection>>, transport: Option<&Transport>, cx: &mut Resolver<'_>) -> Self {
        let Some(Written { place, value }) = era else { return Self::Auto };
        let sse = matches!(transport, Some(Transport::Http(Http { sse: true, .. })));
        match value {
            Some(EraSection::Modern) if sse => {
                let finding = findings::WRONG_TYPE.at(&place, "a server over `transport: sse` speaks no modern MCP");
                cx.find(finding.help("remove `era`, or `http.transport`"));
                Self::Auto
            }
            Some(EraSection::Auto) | None => Self::Auto,
            Some(EraSection::Legacy) => Self::Legacy,
            Some(EraSection::Modern) => Self::Modern,
        }
    }
}

fn exceptions(
    section: Option<Written<Named<TextOr<ExceptionSection>>>>,
    cx: &mut Resolver<'_>,
) -> BTreeMap<Pattern, Exception> {
    let Named(entries) = section.and_then(|section| section.value).unwrap_or_default();
    let mut exceptions = BTreeMap::new();
    for (name, Written { place, value }) in entries {
        let pattern = cx.named(&name.place, name.value.parse::<Pattern>());
        let exception = match value {
            None => None,
            Some(TextOr::Text(word)) if word == "deny" => Some(Exception::Deny(name.place)),
            Some(TextOr::Text(word)) => {
                let word = cx.shown(&name.value, &Placed::new(word, place.clone()));
                let finding =
                    findings::WRONG_TYPE.at(&place, format!("`{word}` is neither `deny` nor a map with `tags`"));
                cx.find(
                    finding.help("write `deny`, or `{tags: [NAME]}`; what is not listed needs the server's tags alone"),
                );
                None
            }
            Some(TextOr::Map(ExceptionSection { tags })) => {
                known_tags(tags, "tags", cx).map(|tags| Exception::Tags(tags, name.place))
            }
        };
        if let (Some(pattern), Some(exception)) = (pattern, exception) {
            exceptions.insert(pattern.value, exception);
        }
    }
    exceptions
}

/// A list of declared tags, sorted; an empty one is a finding.
pub(super) fn known_tags(
    list: Written<Vec<Written<String>>>,
    key: &str,
    cx: &mut Resolver<'_>,
) -> Option<Vec<Placed<TagName>>> {
    let Written { place, value } = list;
    let listed = value?;
    if listed.is_empty() {
        let finding = findings::EMPTY_SELECTOR.at(&place, format!("`{key}` is empty"));
        cx.find(finding.help("name at least one tag, or remove the key: an empty list opens nothing"));
        return None;
    }
    let tags = good(listed).iter().filter_map(|tag| cx.tag(tag)).collect();
    Some(cx.distinct(tags))
}
