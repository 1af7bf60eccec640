//! Many rows into one table by one statement.
//!
//! PostgreSQL takes a list for each column, whatever its length, so there is one statement to prepare. What is
//! sent to it is kept within one record of TLS: the client library leaves Nagle's algorithm on, and of two
//! records the second would wait 40 milliseconds for the first to be acknowledged. Longer lists go by several
//! statements, in the same transaction. SQLite
//! takes a parameter for each value; the rows are filled up to a power of two with rows of `NULL`, which the
//! statement leaves out, so that few statements are prepared and all of them are kept.

use std::collections::HashSet;

use sqlx::{AssertSqlSafe, Postgres, Row, Sqlite};

use super::db::Value;
use super::{Db, Transaction};

/// How many parameters one statement of SQLite takes.
const PARAMETERS: usize = 32_766;
/// How many bytes of values one statement of PostgreSQL takes: a record of TLS has 16,384.
const RECORD: usize = 14_000;

/// A table, and those of its columns that rows are given for. The first of them is never `NULL`.
#[derive(Debug)]
pub(crate) struct Insert {
    pub(crate) into: &'static str,
    pub(crate) columns: &'static [(&'static str, Kind)],
    /// Which rows are left out by [`Rows::execute_new`]: those that this unique index holds already.
    pub(crate) unless_in: &'static str,
}

type Query<DB> = sqlx::query::Query<'static, DB, <DB as sqlx::Database>::Arguments>;

/// What a column holds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Text,
    Int,
    Bool,
    Bytes,
}

/// Rows on their way into a table.
#[derive(Debug)]
pub(crate) struct Rows {
    insert: &'static Insert,
    /// Row after row.
    values: Vec<Value>,
}

impl Rows {
    /// No rows yet, with room for `rows`.
    pub(crate) fn with_capacity(insert: &'static Insert, rows: usize) -> Self {
        Self { insert, values: Vec::with_capacity(rows * insert.columns.len()) }
    }

    /// Adds a row: a value for each column, in their order.
    pub(crate) fn push<const N: usize>(&mut self, row: [Value; N]) {
        debug_assert_eq!(N, self.insert.columns.len(), "a row of {}", self.insert.into);
        self.values.extend(row);
    }

    /// Inserts them; returns how many.
    pub(crate) async fn execute(self, transaction: &mut Transaction) -> Result<u64, sqlx::Error> {
        if self.values.is_empty() {
            return Ok(0);
        }
        match transaction {
            Transaction::Sqlite(transaction) => {
                let mut inserted = 0;
                for query in self.for_sqlite("") {
                    inserted += query.execute(&mut **transaction).await?.rows_affected();
                }
                Ok(inserted)
            }
            Transaction::Postgres(transaction) => {
                let mut inserted = 0;
                for query in for_postgres(self.insert, self.values, "") {
                    inserted += query.execute(&mut **transaction).await?.rows_affected();
                }
                Ok(inserted)
            }
        }
    }

    /// Inserts them into a database of SQLite by a transaction of their own, if `condition` holds there, which is
    /// SQL with one parameter; returns whether it did. `None` where they take more than one statement, or
    /// are for PostgreSQL.
    pub(crate) async fn execute_if(
        self,
        db: &Db,
        condition: &'static str,
        parameter: &[u8],
    ) -> Result<Option<bool>, sqlx::Error> {
        let Db::Sqlite(pool) = db else { return Ok(None) };
        let mut queries = self.for_sqlite(&format!(" AND {condition}"));
        match (queries.pop(), queries.is_empty()) {
            (Some(query), true) => {
                let done = query.bind(parameter.to_vec()).execute(pool).await?;
                Ok(Some(done.rows_affected() > 0))
            }
            _ => Ok(None),
        }
    }

    /// Inserts those that [`Insert::unless_in`] does not leave out; returns their first column, a text.
    pub(crate) async fn execute_new(
        self,
        transaction: &mut Transaction,
    ) -> Result<HashSet<String>, sqlx::Error> {
        let mut inserted = HashSet::new();
        if self.values.is_empty() {
            return Ok(inserted);
        }
        let tail = self.insert.if_new();
        match transaction {
            Transaction::Sqlite(transaction) => {
                for query in self.for_sqlite(&tail) {
                    for row in query.fetch_all(&mut **transaction).await? {
                        inserted.insert(row.try_get(0)?);
                    }
                }
            }
            Transaction::Postgres(transaction) => {
                for query in for_postgres(self.insert, self.values, &tail) {
                    for row in query.fetch_all(&mut **transaction).await? {
                        inserted.insert(row.try_get(0)?);
                    }
                }
            }
        }
        Ok(inserted)
    }

    /// As many statements as it takes, each ending in `tail`.
    fn for_sqlite(self, tail: &str) -> Vec<Query<Sqlite>> {
        let most = PARAMETERS / self.insert.columns.len() * self.insert.columns.len();
        let (mut values, mut queries) = (self.values, Vec::new());
        while !values.is_empty() {
            let later = values.split_off(values.len().min(most));
            queries.push(for_sqlite(self.insert, values, most, tail));
            values = later;
        }
        queries
    }
}

fn for_sqlite(insert: &Insert, values: Vec<Value>, most: usize, tail: &str) -> Query<Sqlite> {
    let columns = insert.columns.len();
    let rows = (values.len() / columns).next_power_of_two().min(most / columns);
    let mut query = sqlx::query(AssertSqlSafe(insert.for_sqlite(rows) + tail));
    let padding = rows * columns - values.len();
    for value in values {
        query = match value {
            Value::Text(text) => query.bind(text),
            Value::Int(number) => query.bind(number),
            Value::Bool(truth) => query.bind(truth),
            Value::Bytes(bytes) => query.bind(bytes),
        };
    }
    for _ in 0..padding {
        query = query.bind(None::<i64>);
    }
    query
}

/// As many statements as it takes, each ending in `tail`.
fn for_postgres(insert: &Insert, values: Vec<Value>, tail: &str) -> Vec<Query<Postgres>> {
    let none = || insert.columns.iter().map(|(_, kind)| List::of(*kind)).collect();
    let (mut lists, mut bytes, mut queries): (Vec<List>, _, _) = (none(), 0, Vec::new());
    let mut values = values.into_iter();
    while values.len() > 0 {
        let row: Vec<Value> = values.by_ref().take(insert.columns.len()).collect();
        let more: usize = row.iter().map(size).sum();
        if bytes > 0 && bytes + more > RECORD {
            let full = std::mem::replace(&mut lists, none());
            queries.push(of_lists(insert, full, tail));
            bytes = 0;
        }
        bytes += more;
        for (list, value) in lists.iter_mut().zip(row) {
            list.push(value);
        }
    }
    queries.push(of_lists(insert, lists, tail));
    queries
}

/// What a value takes on its way to PostgreSQL, in bytes.
fn size(value: &Value) -> usize {
    const LENGTH: usize = 4;
    LENGTH
        + match value {
            Value::Text(text) => text.as_ref().map_or(0, String::len),
            Value::Int(_) => 8,
            Value::Bool(_) => 1,
            Value::Bytes(bytes) => bytes.len(),
        }
}

fn of_lists(insert: &Insert, lists: Vec<List>, tail: &str) -> Query<Postgres> {
    let mut query = sqlx::query(AssertSqlSafe(insert.for_postgres() + tail));
    for list in lists {
        query = match list {
            List::Text(texts) => query.bind(texts),
            List::Int(numbers) => query.bind(numbers),
            List::Bool(truths) => query.bind(truths),
            List::Bytes(bytes) => query.bind(bytes),
        };
    }
    query
}

/// The values of one column.
enum List {
    Text(Vec<Option<String>>),
    Int(Vec<Option<i64>>),
    Bool(Vec<Option<bool>>),
    Bytes(Vec<Option<Vec<u8>>>),
}

impl List {
    fn of(kind: Kind) -> Self {
        match kind {
            Kind::Text => Self::Text(Vec::new()),
            Kind::Int => Self::Int(Vec::new()),
            Kind::Bool => Self::Bool(Vec::new()),
            Kind::Bytes => Self::Bytes(Vec::new()),
        }
    }

    fn push(&mut self, value: Value) {
        match (self, value) {
            (Self::Text(texts), Value::Text(text)) => texts.push(text),
            (Self::Int(numbers), Value::Int(number)) => numbers.push(number),
            (Self::Bool(truths), Value::Bool(truth)) => truths.push(Some(truth)),
            (Self::Bytes(all), Value::Bytes(bytes)) => all.push(Some(bytes)),
            // A value of another kind than its column is absent, and the column says whether it may be.
            (Self::Text(texts), _) => texts.push(None),
            (Self::Int(numbers), _) => numbers.push(None),
            (Self::Bool(truths), _) => truths.push(None),
            (Self::Bytes(all), _) => all.push(None),
        }
    }
}

impl Insert {
    fn names(&self) -> String {
        self.columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    }

    fn if_new(&self) -> String {
        let first = self.columns.first().map_or("", |(name, _)| name);
        format!(" ON CONFLICT {} DO NOTHING RETURNING {first}", self.unless_in)
    }

    fn for_sqlite(&self, rows: usize) -> String {
        let row = format!("({})", vec!["?"; self.columns.len()].join(", "));
        let rows = vec![row; rows].join(", ");
        format!(
            "INSERT INTO {} ({}) SELECT * FROM (VALUES {rows}) WHERE column1 IS NOT NULL",
            self.into,
            self.names()
        )
    }

    fn for_postgres(&self) -> String {
        let list = |(place, (_, kind)): (usize, &(&str, Kind))| {
            let kind = match kind {
                Kind::Text => "text",
                Kind::Int => "bigint",
                Kind::Bool => "boolean",
                Kind::Bytes => "bytea",
            };
            format!("${}::{kind}[]", place + 1)
        };
        let lists: Vec<String> = self.columns.iter().enumerate().map(list).collect();
        format!(
            "INSERT INTO {} ({}) SELECT * FROM UNNEST({})",
            self.into,
            self.names(),
            lists.join(", ")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Database, Store, query};
    use super::*;

    static INSERT: Insert = Insert {
        into: "many",
        columns: &[("n", Kind::Int), ("text", Kind::Text), ("bytes", Kind::Bytes)],
        unless_in: "",
    };

    #[tokio::test]
    async fn every_row_of_any_number_of_rows_is_inserted_once() {
        let store = Store::open(&Database::Memory).await.unwrap();
        let db = store.db();
        let make = "CREATE TABLE many (n BIGINT NOT NULL, text TEXT, bytes BLOB NOT NULL)";
        query(make).execute(&db).await.unwrap();
        let mut inserted = 0_i64;
        for count in [0, 1, 2, 3, 8, 100, 256, 12_000] {
            let mut rows = Rows::with_capacity(&INSERT, count);
            for n in 0..count as i64 {
                let text = (n % 2 == 0).then(|| format!("row {}", inserted + n));
                rows.push([(inserted + n).into(), text.into(), b"\0x"[..].into()]);
            }
            let mut transaction = db.begin().await.unwrap();
            assert_eq!(rows.execute(&mut transaction).await.unwrap(), count as u64, "{count}");
            transaction.commit().await.unwrap();
            inserted += count as i64;
            let right = "SELECT COUNT(*), COUNT(text), COUNT(DISTINCT n) FROM many \
                         WHERE bytes = X'0078' AND (text IS NULL OR text = 'row ' || n)";
            let found: (i64, i64, i64) = query(right).fetch_one(&db).await.unwrap();
            assert_eq!((found.0, found.2), (inserted, inserted), "{count}");
        }
    }

    #[tokio::test]
    async fn rows_are_inserted_all_of_them_or_none_as_the_condition_says() {
        let store = Store::open(&Database::Memory).await.unwrap();
        let db = store.db();
        let make = "CREATE TABLE many (n BIGINT NOT NULL, text TEXT, bytes BLOB NOT NULL)";
        query(make).execute(&db).await.unwrap();
        let last = "COALESCE((SELECT bytes FROM many ORDER BY n DESC LIMIT 1), X'') = ?";
        let insert = async |numbers: std::ops::Range<i64>, after: &[u8]| {
            let mut rows = Rows::with_capacity(&INSERT, 0);
            for n in numbers {
                rows.push([n.into(), None::<String>.into(), n.to_string().as_bytes().into()]);
            }
            rows.execute_if(&db, last, after).await.unwrap()
        };
        assert_eq!(insert(0..3, b"").await, Some(true));
        assert_eq!(insert(3..10, b"1").await, Some(false));
        assert_eq!(insert(3..10, b"2").await, Some(true));
        assert_eq!(insert(10..12_000, b"9").await, None, "it takes more than one statement");
        let count: (i64,) = query("SELECT COUNT(*) FROM many").fetch_one(&db).await.unwrap();
        assert_eq!(count.0, 10);
    }
}
