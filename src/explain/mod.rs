//! Why a request is allowed or denied: the gates in their order, the policies that answered with
//! their lines and what they read, the permits that came nearest, and what would turn the answer.
//!
//! The same engine answers that `serve` asks; nothing here decides. Without an upstream at hand the
//! target is taken to exist.
//!
//! `request` reads a request from JSON, `command_line` says one as a command, `past` rebuilds one from
//! an audit record; `gate` puts the answers in order, `limit` says which rate tiers are drawn from, `near`
//! takes the policies apart, `turn` says what would turn a denial; `agreed` is what a person had consented to. `surface` explains what comes before any of
//! that: an HTTP request as such.

mod agreed;
mod command_line;
mod gate;
mod limit;
mod near;
mod past;
mod request;
mod surface;
mod turn;

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr},
};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;

pub use agreed::Agreed;
pub use command_line::command_line;
pub use gate::{Gate, Passed};
pub use limit::Limit;
pub use near::Examined;
pub use past::{Determining, Past, Unasked};
pub use request::{Problem, read as read_request};
pub use surface::{Sent, Surface, SurfaceExplained, explain_surface, is_page};

use crate::{
    name::{ClientId, GroupId, ScopeName, ViewName},
    policy::{Arguments, Asker, Decision, Engine, Inventory, Moment, Question, Standing, Target, Verb},
    principal::Principal,
};

/// Who asks where nobody is named.
pub const OWNER: &str = "owner";
/// Where requests come from that say nothing of it.
pub const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A request to explain.
#[derive(Debug, Clone, PartialEq)]
pub struct Supposed {
    /// Who asks.
    pub principal: Principal,
    /// Through which client.
    pub client: Option<ClientId>,
    /// In which groups.
    pub groups: BTreeSet<GroupId>,
    /// With which scopes in the token.
    pub scopes: BTreeSet<ScopeName>,
    /// Through which view.
    pub view: Option<ViewName>,
    /// Naming which by `?tags=`.
    pub named: Option<BTreeSet<ScopeName>>,
    /// To do what.
    pub verb: Verb,
    /// To what.
    pub target: Target,
    /// When; nothing means when it is explained.
    pub now: Option<Timestamp>,
    /// From where.
    pub address: IpAddr,
    /// Whether over TLS.
    pub tls: bool,
    /// What the detectors found in the body.
    pub findings: BTreeSet<String>,
    /// Whether the target differs from what `portcullis.lock` pins.
    pub drifted: bool,
    /// The arguments; where they are not given, it is asked of some.
    pub args: Option<serde_json::Value>,
    /// What is known of what the person who asks had agreed to.
    pub agreed: Agreed,
}

impl Supposed {
    /// Somebody with these scopes who asks for this, in an uneventful moment.
    #[must_use]
    pub const fn new(principal: Principal, scopes: BTreeSet<ScopeName>, verb: Verb, target: Target) -> Self {
        Self {
            principal,
            client: None,
            groups: BTreeSet::new(),
            scopes,
            view: None,
            named: None,
            verb,
            target,
            now: None,
            address: HERE,
            tls: false,
            findings: BTreeSet::new(),
            drifted: false,
            args: None,
            agreed: Agreed::Unknown,
        }
    }

    /// What the caller's token and the request's filters say. A view that there is not keeps nothing.
    #[must_use]
    pub fn standing(&self, engine: &Engine) -> Standing {
        let standing = Standing {
            principal: self.principal.clone(),
            client: self.client.clone(),
            groups: self.groups.clone(),
            scopes: self.scopes.clone(),
            named: None,
        };
        let nothing = BTreeSet::new();
        let view = self.view.as_ref().map(|view| engine.bundle().view(view).unwrap_or(&nothing));
        engine.narrowed(standing, view, self.named.as_ref())
    }

    /// What is true of the request alone; `now` is when it is explained.
    #[must_use]
    pub fn moment(&self, now: Timestamp) -> Moment {
        Moment {
            now: self.now.unwrap_or(now),
            address: self.address,
            tls: self.tls,
            findings: self.findings.clone(),
            drifted: self.drifted,
        }
    }
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
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// Who asks, in words.
    pub principal: String,
    /// The Cedar action.
    pub action: &'static str,
    /// The target, as `server/name`.
    pub target: String,
    /// The arguments, as they were given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub args: Option<serde_json::Value>,
    /// The decision that `serve` would make.
    pub decision: Decision,
    /// What a request has to pass, in order.
    pub gates: Vec<Gate>,
    /// Every question, in order: may each scope be held, is the target listed, may it be done.
    pub questions: Vec<Answered>,
    /// The rate tiers that it draws from, in the order in which they are charged.
    pub limits: Vec<Limit>,
    /// The policies that determined the decision, taken apart.
    pub determining: Vec<Examined>,
    /// For a denial, the permits that do not hold, the nearest first.
    pub near: Vec<Examined>,
    /// What would turn a denial, in words; nothing for an allow.
    pub turn: Option<String>,
    /// Single changes of the request, besides scopes, with each of which it would be allowed.
    pub changes: Vec<String>,
    /// The command that asks this again.
    pub command: String,
}

/// Explains a request; `now` is when.
///
/// # Errors
/// When Cedar refuses the facts, in words.
pub fn explain(engine: &Engine, supposed: &Supposed, now: Timestamp) -> Result<Explanation, String> {
    let asked = Asked::new(engine, supposed, now)?;
    let Supposed { principal, client, groups, scopes, verb, target, .. } = supposed;
    let mut questions = Vec::new();
    if engine.bundle().oauth() && *principal != Principal::Anonymous {
        for scope in scopes {
            let decision = engine.may_grant(principal, client.as_ref(), groups, scope);
            questions.push(Answered { question: "grant", action: "grant", about: scope.to_string(), decision });
        }
    }
    let about =
        |verb: Verb, decision| Answered { question: "use", action: verb.action(), about: target.to_string(), decision };
    let listed = verb.shown_by(target);
    if listed != *verb {
        questions.push(about(listed, asked.decide(engine, listed)));
    }
    let decision = asked.decide(engine, *verb);
    questions.push(about(*verb, decision.clone()));
    let limits = limit::limits(engine, supposed, now);
    let question = asked.question(*verb);
    let determining = near::determining(engine, &question, &decision)?;
    let near = if decision.is_allow() { Vec::new() } else { near::misses(engine, &question)? };
    let (turn, changes) = if decision.is_allow() {
        (None, Vec::new())
    } else {
        let turn = turn::turn(&decision, supposed, engine);
        (Some(turn), turn::changes(engine, supposed, now, determining.iter().chain(&near)))
    };
    Ok(Explanation {
        principal: principal.to_string(),
        action: verb.action(),
        target: target.to_string(),
        args: supposed.args.clone(),
        gates: gate::gates(engine, supposed, &questions, &decision, &limits),
        decision,
        questions,
        limits: limits.unwrap_or_default(),
        determining,
        near,
        turn,
        changes,
        command: command_line(supposed),
    })
}

/// A supposed request made ready to be asked.
struct Asked<'s> {
    asker: Asker,
    inventory: Inventory,
    moment: Moment,
    target: &'s Target,
    args: Option<Box<RawValue>>,
}

impl<'s> Asked<'s> {
    fn new(engine: &Engine, supposed: &'s Supposed, now: Timestamp) -> Result<Self, String> {
        let target = &supposed.target;
        let risk = match (&supposed.agreed, target) {
            (Agreed::To(beyond, _), Target::Tool(_, tool)) => Some((tool.clone(), beyond.asks)),
            _ => None,
        };
        Ok(Self {
            asker: engine.asker(supposed.standing(engine))?.consented(supposed.agreed.consent(target)),
            inventory: engine.inventory(target.server(), [target.clone()])?.with_risks(risk),
            moment: supposed.moment(now),
            target,
            args: supposed.args.as_ref().and_then(|args| serde_json::value::to_raw_value(args).ok()),
        })
    }

    fn question(&self, verb: Verb) -> Question<'_> {
        let Self { asker, inventory, moment, target, args } = self;
        let arguments = match args {
            Some(args) => Arguments::Given(Some(args)),
            None => Arguments::Best,
        };
        Question { asker, verb, target, inventory, moment, arguments }
    }

    fn decide(&self, engine: &Engine, verb: Verb) -> Decision {
        engine.decide(&self.question(verb))
    }
}
