//! Grants, codes, families and clients in memory.

use jiff::Timestamp;

use super::State;
use crate::{
    id::Id,
    name::{ClientId, UserId},
    store::{
        ClientKind, ClientRow, CodeRow, FamilyRow, GrantRow, Reach,
        rows::{GrantRows, Mac, Read},
    },
};

impl GrantRows for State {
    async fn grant(&mut self, id: Id) -> Read<Option<GrantRow>> {
        Ok(self.grants.get(&id).cloned())
    }

    async fn grant_of(&mut self, user: &UserId, client: &ClientId, resource: &str) -> Read<Option<GrantRow>> {
        let fits = |grant: &&GrantRow| {
            grant.user == *user && grant.client == *client && grant.resource == resource && grant.revoked_at.is_none()
        };
        Ok(self.grants.values().find(fits).cloned())
    }

    async fn grants(&mut self, reach: &Reach) -> Read<Vec<GrantRow>> {
        let fits = |grant: &&GrantRow| match reach {
            Reach::User(user) => grant.user == *user,
            Reach::Client(client) => grant.client == *client,
            Reach::Grant(id) => grant.id == *id,
            Reach::All => true,
            Reach::Token(_) | Reach::Family(_) => false,
        };
        let mut found: Vec<_> =
            self.grants.values().filter(|grant| grant.revoked_at.is_none()).filter(fits).cloned().collect();
        found.sort_by(|a, b| b.approved_at.cmp(&a.approved_at).then(a.id.cmp(&b.id)));
        Ok(found)
    }

    async fn put_grant(&mut self, grant: &GrantRow) -> Read<()> {
        self.grants.insert(grant.id, grant.clone());
        Ok(())
    }

    async fn code(&mut self, mac: &Mac) -> Read<Option<CodeRow>> {
        Ok(self.codes.get(mac).cloned())
    }

    async fn put_code(&mut self, mac: &Mac, code: &CodeRow) -> Read<()> {
        self.codes.insert(*mac, code.clone());
        Ok(())
    }

    async fn family(&mut self, id: Id) -> Read<Option<FamilyRow>> {
        let groups = |grant| self.grants.get(grant).map(|grant| grant.groups.clone()).unwrap_or_default();
        Ok(self.families.get(&id).map(|family| FamilyRow { groups: groups(&family.grant), ..family.clone() }))
    }

    async fn put_family(&mut self, family: &FamilyRow) -> Read<()> {
        self.families.insert(family.id, family.clone());
        Ok(())
    }

    async fn client(&mut self, id: &ClientId) -> Read<Option<ClientRow>> {
        Ok(self.clients.get(id).cloned())
    }

    async fn put_client(&mut self, client: &ClientRow) -> Read<()> {
        self.clients.insert(client.id.clone(), client.clone());
        Ok(())
    }

    async fn remove_client(&mut self, id: &ClientId) -> Read<bool> {
        Ok(self.clients.remove(id).is_some())
    }

    async fn count_clients(&mut self, kind: ClientKind) -> Read<u64> {
        let count = self.clients.values().filter(|client| client.kind == kind).count();
        Ok(u64::try_from(count).unwrap_or(u64::MAX))
    }

    async fn clients(&mut self) -> Read<Vec<ClientRow>> {
        let mut rows: Vec<_> = self.clients.values().cloned().collect();
        rows.sort_by(|a, b| b.created_at.cmp(&a.created_at).then(a.id.cmp(&b.id)));
        Ok(rows)
    }

    async fn remove_expired_clients(&mut self, kind: ClientKind, now: Timestamp, most: u32) -> Read<u64> {
        let mut left = most;
        super::retain(&mut self.clients, &mut left, |client| client.kind == kind && client.expires_at <= now);
        Ok(u64::from(most - left))
    }
}
