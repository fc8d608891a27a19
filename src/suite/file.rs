//! A test file as it is written.
//!
//! `claims:` names facts that no policy can read; it is refused as such (`config/document/unbuilt`), never
//! passed over. The sections of `headers:` and `limits:` stand in `surface` and `limit`.
//!
//! SPEC: `requirements/lint-rules.md` §4.1. To add a key: a field here, then its meaning in `meaning`.

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{
    Deserialize, Deserializer,
    de::{SeqAccess, Visitor},
};
use serde_json::Value;

use super::{limit::LimitSection, surface::SurfaceSection};
use crate::{
    config::{Named, TextOr, Written, json_schema::of as schema_of},
    diagnostic::{Place, Placed},
};

/// The schema that `schema/test.schema.json` holds.
#[must_use]
pub fn json_schema() -> Value {
    schema_of::<SuiteFile>()
}

/// Tests of a Portcullis configuration: who may do what, decided offline by the gateway's own engine.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Portcullis tests")]
pub(super) struct SuiteFile {
    /// The name of the suite. Without it, the name of the file.
    pub(super) suite: Option<Written<String>>,
    /// The configuration, relative to this file. Without it, `portcullis.yaml` beside this file.
    pub(super) config: Option<Written<String>>,
    /// The lock file that says what each server offers, relative to this file. Without it,
    /// `portcullis.lock` beside the configuration, where there is one.
    pub(super) inventory: Option<Written<String>>,
    /// The time that policies see, as in `2026-01-01T00:00:00Z`, which is the default.
    #[schemars(extend("format" = "date-time"))]
    pub(super) now: Option<Written<String>>,
    /// Who asks, by name.
    pub(super) principals: Option<Written<Named<PrincipalSection>>>,
    /// Several principals under one name.
    pub(super) groups: Option<Written<Named<Vec<Written<String>>>>>,
    /// What is asked, by name.
    pub(super) requests: Option<Written<Named<RequestSection>>>,
    /// Each decides every request for every principal it names. A pair that `expect` does not list is
    /// expected to be denied.
    pub(super) tests: Option<Written<Vec<Written<TestSection>>>>,
    /// What the lists show of what the servers offer.
    pub(super) lists: Option<Written<Vec<Written<ListSection>>>>,
    /// What becomes of HTTP requests as such: whether they may come in, and which headers their answers carry.
    pub(super) headers: Option<Written<Vec<Written<SurfaceSection>>>>,
    /// How often somebody may ask for something.
    pub(super) limits: Option<Written<Vec<Written<LimitSection>>>>,
    /// What nobody of a kind may ever do, whatever else is true.
    pub(super) never: Option<Written<Vec<Written<PropertySection>>>>,
    /// What everybody of a kind may always do.
    pub(super) always: Option<Written<Vec<Written<PropertySection>>>>,
}

/// Somebody who asks: a person, a client for itself, or nobody known.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("minProperties" = 1))]
pub(super) struct PrincipalSection {
    /// A person; a bare name means `local/NAME`.
    pub(super) sub: Option<Written<String>>,
    /// The OAuth client. Without `sub` it acts for itself.
    pub(super) client: Option<Written<String>>,
    /// The scopes of the token: `tag:NAME`.
    pub(super) scopes: Option<Written<Vec<Written<String>>>>,
    /// The groups of the person; a bare name means `local/NAME`.
    pub(super) groups: Option<Written<Vec<Written<String>>>>,
    /// Nobody known: there is no token.
    pub(super) anonymous: Option<Written<bool>>,
}

/// One request.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RequestSection {
    /// The method. Without it, what one does to the thing that is named: call a tool, get a prompt,
    /// read a resource, discover a server. With a list's method and a name: whether the list shows it.
    pub(super) method: Option<Written<MethodWord>>,
    /// The server, by its name under `servers`.
    pub(super) server: Written<String>,
    /// The tool.
    pub(super) tool: Option<Written<String>>,
    /// The prompt.
    pub(super) prompt: Option<Written<String>>,
    /// The URI of the resource.
    pub(super) uri: Option<Written<String>>,
    /// The arguments of the call. Without it, it is asked whether some arguments would do.
    pub(super) args: Option<Written<serde_json::Map<String, Value>>>,
    /// Where the request comes from: an IP address. Without it, `127.0.0.1`.
    pub(super) address: Option<Written<String>>,
    /// Whether it comes over TLS.
    pub(super) tls: Option<Written<bool>>,
    /// The view that the request goes through, at `/mcp/@NAME`.
    pub(super) view: Option<Written<String>>,
    /// The tags that the request names by `?tags=`.
    pub(super) tags: Option<Written<Vec<Written<String>>>>,
}

/// The methods that policies decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(super) enum MethodWord {
    /// Call a tool.
    #[serde(rename = "tools/call")]
    ToolsCall,
    /// List tools.
    #[serde(rename = "tools/list")]
    ToolsList,
    /// Get a prompt.
    #[serde(rename = "prompts/get")]
    PromptsGet,
    /// List prompts.
    #[serde(rename = "prompts/list")]
    PromptsList,
    /// Read a resource.
    #[serde(rename = "resources/read")]
    ResourcesRead,
    /// List resources.
    #[serde(rename = "resources/list")]
    ResourcesList,
    /// Be told of changes of a resource.
    #[serde(rename = "resources/subscribe")]
    ResourcesSubscribe,
    /// Complete an argument of a prompt or of a resource template.
    #[serde(rename = "completion/complete")]
    CompletionComplete,
    /// Ask a server what it is.
    #[serde(rename = "server/discover")]
    ServerDiscover,
}

/// One test: principals × requests.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TestSection {
    /// What it shows.
    pub(super) name: Option<Written<String>>,
    /// Principals and groups, by name.
    #[schemars(extend("minItems" = 1))]
    pub(super) principals: Written<OneOrMany>,
    /// Requests, by name.
    #[schemars(extend("minItems" = 1))]
    pub(super) requests: Written<OneOrMany>,
    /// What is expected of which pairs.
    pub(super) expect: Option<Written<Vec<Written<ExpectSection>>>>,
    /// Leave this test out; it is counted and shown, and needs a `skip_reason`.
    pub(super) skip: Option<Written<bool>>,
    /// Why it is left out.
    pub(super) skip_reason: Option<Written<String>>,
}

/// What is expected of some pairs.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ExpectSection {
    /// One principal or group, or several.
    pub(super) principal: Written<OneOrMany>,
    /// One request, or several.
    pub(super) request: Written<OneOrMany>,
    /// Whether it is allowed.
    pub(super) decision: Written<DecisionWord>,
    /// The reason code.
    pub(super) because: Option<Written<BecauseWord>>,
    /// The scopes that would turn the denial: exactly these.
    pub(super) missing: Option<Written<Vec<Written<String>>>>,
    /// Policies that determine the decision, by id; there may be others.
    pub(super) by: Option<Written<OneOrMany>>,
    /// The HTTP status of the answer.
    pub(super) status: Option<Written<u64>>,
    /// The JSON-RPC error code of the answer.
    #[schemars(with = "Option<i64>")]
    pub(super) jsonrpc: Option<Written<i128>>,
    /// How many policies could not be evaluated.
    pub(super) errors: Option<Written<u64>>,
}

/// Allow or deny.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum DecisionWord {
    /// It may be done.
    Allow,
    /// It may not.
    Deny,
}

/// Why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum BecauseWord {
    /// Some permit holds and no forbid does.
    Permitted,
    /// There is no token.
    Unauthenticated,
    /// The caller could get a scope that would turn the decision.
    MissingScope,
    /// A forbid holds whatever the arguments.
    ExplicitForbid,
    /// A forbid holds for this request.
    ConditionFailed,
    /// No permit holds, and no scope the caller could get would change that.
    NoMatchingGrant,
    /// There is no such server.
    UnknownServer,
    /// There is no such tool, prompt or resource.
    UnknownTool,
    /// The arguments do not fit what `portcullis.lock` pins.
    ValidationFailed,
    /// A policy could not be evaluated.
    PolicyError,
}

/// What a list shows.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListSection {
    /// What it shows.
    pub(super) name: Option<Written<String>>,
    /// One principal or group, or several.
    pub(super) principal: Written<OneOrMany>,
    /// The list. Without it, `tools/list`.
    pub(super) method: Option<Written<ListWord>>,
    /// The server whose list it is.
    pub(super) server: Written<String>,
    /// The view that the request goes through, at `/mcp/@NAME`.
    pub(super) view: Option<Written<String>>,
    /// The tags that the request names by `?tags=`.
    pub(super) tags: Option<Written<Vec<Written<String>>>>,
    /// All that it shows, in any order.
    pub(super) exactly: Option<Written<Vec<Written<String>>>>,
    /// Some of what it shows.
    pub(super) contains: Option<Written<Vec<Written<String>>>>,
    /// What it does not show.
    pub(super) lacks: Option<Written<Vec<Written<String>>>>,
    /// Leave this test out; it is counted and shown, and needs a `skip_reason`.
    pub(super) skip: Option<Written<bool>>,
    /// Why it is left out.
    pub(super) skip_reason: Option<Written<String>>,
}

/// The lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(super) enum ListWord {
    /// Of tools.
    #[serde(rename = "tools/list")]
    Tools,
    /// Of prompts.
    #[serde(rename = "prompts/list")]
    Prompts,
    /// Of resources.
    #[serde(rename = "resources/list")]
    Resources,
}

/// What holds for a kind of principal and a kind of thing.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PropertySection {
    /// What it says.
    pub(super) name: Option<Written<String>>,
    /// Of whom it holds.
    pub(super) principal: Written<WhoSection>,
    /// Of which tools: a pattern of names such as `delete_*`, or a map that says more.
    pub(super) tool: Option<Written<TextOr<WhatSection>>>,
    /// Of which server; without it, of all.
    pub(super) server: Option<Written<String>>,
    /// The method. Without it, `tools/call` where a tool is named.
    pub(super) method: Option<Written<MethodWord>>,
    /// Leave this test out; it is counted and shown, and needs a `skip_reason`.
    pub(super) skip: Option<Written<bool>>,
    /// Why it is left out.
    pub(super) skip_reason: Option<Written<String>>,
}

/// A kind of principal: exactly one of these.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
pub(super) struct WhoSection {
    /// Everybody, with any token or none.
    pub(super) any: Option<Written<bool>>,
    /// Nobody known: there is no token.
    pub(super) anonymous: Option<Written<bool>>,
    /// Everybody whose token has these scopes at most.
    pub(super) scopes_subset_of: Option<Written<Vec<Written<String>>>>,
    /// Everybody whose token lacks this scope.
    pub(super) without: Option<Written<OneOrMany>>,
}

/// A kind of tool.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("minProperties" = 1))]
pub(super) struct WhatSection {
    /// A pattern of names, as in `delete_*`.
    pub(super) name: Option<Written<String>>,
    /// What the server says of it in the inventory: a hint that it does not give counts as the protocol's
    /// default.
    pub(super) annotations: Option<Written<AnnotationsSection>>,
}

/// The hints of a tool.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(extend("minProperties" = 1))]
pub(super) struct AnnotationsSection {
    /// It changes nothing.
    pub(super) read_only_hint: Option<Written<bool>>,
    /// It may destroy something.
    pub(super) destructive_hint: Option<Written<bool>>,
    /// Doing it twice is as doing it once.
    pub(super) idempotent_hint: Option<Written<bool>>,
    /// It deals with things outside.
    pub(super) open_world_hint: Option<Written<bool>>,
}

/// One name, or a list of names.
#[derive(Debug, Clone)]
pub(super) enum OneOrMany {
    /// One.
    One(String),
    /// Several.
    Many(Vec<Written<String>>),
}

impl OneOrMany {
    /// Every good name with its place; `place` is that of the whole.
    pub(super) fn names(self, place: &Place) -> Vec<Placed<String>> {
        match self {
            Self::One(name) => vec![Placed::new(name, place.clone())],
            Self::Many(names) => names.into_iter().filter_map(Written::placed).collect(),
        }
    }
}

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Shape;

        impl<'de> Visitor<'de> for Shape {
            type Value = OneOrMany;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name or a list of names")
            }

            fn visit_str<E>(self, text: &str) -> Result<OneOrMany, E> {
                Ok(OneOrMany::One(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<OneOrMany, A::Error> {
                let mut names = Vec::new();
                while let Some(name) = from.next_element()? {
                    names.push(name);
                }
                Ok(OneOrMany::Many(names))
            }
        }

        from.deserialize_any(Shape)
    }
}

impl JsonSchema for OneOrMany {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "OneOrMany".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({ "anyOf": [
            { "type": "string" },
            { "type": "array", "items": { "type": "string" }, "minItems": 1 },
        ] })
    }
}
