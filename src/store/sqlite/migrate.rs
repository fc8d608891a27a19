//! The schema, version by version. A store is brought to the newest when it is opened, in one
//! transaction; one of a newer Portcullis is refused.
//!
//! To change the schema: a new file, and a line here. A file that was ever released stays as it is.

use sqlx::{Row as _, SqlitePool};

use super::corrupt;
use crate::store::StoreError;

const VERSIONS: &[&str] =
    &[include_str!("../schema/1.sql"), include_str!("../schema/2.sql"), include_str!("../schema/3.sql")];

pub(super) async fn migrate(writer: &SqlitePool) -> Result<(), StoreError> {
    let mut tx = writer.begin_with("begin immediate").await?;
    sqlx::query(
        "create table if not exists meta (name text not null primary key, value text not null) strict, without rowid",
    )
    .execute(&mut *tx)
    .await?;
    let row = sqlx::query("select value from meta where name = 'version'").fetch_optional(&mut *tx).await?;
    let found = match row {
        None => 0,
        Some(row) => {
            let text: String = row.try_get(0)?;
            text.parse::<usize>().map_err(|_| corrupt("version", &text))?
        }
    };
    let Some(missing) = VERSIONS.get(found..) else {
        let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        return Err(StoreError::TooNew { found: number(found), known: number(VERSIONS.len()) });
    };
    if missing.is_empty() {
        return Ok(tx.rollback().await?);
    }
    for schema in missing {
        sqlx::raw_sql(*schema).execute(&mut *tx).await?;
    }
    sqlx::query("insert into meta (name, value) values ('version', $1) on conflict (name) do update set value = $1")
        .bind(VERSIONS.len().to_string())
        .execute(&mut *tx)
        .await?;
    Ok(tx.commit().await?)
}
