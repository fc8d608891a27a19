//! The questions of a request as such: may it come in (*admit*), which rate tiers does it draw from
//! (*charge*), and which headers go out with its answer (*emit*).
//!
//! INVARIANT: *admit* denies where a policy errors; *charge* is not answered then, and its caller refuses;
//! *emit* is not answered either, and its caller sends what is built in. "No limit" is only ever said by a
//! permit of its own.
//!
//! `class` is what they are asked about, `field` which headers may go out, `note` what the annotations of their
//! policies say, `ours` which hosts and pages are the gateway's own.
//!
//! SPEC: design §3.

mod class;
mod field;
mod note;
mod ours;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::IpAddr,
    sync::{Arc, OnceLock},
};

use cedar_policy::{Context, Entities, EntityUid, PolicyId, PolicySet, Request, RestrictedExpression};
use jiff::Timestamp;

pub use class::EndpointClass;
pub(crate) use field::{Unfit, unsendable};
pub use note::{By, Check, Header, Notes, Penalty, Tier};
pub use ours::Ours;

use super::{
    bundle::{Bundle, Policy},
    decision::{Because, Decision},
    engine::{self, Engine, text},
    entity,
    question::{QuestionKind, Standing},
};
use crate::name::ServerName;

/// What is known of a request before anybody is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// Which endpoint it is for.
    pub class: EndpointClass,
    /// The HTTP method.
    pub method: String,
    /// Whether `Host` is a name of ours, given once.
    pub host_known: bool,
    /// Its `Origin`, where it has one.
    pub origin: Option<Origin>,
    /// Whether it has a forwarding header.
    pub forwarded: bool,
    /// Whether what a trusted proxy says of it cannot be understood.
    pub misled: bool,
    /// What the detectors found in path, query and headers.
    pub findings: BTreeSet<String>,
    /// The server that the path names.
    pub server: Option<ServerName>,
    /// Whether it came over TLS.
    pub tls: bool,
    /// Where it came from.
    pub address: IpAddr,
    /// When it came.
    pub now: Timestamp,
}

/// The page that a request comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// As it is written; what cannot be read is `null`.
    pub text: String,
    /// Whether it is a page of ours.
    pub own: bool,
    /// Whether it is a page of this machine.
    pub loopback: bool,
}

/// What draws from rate tiers.
#[derive(Debug, Clone, Copy)]
pub struct Draw<'a> {
    /// At which endpoint.
    pub class: EndpointClass,
    /// Who; nothing before that is known.
    pub standing: Option<&'a Standing>,
    /// The server it is about.
    pub server: Option<&'a str>,
    /// The tool that is called.
    pub tool: Option<&'a str>,
    /// Whether it came over TLS.
    pub tls: bool,
    /// Where it came from.
    pub address: IpAddr,
    /// When.
    pub now: Timestamp,
}

/// On what it depends, besides the class of the endpoint and TLS, which tiers a request draws from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Depends {
    /// On the moment or the address.
    pub moment: bool,
    /// On who asks.
    pub caller: bool,
    /// On the server.
    pub server: bool,
    /// On the tool.
    pub tool: bool,
}

/// The facts of *admit* that an answer which is kept does not depend on.
const UNKEPT: [&str; 4] = ["address", "method", "now", "server"];

/// The policies of the three questions, ready to be asked.
#[derive(Debug)]
pub(super) struct Front {
    admit: PolicySet,
    /// Without what says nothing where nothing was found.
    admit_clean: PolicySet,
    checks: HashMap<PolicyId, Arc<Check>>,
    /// Before the caller is known, and after.
    charge: [Charge; 2],
    tiers: HashMap<PolicyId, Arc<Tier>>,
    emit: PolicySet,
    headers: HashMap<PolicyId, Arc<Header>>,
    kept: Kept,
}

/// The policies of one of the two times at which *charge* is asked.
#[derive(Debug)]
struct Charge {
    action: EntityUid,
    set: PolicySet,
    depends: Depends,
}

/// The headers of an answer, or why they cannot be said.
type Emitted = Result<Arc<[Arc<Header>]>, String>;

/// Answers that are the same for every request of a class.
#[derive(Debug)]
struct Kept {
    /// Of what has nothing odd about it, by class and TLS.
    admits: Option<Vec<OnceLock<Decision>>>,
    /// By class, TLS and whether the answer is a page.
    emits: Vec<OnceLock<Emitted>>,
}

impl Front {
    /// Plans the policies of a bundle.
    ///
    /// # Errors
    /// When an annotation cannot be read, naming the policy.
    pub(super) fn plan(bundle: &Bundle) -> Result<Self, String> {
        let mut checks = HashMap::new();
        let mut headers = HashMap::new();
        let mut tiers = HashMap::new();
        for policy in &bundle.fronts {
            let notes = Notes::of(policy).map_err(|problem| format!("policy `{}`: {problem}", policy.id()))?;
            let id = PolicyId::new(policy.id());
            match notes {
                Notes::None => {}
                Notes::Check(check) => _ = checks.insert(id, check),
                Notes::Tier(tier) => {
                    let differs = |other: &&Arc<Tier>| other.name == tier.name && !other.counts_like(&tier);
                    if let Some(other) = tiers.values().find(differs) {
                        let (one, other) = (policy.id(), &other.reason.policy);
                        return Err(format!("policy `{one}`: the tier `{}` is another one in `{other}`", tier.name));
                    }
                    tiers.insert(id, tier);
                }
                Notes::Header(header) => _ = headers.insert(id, header),
            }
        }
        let of = |kind: QuestionKind| bundle.fronts.iter().filter(move |policy| policy.of == kind);
        let charge = ["charge/address", "charge/caller"].map(|action| {
            let policies: Vec<&Policy> =
                of(QuestionKind::Charge).filter(|policy| policy.shape.actions.takes(action, "charge")).collect();
            Charge {
                action: entity::plain_action(action),
                set: set(policies.iter().copied()),
                depends: Depends::of(&policies),
            }
        });
        let steady = !of(QuestionKind::Admit).any(|policy| UNKEPT.iter().any(|fact| policy.shape.reads(fact)));
        let cells = EndpointClass::ALL.len();
        let kept = Kept {
            admits: steady.then(|| (0..cells * 2).map(|_| OnceLock::new()).collect()),
            emits: (0..cells * 4).map(|_| OnceLock::new()).collect(),
        };
        Ok(Self {
            admit: set(of(QuestionKind::Admit)),
            admit_clean: set(of(QuestionKind::Admit).filter(|policy| !policy.shape.found_only)),
            checks,
            charge,
            tiers,
            emit: set(of(QuestionKind::Emit)),
            headers,
            kept,
        })
    }
}

impl Depends {
    fn of(policies: &[&Policy]) -> Self {
        let reads = |fact: &str| policies.iter().any(|policy| policy.shape.reads(fact));
        Self {
            moment: ["address", "now"].into_iter().any(reads),
            caller: ["client", "groups", "scopes"].into_iter().any(reads)
                || policies.iter().any(|policy| policy.shape.reads_principal),
            server: reads("server"),
            tool: reads("tool"),
        }
    }
}

fn set<'p>(policies: impl Iterator<Item = &'p Policy>) -> PolicySet {
    let mut set = PolicySet::new();
    for policy in policies {
        // An id that is taken twice was found when the engine was made.
        _ = set.add(policy.of_any_action().clone());
    }
    set
}

impl Engine {
    /// Whether a request may come in: the question *admit*.
    #[must_use]
    pub fn admit(&self, arrival: &Arrival) -> Decision {
        let plain = arrival.host_known
            && arrival.origin.is_none()
            && !arrival.forwarded
            && !arrival.misled
            && arrival.findings.is_empty();
        let cell = || {
            let cells = self.front.kept.admits.as_ref().filter(|_| plain)?;
            cells.get(arrival.class.index() * 2 + usize::from(arrival.tls))
        };
        match cell() {
            Some(cell) => cell.get_or_init(|| self.admit_anew(arrival)).clone(),
            None => self.admit_anew(arrival),
        }
    }

    /// How a refusal of *admit* is answered: by the first of its checks. Nothing where no check refused.
    #[must_use]
    pub fn check_behind(&self, decision: &Decision) -> Option<&Arc<Check>> {
        decision.reasons.iter().find_map(|reason| self.front.checks.get(&PolicyId::new(&reason.policy)))
    }

    fn admit_anew(&self, arrival: &Arrival) -> Decision {
        let Arrival { class, method, host_known, origin, forwarded, misled, findings, server, tls, address, now } =
            arrival;
        let mut facts = moment(*address, *now, *tls, self.bundle().oauth());
        facts.extend([
            fact("findings", RestrictedExpression::new_set(findings.iter().map(|finding| text(finding)))),
            fact("forwarded", bool(*forwarded)),
            fact("host_known", bool(*host_known)),
            fact("method", text(method)),
            fact("misled", bool(*misled)),
        ]);
        if let Some(Origin { text: written, own, loopback }) = origin {
            let parts = [fact("loopback", bool(*loopback)), fact("own", bool(*own)), fact("text", text(written))];
            match RestrictedExpression::new_record(parts) {
                Ok(record) => facts.push(fact("origin", record)),
                Err(error) => return engine::failed(error.to_string()),
            }
        }
        facts.extend(server.iter().map(|server| fact("server", text(server.as_str()))));
        match self.front_request(entity::peer(), entity::plain_action("request"), *class, facts) {
            Ok(request) => {
                let policies = if findings.is_empty() { &self.front.admit_clean } else { &self.front.admit };
                let mut decision = self.answer(&request, policies, &Entities::empty());
                if decision.because == Because::ExplicitForbid {
                    decision.because = Because::ValidationFailed;
                }
                decision
            }
            Err(error) => engine::failed(error),
        }
    }

    /// Which tiers something draws from: the question *charge*. They are sorted by name.
    ///
    /// # Errors
    /// A denial, where that cannot be said.
    pub fn charge(&self, draw: &Draw<'_>) -> Result<Arc<[Arc<Tier>]>, Decision> {
        let [before, after] = &self.front.charge;
        let charge = if draw.standing.is_some() { after } else { before };
        let Draw { class, standing, server, tool, tls, address, now } = *draw;
        let mut facts = moment(address, now, tls, self.bundle().oauth());
        facts.extend(server.map(|server| fact("server", text(server))));
        let mut principal = entity::principal(&crate::principal::Principal::Anonymous);
        if let Some(standing) = standing {
            let groups = standing.groups.iter().map(|group| text(group.as_str()));
            let scopes = standing.scopes.iter().map(|scope| text(scope.as_str()));
            facts.push(fact("groups", RestrictedExpression::new_set(groups)));
            facts.push(fact("scopes", RestrictedExpression::new_set(scopes)));
            facts.extend(standing.client.as_ref().map(|client| fact("client", text(client.as_str()))));
            facts.extend(tool.map(|tool| fact("tool", text(tool))));
            principal = entity::principal(&standing.principal);
        }
        let request = self.front_request(principal, charge.action.clone(), class, facts).map_err(engine::failed)?;
        let response = self.authorizer.is_authorized(&request, &charge.set, &Entities::empty());
        let errors: Vec<String> = response.diagnostics().errors().map(ToString::to_string).collect();
        if !errors.is_empty() {
            return Err(Decision { errors, ..Decision::deny(Because::PolicyError) });
        }
        if response.decision() != cedar_policy::Decision::Allow {
            return Err(engine::failed("no policy says which limits apply".into()));
        }
        let mut tiers: Vec<Arc<Tier>> =
            response.diagnostics().reason().filter_map(|id| self.front.tiers.get(id).cloned()).collect();
        tiers.sort_by(|a, b| (&a.name, &a.reason.policy).cmp(&(&b.name, &b.reason.policy)));
        Ok(tiers.into())
    }

    /// On what it depends which tiers a request draws from; `caller` says whether the caller is known by then.
    #[must_use]
    pub fn charge_depends(&self, caller: bool) -> Depends {
        let [before, after] = &self.front.charge;
        if caller { after.depends } else { before.depends }
    }

    /// Every tier, sorted by name.
    pub fn tiers(&self) -> impl Iterator<Item = &Arc<Tier>> {
        let tiers: BTreeMap<&str, &Arc<Tier>> = self.front.tiers.values().map(|tier| (&*tier.name, tier)).collect();
        tiers.into_values()
    }

    /// Which headers an answer has: the question *emit*. Of several of one name the last counts; one
    /// without a value takes the header away.
    ///
    /// # Errors
    /// Where that cannot be said, in words: what is built in is sent then.
    pub fn emit(&self, class: EndpointClass, tls: bool, page: bool) -> Result<Arc<[Arc<Header>]>, String> {
        let cell = class.index() * 4 + usize::from(tls) * 2 + usize::from(page);
        match self.front.kept.emits.get(cell) {
            Some(cell) => cell.get_or_init(|| self.emit_anew(class, tls, page)).clone(),
            None => Err("there is no such class".into()),
        }
    }

    fn emit_anew(&self, class: EndpointClass, tls: bool, page: bool) -> Result<Arc<[Arc<Header>]>, String> {
        let facts = vec![fact("oauth", bool(self.bundle().oauth())), fact("page", bool(page)), fact("tls", bool(tls))];
        let request = self.front_request(entity::peer(), entity::plain_action("respond"), class, facts)?;
        let response = self.authorizer.is_authorized(&request, &self.front.emit, &Entities::empty());
        if let Some(error) = response.diagnostics().errors().next() {
            return Err(error.to_string());
        }
        let mut headers: Vec<&Arc<Header>> =
            response.diagnostics().reason().filter_map(|id| self.front.headers.get(id)).collect();
        headers.sort_by(|a, b| (a.order, &a.reason.policy).cmp(&(b.order, &b.reason.policy)));
        let last: BTreeMap<&str, &Arc<Header>> = headers.into_iter().map(|header| (&*header.name, header)).collect();
        Ok(last.into_values().cloned().collect())
    }

    fn front_request(
        &self,
        principal: EntityUid,
        action: EntityUid,
        class: EndpointClass,
        facts: Vec<(String, RestrictedExpression)>,
    ) -> Result<Request, String> {
        let context = Context::from_pairs(facts).map_err(|error| error.to_string())?;
        Request::new(principal, action, entity::endpoint(class), context, Some(&self.bundle().schema))
            .map_err(|error| error.to_string())
    }
}

fn moment(address: IpAddr, now: Timestamp, tls: bool, oauth: bool) -> Vec<(String, RestrictedExpression)> {
    vec![
        fact("address", engine::address(address)),
        fact("now", engine::datetime(now)),
        fact("oauth", bool(oauth)),
        fact("tls", bool(tls)),
    ]
}

fn fact(name: &str, value: RestrictedExpression) -> (String, RestrictedExpression) {
    (name.to_owned(), value)
}

fn bool(value: bool) -> RestrictedExpression {
    RestrictedExpression::new_bool(value)
}
