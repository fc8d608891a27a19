//! Rows of grants, codes, families and clients.

use jiff::Timestamp;
use sqlx::{Row as _, sqlite::SqliteRow};

use super::{Line, Reading, corrupt, millis, written};
use crate::{
    id::Id,
    name::{ClientId, UserId},
    store::{
        ClientKind, ClientRow, CodeRow, FamilyRow, GrantRow, Opaque, Process, Reach,
        rows::{GrantRows, Mac, Read},
    },
};

impl GrantRows for Line<'_> {
    async fn grant(&mut self, id: Id) -> Read<Option<GrantRow>> {
        let row = self.say("select * from oauth_grant where id = $1").bind(id.to_string()).row().await?;
        row.map(|row| grant(&row)).transpose()
    }

    async fn grant_of(&mut self, user: &UserId, client: &ClientId, resource: &str) -> Read<Option<GrantRow>> {
        let row = self
            .say("select * from oauth_grant where person = $1 and client = $2 and resource = $3 and revoked_at is null")
            .bind(user.as_str())
            .bind(client.as_str())
            .bind(resource)
            .row()
            .await?;
        row.map(|row| grant(&row)).transpose()
    }

    async fn grants(&mut self, reach: &Reach) -> Read<Vec<GrantRow>> {
        let (which, sql) = match reach {
            Reach::User(user) => (
                user.as_str().to_owned(),
                "select * from oauth_grant where revoked_at is null and person = $1 order by approved_at desc, id",
            ),
            Reach::Client(client) => (
                client.as_str().to_owned(),
                "select * from oauth_grant where revoked_at is null and client = $1 order by approved_at desc, id",
            ),
            Reach::Grant(id) => (id.to_string(), "select * from oauth_grant where revoked_at is null and id = $1"),
            Reach::All => (
                String::new(),
                "select * from oauth_grant where revoked_at is null and $1 = '' order by approved_at desc, id",
            ),
            Reach::Token(_) | Reach::Family(_) => return Ok(Vec::new()),
        };
        let rows = self.say(sql).bind(which).rows().await?;
        rows.iter().map(grant).collect()
    }

    async fn put_grant(&mut self, grant: &GrantRow) -> Read<()> {
        let GrantRow {
            id,
            user,
            client,
            resource,
            scopes,
            opened,
            groups,
            remembered,
            created_at,
            approved_at,
            used_at,
            revoked_at,
        } = grant;
        self.say(
            "insert into oauth_grant
             (id, person, client, resource, scopes, opened, groups, remembered, created_at, approved_at, used_at,
              revoked_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
             on conflict (id) do update set scopes = excluded.scopes, opened = excluded.opened,
             groups = excluded.groups,
             remembered = excluded.remembered, approved_at = excluded.approved_at, used_at = excluded.used_at,
             revoked_at = excluded.revoked_at",
        )
        .bind(id.to_string())
        .bind(user.as_str())
        .bind(client.as_str())
        .bind(resource.as_str())
        .bind(written(scopes))
        .bind(serde_json::to_string(opened).map_err(|error| corrupt("grant", error))?)
        .bind(serde_json::to_string(groups).map_err(|error| corrupt("grant", error))?)
        .bind(remembered.as_deref())
        .bind(created_at.as_millisecond())
        .bind(approved_at.as_millisecond())
        .bind(millis(*used_at))
        .bind(millis(*revoked_at))
        .later()
        .await
    }

    async fn code(&mut self, mac: &Mac) -> Read<Option<CodeRow>> {
        let row = self.say("select * from code where mac = $1").bind(mac.as_slice()).row().await?;
        row.map(|row| code(&row)).transpose()
    }

    async fn put_code(&mut self, mac: &Mac, code: &CodeRow) -> Read<()> {
        let CodeRow {
            grant,
            user,
            client,
            redirect_uri,
            redirect_sent,
            challenge,
            resource,
            scopes,
            renewable,
            issued_at,
            expires_at,
            tries,
            family,
            made_by,
        } = code;
        self.say(
            "insert into code
             (mac, grant_id, person, client, redirect_uri, redirect_sent, challenge, resource, scopes, renewable,
              issued_at, expires_at, tries, family, made_by)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
             on conflict (mac) do update set tries = excluded.tries, family = excluded.family",
        )
        .bind(mac.as_slice())
        .bind(grant.to_string())
        .bind(user.as_str())
        .bind(client.as_str())
        .bind(redirect_uri.as_str())
        .bind(i64::from(*redirect_sent))
        .bind(challenge.as_str())
        .bind(resource.as_str())
        .bind(written(scopes))
        .bind(i64::from(*renewable))
        .bind(issued_at.as_millisecond())
        .bind(expires_at.as_millisecond())
        .bind(i64::from(*tries))
        .bind(family.map(|id| id.to_string()))
        .bind(made_by.map(Process::number))
        .later()
        .await
    }

    async fn family(&mut self, id: Id) -> Read<Option<FamilyRow>> {
        let row = self
            .say(
                "select family.*, oauth_grant.groups
                 from family left join oauth_grant on oauth_grant.id = family.grant_id where family.id = $1",
            )
            .bind(id.to_string())
            .row()
            .await?;
        row.map(|row| family(&row)).transpose()
    }

    async fn put_family(&mut self, family: &FamilyRow) -> Read<()> {
        let FamilyRow {
            id,
            grant,
            user,
            client,
            resource,
            scopes,
            generation,
            nonce,
            asked,
            renewable,
            created_at,
            rotated_at,
            rotated_by,
            successor_used,
            idle_expires_at,
            expires_at,
            revoked_at,
            groups: _,
        } = family;
        self.say(
            "insert into family
             (id, grant_id, person, client, resource, scopes, generation, nonce, asked, renewable, created_at,
              rotated_at, rotated_by, successor_used, idle_expires_at, expires_at, revoked_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
             on conflict (id) do update set generation = excluded.generation, asked = excluded.asked,
             rotated_at = excluded.rotated_at, rotated_by = excluded.rotated_by,
             successor_used = excluded.successor_used,
             idle_expires_at = excluded.idle_expires_at, revoked_at = excluded.revoked_at",
        )
        .bind(id.to_string())
        .bind(grant.to_string())
        .bind(user.as_str())
        .bind(client.as_str())
        .bind(resource.as_str())
        .bind(written(scopes))
        .bind(i64::from(*generation))
        .bind(nonce.expose().as_slice())
        .bind(asked.as_deref().map(written))
        .bind(i64::from(*renewable))
        .bind(created_at.as_millisecond())
        .bind(millis(*rotated_at))
        .bind(rotated_by.map(Process::number))
        .bind(i64::from(*successor_used))
        .bind(idle_expires_at.as_millisecond())
        .bind(expires_at.as_millisecond())
        .bind(millis(*revoked_at))
        .later()
        .await
    }

    async fn client(&mut self, id: &ClientId) -> Read<Option<ClientRow>> {
        let row = self.say("select * from client where id = $1").bind(id.as_str()).row().await?;
        row.map(|row| client(&row)).transpose()
    }

    async fn put_client(&mut self, client: &ClientRow) -> Read<()> {
        let ClientRow { id, kind, metadata, secret, created_at, used_at, expires_at } = client;
        self.say(
            "insert into client (id, kind, metadata, secret, created_at, used_at, expires_at)
             values ($1, $2, $3, $4, $5, $6, $7)
             on conflict (id) do update set kind = excluded.kind, metadata = excluded.metadata,
             secret = excluded.secret, created_at = excluded.created_at, used_at = excluded.used_at,
             expires_at = excluded.expires_at",
        )
        .bind(id.as_str())
        .bind(kind.as_str())
        .bind(metadata.as_str())
        .bind(secret.as_ref().map(|secret| secret.expose().as_slice()))
        .bind(created_at.as_millisecond())
        .bind(millis(*used_at))
        .bind(expires_at.as_millisecond())
        .later()
        .await
    }

    async fn remove_client(&mut self, id: &ClientId) -> Read<bool> {
        let done = self.say("delete from client where id = $1").bind(id.as_str()).changed().await?;
        Ok(done > 0)
    }

    async fn count_clients(&mut self, kind: ClientKind) -> Read<u64> {
        let row = self.say("select count(*) from client where kind = $1").bind(kind.as_str()).row().await?;
        Ok(row.map(|row| row.try_get::<i64, _>(0)).transpose()?.unwrap_or(0).unsigned_abs())
    }

    async fn clients(&mut self) -> Read<Vec<ClientRow>> {
        let rows = self.say("select * from client order by created_at desc, id").rows().await?;
        rows.iter().map(client).collect()
    }

    async fn remove_expired_clients(&mut self, kind: ClientKind, now: Timestamp, most: u32) -> Read<u64> {
        let done = self
            .say(
                "delete from client where id in
             (select id from client where kind = $1 and expires_at <= $2 order by expires_at limit $3)",
            )
            .bind(kind.as_str())
            .bind(now.as_millisecond())
            .bind(i64::from(most))
            .changed()
            .await?;
        Ok(done)
    }
}

fn grant(row: &SqliteRow) -> Read<GrantRow> {
    let read = Reading { row, what: "grant" };
    Ok(GrantRow {
        id: read.parsed("id")?,
        user: read.parsed("person")?,
        client: read.parsed("client")?,
        resource: read.get("resource")?,
        scopes: read.scopes("scopes")?,
        opened: serde_json::from_str(read.get("opened")?).map_err(|error| corrupt("grant", error))?,
        groups: serde_json::from_str(read.get("groups")?).map_err(|error| corrupt("grant", error))?,
        remembered: read.get("remembered")?,
        created_at: read.at("created_at")?,
        approved_at: read.at("approved_at")?,
        used_at: read.maybe_at("used_at")?,
        revoked_at: read.maybe_at("revoked_at")?,
    })
}

fn code(row: &SqliteRow) -> Read<CodeRow> {
    let read = Reading { row, what: "code" };
    Ok(CodeRow {
        grant: read.parsed("grant_id")?,
        user: read.parsed("person")?,
        client: read.parsed("client")?,
        redirect_uri: read.get("redirect_uri")?,
        redirect_sent: read.get::<i64>("redirect_sent")? != 0,
        challenge: read.get("challenge")?,
        resource: read.get("resource")?,
        scopes: read.scopes("scopes")?,
        renewable: read.get::<i64>("renewable")? != 0,
        issued_at: read.at("issued_at")?,
        expires_at: read.at("expires_at")?,
        tries: read.number("tries")?,
        family: read.maybe("family")?,
        made_by: read.get::<Option<i64>>("made_by")?.map(Process::from_number),
    })
}

fn family(row: &SqliteRow) -> Read<FamilyRow> {
    let read = Reading { row, what: "family" };
    let groups = read.get::<Option<&str>>("groups")?.map(serde_json::from_str).transpose();
    Ok(FamilyRow {
        id: read.parsed("id")?,
        grant: read.parsed("grant_id")?,
        user: read.parsed("person")?,
        client: read.parsed("client")?,
        resource: read.get("resource")?,
        scopes: read.scopes("scopes")?,
        generation: read.number("generation")?,
        nonce: Opaque::new(read.bytes("nonce")?),
        asked: read.maybe_scopes("asked")?,
        renewable: read.get::<i64>("renewable")? != 0,
        created_at: read.at("created_at")?,
        rotated_at: read.maybe_at("rotated_at")?,
        rotated_by: read.get::<Option<i64>>("rotated_by")?.map(Process::from_number),
        successor_used: read.get::<i64>("successor_used")? != 0,
        idle_expires_at: read.at("idle_expires_at")?,
        expires_at: read.at("expires_at")?,
        revoked_at: read.maybe_at("revoked_at")?,
        groups: groups.map_err(|error| corrupt("grant", error))?.unwrap_or_default(),
    })
}

fn client(row: &SqliteRow) -> Read<ClientRow> {
    let read = Reading { row, what: "client" };
    Ok(ClientRow {
        id: read.parsed("id")?,
        kind: match read.get("kind")? {
            "registered" => ClientKind::Registered,
            "published" => ClientKind::Published,
            other => return Err(corrupt("client", other)),
        },
        metadata: read.get("metadata")?,
        secret: read.get::<Option<Vec<u8>>>("secret")?.map(Opaque::new),
        created_at: read.at("created_at")?,
        used_at: read.maybe_at("used_at")?,
        expires_at: read.at("expires_at")?,
    })
}
