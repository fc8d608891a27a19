//! What there is on a server to ask about: what was pinned, what the configuration names, one name for
//! each pattern, and one for all that is not named.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::OnceLock,
};

use super::{Access, Reach};
use crate::{
    config::Selector,
    name::{Pattern, ServerName},
    policy::{Inventory, Policy, Target, Verb},
};

/// Something to ask about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aim {
    /// What it is.
    pub target: Target,
    /// How it comes to be known.
    pub known: Known,
}

/// How something comes to be known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Known {
    /// The server itself.
    Server,
    /// `portcullis.lock` pins it.
    Pinned,
    /// The configuration names it; whether the server has it is not known.
    Named,
    /// It stands for whatever else fits this pattern.
    Fits(Pattern),
    /// It stands for every other name.
    Other,
}

impl Aim {
    /// The name to show: the pattern, and `*` for every other, where it stands for more than itself.
    #[must_use]
    pub fn name(&self) -> &str {
        match &self.known {
            Known::Server | Known::Pinned | Known::Named => self.target.name(),
            Known::Fits(pattern) => pattern.as_str(),
            Known::Other => "*",
        }
    }
}

/// What there is on one server.
#[derive(Debug)]
pub(super) struct Scene {
    aims: Vec<Aim>,
    pub(super) inventory: Inventory,
    /// Whether anybody may do anything there.
    pub(super) access: OnceLock<Access>,
}

impl Reach<'_> {
    /// What there is on a server that this verb can be asked about, sorted by name, `*` last.
    pub fn aims(&self, server: &ServerName, verb: Verb) -> impl Iterator<Item = &Aim> {
        let aims = self.scene(server).map(|scene| scene.aims.as_slice()).unwrap_or_default();
        aims.iter().filter(move |aim| verb.takes(aim.target.kind()))
    }

    /// Whether `portcullis.lock` says what this server offers.
    #[must_use]
    pub fn is_pinned(&self, server: &ServerName) -> bool {
        self.lock.is_some_and(|lock| lock.server(server).is_some())
    }

    pub(super) fn scene(&self, server: &ServerName) -> Option<&Scene> {
        let made = || {
            let mut aims = vec![Aim { target: Target::Server(server.clone()), known: Known::Server }];
            for verb in [Verb::ToolsCall, Verb::PromptsGet, Verb::ResourcesRead] {
                aims.extend(self.names(server, verb));
            }
            let targets = aims.iter().map(|aim| aim.target.clone());
            let inventory = self.engine.inventory(server, targets).ok()?;
            Some(Scene { aims, inventory, access: OnceLock::new() })
        };
        self.scenes.get(server)?.get_or_init(made).as_ref()
    }

    fn names(&self, server: &ServerName, verb: Verb) -> Vec<Aim> {
        let mut aims: BTreeMap<String, Aim> = BTreeMap::new();
        let mut add = |name: &str, known: Known| {
            if let Some(target) = target(server, verb, name) {
                aims.entry(name.to_owned()).or_insert(Aim { target, known });
            }
        };
        for name in self.pinned(server, verb) {
            add(name, Known::Pinned);
        }
        let patterns = self.patterns(server, verb);
        for pattern in patterns.iter().filter(|pattern| pattern.is_literal()) {
            add(pattern.as_str(), Known::Named);
        }
        let mut aims: Vec<Aim> = aims.into_values().collect();
        for pattern in patterns.iter().filter(|pattern| !pattern.is_literal()) {
            let one = sample(pattern, &patterns).and_then(|name| target(server, verb, &name));
            aims.extend(one.map(|target| Aim { target, known: Known::Fits(pattern.clone()) }));
        }
        let any: Option<Pattern> = "*".parse().ok();
        if !patterns.iter().any(|pattern| pattern.as_str() == "*") {
            let other = any.and_then(|any| sample(&any, &patterns)).and_then(|name| target(server, verb, &name));
            aims.extend(other.map(|target| Aim { target, known: Known::Other }));
        }
        aims
    }

    fn pinned(&self, server: &ServerName, verb: Verb) -> Vec<&str> {
        let Some(offered) = self.lock.and_then(|lock| lock.server(server)) else { return Vec::new() };
        match verb {
            Verb::ToolsCall | Verb::ToolsList => offered.tools.keys().map(|name| name.as_str()).collect(),
            Verb::PromptsGet | Verb::PromptsList => offered.prompts.keys().map(|name| name.as_str()).collect(),
            Verb::ResourcesRead | Verb::ResourcesList | Verb::ResourcesSubscribe => {
                offered.resources.keys().map(|uri| uri.as_str()).collect()
            }
            Verb::ServerDiscover | Verb::CompletionComplete => Vec::new(),
        }
    }

    /// The patterns by which the configuration and its policies name things of a server.
    fn patterns(&self, server: &ServerName, verb: Verb) -> BTreeSet<Pattern> {
        let exceptions = self.config.servers.get(server).map(|server| match verb {
            Verb::PromptsGet => &server.prompts,
            Verb::ResourcesRead => &server.resources,
            _ => &server.tools,
        });
        let mut patterns: BTreeSet<Pattern> = exceptions.into_iter().flat_map(|of| of.keys().cloned()).collect();
        for selector in self.config.rules.iter().flat_map(|rule| &rule.forbid) {
            match (&selector.value, verb) {
                (Selector::Tool(of, pattern), Verb::ToolsCall)
                | (Selector::Prompt(of, pattern), Verb::PromptsGet)
                | (Selector::Resource(of, pattern), Verb::ResourcesRead)
                    if of == server =>
                {
                    patterns.insert(pattern.clone());
                }
                _ => {}
            }
        }
        for policy in self.engine.policies_of(server, verb).filter(|policy| names_freely(policy)) {
            let strings = self.literals(policy).into_iter().flat_map(|literals| &literals.strings);
            patterns.extend(strings.filter_map(|text| text.parse::<Pattern>().ok()));
        }
        patterns
    }
}

/// Whether a policy reads names in its own way, so that any text in it may be one.
fn names_freely(policy: &Policy) -> bool {
    policy.shape.reads_name && policy.patterns.is_empty()
}

fn target(server: &ServerName, verb: Verb, name: &str) -> Option<Target> {
    let server = server.clone();
    Some(match verb {
        Verb::ToolsCall | Verb::ToolsList => Target::Tool(server, name.parse().ok()?),
        Verb::PromptsGet | Verb::PromptsList => Target::Prompt(server, name.parse().ok()?),
        Verb::ResourcesRead | Verb::ResourcesList | Verb::ResourcesSubscribe => {
            Target::Resource(server, name.parse().ok()?)
        }
        Verb::ServerDiscover | Verb::CompletionComplete => return None,
    })
}

/// A name that fits the pattern, and as few others as may be.
fn sample(pattern: &Pattern, others: &BTreeSet<Pattern>) -> Option<String> {
    let fills = ["x", "other", "zq0", "any-name", ""];
    let names = fills.iter().map(|fill| pattern.as_str().replace('*', fill)).filter(|name| !name.is_empty());
    names.min_by_key(|name| others.iter().filter(|other| other.matches(name)).count())
}
