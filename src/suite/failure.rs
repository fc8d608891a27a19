//! What a failing test says: the request, the decision, the lines behind it, the nearest miss, and the
//! command that shows it all.

use std::borrow::Cow;

use super::{
    ask::Ask,
    expect::ListTest,
    ground::{Answer, Ground},
    surface::SurfaceTest,
    who::Who,
};
use crate::{
    config::Sources,
    diagnostic::Place,
    explain::{Supposed, SurfaceExplained, command_line},
    name::ScopeName,
    policy::{Because, Decision, Effect, Moment, Reason, Standing, Target, Verb},
    principal::Principal,
};

/// Why a case failed.
#[derive(Debug, Default, serde::Serialize)]
pub struct Failure {
    /// What differs from what is expected, a line each.
    pub differs: Vec<String>,
    /// Who asked what, in words; empty where nothing could be asked.
    pub request: String,
    /// The engine's decision.
    pub decision: Option<Decision>,
    /// The HTTP status that goes with it.
    pub status: Option<u16>,
    /// The JSON-RPC code that goes with it.
    pub jsonrpc: Option<i32>,
    /// The policies that determined it, each with its line.
    pub determining: Vec<Determining>,
    /// What would turn the decision, or what it rests on.
    pub nearest: Option<String>,
    /// The command that shows it.
    pub explain: Option<String>,
}

/// A policy that determined a decision.
#[derive(Debug, serde::Serialize)]
pub struct Determining {
    /// Its effect.
    pub effect: Effect,
    /// Its id.
    pub policy: String,
    /// Where it is written; nowhere for what ships with the product.
    pub place: Option<Place>,
    /// The text of that line.
    pub line: Option<String>,
}

impl Failure {
    /// Of a case that could not be decided.
    pub(super) fn undecided(problem: String) -> Self {
        Self { differs: vec![problem], ..Self::default() }
    }
}

/// Of a pair.
pub(super) fn of_pair(ground: &Ground<'_>, who: &Who, ask: &Ask, answer: &Answer, differs: Vec<String>) -> Failure {
    let Moment { now, address, tls, findings, drifted } = ask.moment.clone();
    let args = ask.args.as_ref().and_then(|args| serde_json::from_str(args.get()).ok());
    let (view, named) = (ask.view.clone(), ask.named.clone());
    let supposed = supposed(who.standing.clone(), ask.verb, &ask.target);
    let supposed = Supposed { view, named, now: Some(now), address, tls, findings, drifted, args, ..supposed };
    let failure = of(ground, supposed, &answer.decision);
    Failure { differs, status: Some(answer.status()), jsonrpc: answer.code(), ..failure }
}

/// Of a request that is counted: what it draws from is in its explanation.
pub(super) fn of_ask(ground: &Ground<'_>, who: &Who, ask: &Ask) -> Failure {
    let Moment { now, address, tls, findings, drifted } = ask.moment.clone();
    let (view, named) = (ask.view.clone(), ask.named.clone());
    let supposed = supposed(who.standing.clone(), ask.verb, &ask.target);
    let supposed = Supposed { view, named, now: Some(now), address, tls, findings, drifted, ..supposed };
    let asked = of(ground, supposed, &Decision::deny(Because::RateLimited));
    // Whether it is allowed was not asked.
    Failure { decision: None, nearest: None, ..asked }
}

/// Of an HTTP request as such.
pub(super) fn of_surface(ground: &Ground<'_>, test: &SurfaceTest, explained: &SurfaceExplained) -> Failure {
    let SurfaceExplained { method, path, decision, status, .. } = explained;
    Failure {
        request: format!("{method} {path}"),
        determining: determining(&decision.reasons, ground.sources()),
        decision: Some(decision.clone()),
        status: *status,
        explain: Some(with_options(ground, format!("portcullis explain {}", test.command()))),
        ..Failure::default()
    }
}

/// Of a list, by the first entry that is wrong.
pub(super) fn of_list(
    ground: &Ground<'_>,
    who: &Who,
    list: &ListTest,
    wrong: &Target,
    entries: &[(Target, Decision)],
    moment: &Moment,
) -> Failure {
    let unknown = Decision::deny(Because::UnknownTool);
    let decision = entries.iter().find(|(target, _)| target == wrong).map_or(&unknown, |(_, decision)| decision);
    let (view, named) = (list.view.clone(), list.named.clone());
    let supposed = supposed(who.standing.clone(), list.verb, wrong);
    let supposed = Supposed { view, named, now: Some(moment.now), ..supposed };
    of(ground, supposed, decision)
}

/// Somebody of this standing who asks for this, in an uneventful moment.
pub(super) fn supposed(standing: Standing, verb: Verb, target: &Target) -> Supposed {
    let Standing { principal, client, groups, scopes, named } = standing;
    // A client without a person says who it is once.
    let client = client.filter(|_| matches!(principal, Principal::User(_)));
    Supposed { client, groups, named, ..Supposed::new(principal, scopes, verb, target.clone()) }
}

/// Of any decision.
pub(super) fn of(ground: &Ground<'_>, supposed: Supposed, decision: &Decision) -> Failure {
    let with = supposed.args.as_ref().map(|args| format!(" with {args}")).unwrap_or_default();
    let request = format!("{}: {} on {}{with}", who(&supposed), supposed.verb, supposed.target);
    // A time that no policy reads says nothing.
    let now = supposed.now.filter(|_| ground.engine().bundle().reads("now"));
    let supposed = Supposed { now, ..supposed };
    Failure {
        differs: Vec::new(),
        request,
        determining: determining(&decision.reasons, ground.sources()),
        nearest: Some(nearest(decision)),
        explain: Some(explain_command(ground, &supposed)),
        decision: Some(decision.clone()),
        status: None,
        jsonrpc: None,
    }
}

fn who(supposed: &Supposed) -> String {
    let Supposed { principal, client, groups, scopes, view, named, .. } = supposed;
    let mut words = principal.to_string();
    if let (Principal::User(_), Some(client)) = (principal, client) {
        words = format!("{words} through {client}");
    }
    if !groups.is_empty() {
        words = format!("{words} in {}", joined(groups.iter().map(|group| group.as_str()), ", "));
    }
    if *principal != Principal::Anonymous {
        let scopes = joined(scopes.iter().map(ScopeName::as_str), " ");
        words = if scopes.is_empty() { format!("{words} without scopes") } else { format!("{words} with {scopes}") };
    }
    if let Some(view) = view {
        words = format!("{words}, through the view @{view}");
    }
    if let Some(named) = named {
        words = format!("{words}, naming {}", joined(named.iter().map(ScopeName::as_str), " "));
    }
    words
}

fn determining(reasons: &[Reason], sources: &Sources) -> Vec<Determining> {
    let line = |place: &Place| {
        let text = sources.shown(&place.file)?;
        let number = usize::try_from(place.line).ok()?.checked_sub(1)?;
        text.lines().nth(number).map(|line| line.trim().to_owned())
    };
    reasons
        .iter()
        .map(|Reason { policy, effect, place }| Determining {
            effect: *effect,
            policy: policy.to_string(),
            line: place.as_ref().and_then(line),
            place: place.clone(),
        })
        .collect()
}

/// What would turn a denial, or what an allow rests on.
fn nearest(decision: &Decision) -> String {
    let missing = || joined(decision.missing.iter().map(ScopeName::as_str), " ");
    let policies = |effect: Effect| {
        let of_effect = decision.reasons.iter().filter(|reason| reason.effect == effect);
        joined(of_effect.map(|reason| &*reason.policy), ", ")
    };
    match decision.because {
        Because::Permitted => format!("it rests on {}, and no forbid holds", policies(Effect::Permit)),
        Because::Unauthenticated => "a token is missing: anonymous callers are refused while OAuth is on".into(),
        Because::MissingScope => format!("{} is missing, and the caller could get it", missing()),
        Because::NoMatchingGrant if decision.missing.is_empty() => "no policy permits it, whatever the scopes".into(),
        Because::NoMatchingGrant => {
            format!("{} is missing, and no entry of `grants:` lets the caller get it", missing())
        }
        Because::ExplicitForbid | Because::ConditionFailed => format!("{} forbids it", policies(Effect::Forbid)),
        Because::UnknownServer => "there is no such server in the configuration".into(),
        Because::UnknownTool => "the inventory has no such thing on this server".into(),
        Because::PolicyError => "a policy could not be evaluated, and until that is mended it denies".into(),
        Because::ValidationFailed => {
            decision.misfit.as_ref().map_or_else(|| "the request is not valid".into(), ToString::to_string)
        }
        Because::TokenInvalid | Because::AudienceMismatch | Because::RateLimited | Because::ShadowWouldDeny => {
            "nothing about the policies would turn it".into()
        }
    }
}

fn joined<'t>(parts: impl Iterator<Item = &'t str>, between: &str) -> String {
    parts.collect::<Vec<_>>().join(between)
}

/// The command that explains a request, on the configuration that was tested.
#[must_use]
fn explain_command(ground: &Ground<'_>, supposed: &Supposed) -> String {
    with_options(ground, command_line(supposed))
}

/// A command with the options by which it finds this configuration.
fn with_options(ground: &Ground<'_>, command: String) -> String {
    ground.options().iter().fold(command, |line, option| {
        // Only a NUL cannot be quoted, and no path holds one.
        format!("{line} {}", shlex::try_quote(option).unwrap_or(Cow::Borrowed(option)))
    })
}

impl Failure {
    /// What the caller is told, in numbers.
    #[must_use]
    pub fn told(&self) -> Option<String> {
        let status = self.status?;
        Some(match self.jsonrpc {
            Some(code) => format!("HTTP {status}, JSON-RPC {code}"),
            None => format!("HTTP {status}"),
        })
    }
}
