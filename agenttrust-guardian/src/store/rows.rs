//! Many rows into one table by one statement. What is the same in all of them is sent once.
//!
//! PostgreSQL takes a list for each column, whatever its length, so there is one statement to prepare. What is sent to
//! it is kept within one record of TLS. The client library leaves Nagle's algorithm on, so the second of two records
//! would wait 40 milliseconds for the first to be acknowledged. Longer lists go by several statements, in the same
//! transaction. SQLite takes a parameter for each value, but for hashes: those of a column are cut out of one. The rows
//! are filled up to a power of two with rows of `NULL`, which the statement leaves out, so that few statements are
//! prepared and all of them are kept.

use std::collections::HashSet;

use sqlx::{AssertSqlSafe, Postgres, Row, Sqlite};

use super::db::{Value, with_values};
use super::{Db, Transaction};

/// The number of parameters that one statement of SQLite takes.
const PARAMETERS: usize = 32_766;
/// The bytes of values that one statement of PostgreSQL takes: a record of TLS has 16,384.
const RECORD: usize = 14_000;

/// A table, and those of its columns that rows are given for.
#[derive(Debug)]
pub(crate) struct Insert {
    pub(crate) into: &'static str,
    /// The columns whose value is the same in all rows of a statement.
    pub(crate) alike: &'static [(&'static str, Kind)],
    /// The others. The first of them is no hash and never `NULL`.
    pub(crate) columns: &'static [(&'static str, Kind)],
    /// The unique index by which [`Rows::execute_new`] leaves out rows: those that it holds already.
    pub(crate) unless_in: &'static str,
}

type Query<DB> = sqlx::query::Query<'static, DB, <DB as sqlx::Database>::Arguments>;

/// The kind of value that a column holds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Text,
    Int,
    Bool,
    /// A hash of 32 bytes.
    Hash,
}

/// The number of bytes of a hash.
const HASH: usize = 32;

/// Rows on their way into a table.
#[derive(Debug)]
pub(crate) struct Rows {
    insert: &'static Insert,
    /// A value for each of [`Insert::alike`].
    alike: Vec<Value>,
    /// The values, row after row.
    values: Vec<Value>,
}

impl Rows {
    /// Returns an empty set with room for `rows`, and with what is the same in all rows.
    pub(crate) fn with_capacity<const N: usize>(
        insert: &'static Insert,
        alike: [Value; N],
        rows: usize,
    ) -> Self {
        debug_assert_eq!(N, insert.alike.len(), "what is alike in {}", insert.into);
        Self {
            insert,
            alike: alike.into(),
            values: Vec::with_capacity(rows * insert.columns.len()),
        }
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
                for query in for_postgres(self.insert, &self.alike, self.values, "") {
                    inserted += query.execute(&mut **transaction).await?.rows_affected();
                }
                Ok(inserted)
            }
        }
    }

    /// Inserts them into a database of SQLite by a transaction of their own, if `condition` holds there, which is SQL
    /// with one parameter; returns whether it did and all were kept. `None` where they take more than one statement, or
    /// are for PostgreSQL.
    pub(crate) async fn execute_if(
        self,
        db: &Db,
        condition: &'static str,
        parameter: &[u8],
    ) -> Result<Option<bool>, sqlx::Error> {
        let Db::Sqlite(pool) = db else { return Ok(None) };
        let rows = self.values.len() / self.insert.columns.len().max(1);
        let mut queries = self.for_sqlite(&format!(" AND {condition}"));
        match (queries.pop(), queries.is_empty()) {
            (Some(query), true) => {
                let done = query.bind(parameter.to_vec()).execute(pool).await?;
                Ok(Some(usize::try_from(done.rows_affected()) == Ok(rows)))
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
                for query in for_postgres(self.insert, &self.alike, self.values, &tail) {
                    for row in query.fetch_all(&mut **transaction).await? {
                        inserted.insert(row.try_get(0)?);
                    }
                }
            }
        }
        Ok(inserted)
    }

    /// Returns as many statements as it takes, each ending in `tail`.
    fn for_sqlite(self, tail: &str) -> Vec<Query<Sqlite>> {
        let columns = self.insert.columns.len();
        // A row less than fits: the hashes of a column and what `tail` asks for take parameters too.
        let most = (PARAMETERS - self.alike.len()) / columns - 1;
        let (mut values, mut queries) = (self.values, Vec::new());
        while !values.is_empty() {
            let later = values.split_off(values.len().min(most * columns));
            let rows = (values.len() / columns).next_power_of_two().min(most);
            let query = sqlx::query(AssertSqlSafe(self.insert.for_sqlite(rows) + tail));
            queries.push(bind(query, self.insert, self.alike.clone(), values, rows));
            values = later;
        }
        queries
    }
}

/// Gives a statement for `rows` rows its values: what is alike, the hashes column by column, and the rest.
fn bind(
    mut query: Query<Sqlite>,
    insert: &Insert,
    alike: Vec<Value>,
    values: Vec<Value>,
    rows: usize,
) -> Query<Sqlite> {
    let (columns, of_hashes) = (insert.columns.len(), insert.hashes());
    let padding = (rows - values.len() / columns) * (columns - of_hashes);
    let (mut hashes, mut others) = (Vec::new(), Vec::new());
    for value in values {
        match value {
            Value::Hash(hash) => hashes.push(hash),
            other => others.push(other),
        }
    }
    debug_assert_eq!(hashes.len() % of_hashes.max(1), 0, "a row of {}", insert.into);
    query = with_values!(query, alike);
    for column in 0..of_hashes {
        let of_column: Vec<_> = hashes.iter().skip(column).step_by(of_hashes).copied().collect();
        query = query.bind(of_column.concat());
    }
    query = with_values!(query, others);
    for _ in 0..padding {
        query = query.bind(None::<i64>);
    }
    query
}

/// Returns as many statements as it takes, each ending in `tail`.
fn for_postgres(
    insert: &Insert,
    alike: &[Value],
    values: Vec<Value>,
    tail: &str,
) -> Vec<Query<Postgres>> {
    let none = || insert.columns.iter().map(|(_, kind)| List::for_kind(*kind)).collect();
    let (mut lists, mut bytes, mut queries): (Vec<List>, _, _) = (none(), 0, Vec::new());
    let in_each: usize = alike.iter().map(size).sum();
    let mut values = values.into_iter();
    while values.len() > 0 {
        let row: Vec<Value> = values.by_ref().take(insert.columns.len()).collect();
        let more: usize = row.iter().map(size).sum();
        if bytes > 0 && in_each + bytes + more > RECORD {
            let full = std::mem::replace(&mut lists, none());
            queries.push(of_lists(insert, alike, full, tail));
            bytes = 0;
        }
        bytes += more;
        for (list, value) in lists.iter_mut().zip(row) {
            list.push(value);
        }
    }
    queries.push(of_lists(insert, alike, lists, tail));
    queries
}

/// Returns what a value takes on its way to PostgreSQL, in bytes.
fn size(value: &Value) -> usize {
    const LENGTH: usize = 4;
    LENGTH
        + match value {
            Value::Text(text) => text.as_ref().map_or(0, String::len),
            Value::Shared(text) => text.len(),
            Value::Int(_) => 8,
            Value::Bool(_) => 1,
            Value::Bytes(bytes) => bytes.len(),
            Value::Hash(_) => HASH,
        }
}

fn of_lists(insert: &Insert, alike: &[Value], lists: Vec<List>, tail: &str) -> Query<Postgres> {
    let query = sqlx::query(AssertSqlSafe(insert.for_postgres() + tail));
    let mut query = with_values!(query, alike.iter().cloned());
    for list in lists {
        query = match list {
            List::Text(texts) => query.bind(texts),
            List::Int(numbers) => query.bind(numbers),
            List::Bool(truths) => query.bind(truths),
            List::Hashes(hashes) => query.bind(hashes),
        };
    }
    query
}

/// The values of one column.
enum List {
    Text(Vec<Option<String>>),
    Int(Vec<Option<i64>>),
    Bool(Vec<Option<bool>>),
    Hashes(Vec<Option<Vec<u8>>>),
}

impl List {
    fn for_kind(kind: Kind) -> Self {
        match kind {
            Kind::Text => Self::Text(Vec::new()),
            Kind::Int => Self::Int(Vec::new()),
            Kind::Bool => Self::Bool(Vec::new()),
            Kind::Hash => Self::Hashes(Vec::new()),
        }
    }

    fn push(&mut self, value: Value) {
        match (self, value) {
            (Self::Text(texts), Value::Text(text)) => texts.push(text),
            (Self::Text(texts), Value::Shared(text)) => texts.push(Some((*text).to_owned())),
            (Self::Int(numbers), Value::Int(number)) => numbers.push(number),
            (Self::Bool(truths), Value::Bool(truth)) => truths.push(Some(truth)),
            (Self::Hashes(hashes), Value::Hash(hash)) => hashes.push(Some(hash.to_vec())),
            // A value of another kind than its column is absent, and the column says whether it may be.
            (Self::Text(texts), _) => texts.push(None),
            (Self::Int(numbers), _) => numbers.push(None),
            (Self::Bool(truths), _) => truths.push(None),
            (Self::Hashes(hashes), _) => hashes.push(None),
        }
    }
}

impl Insert {
    fn names(&self) -> String {
        let columns = self.alike.iter().chain(self.columns);
        columns.map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    }

    /// Returns how many of the columns hold hashes.
    fn hashes(&self) -> usize {
        self.columns.iter().filter(|(_, kind)| matches!(kind, Kind::Hash)).count()
    }

    fn if_new(&self) -> String {
        let first = self.columns.first().map_or("", |(name, _)| name);
        format!(" ON CONFLICT {} DO NOTHING RETURNING {first}", self.unless_in)
    }

    fn for_sqlite(&self, rows: usize) -> String {
        let alike = self.alike.iter().map(|_| "?".to_owned());
        let columns = (1..).zip(self.columns).map(|(place, (_, kind))| match kind {
            // In the rows stands where in its column's list the hash begins.
            Kind::Hash => format!("substr(?, column{place}, {HASH})"),
            _ => format!("column{place}"),
        });
        let selected: Vec<String> = alike.chain(columns).collect();
        let rows = (0..rows).map(|row| {
            let values = self.columns.iter().map(|(_, kind)| match kind {
                Kind::Hash => (1 + row * HASH).to_string(),
                _ => "?".to_owned(),
            });
            format!("({})", values.collect::<Vec<_>>().join(", "))
        });
        format!(
            "INSERT INTO {} ({}) SELECT {} FROM (VALUES {}) WHERE column1 IS NOT NULL",
            self.into,
            self.names(),
            selected.join(", "),
            rows.collect::<Vec<_>>().join(", ")
        )
    }

    fn for_postgres(&self) -> String {
        let alike = (1..).zip(self.alike);
        let alike = alike.map(|(place, (_, kind))| format!("${place}::{}, ", kind.in_postgres()));
        let lists = (1 + self.alike.len()..).zip(self.columns);
        let lists = lists.map(|(place, (_, kind))| format!("${place}::{}[]", kind.in_postgres()));
        format!(
            "INSERT INTO {} ({}) SELECT {}given.* FROM UNNEST({}) AS given",
            self.into,
            self.names(),
            alike.collect::<String>(),
            lists.collect::<Vec<_>>().join(", ")
        )
    }
}

impl Kind {
    const fn in_postgres(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Int => "bigint",
            Self::Bool => "boolean",
            Self::Hash => "bytea",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Database, Store, query};
    use super::*;

    const MAKE: &str = "CREATE TABLE many (made TEXT NOT NULL, n BIGINT NOT NULL, text TEXT, \
                        one BLOB NOT NULL, other BLOB NOT NULL)";
    static INSERT: Insert = Insert {
        into: "many",
        alike: &[("made", Kind::Text)],
        columns: &[
            ("n", Kind::Int),
            ("text", Kind::Text),
            ("one", Kind::Hash),
            ("other", Kind::Hash),
        ],
        unless_in: "",
    };

    /// Returns a hash that tells which number it is of.
    fn hash(first: u8, n: i64) -> [u8; HASH] {
        let mut hash = [first; HASH];
        hash[24..].copy_from_slice(&n.to_be_bytes());
        hash
    }

    fn row(n: i64, text: Option<String>) -> [Value; 4] {
        [n.into(), text.into(), hash(1, n).into(), hash(2, n).into()]
    }

    async fn hashes_are_of_their_rows(db: &Db) {
        let rows: Vec<(i64, Vec<u8>, Vec<u8>)> =
            query("SELECT n, one, other FROM many").fetch_all(db).await.unwrap();
        for (n, one, other) in rows {
            assert_eq!((&one[..], &other[..]), (&hash(1, n)[..], &hash(2, n)[..]), "{n}");
        }
    }

    #[tokio::test]
    async fn every_row_of_any_number_of_rows_is_inserted_once() {
        let store = Store::open(&Database::Memory).await.unwrap();
        let db = store.db();
        query(MAKE).execute(&db).await.unwrap();
        let mut inserted = 0_i64;
        for count in [0, 1, 2, 3, 8, 100, 256, 12_000] {
            let mut rows = Rows::with_capacity(&INSERT, ["here".into()], count);
            for n in 0..count as i64 {
                let text = (n % 2 == 0).then(|| format!("row {}", inserted + n));
                rows.push(row(inserted + n, text));
            }
            let mut transaction = db.begin().await.unwrap();
            assert_eq!(rows.execute(&mut transaction).await.unwrap(), count as u64, "{count}");
            transaction.commit().await.unwrap();
            inserted += count as i64;
            let right = "SELECT COUNT(*), COUNT(text), COUNT(DISTINCT n) FROM many \
                         WHERE made = 'here' AND (text IS NULL OR text = 'row ' || n)";
            let found: (i64, i64, i64) = query(right).fetch_one(&db).await.unwrap();
            assert_eq!((found.0, found.2), (inserted, inserted), "{count}");
        }
        hashes_are_of_their_rows(&db).await;
    }

    #[tokio::test]
    async fn rows_are_inserted_all_of_them_or_none_as_the_condition_says() {
        let store = Store::open(&Database::Memory).await.unwrap();
        let db = store.db();
        query(MAKE).execute(&db).await.unwrap();
        let last =
            "COALESCE((SELECT n FROM many ORDER BY n DESC LIMIT 1), -1) = CAST(? AS TEXT) + 0";
        let insert = async |numbers: std::ops::Range<i64>, after: &[u8]| {
            let mut rows = Rows::with_capacity(&INSERT, ["here".into()], 0);
            for n in numbers {
                rows.push(row(n, None));
            }
            rows.execute_if(&db, last, after).await.unwrap()
        };
        assert_eq!(insert(0..3, b"-1").await, Some(true));
        assert_eq!(insert(3..10, b"1").await, Some(false));
        assert_eq!(insert(3..10, b"2").await, Some(true));
        assert_eq!(insert(10..12_000, b"9").await, None, "it takes more than one statement");
        let count: (i64,) = query("SELECT COUNT(*) FROM many").fetch_one(&db).await.unwrap();
        assert_eq!(count.0, 10);
        hashes_are_of_their_rows(&db).await;
    }
}
