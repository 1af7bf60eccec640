//! Two databases behind one handle: the same statement, sent to SQLite or to PostgreSQL.
//!
//! A statement is text with `$1` parameters that both understand. What few things they do not share
//! (how a transaction begins, locks, notifications) is here and nowhere else.

use std::sync::Arc;

use sqlx::postgres::PgRow;
use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{FromRow, Postgres, Sqlite};

use super::primary::Primary;

/// The channel by which replicas on PostgreSQL wake each other.
pub(super) const CHANNEL: &str = "agenttrust";

const LOCK: &str = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))";
const NOTIFY: &str = "SELECT pg_notify($1, '')";

/// Connections to one of the two; clones share them.
#[derive(Clone, Debug)]
pub(crate) enum Db {
    Sqlite(SqlitePool),
    Postgres(Primary),
}

/// A transaction on one of the two; rolled back unless it is committed.
#[derive(Debug)]
pub(crate) enum Transaction {
    Sqlite(sqlx::Transaction<'static, Sqlite>),
    Postgres(sqlx::Transaction<'static, Postgres>),
}

/// The place where a statement runs: on any connection by itself, or inside a transaction.
pub(crate) enum Target<'t> {
    Alone(&'t Db),
    Inside(&'t mut Transaction),
}

impl Target<'_> {
    /// Returns the same once more, for the next statement.
    pub(crate) fn again(&mut self) -> Target<'_> {
        match self {
            Self::Alone(db) => Target::Alone(db),
            Self::Inside(transaction) => Target::Inside(transaction),
        }
    }
}

impl<'t> From<&'t Db> for Target<'t> {
    fn from(db: &'t Db) -> Self {
        Self::Alone(db)
    }
}

impl<'t> From<&'t mut Transaction> for Target<'t> {
    fn from(transaction: &'t mut Transaction) -> Self {
        Self::Inside(transaction)
    }
}

/// A type that a row of either database is read into.
pub(crate) trait Read:
    for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin
{
}

impl<T> Read for T where
    T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin
{
}

/// A value for a parameter.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Text(Option<String>),
    /// A text that others hold too, so that it need not be copied.
    Shared(Arc<str>),
    Int(Option<i64>),
    Bool(bool),
    Bytes(Vec<u8>),
    Hash([u8; 32]),
}

/// A statement and the values of its parameters.
#[derive(Debug)]
pub(crate) struct Statement {
    sql: &'static str,
    values: Vec<Value>,
}

/// Returns a statement without values yet.
pub(crate) fn query(sql: &'static str) -> Statement {
    Statement { sql, values: Vec::new() }
}

/// Gives a query of either database these values, in their order.
macro_rules! with_values {
    ($query:expr, $values:expr) => {{
        let mut query = $query;
        for value in $values {
            query = match value {
                Value::Text(text) => query.bind(text),
                Value::Shared(text) => query.bind(text),
                Value::Int(number) => query.bind(number),
                Value::Bool(truth) => query.bind(truth),
                Value::Bytes(bytes) => query.bind(bytes),
                Value::Hash(hash) => query.bind(hash.to_vec()),
            };
        }
        query
    }};
}
pub(super) use with_values;

/// Runs `$method` of a query made by `$make` wherever the statement is to run.
macro_rules! run {
    ($statement:expr, $on:expr, $make:path, $method:ident $(, $into:expr)?) => {{
        let Statement { sql, values } = $statement;
        match $on.into() {
            Target::Alone(Db::Sqlite(pool)) => {
                with_values!($make(sql), values).$method(pool).await$(.map($into))?
            }
            Target::Alone(Db::Postgres(primary)) => {
                let mut connection = primary.acquire().await?;
                with_values!($make(sql), values).$method(&mut *connection).await$(.map($into))?
            }
            Target::Inside(Transaction::Sqlite(transaction)) => {
                with_values!($make(sql), values).$method(&mut **transaction).await$(.map($into))?
            }
            Target::Inside(Transaction::Postgres(transaction)) => {
                with_values!($make(sql), values).$method(&mut **transaction).await$(.map($into))?
            }
        }
    }};
}

/// The number of rows that a statement changed.
struct Changed(u64);

impl From<sqlx::sqlite::SqliteQueryResult> for Changed {
    fn from(done: sqlx::sqlite::SqliteQueryResult) -> Self {
        Self(done.rows_affected())
    }
}

impl From<sqlx::postgres::PgQueryResult> for Changed {
    fn from(done: sqlx::postgres::PgQueryResult) -> Self {
        Self(done.rows_affected())
    }
}

impl Statement {
    /// Gives the next parameter its value.
    pub(crate) fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Runs it; returns how many rows it changed.
    pub(crate) async fn execute<'t>(self, on: impl Into<Target<'t>>) -> Result<u64, sqlx::Error> {
        run!(self, on, sqlx::query, execute, |done| Changed::from(done).0)
    }

    /// Returns every row.
    pub(crate) async fn fetch_all<'t, T: Read>(
        self,
        on: impl Into<Target<'t>>,
    ) -> Result<Vec<T>, sqlx::Error> {
        run!(self, on, sqlx::query_as, fetch_all)
    }

    /// Returns the row, if there is one.
    pub(crate) async fn fetch_optional<'t, T: Read>(
        self,
        on: impl Into<Target<'t>>,
    ) -> Result<Option<T>, sqlx::Error> {
        run!(self, on, sqlx::query_as, fetch_optional)
    }

    /// Returns the one row.
    pub(crate) async fn fetch_one<'t, T: Read>(
        self,
        on: impl Into<Target<'t>>,
    ) -> Result<T, sqlx::Error> {
        run!(self, on, sqlx::query_as, fetch_one)
    }
}

impl Db {
    /// Returns a transaction that writes. On SQLite it says so at once: one that starts by reading could not be
    /// upgraded once another writer is ahead of it.
    pub(crate) async fn begin(&self) -> Result<Transaction, sqlx::Error> {
        match self {
            Self::Sqlite(pool) => pool.begin_with("BEGIN IMMEDIATE").await.map(Transaction::Sqlite),
            Self::Postgres(primary) => primary.begin().await.map(Transaction::Postgres),
        }
    }

    /// Gives up on its connections, of which one may never say that it is gone; the next are made when they are needed.
    /// In SQLite no connection hangs, and in memory the one there is is the database.
    pub(crate) fn renew(&self) {
        match self {
            Self::Sqlite(_) => {}
            Self::Postgres(primary) => primary.renew(),
        }
    }

    /// Closes every connection.
    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite(pool) => pool.close().await,
            Self::Postgres(primary) => primary.close().await,
        }
    }
}

impl Transaction {
    /// Keeps every other transaction that locks the same thing waiting until this one ends. On SQLite
    /// they wait already: one writes at a time.
    pub(crate) async fn lock(&mut self, what: &str) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(_) => query(LOCK).bind(what).execute(self).await.map(drop),
        }
    }

    /// Wakes the other replicas once this is committed; on SQLite there are no others.
    pub(crate) async fn notify(&mut self) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(_) => query(NOTIFY).bind(CHANNEL).execute(self).await.map(drop),
        }
    }

    pub(crate) async fn commit(self) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(transaction) => transaction.commit().await,
            Self::Postgres(transaction) => transaction.commit().await,
        }
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(Some(text))
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::Text(Some(text.clone()))
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(Some(text.to_owned()))
    }
}

impl From<Option<String>> for Value {
    fn from(text: Option<String>) -> Self {
        Self::Text(text)
    }
}

impl From<&Option<String>> for Value {
    fn from(text: &Option<String>) -> Self {
        Self::Text(text.clone())
    }
}

impl From<Option<&str>> for Value {
    fn from(text: Option<&str>) -> Self {
        Self::Text(text.map(str::to_owned))
    }
}

impl From<&Arc<str>> for Value {
    fn from(text: &Arc<str>) -> Self {
        Self::Shared(Arc::clone(text))
    }
}

impl From<&Option<Arc<str>>> for Value {
    fn from(text: &Option<Arc<str>>) -> Self {
        text.as_ref().map_or(Self::Text(None), Self::from)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(Some(number))
    }
}

impl From<Option<i64>> for Value {
    fn from(number: Option<i64>) -> Self {
        Self::Int(number)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

impl From<[u8; 32]> for Value {
    fn from(hash: [u8; 32]) -> Self {
        Self::Hash(hash)
    }
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(bytes.to_vec())
    }
}
