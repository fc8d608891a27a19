//! Rows of tokens, and the marks of revocation.

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;

use super::{Line, Reading, corrupt, millis, written};
use crate::{
    id::Id,
    principal::Principal,
    store::{
        FoundToken, NewToken, Reach, TokenRow, Touched,
        rows::{Mac, Read, TokenRows},
    },
};

impl TokenRows for Line<'_> {
    async fn add_token(&mut self, token: &NewToken) -> Read<()> {
        let NewToken { mac, row } = token;
        let TokenRow { id, principal, client, scopes, resource, family, grant, issued_at, expires_at, revoked_at } =
            row;
        self.say(
            "insert into token
             (mac, id, principal_kind, principal, client, scopes, resource, family, grant_id,
              issued_at, expires_at, revoked_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        )
        .bind(mac.as_slice())
        .bind(id.to_string())
        .bind(principal.kind())
        .bind(principal.id())
        .bind(client.as_ref().map(|client| client.as_str().to_owned()))
        .bind(written(scopes))
        .bind(resource.as_str())
        .bind(family.map(|id| id.to_string()))
        .bind(grant.map(|id| id.to_string()))
        .bind(issued_at.as_millisecond())
        .bind(expires_at.as_millisecond())
        .bind(millis(*revoked_at))
        .later()
        .await
    }

    async fn token(&mut self, mac: &Mac) -> Read<Option<FoundToken>> {
        let row = self
            .say(
                "select token.*, oauth_grant.opened, oauth_grant.groups
             from token left join oauth_grant on oauth_grant.id = token.grant_id where token.mac = $1",
            )
            .bind(mac.as_slice())
            .row()
            .await?;
        row.map(|row| {
            let read = Reading { row: &row, what: "grant" };
            let opened = read.get::<Option<&str>>("opened")?.map(serde_json::from_str).transpose();
            let groups = read.get::<Option<&str>>("groups")?.map(serde_json::from_str).transpose();
            Ok(FoundToken {
                row: token(&row)?,
                opened: opened.map_err(|error| corrupt("grant", error))?,
                groups: groups.map_err(|error| corrupt("grant", error))?.unwrap_or_default(),
            })
        })
        .transpose()
    }

    async fn token_by_id(&mut self, id: Id) -> Read<Option<TokenRow>> {
        let row = self.say("select * from token where id = $1").bind(id.to_string()).row().await?;
        row.map(|row| token(&row)).transpose()
    }

    async fn tokens(&mut self) -> Read<Vec<TokenRow>> {
        let rows = self.say("select * from token order by issued_at desc, id desc").rows().await?;
        rows.iter().map(token).collect()
    }

    async fn mark_revoked(&mut self, reach: &Reach, now: Timestamp) -> Read<Touched> {
        let (which, tokens, families, grants) = match reach {
            Reach::Token(id) => (id.to_string(), Some("id = $2"), None, None),
            // The grant is named so that its index serves.
            Reach::Family(id) => (
                id.to_string(),
                Some("grant_id = (select grant_id from family where id = $2) and family = $2"),
                Some("id = $2"),
                None,
            ),
            Reach::Grant(id) => (id.to_string(), Some("grant_id = $2"), Some("grant_id = $2"), Some("id = $2")),
            Reach::Client(id) => (
                id.as_str().to_owned(),
                Some("client = $2 or (grant_id is null and principal_kind = 'client' and principal = $2)"),
                Some("client = $2"),
                Some("client = $2"),
            ),
            Reach::User(id) => (
                id.as_str().to_owned(),
                // By the indexes that there are: tokens with a grant, and those without.
                Some(
                    "grant_id in (select id from oauth_grant where person = $2)
                     or (grant_id is null and principal = $2 and principal_kind = 'user')",
                ),
                Some("person = $2"),
                Some("person = $2"),
            ),
            Reach::All => (String::new(), Some("$2 = '' and expires_at > $1"), Some("$2 = ''"), Some("$2 = ''")),
        };
        let mut counts = [0; 3];
        for ((table, those), count) in
            [("token", tokens), ("family", families), ("oauth_grant", grants)].into_iter().zip(&mut counts)
        {
            let Some(those) = those else { continue };
            let sql = format!("update {table} set revoked_at = $1 where revoked_at is null and ({those})");
            // Nothing but the fixed words above is in it.
            let query = self.say(sqlx::AssertSqlSafe(sql)).bind(now.as_millisecond()).bind(which.as_str());
            *count = query.changed().await?;
        }
        let [tokens, families, grants] = counts;
        Ok(Touched { tokens, families, grants })
    }
}

fn token(row: &SqliteRow) -> Read<TokenRow> {
    let read = Reading { row, what: "token" };
    let principal = match read.get("principal_kind")? {
        "user" => Principal::User(read.parsed("principal")?),
        "client" => Principal::Client(read.parsed("principal")?),
        other => return Err(corrupt("token", other)),
    };
    Ok(TokenRow {
        id: read.parsed("id")?,
        principal,
        client: read.maybe("client")?,
        scopes: read.scopes("scopes")?,
        resource: read.get("resource")?,
        family: read.maybe("family")?,
        grant: read.maybe("grant_id")?,
        issued_at: read.at("issued_at")?,
        expires_at: read.at("expires_at")?,
        revoked_at: read.maybe_at("revoked_at")?,
    })
}
