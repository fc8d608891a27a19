//! Statements of a transaction, and how few times the database is asked for them.
//!
//! The database runs in a thread of its own, and going there and back takes as long as what is done
//! there. So what only writes is said and waits, and goes along with the next statement that has
//! something to give, in the order in which all of them were said.
//!
//! INVARIANT: whoever reads sees everything said before, and nobody commits before [`Line::settle`]:
//! what waits may still fail then.

use std::fmt::Write as _;

use futures_util::TryStreamExt as _;
use sqlx::{
    Arguments as _, AssertSqlSafe, Either, Encode, Executor as _, SqlSafeStr, Sqlite, SqliteConnection, Type,
    error::BoxDynError,
    sqlite::{SqliteArguments, SqliteRow},
};

use crate::store::{
    Process,
    rows::{Read, Rows},
};

/// Statements that wait at most: each sequence of them is prepared once and kept.
const WAITING: usize = 4;

/// A connection, and what was said to it and waits.
pub(super) struct Line<'c> {
    connection: &'c mut SqliteConnection,
    process: Process,
    sql: String,
    arguments: SqliteArguments,
    /// What could not be put down among the arguments.
    failed: Option<BoxDynError>,
    waiting: usize,
}

impl Rows for Line<'_> {
    fn process(&self) -> Process {
        self.process
    }
}

impl<'c> Line<'c> {
    /// A line of this process.
    pub(super) fn on(connection: &'c mut SqliteConnection, process: Process) -> Self {
        Self {
            connection,
            process,
            sql: String::new(),
            arguments: SqliteArguments::default(),
            failed: None,
            waiting: 0,
        }
    }

    /// Begins a statement, whose parameters `$1` and so on are bound in that order.
    pub(super) fn say(&mut self, sql: impl SqlSafeStr) -> Said<'_, 'c> {
        let before = self.arguments.len();
        if !self.sql.is_empty() {
            self.sql.push_str(";\n");
        }
        renumber(sql.into_sql_str().as_str(), before, &mut self.sql);
        Said { line: self }
    }

    /// Runs what waits.
    pub(super) async fn settle(&mut self) -> Read<()> {
        if self.waiting > 0 {
            self.run().await?;
        }
        Ok(())
    }

    /// Runs all that was said. Gives how many rows the last of it changed.
    async fn run(&mut self) -> Read<u64> {
        let (sql, arguments) = self.take()?;
        let mut results = (&mut *self.connection).fetch_many(sqlx::query_with(sql, arguments));
        let mut changed = 0;
        while let Some(result) = results.try_next().await? {
            if let Either::Left(done) = result {
                changed = done.rows_affected();
            }
        }
        Ok(changed)
    }

    /// What was said, to be run in one go.
    fn take(&mut self) -> Read<(AssertSqlSafe<String>, SqliteArguments)> {
        self.waiting = 0;
        let (sql, arguments) = (std::mem::take(&mut self.sql), std::mem::take(&mut self.arguments));
        if let Some(failed) = self.failed.take() {
            return Err(sqlx::Error::Encode(failed).into());
        }
        // Put together of safe ones.
        Ok((AssertSqlSafe(sql), arguments))
    }
}

/// A statement whose parameters are being bound.
pub(super) struct Said<'l, 'c> {
    line: &'l mut Line<'c>,
}

impl Said<'_, '_> {
    pub(super) fn bind<'t, T: Encode<'t, Sqlite> + Type<Sqlite>>(self, value: T) -> Self {
        if let Err(error) = self.line.arguments.add(value) {
            self.line.failed.get_or_insert(error);
        }
        self
    }

    /// Nothing is to come of it: it waits.
    pub(super) async fn later(self) -> Read<()> {
        self.line.waiting += 1;
        if self.line.waiting < WAITING { Ok(()) } else { self.line.settle().await }
    }

    /// How many rows it changed.
    pub(super) async fn changed(self) -> Read<u64> {
        self.line.run().await
    }

    pub(super) async fn row(self) -> Read<Option<SqliteRow>> {
        let (sql, arguments) = self.line.take()?;
        Ok(sqlx::query_with(sql, arguments).fetch_optional(&mut *self.line.connection).await?)
    }

    pub(super) async fn rows(self) -> Read<Vec<SqliteRow>> {
        let (sql, arguments) = self.line.take()?;
        Ok(sqlx::query_with(sql, arguments).fetch_all(&mut *self.line.connection).await?)
    }
}

/// Writes a statement whose parameters come after `before` others.
fn renumber(sql: &str, before: usize, into: &mut String) {
    let mut parts = sql.split('$');
    into.extend(parts.next());
    for part in parts {
        let digits = part.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = part.split_at(digits);
        match number.parse::<usize>() {
            // Writing to a string cannot fail.
            Ok(number) => drop(write!(into, "${}{rest}", before + number)),
            Err(_) => into.extend(["$", part]),
        }
    }
}

#[cfg(test)]
mod tests {
    use sqlx::{Connection as _, Row as _};

    use super::*;

    #[tokio::test]
    async fn what_waits_goes_along_in_order_and_counts_for_itself_alone() {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        sqlx::raw_sql("create table t (a integer primary key, b integer not null)")
            .execute(&mut connection)
            .await
            .unwrap();
        let mut line = Line::on(&mut connection, Process::from_number(0));
        line.say("insert into t values ($1, $2)").bind(1).bind(10).later().await.unwrap();
        line.say("insert into t values ($2, $1)").bind(20).bind(2).later().await.unwrap();
        let row = line.say("select sum(b), $2 from t where a <= $1").bind(2).bind(7).row().await.unwrap().unwrap();
        assert_eq!((row.get::<i64, _>(0), row.get::<i64, _>(1)), (30, 7));
        line.say("update t set b = $1").bind(5).later().await.unwrap();
        assert_eq!(line.say("update t set b = 6 where a = $1").bind(1).changed().await.unwrap(), 1);
        line.say("delete from t where a = $1").bind(2).later().await.unwrap();
        assert!(line.say("select * from t where a = $1").bind(2).row().await.unwrap().is_none());
        // More than may wait, and what is left of them.
        for a in 10..20 {
            line.say("insert into t values ($1, $1)").bind(a).later().await.unwrap();
        }
        line.settle().await.unwrap();
        assert_eq!(line.say("select * from t").rows().await.unwrap().len(), 11);
        // What was only said may still fail.
        line.say("insert into t values ($1, null)").bind(30).later().await.unwrap();
        assert!(line.settle().await.is_err());
    }

    #[test]
    fn parameters_are_numbered_on() {
        let mut sql = String::new();
        renumber("select $1, $12, '$' from t where a = $2", 3, &mut sql);
        assert_eq!(sql, "select $4, $15, '$' from t where a = $5");
    }
}
