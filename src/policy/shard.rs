//! Which policies a question is asked of.
//!
//! A shard is the policies that pin the question's server and those that pin none, of the verb. It is
//! made when it is first asked: ten thousand servers cost nothing until somebody calls one. Verbs
//! with the same policies share one shard.
//!
//! Every member of a shard applies to its verb, so the members stand in it without their action
//! scopes: those would only be found to hold, again at each question.
//!
//! The *narrow* shard leaves out what says nothing of a caller with a token and no filter: policies
//! about `Anonymous`, and those that begin with `context.filtered`.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
};

use cedar_policy::{EntityUid, PolicySet, PrincipalConstraint};

use super::{
    bundle::{Bundle, Policy},
    question::Verb,
};
use crate::name::{Pattern, ServerName};

/// A set of policies, and which of the bundle's they are.
#[derive(Debug)]
pub(super) struct Shard {
    pub(super) set: PolicySet,
    members: Vec<usize>,
}

impl Shard {
    /// These members of `policies`, as they are.
    pub(super) fn of(policies: &[Policy], members: Vec<usize>) -> Self {
        Self::made(policies, members, |policy| &policy.cedar)
    }

    /// These members of `policies`, each of which applies to every verb that is asked of them.
    fn of_verb(policies: &[Policy], members: Vec<usize>) -> Self {
        Self::made(policies, members, Policy::of_any_action)
    }

    fn made<'p>(
        policies: &'p [Policy],
        members: Vec<usize>,
        form: impl Fn(&'p Policy) -> &'p cedar_policy::Policy,
    ) -> Self {
        let mut set = PolicySet::new();
        for policy in members.iter().filter_map(|&member| policies.get(member)) {
            // Ids are unique within a bundle, which is all that `add` can refuse.
            _ = set.add(form(policy).clone());
        }
        Self { set, members }
    }

    /// Its members.
    pub(super) fn policies<'b>(&self, policies: &'b [Policy]) -> impl Iterator<Item = &'b Policy> {
        self.members.iter().filter_map(|&member| policies.get(member))
    }
}

/// The shards of the question *grant*: a policy whose head names one caller says nothing of others.
#[derive(Debug)]
pub(super) struct Grants {
    /// The policies that name no one caller.
    common: Shard,
    /// By the caller that some name, these.
    own: HashMap<EntityUid, (Vec<usize>, OnceLock<Shard>)>,
}

impl Grants {
    /// Sorts the policies of a bundle by the caller that they name.
    pub(super) fn plan(bundle: &Bundle) -> Self {
        let mut common = Vec::new();
        let mut own: HashMap<EntityUid, (Vec<usize>, OnceLock<Shard>)> = HashMap::new();
        for (member, policy) in bundle.grants.iter().enumerate() {
            match policy.cedar.principal_constraint() {
                PrincipalConstraint::Eq(one) => own.entry(one).or_default().0.push(member),
                PrincipalConstraint::Any
                | PrincipalConstraint::In(_)
                | PrincipalConstraint::Is(_)
                | PrincipalConstraint::IsIn(..) => common.push(member),
            }
        }
        Self { common: Shard::of(&bundle.grants, common), own }
    }

    /// The policies that a question about this caller is asked of.
    pub(super) fn of(&self, bundle: &Bundle, caller: &EntityUid) -> &PolicySet {
        let Some((own, shard)) = self.own.get(caller) else { return &self.common.set };
        let made = || {
            let mut members: Vec<usize> = own.iter().chain(&self.common.members).copied().collect();
            members.sort_unstable();
            Shard::of(&bundle.grants, members)
        };
        &shard.get_or_init(made).set
    }
}

/// The shards of one server.
#[derive(Debug)]
pub(super) struct Shards {
    /// The policies that pin this server.
    own: Vec<usize>,
    /// The policies that pin none, shared by all servers.
    global: Arc<[usize]>,
    slots: [[OnceLock<Arc<Shard>>; 2]; Verb::ALL.len()],
    classes: [OnceLock<Option<Vec<Pattern>>>; Verb::ALL.len()],
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
        let shards =
            |own| Self { own, global: Arc::clone(&global), slots: Default::default(), classes: Default::default() };
        own.into_iter()
            .filter(|(server, _)| bundle.servers.contains(*server))
            .map(|(server, own)| (server.clone(), shards(own)))
            .collect()
    }

    /// The shard of a verb; `wide` for a caller without a token, or with a filter.
    pub(super) fn of(&self, policies: &[Policy], verb: Verb, wide: bool) -> &Shard {
        let [narrow_slot, wide_slot] = self.slots_of(verb);
        let slot = if wide { wide_slot } else { narrow_slot };
        slot.get_or_init(|| {
            let members = self.members(policies, verb, wide);
            let twin = self.slots.iter().flatten().filter_map(OnceLock::get).find(|shard| shard.members == members);
            twin.map_or_else(|| Arc::new(Shard::of_verb(policies, members)), Arc::clone)
        })
    }

    #[expect(clippy::indexing_slicing, reason = "one slot for each variant of a fieldless enum")]
    fn slots_of(&self, verb: Verb) -> &[OnceLock<Arc<Shard>>; 2] {
        &self.slots[verb as usize]
    }

    /// The policies that a question of this verb is asked of, `wide` as above.
    pub(super) fn members(&self, policies: &[Policy], verb: Verb, wide: bool) -> Vec<usize> {
        let mut members: Vec<usize> = self.own.iter().chain(&*self.global).copied().collect();
        members.sort_unstable();
        members.retain(|&member| {
            policies.get(member).is_some_and(|policy| {
                let silent = policy.shape.filtered_only || policy.shape.principal.as_deref() == Some("Anonymous");
                policy.verbs.contains(&verb) && (wide || !silent)
            })
        });
        members
    }

    /// Which names of a list are decided alike: a bit for each name pattern of the policies. `None`
    /// where a policy reads the name in a way that no pattern stands for.
    pub(super) fn class(&self, policies: &[Policy], verb: Verb, name: &str) -> Option<u64> {
        let patterns = self.classes.get(verb as usize)?.get_or_init(|| {
            let mut patterns = Vec::new();
            for policy in self.members(policies, verb, true).into_iter().filter_map(|member| policies.get(member)) {
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
