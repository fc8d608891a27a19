//! What persons approved: grants, the codes that carry them to a client, and the families of tokens
//! that come of a code.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Opaque, Process};
use crate::{
    id::Id,
    name::{ClientId, GroupId, ScopeName, ServerName},
    policy::Risk,
    principal::Principal,
};

/// What a scope opened when a person consented to it: a server that joins later is not among it.
pub type Opened = BTreeMap<ScopeName, BTreeSet<Opening>>;

/// One server with tools of one risk.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Opening {
    /// The server.
    pub server: ServerName,
    /// What its tools may do.
    pub risk: Risk,
}

/// What a person approved for a client at a resource. Of those that are not revoked there is one
/// for each person, client and resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantRow {
    /// Its public name.
    pub id: Id,
    /// Who approved.
    pub user: crate::name::UserId,
    /// For which client.
    pub client: ClientId,
    /// The URL that its tokens are good at.
    pub resource: String,
    /// What was approved, sorted.
    pub scopes: Vec<ScopeName>,
    /// What each of these opened then.
    pub opened: Opened,
    /// The groups that the person was in then.
    pub groups: BTreeSet<GroupId>,
    /// The redirect URI for which it need not be asked again, where it was to be remembered.
    pub remembered: Option<String>,
    /// Since when.
    pub created_at: Timestamp,
    /// When it was approved last.
    pub approved_at: Timestamp,
    /// When a token came of it last.
    pub used_at: Option<Timestamp>,
    /// When it was withdrawn, if it was.
    pub revoked_at: Option<Timestamp>,
}

/// An authorization code, as far as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeRow {
    /// The grant that it carries.
    pub grant: Id,
    /// Who approved.
    pub user: crate::name::UserId,
    /// Who may redeem it.
    pub client: ClientId,
    /// Where it was sent.
    pub redirect_uri: String,
    /// Whether the request named that place.
    pub redirect_sent: bool,
    /// The S256 challenge.
    pub challenge: String,
    /// The URL that its tokens are good at.
    pub resource: String,
    /// What it is good for, sorted.
    pub scopes: Vec<ScopeName>,
    /// Whether refresh tokens come of it.
    pub renewable: bool,
    /// Since when.
    pub issued_at: Timestamp,
    /// Until when, that instant excluded.
    pub expires_at: Timestamp,
    /// How often somebody tried in vain.
    pub tries: u32,
    /// What came of it when it was redeemed.
    pub family: Option<Id>,
    /// Whose clock the two instants are of; nothing where a version before 3 wrote it.
    pub made_by: Option<Process>,
}

/// The tokens that came of one code: one branch, renewed by refresh tokens that are derived from
/// this row and kept nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FamilyRow {
    /// Its public name, and part of its refresh tokens.
    pub id: Id,
    /// The grant behind it.
    pub grant: Id,
    /// Who approved.
    pub user: crate::name::UserId,
    /// Whose it is.
    pub client: ClientId,
    /// The URL that its tokens are good at.
    pub resource: String,
    /// The most that its tokens may grant, sorted.
    pub scopes: Vec<ScopeName>,
    /// The number of the refresh token that is current.
    pub generation: u32,
    /// Goes into the refresh tokens, so that they do not follow from what lists show.
    pub nonce: Opaque<[u8; 16]>,
    /// Which scopes the last rotation asked for; nothing for all.
    pub asked: Option<Vec<ScopeName>>,
    /// Whether there are refresh tokens at all.
    pub renewable: bool,
    /// Since when.
    pub created_at: Timestamp,
    /// When it was rotated last.
    pub rotated_at: Option<Timestamp>,
    /// Whose clock that is of; nothing where nobody rotated it, or a version before 3.
    pub rotated_by: Option<Process>,
    /// Whether what the last rotation gave has been seen in use.
    pub successor_used: bool,
    /// It is over when nobody refreshes until then.
    pub idle_expires_at: Timestamp,
    /// It is over then, whatever happens.
    pub expires_at: Timestamp,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Timestamp>,
    /// The groups that the person was in at their last consent, as the grant has them now. Not kept here.
    pub groups: BTreeSet<GroupId>,
}

impl FamilyRow {
    /// Whose its tokens are.
    #[must_use]
    pub fn principal(&self) -> Principal {
        Principal::User(self.user.clone())
    }
}
