//! `grants:`: the most that may be granted to whom.

use crate::{
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
