//! What a request has to pass, in the order in which `serve` asks it.
//!
//! What only a running gateway sees (the token itself, its audience, what was counted) is named as not
//! decided here and never shown as passed.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{Answered, Limit, Supposed, agreed, turn};
use crate::{
    name::ScopeName,
    policy::{Because, Decision, Engine, Target, Verb},
    principal::Principal,
};

/// How a request fares at a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Passed {
    /// It passes.
    Pass,
    /// It is held up, and that shows in the decision.
    Fail,
    /// Something is odd that does not hold up this request.
    Odd,
    /// A gate before it held the request up.
    NotReached,
    /// It is not for `explain` to say.
    NotDecided,
}

/// A gate and how the request fares there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gate {
    /// `token`, `audience`, `scope`, `filter`, `listed`, `policy`, `limit`, `validation` or `consent`.
    pub gate: &'static str,
    /// How the request fares.
    pub passed: Passed,
    /// Why, in words.
    pub why: String,
    /// The questions that were asked there, by their place in the list.
    pub questions: Vec<usize>,
}

/// The gates of a request with these answers, of which `decision` is the last.
pub(super) fn gates(
    engine: &Engine,
    supposed: &Supposed,
    questions: &[Answered],
    decision: &Decision,
    limits: &Result<Vec<Limit>, String>,
) -> Vec<Gate> {
    let first_use = questions.iter().position(|asked| asked.question == "use").unwrap_or_default();
    let last = questions.len().saturating_sub(1);
    let mut gates = Vec::new();
    let mut held = false;
    let mut gate = |gate: &'static str, questions: Vec<usize>, (passed, why): (Passed, String)| {
        let (passed, why) = if held { (Passed::NotReached, "not reached".to_owned()) } else { (passed, why) };
        // Whether a target is listed and whether it may be used are answered both.
        held |= passed == Passed::Fail && gate != "listed";
        let questions = if passed == Passed::NotReached { Vec::new() } else { questions };
        gates.push(Gate { gate, passed, why, questions });
    };
    // Where one of these fails, what denies is a guard rail, and the last question says which.
    let guarded = |answer: (Passed, String)| (if answer.0 == Passed::Fail { vec![last] } else { vec![] }, answer);
    let (asked, answer) = guarded(token(engine, supposed, decision));
    gate("token", asked, answer);
    gate("audience", Vec::new(), audience(engine));
    gate("scope", (0..first_use).collect(), scope(engine, questions.get(..first_use).unwrap_or_default()));
    let (asked, answer) = guarded(filter(engine, supposed));
    gate("filter", asked, answer);
    if decision.because == Because::UnknownServer {
        gate("listed", vec![], (Passed::Fail, turn::no_server(supposed.target.server(), engine)));
        gate("policy", vec![last], (Passed::Fail, "there is no such server".into()));
    } else {
        gate("listed", (first_use..last).collect(), listed(questions.get(first_use..last), decision));
        let asked = if agreed::denied(decision) { vec![] } else { vec![last] };
        gate("policy", asked, policy(engine, supposed, decision));
    }
    gate("limit", Vec::new(), limit(limits));
    let (asked, answer) = guarded(validation(engine, supposed, decision));
    gate("validation", asked, answer);
    let (asked, answer) = guarded(agreed::gate(engine, supposed, decision));
    gate("consent", asked, answer);
    gates
}

fn token(engine: &Engine, supposed: &Supposed, decision: &Decision) -> (Passed, String) {
    if !engine.bundle().oauth() {
        (Passed::Pass, "OAuth is off: nobody needs a token, and everybody is anonymous".into())
    } else if supposed.principal == Principal::Anonymous {
        let passed = if decision.is_allow() { Passed::Odd } else { Passed::Fail };
        (passed, "there is none, and OAuth is on".into())
    } else {
        (Passed::Pass, format!("supposed to be a good token of {}", supposed.principal))
    }
}

fn audience(engine: &Engine) -> (Passed, String) {
    if engine.bundle().oauth() {
        (Passed::NotDecided, "not decided here: only `serve` sees where the token is presented".into())
    } else {
        (Passed::Pass, "without a token there is none".into())
    }
}

fn scope(engine: &Engine, grants: &[Answered]) -> (Passed, String) {
    if !engine.bundle().oauth() {
        return (Passed::Pass, "OAuth is off: every scope is held".into());
    }
    let words = |allowed: bool| {
        let scopes = grants.iter().filter(|asked| asked.decision.is_allow() == allowed);
        scopes.map(|asked| asked.about.as_str()).collect::<Vec<_>>().join(" ")
    };
    let (may, may_not) = (words(true), words(false));
    if !may_not.is_empty() {
        (Passed::Odd, format!("no new token gets {may_not}: nothing under `grants:` lets this caller have it"))
    } else if may.is_empty() {
        (Passed::Pass, "the token has no scope".into())
    } else {
        (Passed::Pass, format!("{may} may be held"))
    }
}

fn filter(engine: &Engine, supposed: &Supposed) -> (Passed, String) {
    let words = |scopes: &BTreeSet<ScopeName>| scopes.iter().map(ScopeName::as_str).collect::<Vec<_>>().join(" ");
    let what = match (&supposed.view, &supposed.named) {
        (None, None) => return (Passed::Pass, "no `?tags=`".into()),
        (None, Some(_)) => "`?tags=`".to_owned(),
        (Some(view), None) => format!("the view `@{view}`"),
        (Some(view), Some(_)) => format!("the view `@{view}` and `?tags=`"),
    };
    let many = if supposed.view.is_some() && supposed.named.is_some() { "" } else { "s" };
    let beyond = turn::beyond(supposed, engine);
    if engine.bundle().oauth() && !beyond.is_empty() {
        return (Passed::Fail, format!("{what} name{many} {}, which the token lacks", words(&beyond)));
    }
    let left = supposed.standing(engine).named.unwrap_or_default();
    let left = if left.is_empty() { "nothing".to_owned() } else { words(&left) };
    (Passed::Pass, format!("{what} narrow{many} the request to {left}"))
}

fn listed(asked: Option<&[Answered]>, decision: &Decision) -> (Passed, String) {
    match asked.and_then(<[_]>::first) {
        None => (Passed::NotDecided, "the request itself asks what is shown".into()),
        Some(shown) if shown.decision.is_allow() => (Passed::Pass, format!("{} shows it", shown.action)),
        Some(shown) if decision.is_allow() => {
            (Passed::Odd, format!("{} hides it ({}), yet it may be used", shown.action, shown.decision.because))
        }
        Some(shown) => (Passed::Fail, format!("{} hides it ({})", shown.action, shown.decision.because)),
    }
}

fn limit(limits: &Result<Vec<Limit>, String>) -> (Passed, String) {
    match limits {
        Err(error) => (Passed::Fail, format!("which limits apply cannot be said, so `serve` refuses: {error}")),
        Ok(limits) if limits.is_empty() => (Passed::Pass, "no tier under `rates:` limits it".into()),
        Ok(limits) => {
            let tiers: Vec<&str> = limits.iter().map(|limit| &*limit.tier).collect();
            (Passed::NotDecided, format!("not decided here: only `serve` counts what {} let through", tiers.join(", ")))
        }
    }
}

fn validation(engine: &Engine, supposed: &Supposed, decision: &Decision) -> (Passed, String) {
    let not_here = |words: &str| (Passed::NotDecided, format!("not decided here: {words}"));
    match (&decision.misfit, &supposed.args) {
        (Some(misfit), _) => (Passed::Fail, misfit.to_string()),
        (None, _) if supposed.verb != Verb::ToolsCall => not_here("only `serve` reads a whole request"),
        (None, _) if !engine.pins_arguments(&supposed.target) => {
            not_here("portcullis.lock does not say which arguments the tool has")
        }
        (None, None) => not_here("no arguments were given (`--args`)"),
        (None, Some(_)) => (Passed::Pass, "the arguments fit the tool's schema in portcullis.lock".into()),
    }
}

fn policy(engine: &Engine, supposed: &Supposed, decision: &Decision) -> (Passed, String) {
    let of = match supposed.target {
        Target::Server(_) => "the server",
        Target::Tool(..) => "the tool",
        Target::Prompt(..) => "the prompt",
        Target::Resource(..) => "the resource",
    };
    if decision.misfit.is_some() {
        (Passed::Pass, format!("{} is permitted on {of} with some arguments", supposed.verb))
    } else if decision.is_allow() || agreed::denied(decision) {
        let some = supposed.args.is_none() && engine.reads_arguments(supposed.verb, &supposed.target);
        let words = if some { " with some arguments; `--args` asks with these" } else { "" };
        (Passed::Pass, format!("{} is permitted on {of}{words}", supposed.verb))
    } else {
        (Passed::Fail, format!("{} is denied ({})", supposed.verb, decision.because))
    }
}
