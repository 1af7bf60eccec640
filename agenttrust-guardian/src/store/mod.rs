//! The database: the truth that memory is loaded from.
//!
//! One file a table. Every statement is a `const` with `$1` parameters that SQLite and PostgreSQL
//! both understand; ids come from the program. All of it runs on the background runtime, because a
//! handler may be polled on a runtime without timers, or on none. A transaction therefore also
//! always runs to its end, whatever becomes of the request that began it.

mod agents;
mod approvals;
mod deciding;
mod keys;
mod lock;
mod open;
mod sessions;
mod settings;
mod telemetry;
mod tokens;
mod tools;

use std::future::Future;
use std::sync::Arc;

use agenttrust::__private::background;
use agenttrust::Timestamp;
use sqlx::{Sqlite, SqlitePool, Transaction};

pub(crate) use self::agents::AgentRow;
pub(crate) use self::approvals::{ApprovalFilter, Held, NewApproval, Settled};
pub(crate) use self::deciding::{Decided, Vote};
pub(crate) use self::keys::KeyRow;
pub(crate) use self::open::Database;
pub(crate) use self::sessions::{Counts, SessionRow};
pub(crate) use self::telemetry::EventRow;
pub(crate) use self::tokens::TokenRow;
pub(crate) use self::tools::ToolRow;

/// Why the database did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// It said so.
    #[error("the database did not answer: {0}")]
    Database(#[from] sqlx::Error),
    /// The task that was asking died.
    #[error("the database task stopped before it answered")]
    Stopped,
}

/// A handle to the database; clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    pool: SqlitePool,
    /// Whether the vote of a key that asked counts.
    own_votes: bool,
    /// Keeps a second Guardian off a database file.
    lock: Option<Arc<lock::Lock>>,
}

impl Store {
    /// Says whether the vote of a key that asked counts; it does not unless this is called.
    pub(crate) fn with_own_votes(self, count: bool) -> Self {
        Self { own_votes: count, ..self }
    }

    /// The pool, for those who keep tables of their own in the same database.
    pub(crate) fn pool(&self) -> SqlitePool {
        self.pool.clone()
    }

    /// Whether the database answers.
    pub(crate) async fn is_alive(&self) -> bool {
        const PING: &str = "SELECT 1";
        self.run(|pool| async move { sqlx::query(PING).execute(&pool).await.map(drop) })
            .await
            .is_ok()
    }

    /// Closes every connection; everything after that is an error.
    pub(crate) async fn close(&self) {
        let pool = self.pool.clone();
        // A panicked close leaves nothing that could be closed better.
        let _ = background::spawn(async move { pool.close().await }).await;
        if let Some(lock) = &self.lock {
            lock.release();
        }
    }

    /// Runs `work` on the background runtime.
    async fn run<T, F, W>(&self, work: F) -> Result<T, StoreError>
    where
        F: FnOnce(SqlitePool) -> W,
        W: Future<Output = Result<T, sqlx::Error>> + Send + 'static,
        T: Send + 'static,
    {
        let work = work(self.pool.clone());
        match background::spawn(work).await {
            Ok(done) => done.map_err(StoreError::Database),
            Err(_) => Err(StoreError::Stopped),
        }
    }
}

/// A transaction that writes, and says so at once: one that starts by reading could not be upgraded
/// once another writer is ahead of it.
async fn begin(pool: &SqlitePool) -> Result<Transaction<'static, Sqlite>, sqlx::Error> {
    pool.begin_with("BEGIN IMMEDIATE").await
}

/// Reads a column that holds JSON.
fn from_json<T: serde::de::DeserializeOwned>(column: &str, text: &str) -> Result<T, sqlx::Error> {
    serde_json::from_str(text).map_err(|error| unreadable(column, error))
}

/// Writes a column that holds JSON.
fn to_json<T: serde::Serialize>(value: &T) -> String {
    // Lists of strings and maps of values always serialise.
    serde_json::to_string(value).unwrap_or_default()
}

/// Reads a column that holds a point in time.
fn from_micros(column: &str, micros: i64) -> Result<Timestamp, sqlx::Error> {
    Timestamp::from_unix_micros(micros)
        .ok_or_else(|| unreadable(column, format!("{micros} is no point in time")))
}

/// The error for a column that this version cannot have written.
fn unreadable(
    column: &str,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> sqlx::Error {
    sqlx::Error::ColumnDecode { index: column.to_owned(), source: source.into() }
}
