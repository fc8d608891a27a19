//! A decision of the past as its audit record tells it, and the question as far as it can be rebuilt.
//!
//! What a record does not hold is named and never guessed: where a record was cut, or what was asked
//! is no question of a policy, there is nothing to ask again.
//!
//! SPEC: admin-and-audit §4, version 1.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Agreed, HERE, Supposed, agreed::beyond_words};
use crate::{
    policy::{Beyond, Bundle, CONSENT, Later, Target, Verb},
    principal::Principal,
};

/// What a record says of a decision.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub struct Past {
    /// Its id.
    pub id: String,
    /// When it was made.
    pub ts: String,
    /// Set where the request was refused before a policy was asked: which refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
    /// Under which policies.
    pub policy: Option<Revision>,
    principal: Option<Who>,
    peer: Option<Peer>,
    request: Option<Asked>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    findings: Option<Found>,
    /// The answer.
    pub decision: Answer,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    cut: Vec<Value>,
}

/// Under which policies a decision was made.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub struct Revision {
    /// Digest of the configuration file.
    pub config: String,
    /// Digest of the bundle.
    pub bundle: String,
}

/// The answer of a record.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub struct Answer {
    /// `allow` or `deny`.
    pub verdict: String,
    /// Why.
    pub because: String,
    /// The policies that determined it.
    #[serde(default)]
    pub determining: Vec<Determining>,
    /// What could not be evaluated.
    #[serde(default)]
    pub errors: Vec<String>,
    /// The scopes that would have turned it.
    #[serde(default)]
    pub missing: Vec<String>,
    /// Where it went beyond what a person had agreed to: what that was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consent: Option<Beyond>,
}

/// A policy that determined a decision, and its line at that time.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub struct Determining {
    /// Its id.
    pub policy: String,
    /// Its effect.
    pub effect: String,
    /// Its line.
    pub place: Option<Line>,
}

/// A line of a file that may have changed since.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub struct Line {
    /// The file.
    pub file: String,
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
struct Who {
    #[serde(rename = "type")]
    kind: String,
    id: Option<String>,
    client_id: Option<String>,
    #[serde(default)]
    scopes: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scopes_more: Option<u64>,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
struct Peer {
    address: String,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
struct Asked {
    method: String,
    server: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    view: Option<String>,
    tool: Option<String>,
    prompt: Option<String>,
    resource: Option<String>,
    digest: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    drift: Option<Drifted>,
}

/// What detectors found. What they found in the head of the request no policy of a call was told.
#[derive(Debug, Clone, Deserialize, Serialize)]
struct Found {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    head: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    message: Vec<String>,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
struct Drifted {
    how: String,
    refused: bool,
    pinned: Option<String>,
    seen: Option<String>,
}

/// Why a decision of the past cannot be asked again, in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Unasked(pub String);

impl Past {
    /// Who asked for what, in words, as far as the record says.
    #[must_use]
    pub fn question(&self) -> String {
        let who = self.principal.as_ref().map_or_else(
            || "somebody unknown".to_owned(),
            |who| who.id.as_ref().map_or_else(|| who.kind.clone(), |id| format!("{} {id}", who.kind)),
        );
        let Some(asked) = &self.request else { return format!("{who}: a request that was not read") };
        let name = asked.tool.as_ref().or(asked.prompt.as_ref()).or(asked.resource.as_ref());
        match (&asked.server, name) {
            (Some(server), Some(name)) => format!("{who}: {} on {server}/{name}", asked.method),
            (Some(server), None) => format!("{who}: {} on {server}", asked.method),
            (None, Some(name)) => format!("{who}: {} on {name}", asked.method),
            (None, None) => format!("{who}: {}", asked.method),
        }
    }

    /// How it went beyond what a person had agreed to, in words.
    #[must_use]
    pub fn beyond(&self) -> Option<String> {
        let (_, target) = self.request.as_ref()?.target().ok()?;
        Some(beyond_words(self.decision.consent.as_ref()?, &target))
    }

    /// The request, to be asked again.
    ///
    /// # Errors
    /// Why it cannot be.
    pub fn supposed(&self) -> Result<Supposed, Unasked> {
        let no = |words: String| Unasked(words);
        if let Some(refusal) = &self.refusal {
            return Err(no(format!("no policy was asked: the request was refused as `{refusal}`")));
        }
        if !self.cut.is_empty() {
            return Err(no("the record was cut: it does not hold the whole request".into()));
        }
        let asked = self.request.as_ref().ok_or_else(|| no("the record does not hold the request".into()))?;
        let (verb, target) = asked.target().map_err(no)?;
        let who = self.principal.as_ref().ok_or_else(|| no("the record does not say who asked".into()))?;
        if who.scopes_more.is_some() {
            return Err(no("the record does not hold every scope of the token".into()));
        }
        let odd = |error: &dyn std::fmt::Display| no(format!("the record cannot be read: {error}"));
        let client = who.client_id.as_ref().map(|client| client.parse()).transpose().map_err(|error| odd(&error))?;
        let (principal, client) = match (who.kind.as_str(), &who.id) {
            ("user", Some(id)) => (Principal::User(id.parse().map_err(|error| odd(&error))?), client),
            ("client", Some(id)) => {
                let id: crate::name::ClientId = id.parse().map_err(|error| odd(&error))?;
                (Principal::Client(id.clone()), client.or(Some(id)))
            }
            ("anonymous", None) => (Principal::Anonymous, client),
            (kind, _) => return Err(no(format!("the record names a principal of the kind `{kind}`"))),
        };
        let scopes: Result<BTreeSet<_>, _> = who.scopes.iter().map(|scope| scope.parse()).collect();
        let mut supposed = Supposed::new(principal, scopes.map_err(|error| odd(&error))?, verb, target);
        supposed.client = client;
        supposed.view = asked.view.as_ref().map(|view| view.parse()).transpose().map_err(|error| odd(&error))?;
        supposed.drifted = asked.drift.as_ref().is_some_and(|drift| drift.refused);
        supposed.findings = self.findings.iter().flat_map(|found| found.message.iter().cloned()).collect();
        supposed.now = Some(self.ts.parse::<Timestamp>().map_err(|error| odd(&error))?);
        if let Some(beyond) = &self.decision.consent {
            supposed.agreed = Agreed::To(beyond.clone(), Later::Denied);
        }
        if let Some(peer) = &self.peer {
            supposed.address = peer.address.parse().map_err(|error| odd(&error))?;
        }
        Ok(supposed)
    }

    /// What today's policies may read of a request and the record does not hold, in words.
    #[must_use]
    pub fn unknown(&self, bundle: &Bundle, supposed: &Supposed) -> Vec<&'static str> {
        let user = matches!(supposed.principal, Principal::User(_));
        let everything = [
            (
                self.decision.determining.iter().any(|one| one.policy == CONSENT) && self.decision.consent.is_none(),
                "what the person was asked about: asked as if about everything (`/grants` shows what joined since)",
            ),
            (
                matches!(supposed.agreed, Agreed::To(..)),
                "what the person agreed to since: asked as if to nothing more (`/grants` shows it)",
            ),
            (
                user && supposed.groups.is_empty() && bundle.reads("groups"),
                "the groups of the person: asked as if in none (`--groups` says them)",
            ),
            (supposed.named.is_none(), "whether `?tags=` narrowed the request: asked as if not (`--tags` says it)"),
            (
                supposed.args.is_none() && supposed.verb == Verb::ToolsCall && bundle.reads("args"),
                "the arguments: asked whether some would do (a request of its own, with `--args`, says them)",
            ),
            (!supposed.tls && bundle.reads("tls"), "whether it came over TLS: asked as if not (`--tls` says so)"),
            (
                self.peer.is_none() && supposed.address == HERE && bundle.reads("address"),
                "from which address it came: asked as if from this machine (`--address` says it)",
            ),
        ];
        everything.into_iter().filter(|(missing, _)| *missing).map(|(_, words)| words).collect()
    }
}

impl Asked {
    fn target(&self) -> Result<(Verb, Target), String> {
        let Self { method, server, view: _, tool, prompt, resource, digest: _, drift: _ } = self;
        let odd = |error: crate::name::NameError| format!("what was asked is nothing that a policy decides: {error}");
        let verb = match method.as_str() {
            "initialize" => Some(Verb::ServerDiscover),
            method => Verb::of_action(method).filter(|verb| verb.acts() || *verb == Verb::ServerDiscover),
        };
        let verb = verb.ok_or_else(|| format!("`{method}` is no single question of a policy"))?;
        let server = server.as_ref().ok_or("no server was asked")?.parse().map_err(odd)?;
        let target = match (tool, prompt, resource) {
            (Some(tool), ..) if verb.takes("Tool") => Target::Tool(server, tool.parse().map_err(odd)?),
            (_, Some(prompt), _) if verb.takes("Prompt") => Target::Prompt(server, prompt.parse().map_err(odd)?),
            (_, _, Some(uri)) if verb.takes("Resource") => Target::Resource(server, uri.parse().map_err(odd)?),
            _ if verb.takes("Server") => Target::Server(server),
            _ => return Err(format!("the record does not say on what `{method}` was asked")),
        };
        Ok((verb, target))
    }
}
