//! `validation:` → forbids that read `context.findings`: of *admit*, for what stands in path, query and
//! header fields, and of *use*, for what is sent to servers. Only where something says `deny`.
//!
//! Each begins with what was found, behind the pin of its server: a request in which nothing was found
//! is not asked of any (`Shape::found_only`), and costs nothing.
//!
//! SPEC: design §3 *admit*; SM-24, SM-25.
//! To add a detector: nothing here; its key under `validation`.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    argument::Typing,
    press::Written,
    render::{Draft, actions, endpoints, named, pin, string},
};
use crate::{
    config::{Config, Mode, Scope, Validation},
    detect::Detector,
    diagnostic::{Place, Placed},
    name::{Pattern, ServerName},
    policy::{Effect, EndpointClass, Verb},
};

/// The checks of all detectors.
pub(super) fn policies(config: &Config, typing: &Typing) -> Vec<Written> {
    let mut policies = Vec::new();
    for detector in Detector::ALL {
        policies.extend(of_requests(&config.validation, detector));
        policies.extend(Calls { validation: &config.validation, detector, typing }.policies());
    }
    policies
}

/// What is found in path, query and header fields.
fn of_requests(validation: &Validation, detector: Detector) -> Option<Written> {
    let denied: Vec<EndpointClass> =
        EndpointClass::ALL.into_iter().filter(|class| validation.at_endpoint(detector, *class) == Mode::Deny).collect();
    if denied.is_empty() {
        return None;
    }
    let mut when = vec![found(detector)];
    if denied.len() < EndpointClass::ALL.len() {
        when.push(endpoints(denied));
    }
    let id = format!("check/{detector}");
    let draft = Draft {
        id: &id,
        notes: vec![
            ("http", "400".to_owned()),
            ("code", detector.word().to_owned()),
            ("message", format!("the request looks like {}", detector.about())),
        ],
        effect: Effect::Forbid,
        principal: "principal is Portcullis::Peer",
        resource: "resource",
        actions: vec!["request"],
        when,
        unless: Vec::new(),
    };
    Some(draft.written(place(validation, detector)))
}

fn found(detector: Detector) -> String {
    format!("context.findings.contains({})", string(detector.word()))
}

fn place(validation: &Validation, detector: Detector) -> Option<&Place> {
    validation.modes.get(&detector).map(|mode| &mode.place)
}

/// What one detector finds in what is sent to servers.
struct Calls<'c> {
    validation: &'c Validation,
    detector: Detector,
    typing: &'c Typing,
}

/// What is said of the tools of a server by name.
#[derive(Default)]
struct Named<'c> {
    /// By name, and by pattern.
    of: [BTreeMap<&'c Pattern, &'c Placed<Mode>>; 2],
}

impl Calls<'_> {
    fn policies(&self) -> Vec<Written> {
        let mut policies = Vec::new();
        let said = self.servers();
        let everywhere = self.everywhere();
        let base = everywhere.map_or(Mode::Report, |mode| mode.value);
        if base == Mode::Deny {
            let mut when = vec![found(self.detector)];
            let other: Vec<&str> = said.keys().map(|server| server.as_str()).collect();
            if !other.is_empty() {
                let servers: Vec<String> =
                    other.into_iter().map(|server| format!("Portcullis::Server::{}", string(server))).collect();
                when.push(format!("![{}].contains(resource.server)", servers.join(", ")));
            }
            let typed = self.typing.actions(None);
            let id = format!("check/{}/calls", self.detector);
            policies.push(self.policy(&id, "resource", actions(acting(), &typed), when, everywhere, Vec::new()));
        }
        for (server, (whole, tools)) in said {
            policies.extend(self.of_server(server, whole.or(everywhere), &tools));
        }
        policies
    }

    /// What is said for every server.
    fn everywhere(&self) -> Option<&Placed<Mode>> {
        let said = self.entries(|scope| matches!(scope, Scope::Everything).then_some(()));
        stricter(said.map(|(_, mode)| mode)).or_else(|| self.validation.modes.get(&self.detector))
    }

    /// What is said of some servers: of the whole, and of tools by name.
    fn servers(&self) -> BTreeMap<&ServerName, (Option<&Placed<Mode>>, Named<'_>)> {
        let mut said: BTreeMap<&ServerName, (Option<&Placed<Mode>>, Named<'_>)> = BTreeMap::new();
        for (server, mode) in self.entries(Scope::server) {
            let (whole, _) = said.entry(server).or_default();
            *whole = stricter(whole.iter().copied().chain([mode]));
        }
        for ((server, pattern), mode) in self.entries(Scope::tool) {
            let (_, Named { of: [exact, patterns] }) = said.entry(server).or_default();
            let of = if pattern.is_literal() { exact } else { patterns };
            let before = of.get(pattern).copied();
            of.extend(stricter(before.into_iter().chain([mode])).map(|mode| (pattern, mode)));
        }
        said
    }

    fn entries<'c, T: 'c>(
        &'c self,
        of: impl Fn(&'c Scope) -> Option<T> + Copy + 'c,
    ) -> impl Iterator<Item = (T, &'c Placed<Mode>)> {
        self.validation.exceptions.iter().flat_map(move |exempt| {
            let mode = exempt.modes.get(&self.detector);
            exempt.on.iter().filter_map(move |scope| Some((of(&scope.value)?, mode?)))
        })
    }

    fn of_server(&self, server: &ServerName, whole: Option<&Placed<Mode>>, tools: &Named<'_>) -> Vec<Written> {
        let denied = whole.is_some_and(|mode| mode.value == Mode::Deny);
        let start = || vec![pin(server), found(self.detector)];
        let (id, typed) = (format!("check/{}/{server}", self.detector), self.typing.actions(Some(server)));
        if tools.is_empty() {
            let acts = actions(acting(), &typed);
            return denied
                .then(|| self.policy(&id, "resource", acts, start(), whole, Vec::new()))
                .into_iter()
                .collect();
        }
        let mut policies = Vec::new();
        if denied {
            let acts = actions(acting().filter(|verb| *verb != Verb::ToolsCall), &[]);
            policies.push(self.policy(&format!("{id}/others"), "resource", acts, start(), whole, Vec::new()));
        }
        if let Some(condition) = tools.condition(denied) {
            let mut when = start();
            when.extend(condition);
            let acts = actions([Verb::ToolsCall], &typed);
            let strict = stricter(tools.modes().chain(whole));
            policies.push(self.policy(&format!("{id}/tools"), "resource", acts, when, strict, tools.patterns()));
        }
        policies
    }

    fn policy(
        &self,
        id: &str,
        resource: &str,
        actions: Vec<&str>,
        when: Vec<String>,
        said: Option<&Placed<Mode>>,
        patterns: Vec<Pattern>,
    ) -> Written {
        let draft = Draft {
            id,
            notes: Vec::new(),
            effect: Effect::Forbid,
            principal: "principal",
            resource,
            actions,
            when,
            unless: Vec::new(),
        };
        Written { patterns, ..draft.written(said.map(|mode| &mode.place)) }
    }
}

/// The verbs that have findings.
fn acting() -> impl Iterator<Item = Verb> {
    Verb::ALL.into_iter().filter(|verb| verb.acts())
}

fn stricter<'m>(modes: impl Iterator<Item = &'m Placed<Mode>>) -> Option<&'m Placed<Mode>> {
    modes.reduce(|one, other| if other.value > one.value { other } else { one })
}

impl Named<'_> {
    fn is_empty(&self) -> bool {
        self.of.iter().all(BTreeMap::is_empty)
    }

    fn modes(&self) -> impl Iterator<Item = &Placed<Mode>> {
        self.of.iter().flat_map(|of| of.values().copied())
    }

    fn patterns(&self) -> Vec<Pattern> {
        let all: BTreeSet<&Pattern> = self.of.iter().flat_map(|of| of.keys().copied()).collect();
        all.into_iter().cloned().collect()
    }

    /// Of which tools it is denied, as conditions; nothing where of none. A name counts before a pattern, and
    /// of patterns the stricter.
    fn condition(&self, otherwise: bool) -> Option<Vec<String>> {
        let [exact, patterns] = &self.of;
        let any = |of: &BTreeMap<&Pattern, &Placed<Mode>>, denied: bool| {
            let names = of.iter().filter(|(_, mode)| (mode.value == Mode::Deny) == denied);
            let names: Vec<String> = names.map(|(pattern, _)| named("name", pattern)).collect();
            (!names.is_empty()).then(|| format!("({})", names.join(" || ")))
        };
        // From the least specific to the most.
        let mut condition = if otherwise { Some(Vec::new()) } else { None };
        for of in [patterns, exact] {
            let (denied, spared) = (any(of, true), any(of, false));
            condition = match (condition, spared) {
                (Some(mut all), Some(spared)) => {
                    all.push(format!("!{spared}"));
                    Some(all)
                }
                (condition, _) => condition,
            };
            condition = match (condition, denied) {
                (None, Some(denied)) => Some(vec![denied]),
                (Some(all), Some(denied)) if !all.is_empty() => {
                    Some(vec![format!("({denied} || ({}))", all.join(" && "))])
                }
                (condition, _) => condition,
            };
        }
        condition
    }
}

#[cfg(test)]
mod tests;
