//! Tokens in memory, and the marks of revocation.

use jiff::Timestamp;

use super::State;
use crate::{
    id::Id,
    principal::Principal,
    store::{
        FoundToken, NewToken, Reach, StoreError, TokenRow, Touched,
        rows::{Mac, Read, TokenRows},
    },
};

impl TokenRows for State {
    async fn add_token(&mut self, token: &NewToken) -> Read<()> {
        if self.tokens.contains_key(&token.mac) || self.tokens.values().any(|row| row.id == token.row.id) {
            return Err(StoreError::Corrupt { what: "token", problem: "it is there already".to_owned() });
        }
        self.tokens.insert(token.mac, token.row.clone());
        Ok(())
    }

    async fn token(&mut self, mac: &Mac) -> Read<Option<FoundToken>> {
        let Some(row) = self.tokens.get(mac) else { return Ok(None) };
        let grant = row.grant.and_then(|grant| self.grants.get(&grant));
        let opened = grant.map(|grant| grant.opened.clone());
        let groups = grant.map(|grant| grant.groups.clone()).unwrap_or_default();
        Ok(Some(FoundToken { row: row.clone(), opened, groups }))
    }

    async fn token_by_id(&mut self, id: Id) -> Read<Option<TokenRow>> {
        Ok(self.tokens.values().find(|row| row.id == id).cloned())
    }

    async fn tokens(&mut self) -> Read<Vec<TokenRow>> {
        let mut rows: Vec<_> = self.tokens.values().cloned().collect();
        rows.sort_by_key(|row| std::cmp::Reverse((row.issued_at, row.id)));
        Ok(rows)
    }

    async fn mark_revoked(&mut self, reach: &Reach, now: Timestamp) -> Read<Touched> {
        let mut touched = Touched::default();
        let mut mark = |revoked_at: &mut Option<Timestamp>, reached: bool, count: fn(&mut Touched) -> &mut u64| {
            if reached && revoked_at.is_none() {
                *revoked_at = Some(now);
                *count(&mut touched) += 1;
            }
        };
        for token in self.tokens.values_mut() {
            let reached = match reach {
                Reach::Token(id) => token.id == *id,
                Reach::Family(id) => token.family == Some(*id),
                Reach::Grant(id) => token.grant == Some(*id),
                Reach::Client(id) => {
                    token.client.as_ref() == Some(id) || token.principal == Principal::Client(id.clone())
                }
                Reach::User(id) => token.principal == Principal::User(id.clone()),
                Reach::All => token.expires_at > now,
            };
            mark(&mut token.revoked_at, reached, |touched| &mut touched.tokens);
        }
        for family in self.families.values_mut() {
            let reached = match reach {
                Reach::Token(_) => false,
                Reach::Family(id) => family.id == *id,
                Reach::Grant(id) => family.grant == *id,
                Reach::Client(id) => family.client == *id,
                Reach::User(id) => family.user == *id,
                Reach::All => true,
            };
            mark(&mut family.revoked_at, reached, |touched| &mut touched.families);
        }
        for grant in self.grants.values_mut() {
            let reached = match reach {
                Reach::Token(_) | Reach::Family(_) => false,
                Reach::Grant(id) => grant.id == *id,
                Reach::Client(id) => grant.client == *id,
                Reach::User(id) => grant.user == *id,
                Reach::All => true,
            };
            mark(&mut grant.revoked_at, reached, |touched| &mut touched.grants);
        }
        Ok(touched)
    }
}
