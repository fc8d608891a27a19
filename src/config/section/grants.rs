//! `grants:`: the most that may be granted to whom.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    config::{
        document::Written,
        findings,
        resolve::{Resolver, good},
    },
    diagnostic::{Place, Placed},
    name::{ClientId, EntryId, GroupId, ScopeName, UserId},
};

/// One ceiling.
#[derive(Debug, Clone)]
pub struct Grant {
    /// Its own name, if it has one.
    pub id: Option<EntryId>,
    /// Whose ceiling it is.
    pub to: Grantee,
    /// What may be granted. Sorted, not empty, no repeats.
    pub scopes: Vec<Placed<ScopeName>>,
    /// Where the entry is written.
    pub place: Place,
}

/// Whose ceiling a grant is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grantee {
    /// Everybody who signs in: `user: "*"`.
    Everyone,
    /// One person.
    User(UserId),
    /// The people of a group.
    Group(GroupId),
    /// One OAuth client.
    Client(ClientId),
}

/// One ceiling: to whom it applies, and which scopes may be granted at most.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GrantSection {
    /// Its own name, by which findings and policies call it.
    #[schemars(extend("pattern" = "^[a-z0-9][a-z0-9-]{0,62}$"))]
    id: Option<Written<String>>,
    /// Whose ceiling it is.
    to: Written<GranteeSection>,
    /// What may be granted: `tag:NAME`, each tag declared under `tags`.
    #[schemars(extend("minItems" = 1, "uniqueItems" = true))]
    scopes: Written<Vec<Written<String>>>,
}

/// Whose ceiling a grant is: exactly one of a user, a group and a client.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
pub(crate) struct GranteeSection {
    /// A person, as in `ana` (which is `local/ana`) or `okta/00u1`; `*` is everyone who signs in.
    user: Option<Written<String>>,
    /// A group of people, as in `engineers` (which is `local/engineers`) or `okta/engineers`.
    group: Option<Written<String>>,
    /// An OAuth client by its id.
    client: Option<Written<String>>,
}

pub(crate) fn resolve(section: Option<Written<Vec<Written<GrantSection>>>>, cx: &mut Resolver<'_>) -> Vec<Grant> {
    let mut ids = BTreeMap::new();
    let entries = section.and_then(|section| section.value).unwrap_or_default();
    entries.into_iter().filter_map(|entry| Grant::resolve(entry, &mut ids, cx)).collect()
}

impl Grant {
    fn resolve(
        entry: Written<GrantSection>,
        ids: &mut BTreeMap<EntryId, Place>,
        cx: &mut Resolver<'_>,
    ) -> Option<Self> {
        let Written { place, value } = entry;
        let GrantSection { id, to, scopes } = value?;
        let id = id.and_then(Written::placed).and_then(|id| entry_id(&id, ids, cx));
        let to = Grantee::resolve(to, cx);
        let written = scopes.place;
        let listed = scopes.value?;
        if listed.is_empty() {
            let finding = findings::EMPTY_SELECTOR.at(&written, "`scopes` is empty, so this grants nothing");
            cx.find(finding.help("name at least one scope as in `[tag:web]`, or remove the grant"));
            return None;
        }
        let scopes = good(listed).iter().filter_map(|scope| cx.scope(scope)).collect();
        Some(Self { id, to: to?, scopes: cx.distinct(scopes), place })
    }
}

impl Grantee {
    fn resolve(section: Written<GranteeSection>, cx: &mut Resolver<'_>) -> Option<Self> {
        let Written { place, value } = section;
        let GranteeSection { user, group, client } = value?;
        match (user, group, client) {
            (Some(user), None, None) => {
                let user = user.placed()?;
                if user.value == "*" {
                    return Some(Self::Everyone);
                }
                Some(Self::User(cx.named(&user.place, UserId::written(&user.value))?.value))
            }
            (None, Some(group), None) => {
                let group = group.placed()?;
                Some(Self::Group(cx.named(&group.place, GroupId::written(&group.value))?.value))
            }
            (None, None, Some(client)) => Some(Self::Client(cx.name::<ClientId>(&client.placed()?)?.value)),
            _ => {
                let finding =
                    findings::WRONG_TYPE.at(&place, "`to` must hold exactly one of `user`, `group` and `client`");
                cx.find(finding.help("write one grant for each, as in `to: {group: engineers}`"));
                None
            }
        }
    }
}

/// The id of an entry, which no other entry of the section has.
pub(super) fn entry_id(
    written: &Placed<String>,
    ids: &mut BTreeMap<EntryId, Place>,
    cx: &mut Resolver<'_>,
) -> Option<EntryId> {
    let id = cx.name::<EntryId>(written)?;
    if let Some(first) = ids.get(&id.value) {
        let finding = findings::DUPLICATE_KEY.at(&id.place, format!("the id `{}` is given twice", id.value));
        cx.find(finding.label("again here").also(first, "first given here").help("give each entry an id of its own"));
        return None;
    }
    ids.insert(id.value.clone(), id.place);
    Some(id.value)
}
