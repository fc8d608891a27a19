//! Runs a suite: every pair, list and property decided and compared with what is expected.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    coverage::Seen,
    expect::{Expected, ListTest, Pair, Test},
    failure::{self, Failure},
    filter::{About, Filter},
    ground::{Answer, Ground},
    limit::{self, LimitTest},
    property::Property,
    read::Suite,
    surface::{self, SurfaceTest},
    who::Who,
};
use crate::{
    diagnostic::Place,
    policy::{Moment, Target},
};

/// What became of a suite.
#[derive(Debug)]
pub struct Ran {
    /// Its name.
    pub suite: String,
    /// Its file.
    pub file: Arc<str>,
    /// Every case, in the order of the file.
    pub cases: Vec<Case>,
    /// What the decisions showed.
    pub seen: Seen,
}

/// One thing that was tested.
#[derive(Debug)]
pub struct Case {
    /// The test it belongs to.
    pub test: String,
    /// What it is, within the test; empty where the test is one case.
    pub name: String,
    /// What became of it.
    pub outcome: Outcome,
    /// The line that expects it.
    pub place: Place,
}

/// What became of a case.
#[derive(Debug)]
pub enum Outcome {
    /// As expected.
    Passed,
    /// Not as expected.
    Failed(Box<Failure>),
    /// Left out, and why.
    Skipped(String),
}

impl Ran {
    /// How many passed, failed and were skipped.
    #[must_use]
    pub fn counts(&self) -> (usize, usize, usize) {
        self.cases.iter().fold((0, 0, 0), |(passed, failed, skipped), case| match case.outcome {
            Outcome::Passed => (passed + 1, failed, skipped),
            Outcome::Failed(_) => (passed, failed + 1, skipped),
            Outcome::Skipped(_) => (passed, failed, skipped + 1),
        })
    }
}

/// Runs what fits the filter.
#[must_use]
pub fn run(suite: &Suite, ground: &Ground<'_>, filter: &Filter) -> Ran {
    let mut run = Run { suite, ground, filter, cases: Vec::new(), seen: Seen::default() };
    suite.tests.iter().for_each(|test| run.test(test));
    suite.lists.iter().for_each(|list| run.list(list));
    suite.surfaces.iter().for_each(|surface| run.surface(surface));
    suite.limits.iter().for_each(|limit| run.limit(limit));
    suite.properties.iter().for_each(|property| run.property(property));
    let Run { cases, seen, .. } = run;
    Ran { suite: suite.name.clone(), file: suite.file.clone(), cases, seen }
}

struct Run<'a> {
    suite: &'a Suite,
    ground: &'a Ground<'a>,
    filter: &'a Filter,
    cases: Vec<Case>,
    seen: Seen,
}

impl Run<'_> {
    fn test(&mut self, test: &Test) {
        for pair in &test.pairs {
            let about = About {
                suite: &self.suite.name,
                test: &test.name,
                principal: Some(&pair.who.name),
                request: Some(&pair.ask.name),
                server: Some(pair.ask.target.server().as_str()),
                tool: pair.ask.target.tool(),
            };
            if !self.filter.fits(about) {
                continue;
            }
            let outcome = match &test.skip {
                Some(reason) => Outcome::Skipped(reason.clone()),
                None => self.pair(pair),
            };
            let name = format!("{}: {}", pair.who.name, pair.ask.name);
            self.cases.push(Case { test: test.name.clone(), name, outcome, place: pair.expected.place.clone() });
        }
    }

    fn pair(&mut self, pair: &Pair) -> Outcome {
        let Pair { who, ask, expected } = pair;
        let answer = match self.ground.answer(who, ask) {
            Ok(answer) => answer,
            Err(error) => return Outcome::Failed(Box::new(Failure::undecided(error))),
        };
        self.seen.note(&who.standing, &ask.target, &answer.decision);
        let differs = differences(expected, &answer);
        if differs.is_empty() {
            return Outcome::Passed;
        }
        Outcome::Failed(Box::new(failure::of_pair(self.ground, who, ask, &answer, differs)))
    }

    fn list(&mut self, list: &ListTest) {
        for who in &list.whos {
            let about = About {
                suite: &self.suite.name,
                test: &list.name,
                principal: Some(&who.name),
                request: None,
                server: Some(list.server.as_str()),
                tool: None,
            };
            if !self.filter.fits(about) {
                continue;
            }
            let outcome = match &list.skip {
                Some(reason) => Outcome::Skipped(reason.clone()),
                None => self.shown(list, who),
            };
            let name = format!("{}: {} of {}", who.name, list.verb, list.server);
            self.cases.push(Case { test: list.name.clone(), name, outcome, place: list.place.clone() });
        }
    }

    fn shown(&mut self, list: &ListTest, who: &Arc<Who>) -> Outcome {
        if !self.ground.is_known(&list.server) {
            let problem = format!(
                "there is no inventory of `{}`, so nobody knows what a list of it could show: name a lock file by `inventory`",
                list.server
            );
            return Outcome::Failed(Box::new(Failure::undecided(problem)));
        }
        let standing = match self.ground.standing(who, list.view.as_ref(), list.named.as_ref()) {
            Ok(standing) => standing,
            Err(problem) => return Outcome::Failed(Box::new(Failure::undecided(problem))),
        };
        let moment = Moment {
            now: self.suite.now,
            address: std::net::Ipv4Addr::LOCALHOST.into(),
            tls: false,
            findings: BTreeSet::new(),
            drifted: false,
        };
        let entries = match self.ground.shown(standing, list.verb, &list.server, &moment) {
            Ok(entries) => entries,
            Err(error) => return Outcome::Failed(Box::new(Failure::undecided(error))),
        };
        for (target, decision) in &entries {
            self.seen.note(&who.standing, target, decision);
        }
        let is_shown = |target: &Target| entries.iter().any(|(entry, decision)| entry == target && decision.is_allow());
        let wanted = list.shown.exactly.iter().flatten().chain(&list.shown.contains);
        let mut wrong: Vec<(String, &Target)> = wanted
            .filter(|target| !is_shown(target))
            .map(|target| (format!("does not show `{}`", target.name()), target))
            .collect();
        wrong.extend(
            (list.shown.lacks.iter().filter(|target| is_shown(target)))
                .map(|target| (format!("shows `{}`", target.name()), target)),
        );
        if let Some(exactly) = &list.shown.exactly {
            let more = entries.iter().filter(|(target, decision)| decision.is_allow() && !exactly.contains(target));
            wrong.extend(more.map(|(target, _)| (format!("shows `{}` too", target.name()), target)));
        }
        let Some((_, first)) = wrong.first() else { return Outcome::Passed };
        let failure = failure::of_list(self.ground, who, list, first, &entries, &moment);
        let differs = wrong.iter().map(|(words, _)| format!("the list {words}")).collect();
        Outcome::Failed(Box::new(Failure { differs, ..failure }))
    }

    fn surface(&mut self, test: &SurfaceTest) {
        if !self.filter.fits(About { suite: &self.suite.name, test: &test.name, ..About::default() }) {
            return;
        }
        let outcome = match &test.skip {
            Some(reason) => Outcome::Skipped(reason.clone()),
            None => match surface::differences(self.ground, test) {
                Err(error) => Outcome::Failed(Box::new(Failure::undecided(error))),
                Ok((differs, _)) if differs.is_empty() => Outcome::Passed,
                Ok((differs, explained)) => {
                    let failure = failure::of_surface(self.ground, test, &explained);
                    Outcome::Failed(Box::new(Failure { differs, ..failure }))
                }
            },
        };
        let name = surface::case_name(test);
        self.cases.push(Case { test: test.name.clone(), name, outcome, place: test.place.clone() });
    }

    fn limit(&mut self, test: &LimitTest) {
        for who in &test.whos {
            let about = About {
                suite: &self.suite.name,
                test: &test.name,
                principal: Some(&who.name),
                request: Some(&test.ask.name),
                server: Some(test.ask.target.server().as_str()),
                tool: test.ask.target.tool(),
            };
            if !self.filter.fits(about) {
                continue;
            }
            let outcome = match &test.skip {
                Some(reason) => Outcome::Skipped(reason.clone()),
                None => match limit::differences(self.ground, who, test) {
                    Err(error) => Outcome::Failed(Box::new(Failure::undecided(error))),
                    Ok(differs) if differs.is_empty() => Outcome::Passed,
                    Ok(differs) => {
                        let failure = failure::of_ask(self.ground, who, &test.ask);
                        Outcome::Failed(Box::new(Failure { differs, ..failure }))
                    }
                },
            };
            let name = format!("{}: {}", who.name, test.ask.name);
            self.cases.push(Case { test: test.name.clone(), name, outcome, place: test.place.clone() });
        }
    }

    fn property(&mut self, property: &Property) {
        let about = About { suite: &self.suite.name, test: &property.name, ..About::default() };
        let server = property.what.server.as_ref().map(|server| server.as_str());
        let tool = property.what.names.as_ref().map(|names| names.as_str());
        if !self.filter.fits(About { server, tool, ..about }) {
            return;
        }
        let outcome = match &property.skip {
            Some(reason) => Outcome::Skipped(reason.clone()),
            None => match super::enumerate::violation(self.ground, property) {
                Ok(()) => Outcome::Passed,
                Err(failure) => Outcome::Failed(failure),
            },
        };
        self.cases.push(Case {
            test: property.name.clone(),
            name: String::new(),
            outcome,
            place: property.place.clone(),
        });
    }
}

/// What differs from what is expected, a line each.
fn differences(expected: &Expected, answer: &Answer) -> Vec<String> {
    let Expected { allow, because, missing, by, status, jsonrpc, errors, place: _, listed } = expected;
    let decision = &answer.decision;
    let mut differs = Vec::new();
    let word = |allow: bool| if allow { "allow" } else { "deny" };
    if *allow != decision.is_allow() {
        let why = if *listed { "" } else { ", for `expect` does not list this pair" };
        differs.push(format!(
            "expected {}{why}; it is {} ({})",
            word(*allow),
            word(decision.is_allow()),
            decision.because
        ));
        // All else follows from that.
        return differs;
    }
    if let Some(because) = because.filter(|because| *because != decision.because) {
        differs.push(format!("expected because {because}; it is {}", decision.because));
    }
    if let Some(missing) = missing.as_ref().filter(|missing| !missing.iter().eq(&decision.missing)) {
        let listed = |scopes: Vec<&str>| if scopes.is_empty() { "nothing".to_owned() } else { scopes.join(" ") };
        let wanted = listed(missing.iter().map(|scope| scope.as_str()).collect());
        let found = listed(decision.missing.iter().map(|scope| scope.as_str()).collect());
        differs.push(format!("expected missing {wanted}; it is {found}"));
    }
    for policy in by.iter().filter(|by| !decision.reasons.iter().any(|reason| *reason.policy == ***by)) {
        differs.push(format!("expected the policy {policy} among those that determine it"));
    }
    if let Some(status) = status.filter(|status| *status != u64::from(answer.status())) {
        differs.push(format!("expected status {status}; it is {}", answer.status()));
    }
    if let Some(code) = jsonrpc.filter(|code| answer.code().map(i128::from) != Some(*code)) {
        let found = answer.code().map_or_else(|| "no error".to_owned(), |code| code.to_string());
        differs.push(format!("expected the JSON-RPC code {code}; it is {found}"));
    }
    if let Some(errors) = errors.filter(|errors| usize::try_from(*errors) != Ok(decision.errors.len())) {
        differs.push(format!("expected {errors} evaluation errors; there are {}", decision.errors.len()));
    }
    differs
}
