//! Why a request is allowed or denied: the questions in their order, the policies that answered them
//! with their lines, and what would turn the answer.
//!
//! The same engine answers that `serve` asks; nothing here decides. Without an upstream at hand the
//! target is taken to exist.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    diagnostic::nearest,
    name::{ClientId, GroupId, ScopeName, ServerName},
    policy::{Decision, Engine, Moment, Question, Standing, Target, Verb},
    principal::Principal,
};

/// More servers than this are counted, not listed.
const MOST_LISTED: usize = 20;

/// A request to explain.
#[derive(Debug, Clone)]
pub struct Supposed {
    /// Who asks.
    pub principal: Principal,
    /// Through which client.
    pub client: Option<ClientId>,
    /// In which groups.
    pub groups: BTreeSet<GroupId>,
    /// With which scopes in the token.
    pub scopes: BTreeSet<ScopeName>,
    /// Naming which by `?tags=`.
    pub named: Option<BTreeSet<ScopeName>>,
    /// To do what.
    pub verb: Verb,
    /// To what.
    pub target: Target,
    /// When.
    pub now: Timestamp,
}

/// One question and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Answered {
    /// `grant` or `use`.
    pub question: &'static str,
    /// The Cedar action.
    pub action: &'static str,
    /// What it is asked about.
    pub about: String,
    /// The answer.
    pub decision: Decision,
}

/// A decision explained.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// Who asks, in words.
    pub principal: String,
    /// The Cedar action.
    pub action: &'static str,
    /// The target, as `server/name`.
    pub target: String,
    /// The decision that `serve` would make.
    pub decision: Decision,
    /// Every question, in order: may each scope be held, is the target listed, may it be done.
    pub questions: Vec<Answered>,
    /// What would turn a denial, in words; nothing for an allow.
    pub turn: Option<String>,
}

/// Explains a request.
///
/// # Errors
/// When Cedar refuses the facts, in words.
pub fn explain(engine: &Engine, supposed: &Supposed) -> Result<Explanation, String> {
    let Supposed { principal, client, groups, scopes, named, verb, target, now } = supposed.clone();
    let beyond: Vec<ScopeName> = named.iter().flatten().filter(|scope| !scopes.contains(*scope)).cloned().collect();
    let mut questions = Vec::new();
    if engine.bundle().oauth() {
        for scope in &scopes {
            let decision = engine.may_grant(&principal, client.as_ref(), &groups, scope);
            questions.push(Answered { question: "grant", action: "grant", about: scope.to_string(), decision });
        }
    }
    let asker = engine.asker(Standing { principal: principal.clone(), client, groups, scopes, named })?;
    let inventory = engine.inventory(target.server(), [target.clone()])?;
    let moment = Moment {
        now,
        address: std::net::Ipv4Addr::LOCALHOST.into(),
        tls: false,
        findings: BTreeSet::new(),
        drifted: false,
    };
    let ask = |verb| {
        engine.decide(&Question { asker: &asker, verb, target: &target, inventory: &inventory, moment: &moment })
    };
    if verb.shown_by() != verb {
        let shown = verb.shown_by();
        questions.push(Answered {
            question: "use",
            action: shown.action(),
            about: target.to_string(),
            decision: ask(shown),
        });
    }
    let decision = ask(verb);
    questions.push(Answered {
        question: "use",
        action: verb.action(),
        about: target.to_string(),
        decision: decision.clone(),
    });
    let turn = (!decision.is_allow()).then(|| turn(&decision, &target, &beyond, engine));
    Ok(Explanation {
        principal: principal.to_string(),
        action: verb.action(),
        target: target.to_string(),
        decision,
        questions,
        turn,
    })
}

/// What would turn a denial; `beyond` are the scopes that the request names and the token lacks.
fn turn(decision: &Decision, target: &Target, beyond: &[ScopeName], engine: &Engine) -> String {
    use crate::policy::Because;
    let listed = |scopes: &[ScopeName]| scopes.iter().map(ScopeName::as_str).collect::<Vec<_>>().join(" ");
    let scopes = || listed(&decision.missing);
    match decision.because {
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
            format!("a request whose `?tags=` names only what its token has, which lacks {}", listed(beyond))
        }
        Because::ExplicitForbid | Because::ConditionFailed => {
            "no scope would: the forbids above hold whatever the token has; change them at their lines".into()
        }
        Because::UnknownServer => {
            let servers: Vec<&str> = engine.bundle().servers().iter().map(ServerName::as_str).collect();
            match nearest(target.server().as_str(), servers.iter().copied()) {
                Some(near) => format!("there is no such server; did you mean `{near}`?"),
                None if servers.len() > MOST_LISTED => {
                    format!("there is no such server; there are {}, see `servers:`", servers.len())
                }
                None => format!("there is no such server; there are: {}", servers.join(", ")),
            }
        }
        Because::PolicyError => "mend the policy that could not be evaluated; until then it denies".into(),
        Because::Permitted
        | Because::TokenInvalid
        | Because::AudienceMismatch
        | Because::UnknownTool
        | Because::RateLimited
        | Because::ValidationFailed
        | Because::ShadowWouldDeny => "nothing about the policies would".into(),
    }
}
