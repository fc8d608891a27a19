//! Who asks in a test: principals and groups of them, by name.

use std::{collections::BTreeSet, sync::Arc};

use super::{file::PrincipalSection, read::Cx};
use crate::{
    config::{Named, Written},
    diagnostic::{Place, Placed},
    name::{ClientId, GroupId, ScopeName, UserId},
    policy::Standing,
    principal::Principal,
};

/// Somebody who asks.
#[derive(Debug)]
pub struct Who {
    /// The name in the file.
    pub name: String,
    /// What their credential says.
    pub standing: Standing,
    /// Where it is written.
    pub place: Place,
}

/// The names by which tests call principals.
pub(super) struct Names {
    principals: Vec<(String, Arc<Who>)>,
    groups: Vec<(String, Vec<Arc<Who>>)>,
}

impl Names {
    pub(super) fn new(principals: Vec<(String, Arc<Who>)>, groups: Vec<(String, Vec<Arc<Who>>)>) -> Self {
        Self { principals, groups }
    }

    /// Everybody whom names stand for, each once; an unknown name is a finding.
    pub(super) fn all(&self, names: &[Placed<String>], cx: &mut Cx<'_>) -> Vec<Arc<Who>> {
        let mut found: Vec<Arc<Who>> = Vec::new();
        for name in names {
            let meant = match self.get(&name.value) {
                Some(meant) => meant,
                None => {
                    let known = self.principals.iter().map(|(name, _)| name.as_str());
                    let known = known.chain(self.groups.iter().map(|(name, _)| name.as_str()));
                    cx.unknown("principal", "principals", name, known);
                    continue;
                }
            };
            for who in meant {
                if !found.iter().any(|other| Arc::ptr_eq(other, &who)) {
                    found.push(who);
                }
            }
        }
        found
    }

    fn get(&self, name: &str) -> Option<Vec<Arc<Who>>> {
        let one = self.principals.iter().find(|(other, _)| other == name).map(|(_, who)| vec![who.clone()]);
        one.or_else(|| self.groups.iter().find(|(other, _)| other == name).map(|(_, group)| group.clone()))
    }
}

/// The principals of a file, in its order.
pub(super) fn principals(
    section: Option<Written<Named<PrincipalSection>>>,
    cx: &mut Cx<'_>,
) -> Vec<(String, Arc<Who>)> {
    let Named(entries) = section.and_then(|section| section.value).unwrap_or_default();
    entries
        .into_iter()
        .filter_map(|(name, section)| {
            let standing = standing(section.value?, &section.place, cx);
            // One with a finding stands all the same, so that who names it gets no second one.
            let who = Who { name: name.value.clone(), standing, place: name.place };
            Some((name.value, Arc::new(who)))
        })
        .collect()
}

fn standing(section: PrincipalSection, place: &Place, cx: &mut Cx<'_>) -> Standing {
    let PrincipalSection { sub, client, scopes, groups, anonymous } = section;
    let nobody = Standing::anonymous();
    let unknown = anonymous.as_ref().and_then(|anonymous| anonymous.value).unwrap_or_default();
    let credential = sub.is_some() || client.is_some() || scopes.is_some() || groups.is_some();
    if unknown {
        if credential {
            cx.wrong(place, "an anonymous principal has no token, so it has no `sub`, `client`, `scopes` or `groups`");
        }
        return nobody;
    }
    if groups.is_some() && sub.is_none() {
        cx.wrong(place, "`groups` are a person's, and there is no `sub`");
    }
    let client: Option<ClientId> = client.and_then(|client| cx.name(client));
    let user = sub.and_then(Written::placed).and_then(|sub| cx.named(&sub.place, UserId::written(&sub.value)));
    let principal = match (user, &client) {
        (Some(user), _) => Principal::User(user),
        (None, Some(client)) => Principal::Client(client.clone()),
        (None, None) => {
            cx.wrong(place, "a principal needs `sub`, `client` or `anonymous: true`");
            return nobody;
        }
    };
    let scopes: Vec<Placed<String>> = listed(scopes);
    let scopes: BTreeSet<ScopeName> = scopes.iter().filter_map(|scope| cx.scope(scope)).collect();
    let groups: Vec<Placed<String>> = listed(groups);
    let groups = groups.iter().filter_map(|group| cx.named(&group.place, GroupId::written(&group.value))).collect();
    Standing { principal, client, groups, scopes, named: None }
}

/// The groups of a file.
pub(super) fn groups(
    section: Option<Written<Named<Vec<Written<String>>>>>,
    principals: &[(String, Arc<Who>)],
    cx: &mut Cx<'_>,
) -> Vec<(String, Vec<Arc<Who>>)> {
    let Named(entries) = section.and_then(|section| section.value).unwrap_or_default();
    let mut groups = Vec::new();
    for (name, section) in entries {
        if principals.iter().any(|(other, _)| *other == name.value) {
            cx.wrong(&name.place, format!("`{}` is a principal already", name.value));
        }
        let names = Names::new(principals.to_vec(), Vec::new());
        let members: Vec<Placed<String>> = listed(Some(section));
        groups.push((name.value, names.all(&members, cx)));
    }
    groups
}

/// The good items of a list that may be missing.
pub(super) fn listed(section: Option<Written<Vec<Written<String>>>>) -> Vec<Placed<String>> {
    let items = section.and_then(|section| section.value).unwrap_or_default();
    items.into_iter().filter_map(Written::placed).collect()
}
