//! Which policies a question is asked of.
//!
//! A shard is the policies that pin the question's server and those that pin none, of the verb. It is
//! made when it is first asked: ten thousand servers cost nothing until somebody calls one. Verbs
//! with the same policies share one shard.
//!
//! Every member of a shard applies to its verb, so the members stand in it without their action
//! scopes: those would only be found to hold, again at each question.
//!
//! A call whose arguments are typed has an action of its own, and shards of its own: one that is asked
//! with arguments, and two that are asked without (`unknown`).
//!
//! The *narrow* shard leaves out what says nothing of a caller with a token and no filter: policies
//! about `Anonymous`, and those that begin with `context.filtered`. The *clean* ones leave out what says
//! nothing where nothing was found.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
};

use cedar_policy::{EntityUid, PolicySet, PrincipalConstraint};

use super::{
    argument::{Arguments, Expected, Record},
    bundle::{Bundle, Policy, TYPED},
    decision::Effect,
    entity,
    question::Verb,
    unknown::{self, Bound},
};
use crate::name::{Pattern, ScopeName, ServerName, ToolName};

/// A set of policies, and which of the bundle's they are.
#[derive(Debug)]
pub(super) struct Shard {
    pub(super) set: PolicySet,
    members: Vec<usize>,
}

impl Shard {
    /// These members of `policies`, as they are.
    pub(super) fn of(policies: &[Policy], members: Vec<usize>) -> Self {
        Self::made(policies, members, |policy| Some(policy.cedar.clone()))
    }

    /// One policy, as it is asked with what is known of the arguments.
    pub(super) fn alone(policy: &Policy, arguments: Arguments<'_>) -> Self {
        Self::made(std::slice::from_ref(policy), vec![0], |policy| formed(policy, &policy.cedar, arguments))
    }

    /// These members of `policies`, each of which applies to every verb that is asked of them.
    fn of_verb(policies: &[Policy], members: Vec<usize>, arguments: Arguments<'_>) -> Self {
        Self::made(policies, members, |policy| formed(policy, policy.of_any_action(), arguments))
    }

    fn made(policies: &[Policy], members: Vec<usize>, form: impl Fn(&Policy) -> Option<cedar_policy::Policy>) -> Self {
        let mut set = PolicySet::new();
        for policy in members.iter().filter_map(|&member| policies.get(member)).filter_map(form) {
            // Ids are unique within a bundle, which is all that `add` can refuse.
            _ = set.add(policy);
        }
        Self { set, members }
    }

    /// Its members.
    pub(super) fn policies<'b>(&self, policies: &'b [Policy]) -> impl Iterator<Item = &'b Policy> {
        self.members.iter().filter_map(|&member| policies.get(member))
    }
}

/// A policy as it is asked with what is known of the arguments; nothing where it then never holds.
fn formed(policy: &Policy, form: &cedar_policy::Policy, arguments: Arguments<'_>) -> Option<cedar_policy::Policy> {
    let bound = match (arguments, policy.shape.effect) {
        (Arguments::Given(_), _) => return Some(form.clone()),
        (Arguments::Best, Effect::Permit) | (Arguments::Worst, Effect::Forbid) => Bound::May,
        (Arguments::Best, Effect::Forbid) | (Arguments::Worst, Effect::Permit) => Bound::Must,
    };
    if !policy.shape.reads("args") {
        return Some(form.clone());
    }
    // What Cedar does not take apart stays, errors without its facts, and so denies.
    unknown::bounded(form, &["args"], bound).unwrap_or_else(|_| Some(form.clone()))
}

/// The shards of the question *grant*: a ceiling says nothing of scopes that it does not give, and one whose
/// head names one caller says nothing of others.
#[derive(Debug)]
pub(super) struct Grants {
    /// The policies that speak of any scope.
    common: Shard,
    /// By the scope that others give, these.
    scopes: HashMap<ScopeName, Ceilings>,
}

/// The ceilings that give one scope.
#[derive(Debug, Default)]
struct Ceilings {
    /// Those that name no one caller.
    anybody: Slot,
    /// By the caller that some name, these.
    own: HashMap<EntityUid, Slot>,
}

/// Members of a shard besides those that it has in common with others; it is made when it is first asked.
#[derive(Debug, Default)]
struct Slot(Vec<usize>, OnceLock<Shard>);

impl Grants {
    /// Sorts the policies of a bundle by the scopes that they give, and the caller that they name.
    pub(super) fn plan(bundle: &Bundle) -> Self {
        let mut common = Vec::new();
        let mut scopes: HashMap<ScopeName, Ceilings> = HashMap::new();
        for (member, policy) in bundle.grants.iter().enumerate() {
            if policy.gives.is_empty() {
                common.push(member);
            }
            let one = match policy.cedar.principal_constraint() {
                PrincipalConstraint::Eq(one) => Some(one),
                PrincipalConstraint::Any
                | PrincipalConstraint::In(_)
                | PrincipalConstraint::Is(_)
                | PrincipalConstraint::IsIn(..) => None,
            };
            for scope in &policy.gives {
                let ceilings = scopes.entry(scope.clone()).or_default();
                let Slot(members, _) = match &one {
                    Some(one) => ceilings.own.entry(one.clone()).or_default(),
                    None => &mut ceilings.anybody,
                };
                members.push(member);
            }
        }
        Self { common: Shard::of(&bundle.grants, common), scopes }
    }

    /// The policies that a question about this caller and scope is asked of.
    pub(super) fn of(&self, bundle: &Bundle, caller: &EntityUid, scope: &ScopeName) -> &PolicySet {
        let Some(Ceilings { anybody, own }) = self.scopes.get(scope) else { return &self.common.set };
        let (own, shard) = match own.get(caller) {
            Some(Slot(own, shard)) => (own.as_slice(), shard),
            None => (&[][..], &anybody.1),
        };
        let made = || {
            let mut members: Vec<usize> = own.iter().chain(&anybody.0).chain(&self.common.members).copied().collect();
            members.sort_unstable();
            Shard::of(&bundle.grants, members)
        };
        &shard.get_or_init(made).set
    }
}

/// Which shard of a verb is asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Breadth {
    /// For a caller without a token, or with a filter.
    pub(super) wide: bool,
    /// For a request in which something was found.
    pub(super) found: bool,
}

impl Breadth {
    /// Whether a policy says nothing of such requests.
    fn leaves_out(self, policy: &Policy) -> bool {
        let narrow = policy.shape.filtered_only || policy.shape.principal.as_deref() == Some("Anonymous");
        narrow && !self.wide || policy.shape.found_only && !self.found
    }
}

/// The shards of one verb.
#[derive(Debug, Default)]
struct Slots([OnceLock<Arc<Shard>>; 4]);

impl Slots {
    fn of(&self, breadth: Breadth) -> &OnceLock<Arc<Shard>> {
        let Self([narrow_clean, narrow, wide_clean, wide]) = self;
        match breadth {
            Breadth { wide: false, found: false } => narrow_clean,
            Breadth { wide: false, found: true } => narrow,
            Breadth { wide: true, found: false } => wide_clean,
            Breadth { wide: true, found: true } => wide,
        }
    }
}

/// The shards of one server.
#[derive(Debug)]
pub(super) struct Shards {
    /// The policies that pin this server.
    own: Vec<usize>,
    /// The policies that pin none, shared by all servers.
    global: Arc<[usize]>,
    slots: [Slots; Verb::ALL.len()],
    classes: [OnceLock<Option<Vec<Pattern>>>; Verb::ALL.len()],
    tools: HashMap<ToolName, Tool>,
}

/// A tool of which something is expected.
#[derive(Debug)]
pub(super) struct Tool {
    pub(super) expected: Arc<Expected>,
    /// Where policies read its arguments.
    typed: Option<Typed>,
}

/// A tool whose arguments policies read.
#[derive(Debug)]
struct Typed {
    action: Arc<str>,
    uid: EntityUid,
    slots: [Slots; 3],
}

impl Tool {
    fn new(server: &ServerName, tool: &ToolName, expected: &Arc<Expected>) -> Self {
        let action: Arc<str> = format!("{TYPED}{server}/{tool}").into();
        let typed =
            || Typed { uid: entity::plain_action(&action), action: Arc::clone(&action), slots: Default::default() };
        Self { expected: Arc::clone(expected), typed: expected.facts.as_ref().map(|_| typed()) }
    }

    /// What policies read of its arguments, and the action by which it is called, where they do.
    pub(super) fn typed(&self) -> Option<(&Record, &EntityUid)> {
        Some((self.expected.facts.as_ref()?, &self.typed.as_ref()?.uid))
    }
}

impl Shards {
    /// Sorts the policies of a bundle by the server they pin.
    pub(super) fn plan(bundle: &Bundle) -> HashMap<ServerName, Self> {
        let mut own: HashMap<&ServerName, Vec<usize>> =
            bundle.servers.iter().map(|server| (server, Vec::new())).collect();
        let mut global = Vec::new();
        for (member, policy) in bundle.policies.iter().enumerate() {
            match policy.shape.pin.as_ref() {
                // A pin on a server that does not exist can never hold, nor can its condition error.
                Some(pin) => own.entry(pin).or_default().push(member),
                None => global.push(member),
            }
        }
        let global: Arc<[usize]> = global.into();
        let shards = |server: &ServerName, own| {
            let tools = bundle.expected.get(server).into_iter().flatten();
            Self {
                own,
                global: Arc::clone(&global),
                slots: Default::default(),
                classes: Default::default(),
                tools: tools.map(|(tool, expected)| (tool.clone(), Tool::new(server, tool, expected))).collect(),
            }
        };
        own.into_iter()
            .filter(|(server, _)| bundle.servers.contains(*server))
            .map(|(server, own)| (server.clone(), shards(server, own)))
            .collect()
    }

    /// The shard of a verb.
    pub(super) fn of(&self, policies: &[Policy], verb: Verb, breadth: Breadth) -> &Shard {
        self.slots_of(verb).of(breadth).get_or_init(|| {
            let members = self.members(policies, verb, None, breadth);
            let made = self.slots.iter().flat_map(|Slots(slots)| slots).filter_map(OnceLock::get);
            let twin = made.into_iter().find(|shard| shard.members == members);
            twin.map_or_else(|| Arc::new(Shard::of_verb(policies, members, Arguments::NONE)), Arc::clone)
        })
    }

    /// What is expected of a tool's arguments, if anything is.
    pub(super) fn tool(&self, tool: &ToolName) -> Option<&Tool> {
        self.tools.get(tool)
    }

    /// The shard of a call whose arguments are typed, as above; nothing where they are not.
    pub(super) fn of_call(
        &self,
        policies: &[Policy],
        tool: &ToolName,
        arguments: Arguments<'_>,
        breadth: Breadth,
    ) -> Option<&Shard> {
        let Typed { action, slots: [given, best, worst], .. } = self.tools.get(tool)?.typed.as_ref()?;
        let slots = match arguments {
            Arguments::Given(_) => given,
            Arguments::Best => best,
            Arguments::Worst => worst,
        };
        let made = || {
            let members = self.members(policies, Verb::ToolsCall, Some(action), breadth);
            Arc::new(Shard::of_verb(policies, members, arguments))
        };
        Some(slots.of(breadth).get_or_init(made))
    }

    #[expect(clippy::indexing_slicing, reason = "one slot for each variant of a fieldless enum")]
    fn slots_of(&self, verb: Verb) -> &Slots {
        &self.slots[verb as usize]
    }

    /// The policies that a question of this verb is asked of; `typed` is the action of a call whose
    /// arguments are typed.
    fn members(&self, policies: &[Policy], verb: Verb, typed: Option<&str>, breadth: Breadth) -> Vec<usize> {
        let mut members = self.all(policies, verb);
        members.retain(|&member| {
            policies.get(member).is_some_and(|policy| policy.applies_to(verb, typed) && !breadth.leaves_out(policy))
        });
        members
    }

    /// The policies that some question of this verb about this server is asked of.
    pub(super) fn all(&self, policies: &[Policy], verb: Verb) -> Vec<usize> {
        let mut members: Vec<usize> = self.own.iter().chain(&*self.global).copied().collect();
        members.sort_unstable();
        members.retain(|&member| policies.get(member).is_some_and(|policy| policy.verbs.contains(&verb)));
        members
    }

    /// Which names of a list are decided alike: a bit for each name pattern of the policies. `None`
    /// where a policy reads the name in a way that no pattern stands for.
    pub(super) fn class(&self, policies: &[Policy], verb: Verb, name: &str) -> Option<u64> {
        let patterns = self.classes.get(verb as usize)?.get_or_init(|| {
            let mut patterns = Vec::new();
            let all = Breadth { wide: true, found: true };
            for policy in self.members(policies, verb, None, all).into_iter().filter_map(|member| policies.get(member))
            {
                if policy.shape.reads_name && policy.patterns.is_empty() {
                    return None;
                }
                patterns.extend(policy.patterns.iter().cloned());
            }
            (patterns.len() <= 64).then_some(patterns)
        });
        let bits = patterns.as_ref()?.iter().enumerate();
        Some(bits.fold(0, |class, (bit, pattern)| class | (u64::from(pattern.matches(name)) << bit)))
    }
}
