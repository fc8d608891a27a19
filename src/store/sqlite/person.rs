//! Rows of accounts, sign-ins, counters, leases, and marks of single use.

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;

use super::{Line, Reading, millis};
use crate::{
    name::UserId,
    store::{
        AccountRow, CounterRow, LeaseRow, Opaque, SignInRow,
        rows::{Mac, PersonRows, Read},
    },
};

impl PersonRows for Line<'_> {
    async fn account(&mut self, user: &UserId) -> Read<Option<AccountRow>> {
        let row = self.say("select * from account where person = $1").bind(user.as_str()).row().await?;
        row.map(|row| account(&row)).transpose()
    }

    async fn put_account(&mut self, account: &AccountRow) -> Read<()> {
        let AccountRow { user, password, created_at, changed_at, disabled_at } = account;
        self.say(
            "insert into account (person, password, created_at, changed_at, disabled_at) values ($1, $2, $3, $4, $5)
             on conflict (person) do update set password = excluded.password, changed_at = excluded.changed_at,
             disabled_at = excluded.disabled_at",
        )
        .bind(user.as_str())
        .bind(password.expose().as_str())
        .bind(created_at.as_millisecond())
        .bind(changed_at.as_millisecond())
        .bind(millis(*disabled_at))
        .later()
        .await
    }

    async fn accounts(&mut self) -> Read<Vec<AccountRow>> {
        let rows = self.say("select * from account order by person").rows().await?;
        rows.iter().map(account).collect()
    }

    async fn sign_in(&mut self, mac: &Mac) -> Read<Option<SignInRow>> {
        let row = self.say("select * from sign_in where mac = $1").bind(mac.as_slice()).row().await?;
        row.map(|row| sign_in(&row)).transpose()
    }

    async fn put_sign_in(&mut self, mac: &Mac, row: &SignInRow) -> Read<()> {
        let SignInRow { id, user, method, created_at, proved_at, idle_expires_at, expires_at } = row;
        self.say(
            "insert into sign_in (mac, id, person, method, created_at, proved_at, idle_expires_at, expires_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8)
             on conflict (mac) do update set proved_at = excluded.proved_at,
             idle_expires_at = excluded.idle_expires_at",
        )
        .bind(mac.as_slice())
        .bind(id.to_string())
        .bind(user.as_str())
        .bind(method.as_str())
        .bind(created_at.as_millisecond())
        .bind(proved_at.as_millisecond())
        .bind(idle_expires_at.as_millisecond())
        .bind(expires_at.as_millisecond())
        .later()
        .await
    }

    async fn remove_sign_in(&mut self, mac: &Mac) -> Read<bool> {
        let done = self.say("delete from sign_in where mac = $1").bind(mac.as_slice()).changed().await?;
        Ok(done > 0)
    }

    async fn remove_sign_ins(&mut self, user: &UserId) -> Read<u64> {
        let done = self.say("delete from sign_in where person = $1").bind(user.as_str()).changed().await?;
        Ok(done)
    }

    async fn counter(&mut self, name: &str, key: &[u8]) -> Read<Option<CounterRow>> {
        let row = self.say("select * from counter where name = $1 and key = $2").bind(name).bind(key).row().await?;
        row.map(|row| {
            let read = Reading { row: &row, what: "counter" };
            Ok(CounterRow { count: read.number("count")?, since: read.at("since")?, until: read.at("until")? })
        })
        .transpose()
    }

    async fn put_counter(&mut self, name: &str, key: &[u8], row: &CounterRow) -> Read<()> {
        let CounterRow { count, since, until } = row;
        self.say(
            "insert into counter (name, key, count, since, until) values ($1, $2, $3, $4, $5)
             on conflict (name, key) do update set count = excluded.count, since = excluded.since,
             until = excluded.until",
        )
        .bind(name)
        .bind(key)
        .bind(i64::from(*count))
        .bind(since.as_millisecond())
        .bind(until.as_millisecond())
        .later()
        .await
    }

    async fn remove_counter(&mut self, name: &str, key: &[u8]) -> Read<()> {
        self.say("delete from counter where name = $1 and key = $2").bind(name).bind(key).later().await
    }

    async fn lease(&mut self, name: &str) -> Read<Option<LeaseRow>> {
        let row = self.say("select * from lease where name = $1").bind(name).row().await?;
        row.map(|row| {
            let read = Reading { row: &row, what: "lease" };
            Ok(LeaseRow { holder: read.get("holder")?, fence: read.get("fence")?, until: read.at("until")? })
        })
        .transpose()
    }

    async fn put_lease(&mut self, name: &str, lease: &LeaseRow) -> Read<()> {
        let LeaseRow { holder, fence, until } = lease;
        self.say(
            "insert into lease (name, holder, fence, until) values ($1, $2, $3, $4)
             on conflict (name) do update set holder = excluded.holder, fence = excluded.fence,
             until = excluded.until",
        )
        .bind(name)
        .bind(holder.as_str())
        .bind(fence)
        .bind(until.as_millisecond())
        .later()
        .await
    }

    async fn add_once(&mut self, name: &str, id: &[u8], until: Timestamp, now: Timestamp) -> Read<bool> {
        let done = self
            .say(
                "insert into once (name, id, until) values ($1, $2, $3)
             on conflict (name, id) do update set until = excluded.until where once.until <= $4",
            )
            .bind(name)
            .bind(id)
            .bind(until.as_millisecond())
            .bind(now.as_millisecond())
            .changed()
            .await?;
        Ok(done > 0)
    }
}

fn account(row: &SqliteRow) -> Read<AccountRow> {
    let read = Reading { row, what: "account" };
    Ok(AccountRow {
        user: read.parsed("person")?,
        password: Opaque::new(read.get("password")?),
        created_at: read.at("created_at")?,
        changed_at: read.at("changed_at")?,
        disabled_at: read.maybe_at("disabled_at")?,
    })
}

fn sign_in(row: &SqliteRow) -> Read<SignInRow> {
    let read = Reading { row, what: "sign-in" };
    Ok(SignInRow {
        id: read.parsed("id")?,
        user: read.parsed("person")?,
        method: read.get("method")?,
        created_at: read.at("created_at")?,
        proved_at: read.at("proved_at")?,
        idle_expires_at: read.at("idle_expires_at")?,
        expires_at: read.at("expires_at")?,
    })
}
