//! Rows of events and marks, and the sweep.

use jiff::Timestamp;
use sqlx::{Row as _, sqlite::SqliteRow};

use super::{Line, Reading, corrupt};
use crate::store::{
    Event, StoredEvent,
    rows::{EventRows, Read},
};

/// What is over, by table, key and condition: `$1` is a day before now, `$2` is now.
const OVER: &[(&str, &str, &str)] = &[
    ("token", "mac", "expires_at < $1"),
    ("code", "mac", "expires_at < $1"),
    ("family", "id", "idle_expires_at < $1"),
    ("oauth_grant", "id", "revoked_at < $1"),
    ("client", "id", "kind = 'registered' and expires_at < $1"),
    ("client", "id", "kind = 'published' and expires_at < $1"),
    ("sign_in", "mac", "idle_expires_at <= $2"),
    ("once", "(name, id)", "until <= $2"),
    ("counter", "(name, key)", "until <= $2"),
];

impl EventRows for Line<'_> {
    async fn leave(&mut self, at: Timestamp, event: &Event) -> Read<()> {
        let body = serde_json::to_string(event).map_err(|error| corrupt("event", error))?;
        self.say("insert into event (at, body) values ($1, $2)").bind(at.as_millisecond()).bind(body).later().await
    }

    async fn events_since(&mut self, seq: i64) -> Read<Vec<StoredEvent>> {
        // One writer at a time commits in the order of `seq`, so that no number appears late.
        let rows =
            self.say("select seq, at, body from event where seq > $1 order by seq limit 1000").bind(seq).rows().await?;
        rows.iter().map(event).collect()
    }

    async fn newest_event(&mut self) -> Read<i64> {
        let row = self.say("select seq from sqlite_sequence where name = 'event'").row().await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?.unwrap_or(0))
    }

    async fn mark(&mut self, name: &str) -> Read<Option<String>> {
        let row = self.say("select value from meta where name = $1").bind(name).row().await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    async fn set_mark(&mut self, name: &str, value: &str) -> Read<()> {
        self.say(
            "insert into meta (name, value) values ($1, $2) on conflict (name) do update set value = excluded.value",
        )
        .bind(name)
        .bind(value)
        .later()
        .await
    }

    async fn sweep(&mut self, now: Timestamp, before: Timestamp, recorded: i64, most: u32) -> Read<u64> {
        let mut left = u64::from(most);
        for (table, key, over) in OVER {
            let bare = key.trim_matches(['(', ')']);
            // Both parameters are named, or a table that needs one of them would not bind.
            let sql = format!(
                "delete from {table} where {key} in
                 (select {bare} from {table} where ({over}) and $1 <= $2 limit $3)"
            );
            // Nothing but the fixed words above is in it.
            let query = self
                .say(sqlx::AssertSqlSafe(sql))
                .bind(before.as_millisecond())
                .bind(now.as_millisecond())
                .bind(i64::try_from(left).unwrap_or(0));
            left = left.saturating_sub(query.changed().await?);
        }
        let events = self.say(
            "delete from event where seq in (select seq from event where at < $1 and seq <= $2 order by seq limit $3)",
        )
        .bind(before.as_millisecond())
        .bind(recorded)
        .bind(i64::try_from(left).unwrap_or(0))
        .changed()
        .await?;
        left = left.saturating_sub(events);
        Ok(u64::from(most) - left)
    }
}

fn event(row: &SqliteRow) -> Read<StoredEvent> {
    let read = Reading { row, what: "event" };
    Ok(StoredEvent {
        seq: read.get("seq")?,
        at: read.at("at")?,
        event: serde_json::from_str(read.get("body")?).map_err(|error| corrupt("event", error))?,
    })
}
