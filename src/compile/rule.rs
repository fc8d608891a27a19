//! `rules:` → forbids, one for each server and kind of thing that a rule names.
//!
//! A condition is one Cedar expression, parsed alone before it is put into a policy: nothing written
//! there can close the policy and open another. A rule that reads what only a call has (findings,
//! arguments) says nothing of lists: what may be called for some arguments is shown.

use std::{collections::BTreeMap, str::FromStr};

use super::render::{Draft, actions, named, pin};
use crate::{
    config::{Rule, Selector},
    diagnostic::{Diagnostic, Placed},
    name::{Pattern, ServerName},
    policy::{Effect, Policy, Shape, Verb, hex},
};

use super::findings;

/// The policies of one rule.
pub(super) fn policies(rule: &Rule) -> Result<Vec<Policy>, Vec<Diagnostic>> {
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
        when.extend(rule.when.iter().map(|condition| enclosed(&condition.value)));
        let unless: Vec<String> = rule.unless.iter().map(|condition| enclosed(&condition.value)).collect();
        let of_call = reads_call(rule);
        let verbs: Vec<Verb> = kind.verbs().iter().copied().filter(|verb| verb.acts() || !of_call).collect();
        let draft = Draft {
            id: &id,
            effect: Effect::Forbid,
            principal: "principal",
            resource: kind.scope(),
            actions: actions(verbs),
            when,
            unless,
        };
        let text = draft.text();
        let policy = Policy::parse(&id, &text, Some(rule.place.clone()), None)
            .map_err(|error| vec![findings::CONDITION.at(&rule.place, error)])?;
        let by_patterns = !conditions.iter().any(|(_, condition)| {
            condition.as_ref().is_some_and(|text| shape(&text.value).is_some_and(|shape| shape.reads_name))
        });
        policies.push(if by_patterns { policy.by_patterns(patterns) } else { policy });
    }
    Ok(policies)
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

fn enclosed(condition: &str) -> String {
    // A comment at its end must not swallow the bracket.
    let condition = condition.trim();
    if condition.contains("//") { format!("(\n{condition}\n    )") } else { format!("({condition})") }
}

fn reads_call(rule: &Rule) -> bool {
    [&rule.when, &rule.unless].into_iter().flatten().any(|condition| {
        shape(&condition.value)
            .is_some_and(|shape| ["findings", "drifted", "args"].iter().any(|fact| shape.facts.contains(*fact)))
    })
}

fn shape(condition: &str) -> Option<Shape> {
    let text = format!("permit(principal, action, resource) when {{ {} }};", enclosed(condition));
    Shape::of(&cedar_policy::Policy::parse(None, text).ok()?).ok()
}

fn condition_problem(condition: &Placed<String>) -> Option<Diagnostic> {
    let parsed = cedar_policy::Expression::from_str(&condition.value).map_err(|error| findings::said(&error));
    if let Err(error) = parsed {
        return Some(findings::CONDITION.at(&condition.place, format!("this is not one Cedar expression: {error}")));
    }
    let shape = shape(&condition.value)?;
    if shape.facts.contains("args") {
        return Some(
            findings::ARGUMENTS
                .at(&condition.place, "`context.args` is not available: typed arguments are not supported yet"),
        );
    }
    if shape.uses_in {
        return Some(findings::IN_CONDITION.at(&condition.place, "`in` is silently false where an entity is unknown"));
    }
    None
}
