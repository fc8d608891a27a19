//! Who there is: every kind of caller that the policies can tell apart, and the most each can hold.
//!
//! Kinds come from what the policies name. The most a caller can hold is asked of the engine, once for
//! each kind of scope: scopes that the same ceilings name are granted alike.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, OnceLock},
};

use super::{Reach, literal::AsksFor};
use crate::{
    name::{ClientId, GroupId, ScopeName, UserId},
    policy::{Asker, Effect, Standing},
    principal::Principal,
};

/// What makes a caller of one kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Who {
    /// Without a token; with OAuth off, everybody.
    Anonymous,
    /// A person whom no policy names.
    Everyone,
    /// A person in one group, otherwise unnamed.
    Group(GroupId),
    /// One person, in no group.
    User(UserId),
    /// A client without a person.
    Client(ClientId),
    /// Somebody made up of several of these: a person in groups, through a client.
    Mixed(String),
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => f.write_str("anonymous"),
            Self::Everyone => f.write_str("user *"),
            Self::Group(group) => write!(f, "group {group}"),
            Self::User(user) => write!(f, "user {user}"),
            Self::Client(client) => write!(f, "client {client}"),
            Self::Mixed(words) => f.write_str(words),
        }
    }
}

/// A kind of caller.
#[derive(Debug)]
pub struct Caller {
    /// What makes it.
    pub who: Who,
    /// What its credential says, with no scope in it.
    standing: Standing,
    key: Arc<str>,
    ceiling: OnceLock<Arc<BTreeSet<ScopeName>>>,
    /// Made ready to ask with everything it can hold.
    pub(super) at_most: OnceLock<Option<Arc<Asker>>>,
}

impl Caller {
    /// What its credential says, with no scope in it.
    #[must_use]
    pub const fn standing(&self) -> &Standing {
        &self.standing
    }

    pub(super) const fn key(&self) -> &Arc<str> {
        &self.key
    }

    fn new(who: Who, principal: Principal, client: Option<ClientId>, groups: BTreeSet<GroupId>) -> Self {
        let key = format!("{principal} | {client:?} | {groups:?}").into();
        let standing = Standing { principal, client, groups, scopes: BTreeSet::new(), named: None };
        Self { who, standing, key, ceiling: OnceLock::new(), at_most: OnceLock::new() }
    }
}

/// Scopes that are granted alike.
#[derive(Debug)]
pub(super) struct Kind {
    scopes: Vec<ScopeName>,
    /// Whom each permit among their ceilings asks for.
    permits: Vec<AsksFor>,
}

impl Reach<'_> {
    /// Every kind of caller that stands for itself, sorted: a row of the matrix each.
    pub fn callers(&self) -> &[Caller] {
        self.callers.get_or_init(|| {
            if !self.engine.bundle().oauth() {
                return vec![Caller::new(Who::Anonymous, Principal::Anonymous, None, BTreeSet::new())];
            }
            let Named { users, groups, clients, .. } = self.named();
            let stranger = || Principal::User(stranger(users));
            let none = BTreeSet::new;
            let mut callers = vec![
                Caller::new(Who::Anonymous, Principal::Anonymous, None, none()),
                Caller::new(Who::Everyone, stranger(), None, none()),
            ];
            callers.extend(groups.iter().map(|group| {
                let groups = BTreeSet::from([group.clone()]);
                Caller::new(Who::Group(group.clone()), stranger(), None, groups)
            }));
            let person =
                |user: &UserId| Caller::new(Who::User(user.clone()), Principal::User(user.clone()), None, none());
            callers.extend(users.iter().map(person));
            callers.extend(clients.iter().map(|client| {
                Caller::new(
                    Who::Client(client.clone()),
                    Principal::Client(client.clone()),
                    Some(client.clone()),
                    none(),
                )
            }));
            callers
        })
    }

    /// People who are in every group, and people through each client that a policy of *use* names:
    /// what a row of [`Reach::callers`] cannot do alone, one of these may. Where policies of *use* name
    /// groups, there are people in all the others as well.
    pub fn widest(&self) -> &[Caller] {
        self.widest.get_or_init(|| {
            if !self.engine.bundle().oauth() {
                return Vec::new();
            }
            let Named { users, groups, used_groups, used_clients, .. } = self.named();
            let mut sets = vec![groups.clone()];
            if !used_groups.is_empty() {
                sets.push(groups.difference(used_groups).cloned().collect());
            }
            sets.retain(|set| !set.is_empty());
            if !used_clients.is_empty() {
                sets.push(BTreeSet::new());
            }
            let people = || [stranger(users)].into_iter().chain(users.iter().cloned());
            let mut callers = Vec::new();
            for groups in &sets {
                for user in people() {
                    let through = used_clients.iter().cloned().map(Some);
                    let alone = (!groups.is_empty()).then_some(None);
                    callers.extend(
                        alone
                            .into_iter()
                            .chain(through)
                            .map(|client| self.caller(Principal::User(user.clone()), client, groups.clone())),
                    );
                }
            }
            callers
        })
    }

    /// A caller to order.
    #[must_use]
    pub fn caller(&self, principal: Principal, client: Option<ClientId>, groups: BTreeSet<GroupId>) -> Caller {
        let mut words = match &principal {
            Principal::User(user) if !self.named().users.contains(user) => "user *".to_owned(),
            Principal::User(_) | Principal::Client(_) | Principal::Anonymous => principal.to_string(),
        };
        if !groups.is_empty() {
            let groups: Vec<&str> = groups.iter().map(GroupId::as_str).collect();
            words = format!("{words} in {}", groups.join(", "));
        }
        if let (Some(client), Principal::User(_)) = (&client, &principal) {
            words = format!("{words} through {client}");
        }
        Caller::new(Who::Mixed(words), principal, client, groups)
    }

    /// The most that a caller can hold.
    pub fn ceiling<'k>(&self, caller: &'k Caller) -> &'k Arc<BTreeSet<ScopeName>> {
        caller.ceiling.get_or_init(|| {
            let bundle = self.engine.bundle();
            let Standing { principal, client, groups, scopes: _, named: _ } = &caller.standing;
            if !bundle.oauth() {
                return Arc::new(bundle.scopes().clone());
            }
            if *principal == Principal::Anonymous {
                return Arc::default();
            }
            let mut most = BTreeSet::new();
            for kind in self.kinds() {
                // A permit for somebody else is no permit for this one.
                let asked = kind.permits.iter().any(|permit| permit.takes_in(&caller.standing));
                let Some(one) = kind.scopes.first().filter(|_| asked) else { continue };
                if self.engine.may_grant(principal, client.as_ref(), groups, one).is_allow() {
                    most.extend(kind.scopes.iter().cloned());
                }
            }
            Arc::new(most)
        })
    }

    /// The scopes by how they are granted.
    fn kinds(&self) -> &[Kind] {
        self.kinds.get_or_init(|| {
            let bundle = self.engine.bundle();
            let mut named: BTreeMap<&ScopeName, Vec<usize>> =
                bundle.scopes().iter().map(|scope| (scope, Vec::new())).collect();
            for (nth, policy) in bundle.grants.iter().enumerate() {
                for scope in self.literals(policy).into_iter().flat_map(|literals| &literals.scopes) {
                    if let Some(by) = named.get_mut(scope) {
                        by.push(nth);
                    }
                }
            }
            let mut kinds: BTreeMap<Vec<usize>, Vec<ScopeName>> = BTreeMap::new();
            for (scope, by) in named {
                kinds.entry(by).or_default().push(scope.clone());
            }
            let permits = |by: &[usize]| {
                // A ceiling that names no scope may give this one too.
                let says = |(nth, policy): &(usize, &crate::policy::Policy)| {
                    policy.shape.effect == Effect::Permit
                        && (by.contains(nth) || self.literals(policy).is_none_or(|literals| literals.scopes.is_empty()))
                };
                let for_whom = |policy| self.literals(policy).map(|literals| literals.asks_for.clone());
                let permits = bundle.grants.iter().enumerate().filter(says);
                permits.map(|(_, policy)| for_whom(policy).unwrap_or_default()).collect()
            };
            kinds.into_iter().map(|(by, scopes)| Kind { scopes, permits: permits(&by) }).collect()
        })
    }

    /// Whom the policies name.
    fn named(&self) -> &Named {
        self.named.get_or_init(|| {
            let bundle = self.engine.bundle();
            let mut named = Named::default();
            for literals in bundle.access().filter_map(|policy| self.literals(policy)) {
                named.users.extend(literals.users.iter().cloned());
                named.clients.extend(literals.clients.iter().cloned());
                named.groups.extend(literals.groups.iter().cloned());
            }
            for literals in bundle.policies.iter().filter_map(|policy| self.literals(policy)) {
                named.used_clients.extend(literals.clients.iter().cloned());
                named.used_groups.extend(literals.groups.iter().cloned());
            }
            named
        })
    }
}

/// Whom the policies name, and of these whom those of *use* name.
#[derive(Debug, Default)]
pub(super) struct Named {
    users: BTreeSet<UserId>,
    clients: BTreeSet<ClientId>,
    groups: BTreeSet<GroupId>,
    used_clients: BTreeSet<ClientId>,
    used_groups: BTreeSet<GroupId>,
}

/// A person whom no policy names.
fn stranger(named: &BTreeSet<UserId>) -> UserId {
    let names = (0..).map(|nth: u32| if nth == 0 { "local/somebody".into() } else { format!("local/somebody-{nth}") });
    let free = names.filter_map(|name| name.parse::<UserId>().ok()).find(|name| !named.contains(name));
    #[expect(clippy::expect_used, reason = "there are more such names than policies can name, and each fits")]
    free.expect("a name that nobody has")
}
