//! What would turn a denial: scopes first, then single changes of the request.
//!
//! A change is offered only where the engine, asked again, allows: nothing here guesses.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{Asked, Examined, Supposed, agreed};
use crate::{
    diagnostic::nearest,
    name::{ClientId, GroupId, ScopeName, ServerName},
    policy::{Because, Decision, Engine},
    principal::Principal,
};

/// More servers than this are counted, not listed.
const MOST_LISTED: usize = 20;
/// More changes than this are not tried.
const MOST_TRIED: usize = 64;

/// The scopes that the request or its view names and the token lacks.
pub(super) fn beyond(supposed: &Supposed, engine: &Engine) -> BTreeSet<ScopeName> {
    let view = supposed.view.as_ref().and_then(|view| engine.bundle().view(view));
    let named = supposed.named.iter().chain(view).flatten();
    named.filter(|scope| !supposed.scopes.contains(*scope)).cloned().collect()
}

/// That there is no such server, and which is near.
pub(super) fn no_server(server: &ServerName, engine: &Engine) -> String {
    let servers: Vec<&str> = engine.bundle().servers().iter().map(ServerName::as_str).collect();
    match nearest(server.as_str(), servers.iter().copied()) {
        Some(near) => format!("there is no such server; did you mean `{near}`?"),
        None if servers.len() > MOST_LISTED => {
            format!("there is no such server; there are {}, see `servers:`", servers.len())
        }
        None => format!("there is no such server; there are: {}", servers.join(", ")),
    }
}

/// What would turn a denial, in words.
pub(super) fn turn(decision: &Decision, supposed: &Supposed, engine: &Engine) -> String {
    let target = &supposed.target;
    let listed = |scopes: &[ScopeName]| scopes.iter().map(ScopeName::as_str).collect::<Vec<_>>().join(" ");
    let scopes = || listed(&decision.missing);
    match decision.because {
        Because::MissingScope if agreed::denied(decision) => agreed::turn(decision),
        Because::MissingScope => format!("a token that also has {}: `grants:` lets this caller ask for it", scopes()),
        Because::NoMatchingGrant if !decision.missing.is_empty() => {
            format!("a token that also has {}, which needs an entry under `grants:` first", scopes())
        }
        Because::NoMatchingGrant => {
            "no scope would: no policy permits this; give the server a tag, or `public: true`".into()
        }
        Because::Unauthenticated => "a token; anonymous callers are refused while OAuth is on".into(),
        Because::ExplicitForbid | Because::ConditionFailed
            if decision.reasons.iter().all(|reason| &*reason.policy == "guard/named-within-granted") =>
        {
            let lacking: Vec<ScopeName> = beyond(supposed, engine).into_iter().collect();
            match supposed.view {
                Some(_) => {
                    format!("a token that has all that the view and `?tags=` name: it lacks {}", listed(&lacking))
                }
                None => {
                    format!("a request whose `?tags=` names only what its token has, which lacks {}", listed(&lacking))
                }
            }
        }
        Because::ExplicitForbid | Because::ConditionFailed => {
            "no scope would: the forbids above hold whatever the token has; change the request, or them at their lines"
                .into()
        }
        Because::UnknownServer => no_server(target.server(), engine),
        Because::PolicyError => "mend the policy that could not be evaluated; until then it denies".into(),
        Because::ValidationFailed => {
            "other arguments: no policy would turn what does not fit the tool's schema in portcullis.lock".into()
        }
        Because::Permitted
        | Because::TokenInvalid
        | Because::AudienceMismatch
        | Because::UnknownTool
        | Because::RateLimited
        | Because::ShadowWouldDeny => "nothing about the policies would".into(),
    }
}

/// Single changes of the request with each of which it would be allowed. What is tried comes from the
/// request and from the texts that the policies at hand compare with.
pub(super) fn changes<'e>(
    engine: &Engine,
    supposed: &Supposed,
    now: Timestamp,
    policies: impl Iterator<Item = &'e Examined>,
) -> Vec<String> {
    let (mut groups, mut clients) = (BTreeSet::new(), BTreeSet::new());
    for clause in policies.flat_map(|policy| &policy.clauses) {
        let reads = |name: &str| clause.reads.iter().any(|fact| fact.name == name);
        if reads("context.groups") {
            groups.extend(clause.literals.iter().filter_map(|text| text.parse::<GroupId>().ok()));
        }
        if reads("context.client") {
            clients.extend(clause.literals.iter().filter_map(|text| text.parse::<ClientId>().ok()));
        }
    }
    let mut tried: Vec<(String, Supposed)> = Vec::new();
    let mut offer = |words: String, change: &dyn Fn(&mut Supposed)| {
        let mut changed = supposed.clone();
        change(&mut changed);
        if changed != *supposed {
            tried.push((words, changed));
        }
    };
    offer("without `?tags=`".into(), &|asked| asked.named = None);
    offer("on `/mcp`, not through the view".into(), &|asked| asked.view = None);
    offer(if supposed.tls { "without TLS" } else { "over TLS" }.into(), &|asked| asked.tls = !asked.tls);
    offer("with nothing drifted from the lock".into(), &|asked| asked.drifted = false);
    offer("with nothing found in the body".into(), &|asked| asked.findings.clear());
    if let Principal::User(_) = supposed.principal {
        offer("through no client".into(), &|asked| asked.client = None);
        for client in &clients {
            offer(format!("through the client `{client}`"), &|asked| asked.client = Some(client.clone()));
        }
    }
    if supposed.principal != Principal::Anonymous {
        for group in &groups {
            let word = if supposed.groups.contains(group) { "outside" } else { "in" };
            offer(format!("{word} the group `{group}`"), &|asked| {
                if !asked.groups.remove(group) {
                    asked.groups.insert(group.clone());
                }
            });
        }
    }
    let allowed = |changed: &Supposed| {
        Asked::new(engine, changed, now).is_ok_and(|asked| engine.allows(&asked.question(changed.verb)))
    };
    tried.truncate(MOST_TRIED);
    tried.into_iter().filter(|(_, changed)| allowed(changed)).map(|(words, _)| words).collect()
}
