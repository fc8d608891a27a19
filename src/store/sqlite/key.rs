//! Rows of data keys and sealed records.

use sqlx::sqlite::SqliteRow;

use super::{Line, Reading, corrupt};
use crate::store::{
    DataKeyRow, DataKeyUse, SealedRow,
    rows::{KeyRows, Read},
};

impl KeyRows for Line<'_> {
    async fn data_keys(&mut self) -> Read<Vec<DataKeyRow>> {
        let rows = self.say("select * from data_key order by id").rows().await?;
        rows.iter().map(data_key).collect()
    }

    async fn put_data_key(&mut self, key: &DataKeyRow) -> Read<()> {
        let DataKeyRow { id, purpose, wrapped, created_at, messages } = key;
        self.say(
            "insert into data_key (id, purpose, wrapped, created_at, messages) values ($1, $2, $3, $4, $5)
             on conflict (id) do update set wrapped = excluded.wrapped, messages = excluded.messages",
        )
        .bind(i64::from(*id))
        .bind(purpose.as_str())
        .bind(wrapped.as_slice())
        .bind(created_at.as_millisecond())
        .bind(i64::try_from(*messages).unwrap_or(i64::MAX))
        .later()
        .await
    }

    async fn remove_data_key(&mut self, id: u32) -> Read<()> {
        self.say("delete from data_key where id = $1").bind(i64::from(id)).later().await
    }

    async fn sealed(&mut self, kind: &str, id: &str) -> Read<Option<SealedRow>> {
        let row = self.say("select * from sealed where kind = $1 and id = $2").bind(kind).bind(id).row().await?;
        row.map(|row| sealed(&row)).transpose()
    }

    async fn put_sealed(&mut self, row: &SealedRow) -> Read<()> {
        let SealedRow { kind, id, revision, key, content } = row;
        self.say(
            "insert into sealed (kind, id, revision, key, content) values ($1, $2, $3, $4, $5)
             on conflict (kind, id) do update set revision = excluded.revision, key = excluded.key,
             content = excluded.content",
        )
        .bind(kind.as_str())
        .bind(id.as_str())
        .bind(i64::try_from(*revision).map_err(|error| corrupt("sealed record", error))?)
        .bind(i64::from(*key))
        .bind(content.as_slice())
        .later()
        .await
    }

    async fn remove_sealed(&mut self, kind: &str, id: &str) -> Read<bool> {
        let done = self.say("delete from sealed where kind = $1 and id = $2").bind(kind).bind(id).changed().await?;
        Ok(done > 0)
    }

    async fn count_sealed(&mut self) -> Read<Vec<(u32, u64)>> {
        let rows = self.say("select key, count(*) as many from sealed group by key order by key").rows().await?;
        rows.iter()
            .map(|row| {
                let read = Reading { row, what: "sealed record" };
                Ok((read.number("key")?, read.number("many")?))
            })
            .collect()
    }

    async fn sealed_otherwise(&mut self, key: u32, most: u32) -> Read<Vec<SealedRow>> {
        let rows = self
            .say("select * from sealed where key <> $1 order by key, kind, id limit $2")
            .bind(i64::from(key))
            .bind(i64::from(most))
            .rows()
            .await?;
        rows.iter().map(sealed).collect()
    }
}

fn data_key(row: &SqliteRow) -> Read<DataKeyRow> {
    let read = Reading { row, what: "data key" };
    Ok(DataKeyRow {
        id: read.number("id")?,
        purpose: match read.get("purpose")? {
            "digests" => DataKeyUse::Digests,
            "sealing" => DataKeyUse::Sealing,
            other => return Err(corrupt("data key", other)),
        },
        wrapped: read.get("wrapped")?,
        created_at: read.at("created_at")?,
        messages: read.number("messages")?,
    })
}

fn sealed(row: &SqliteRow) -> Read<SealedRow> {
    let read = Reading { row, what: "sealed record" };
    Ok(SealedRow {
        kind: read.get("kind")?,
        id: read.get("id")?,
        revision: read.number("revision")?,
        key: read.number("key")?,
        content: read.get("content")?,
    })
}
