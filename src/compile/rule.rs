//! `rules:` → forbids, one for each server and kind of thing that a rule names.
//!
//! A condition is one Cedar expression, parsed alone before it is put into a policy: nothing written
//! there can close the policy and open another. A rule that reads what only a call has (findings,
//! arguments) says of lists only what is true whatever that is: what may be called for some arguments is
//! shown (design §5).
//!
//! A rule that reads arguments forbids the calls whose arguments are typed. What fits one of its patterns
//! and is not pinned has no typed arguments, and is forbidden wherever the rule could hold.

use std::{collections::BTreeMap, str::FromStr};

use serde_json::Value;

use super::{
    argument::{Tools, Typing},
    press::Written,
    render::{Draft, actions, named, pin, set},
};
use crate::{
    config::{Rule, Selector},
    diagnostic::{Diagnostic, Placed},
    name::{Pattern, ServerName},
    policy::{
        Effect, Shape, TYPED, Verb, hex,
        unknown::{self, Bound},
    },
};

use super::findings;

/// What is not known when an entry of a list is shown.
const OF_CALLS: [&str; 3] = ["args", "drifted", "findings"];

/// The policies of one rule; `tools` are those whose arguments it reads.
pub(super) fn policies(rule: &Rule, tools: Option<&Tools>, typing: &Typing) -> Result<Vec<Written>, Vec<Diagnostic>> {
    let conditions = [("when", &rule.when), ("unless", &rule.unless)];
    let problems: Vec<Diagnostic> =
        conditions.iter().filter_map(|(_, condition)| condition.as_ref().and_then(condition_problem)).collect();
    if !problems.is_empty() {
        return Err(problems);
    }
    let id = id(rule);
    let groups = groups(rule);
    let several = groups.len() > 1;
    let mut policies = Vec::new();
    for ((server, kind), patterns) in groups {
        let id = match (several, &server) {
            (false, _) => format!("rule/{id}"),
            (true, Some(server)) => format!("rule/{id}/{server}/{}", kind.word()),
            (true, None) => format!("rule/{id}/all"),
        };
        let mut when: Vec<String> = server.iter().map(pin).collect();
        let names: Vec<String> = patterns.iter().map(|pattern| named(kind.attribute(), pattern)).collect();
        if !names.is_empty() {
            when.push(if names.len() > 1 { format!("({})", names.join(" || ")) } else { names.concat() });
        }
        let group = Group { rule, kind, id, about: when, patterns };
        let of_call = reads_call(rule);
        let named = tools.zip(server.as_ref()).and_then(|(tools, server)| Some((server, tools.get(server)?)));
        let typed: Vec<String> = named
            .into_iter()
            .flat_map(|(server, tools)| tools.iter().map(move |tool| format!("{TYPED}{server}/{tool}")))
            .collect();
        let acts = if tools.is_some() {
            typed.iter().map(String::as_str).collect()
        } else {
            let verbs = kind.verbs().iter().copied().filter(|verb| verb.acts() || !of_call);
            actions(verbs, &typing.actions(server.as_ref()))
        };
        policies.push(group.policy("", acts, &group.about, Said::whole(rule), &[]));
        if of_call && let Some(said) = Said::bounded(rule, Bound::Must)? {
            let shows = actions(kind.verbs().iter().copied().filter(|verb| !verb.acts()), &[]);
            policies.push(group.policy("/listed", shows, &group.about, said, &[]));
        }
        if let Some((_, tools)) = named
            && group.patterns.iter().any(|pattern| !pattern.is_literal())
            && let Some(said) = Said::bounded(rule, Bound::May)?
        {
            let names: Vec<&str> = tools.iter().map(|tool| tool.as_str()).collect();
            let mut about = group.about.clone();
            about.push(format!("!{}.contains(resource.name)", set(names.iter().copied())));
            let verbs = actions(kind.verbs().iter().copied(), &[]);
            policies.push(group.policy("/unpinned", verbs, &about, said, &names));
        }
    }
    Ok(policies)
}

/// What a rule says of one kind of thing of a server.
struct Group<'r> {
    rule: &'r Rule,
    kind: Kind,
    id: String,
    /// Of what it speaks, as conditions.
    about: Vec<String>,
    patterns: Vec<Pattern>,
}

impl Group<'_> {
    /// A policy of the group that also tells apart what has one of `names`.
    fn policy(&self, suffix: &str, actions: Vec<&str>, about: &[String], said: Said, names: &[&str]) -> Written {
        let id = format!("{}{suffix}", self.id);
        let when = about.iter().cloned().chain(said.when).collect();
        let unless = said.unless.into_iter().collect();
        let resource = self.kind.scope();
        let draft = Draft {
            id: &id,
            notes: Vec::new(),
            effect: Effect::Forbid,
            principal: "principal",
            resource,
            actions,
            when,
            unless,
        };
        let conditions = || [&self.rule.when, &self.rule.unless].into_iter().flatten();
        let condition = conditions().next().map(|condition| condition.place.clone());
        let mut written = Written { condition, ..draft.written(Some(&self.rule.place)) };
        if !conditions().any(reads_name) {
            let names = names.iter().filter_map(|name| name.parse().ok());
            written.patterns = self.patterns.iter().cloned().chain(names).collect();
        }
        written
    }
}

/// The conditions of a rule, as they stand in a policy.
#[derive(Debug, Default)]
struct Said {
    when: Option<String>,
    unless: Option<String>,
}

impl Said {
    fn whole(rule: &Rule) -> Self {
        let text = |condition: &Option<Placed<String>>| condition.as_ref().map(|text| enclosed(&text.value));
        Self { when: text(&rule.when), unless: text(&rule.unless) }
    }

    /// Without what only a call has: where the rule must hold, or where it may. Nothing where it then
    /// never does.
    fn bounded(rule: &Rule, bound: Bound) -> Result<Option<Self>, Vec<Diagnostic>> {
        let other = if bound == Bound::Must { Bound::May } else { Bound::Must };
        let said = |condition: &Option<Placed<String>>, bound, absorbed| {
            let Some(condition) = condition else { return Ok(Some(None)) };
            let Some(body) = body(&condition.value) else { return Ok(Some(None)) };
            let left = unknown::of(&body, &OF_CALLS, bound);
            match unknown::truth(&left) {
                Some(holds) if holds == absorbed => Ok(None),
                Some(_) => Ok(Some(None)),
                None => {
                    let text = unknown::text(&left);
                    text.map(|text| Some(Some(format!("({text})"))))
                        .map_err(|error| vec![findings::CONDITION.at(&condition.place, error)])
                }
            }
        };
        let (when, unless) = (said(&rule.when, bound, false)?, said(&rule.unless, other, true)?);
        Ok(when.zip(unless).map(|(when, unless)| Self { when, unless }))
    }
}

fn reads_name(condition: &Placed<String>) -> bool {
    shape(&condition.value).is_some_and(|shape| shape.reads_name)
}

/// The expression of a condition in Cedar's JSON form.
pub(crate) fn body(condition: &str) -> Option<Value> {
    let text = format!("permit(principal, action, resource) when {{ {} }};", enclosed(condition));
    let json = cedar_policy::Policy::parse(None, text).ok()?.to_json().ok()?;
    json.get("conditions")?.get(0)?.get("body").cloned()
}

/// What a rule is about, in Cedar's terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Everything,
    Tools,
    Prompts,
    Resources,
}

impl Kind {
    const fn word(self) -> &'static str {
        match self {
            Self::Everything => "all",
            Self::Tools => "tools",
            Self::Prompts => "prompts",
            Self::Resources => "resources",
        }
    }

    pub(super) const fn attribute(self) -> &'static str {
        match self {
            Self::Resources => "uri",
            Self::Everything | Self::Tools | Self::Prompts => "name",
        }
    }

    /// The scope of the resource: where a verb is done to several kinds of thing it says which.
    pub(super) const fn scope(self) -> &'static str {
        match self {
            Self::Everything | Self::Tools => "resource",
            Self::Prompts => "resource is Portcullis::Prompt",
            Self::Resources => "resource is Portcullis::Resource",
        }
    }

    pub(super) const fn verbs(self) -> &'static [Verb] {
        match self {
            Self::Everything => &Verb::ALL,
            Self::Tools => &[Verb::ToolsCall, Verb::ToolsList],
            Self::Prompts => &[Verb::CompletionComplete, Verb::PromptsGet, Verb::PromptsList],
            Self::Resources => {
                &[Verb::CompletionComplete, Verb::ResourcesList, Verb::ResourcesRead, Verb::ResourcesSubscribe]
            }
        }
    }
}

fn groups(rule: &Rule) -> BTreeMap<(Option<ServerName>, Kind), Vec<Pattern>> {
    let mut groups: BTreeMap<(Option<ServerName>, Kind), Vec<Pattern>> = BTreeMap::new();
    for Placed { value, .. } in &rule.forbid {
        let (server, kind, pattern) = match value {
            Selector::Server(server) => (server.clone(), Kind::Everything, None),
            Selector::Tool(server, pattern) => (Some(server.clone()), Kind::Tools, Some(pattern)),
            Selector::Prompt(server, pattern) => (Some(server.clone()), Kind::Prompts, Some(pattern)),
            Selector::Resource(server, pattern) => (Some(server.clone()), Kind::Resources, Some(pattern)),
        };
        groups.entry((server, kind)).or_default().extend(pattern.cloned());
    }
    for patterns in groups.values_mut() {
        patterns.sort();
        patterns.dedup();
    }
    groups
}

/// The rule's own id, else one derived from what it says.
fn id(rule: &Rule) -> String {
    use sha2::Digest;
    if let Some(id) = &rule.id {
        return id.to_string();
    }
    let mut selectors: Vec<String> = rule.forbid.iter().map(|selector| format!("{:?}", selector.value)).collect();
    selectors.sort();
    let condition = |text: &Option<Placed<String>>| text.as_ref().map(|text| text.value.trim().to_owned());
    let said = format!("{selectors:?} {:?} {:?}", condition(&rule.when), condition(&rule.unless));
    hex(&sha2::Sha256::digest(said)).chars().take(12).collect()
}

pub(super) fn enclosed(condition: &str) -> String {
    // A comment at its end must not swallow the bracket.
    let condition = condition.trim();
    if condition.contains("//") { format!("(\n{condition}\n    )") } else { format!("({condition})") }
}

fn reads_call(rule: &Rule) -> bool {
    [&rule.when, &rule.unless]
        .into_iter()
        .flatten()
        .any(|condition| shape(&condition.value).is_some_and(|shape| OF_CALLS.iter().any(|fact| shape.reads(fact))))
}

pub(super) fn shape(condition: &str) -> Option<Shape> {
    let text = format!("permit(principal, action, resource) when {{ {} }};", enclosed(condition));
    Shape::of(&cedar_policy::Policy::parse(None, text).ok()?).ok()
}

pub(super) fn condition_problem(condition: &Placed<String>) -> Option<Diagnostic> {
    let parsed = cedar_policy::Expression::from_str(&condition.value).map_err(|error| findings::said(&error));
    if let Err(error) = parsed {
        return Some(findings::CONDITION.at(&condition.place, format!("this is not one Cedar expression: {error}")));
    }
    let shape = shape(&condition.value)?;
    if shape.uses_in {
        return Some(findings::IN_CONDITION.at(&condition.place, "`in` is silently false where an entity is unknown"));
    }
    None
}
