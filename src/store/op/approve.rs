//! A person approves: the grant is made or renewed and a code carries it to the client, in one
//! transaction with the mark that the page was used.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::Once;
use crate::{
    id::Id,
    name::{ClientId, GroupId, ScopeName, UserId},
    store::{
        CodeRow, Event, GrantRow, Opened, Reach, Store, StoreError,
        rows::{Mac, Op, Read, Rows},
    },
};

/// What a person approved.
#[derive(Debug, Clone)]
pub struct NewGrant {
    /// The id of the grant, should it be a new one.
    pub id: Id,
    /// Who approves.
    pub user: UserId,
    /// For which client.
    pub client: ClientId,
    /// Where its tokens are to be good.
    pub resource: String,
    /// What is approved now. What was approved before and is not among it stays approved.
    pub scopes: Vec<ScopeName>,
    /// What each of these opens now.
    pub opened: Opened,
    /// The groups that the person is in now.
    pub groups: BTreeSet<GroupId>,
    /// The redirect URI for which it need not be asked again, if it is to be remembered.
    pub remembered: Option<String>,
}

/// An approval and the code that comes of it.
#[derive(Debug, Clone)]
pub struct Approve {
    /// The page that was used: a second use gives nothing (OA-92).
    pub once: Once,
    /// The proof that is used up by it, where it needs one of its own.
    pub proof: Option<Once>,
    /// What is approved.
    pub grant: NewGrant,
    /// The digest of the code.
    pub code: [u8; 32],
    /// Where the code is sent.
    pub redirect_uri: String,
    /// Whether the request named that place.
    pub redirect_sent: bool,
    /// The S256 challenge.
    pub challenge: String,
    /// Whether refresh tokens are to come of it.
    pub renewable: bool,
    /// Until when the code is good.
    pub expires_at: Timestamp,
    /// The present.
    pub now: Timestamp,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Approved {
    /// The grant stands, and the code with it.
    Done {
        /// The grant's id.
        grant: Id,
    },
    /// The page was used before; nothing was approved.
    Again,
    /// The proof was used up before; nothing was changed.
    Stale,
}

impl Store {
    /// Makes or renews the grant of a person, client and resource, and keeps the code. All of it, or
    /// nothing where the page was used before.
    ///
    /// # Errors
    /// When nothing was kept.
    pub async fn approve(&self, ask: Approve) -> Result<Approved, StoreError> {
        self.write(ask).await
    }

    /// The grant with this id, also one that is revoked.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn grant(&self, id: Id) -> Result<Option<GrantRow>, StoreError> {
        self.read(FindGrant { id }).await
    }

    /// The grant of a person, client and resource, unless it is revoked.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn grant_of(
        &self,
        user: &UserId,
        client: &ClientId,
        resource: &str,
    ) -> Result<Option<GrantRow>, StoreError> {
        self.read(GrantOf { user: user.clone(), client: client.clone(), resource: resource.to_owned() }).await
    }

    /// The grants of a user, of a client or all, without those that are revoked; newest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn list_grants(&self, of: Reach) -> Result<Vec<GrantRow>, StoreError> {
        self.read(ListGrants { of }).await
    }
}

impl Op for Approve {
    type Answer = Approved;

    async fn run<R: Rows>(&self, rows: &mut R) -> Read<Approved> {
        let Self {
            once,
            proof,
            grant: asked,
            code,
            redirect_uri,
            redirect_sent,
            challenge,
            renewable,
            expires_at,
            now,
        } = self;
        if let Some(proof) = proof
            && !rows.add_once(proof.name, &proof.id, proof.kept_until(), *now).await?
        {
            return Ok(Approved::Stale);
        }
        if !rows.add_once(once.name, &once.id, once.kept_until(), *now).await? {
            return Ok(Approved::Again);
        }
        let grant = match rows.grant_of(&asked.user, &asked.client, &asked.resource).await? {
            Some(standing) => {
                rows.leave(*now, &Event::GrantRenewed { grant: standing.id.to_string() }).await?;
                renewed(standing, asked, *now)
            }
            None => GrantRow {
                id: asked.id,
                user: asked.user.clone(),
                client: asked.client.clone(),
                resource: asked.resource.clone(),
                scopes: sorted(&asked.scopes),
                opened: asked.opened.clone(),
                groups: asked.groups.clone(),
                remembered: asked.remembered.clone(),
                created_at: *now,
                approved_at: *now,
                used_at: None,
                revoked_at: None,
            },
        };
        rows.put_grant(&grant).await?;
        let row = CodeRow {
            grant: grant.id,
            user: grant.user,
            client: grant.client,
            redirect_uri: redirect_uri.clone(),
            redirect_sent: *redirect_sent,
            challenge: challenge.clone(),
            resource: grant.resource,
            scopes: sorted(&asked.scopes),
            renewable: *renewable,
            issued_at: *now,
            expires_at: *expires_at,
            tries: 0,
            family: None,
            made_by: Some(rows.process()),
        };
        rows.put_code(code, &row).await?;
        Ok(Approved::Done { grant: grant.id })
    }
}

/// What stands, with what is approved now: each scope opens what it was last approved for.
fn renewed(standing: GrantRow, asked: &NewGrant, now: Timestamp) -> GrantRow {
    let mut opened = standing.opened;
    for scope in &asked.scopes {
        opened.insert(scope.clone(), asked.opened.get(scope).cloned().unwrap_or_default());
    }
    let scopes: Vec<ScopeName> = standing.scopes.iter().chain(&asked.scopes).cloned().collect();
    GrantRow {
        scopes: sorted(&scopes),
        opened,
        groups: asked.groups.clone(),
        // Remembered only as it was approved last.
        remembered: asked.remembered.clone(),
        approved_at: now,
        ..standing
    }
}

pub(super) fn sorted(scopes: &[ScopeName]) -> Vec<ScopeName> {
    scopes.iter().collect::<BTreeSet<_>>().into_iter().cloned().collect()
}

struct FindGrant {
    id: Id,
}

impl Op for FindGrant {
    type Answer = Option<GrantRow>;
    const FINDS: bool = true;

    async fn run<R: Rows>(&self, rows: &mut R) -> Read<Self::Answer> {
        rows.grant(self.id).await
    }
}

struct GrantOf {
    user: UserId,
    client: ClientId,
    resource: String,
}

impl Op for GrantOf {
    type Answer = Option<GrantRow>;
    const FINDS: bool = true;

    async fn run<R: Rows>(&self, rows: &mut R) -> Read<Self::Answer> {
        rows.grant_of(&self.user, &self.client, &self.resource).await
    }
}

struct ListGrants {
    of: Reach,
}

impl Op for ListGrants {
    type Answer = Vec<GrantRow>;

    async fn run<R: Rows>(&self, rows: &mut R) -> Read<Self::Answer> {
        rows.grants(&self.of).await
    }
}

/// The code with this digest, redeemed and expired ones too.
pub(super) struct FindCode {
    pub(super) mac: Mac,
}

impl Op for FindCode {
    type Answer = Option<CodeRow>;
    const FINDS: bool = true;

    async fn run<R: Rows>(&self, rows: &mut R) -> Read<Self::Answer> {
        rows.code(&self.mac).await
    }
}
