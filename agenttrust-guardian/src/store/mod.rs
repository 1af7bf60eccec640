//! The database: the truth that memory is loaded from.
//!
//! One file a table. Every statement is a `const` with `$1` parameters that SQLite and PostgreSQL both understand
//! ([`db`] sends it to either); ids come from the program. All of it runs on the background runtime, because a handler
//! may be polled on a runtime without timers, or on none. A transaction therefore also always runs to its end, whatever
//! becomes of the request that began it.

mod access_requests;
mod agents;
mod approvals;
mod budgets;
mod card_keys;
mod cards;
mod changes;
pub(crate) mod counts;
mod database;
mod database_url;
mod db;
mod delegations;
pub(crate) mod denials;
mod error;
mod federation;
mod issued;
mod issued_lists;
mod keys;
mod lock;
mod mcp_servers;
mod mcp_tools;
mod migrations;
mod open;
mod outbox;
mod place;
mod policies;
mod pooler;
mod primary;
mod proofs;
mod refusal;
mod row;
mod rows;
mod sealed;
mod secrets;
mod sessions;
mod siem;
mod task_pushes;
mod tasks;
mod telemetry;
mod tokens;
mod tools;
mod wal;
mod webhooks;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use agenttrust::Timestamp;
use agenttrust::background;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub(crate) use self::access_requests::AccessRequestRow;
pub(crate) use self::agents::{AgentChanged, AgentRow, Floor};
pub(crate) use self::approvals::{
    ApprovalFilter, ApprovalRow, Decided, HeldCheck, NewApproval, RequesterRelation, Settled,
    Unused, Vote,
};
pub(crate) use self::budgets::{Charge, Spent};
pub(crate) use self::card_keys::{CARD_KEYS_MOST, CardKeyRow};
pub(crate) use self::cards::CardRow;
pub(crate) use self::changes::{Changed, Kind, Listener};
pub(crate) use self::counts::Counts;
pub(crate) use self::database::Database;
pub(crate) use self::db::{Db, Target, Transaction, query};
pub(crate) use self::delegations::{DelegationRow, Line};
pub(crate) use self::error::StoreError;
pub(crate) use self::federation::{FEDERATION_PROVIDERS_MOST, ProviderKept, ProviderRow, Vouching};
pub(crate) use self::issued::Gone;
pub(crate) use self::issued_lists::{IssuedFilter, OpenedAt};
pub(crate) use self::keys::{KeyEnd, KeyRow, Rotation};
pub(crate) use self::mcp_servers::{MCP_SERVERS_MOST, McpServerKept, McpServerRow};
pub(crate) use self::mcp_tools::{McpToolAccepted, McpToolChanges, McpToolRow};
pub(crate) use self::outbox::{DeliveryRow, Ended, Leased};
pub(crate) use self::row::from_row;
pub(crate) use self::rows::{Insert, Kind as ColumnKind, Rows};
pub(crate) use self::sealed::{KeptSecret, SecretOf};
pub(crate) use self::sessions::{BoundWorkload, Federated, SessionRow};
pub(crate) use self::siem::{
    DESTINATIONS_MOST, DestinationInsert, DestinationRow, SetAsideRow, SiemDeliveryRow, SiemHold,
    SiemStanding, SiemStep,
};
pub(crate) use self::task_pushes::{LeasedPush, TASK_PUSHES_MOST, TaskPushRow};
pub(crate) use self::tasks::{
    Begun, Body as TaskBody, Sight, Standing, Step, Stepped, TASKS_UNDER_WAY_BETWEEN_MOST,
    TASKS_UNDER_WAY_MOST, TaskMessageRow, TaskQuery, TaskRow, TaskRows, Upstream, Whole,
};
pub(crate) use self::telemetry::{EventRow, Kept, ReportStage, believed_events, keep_events};
pub(crate) use self::tokens::TokenRow;
pub(crate) use self::tools::{ToolChanges, ToolRow};
pub(crate) use self::webhooks::{WEBHOOKS_MOST, WebhookRow};

/// The time that the database may take for anything.
const DATABASE_TIMEOUT: Duration = Duration::from_secs(10);

/// The number of old rows that go at once: few enough for all that write meanwhile, and for the time that a statement
/// has.
pub(crate) const PRUNED_AT_ONCE: i64 = 500;

/// A place in a list that is ordered by when things were made: where one is, or was before it was forgotten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) created_at: Timestamp,
    pub(crate) id: String,
}

/// A handle to the database; clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    db: Db,
    /// Whether the vote of a key that asked counts.
    own_votes: bool,
    /// The number of its statements that may be at work at once; `None` where its connections are the limit.
    places: Option<Arc<Semaphore>>,
    /// The lock that keeps a second Guardian off a database file.
    lock: Option<Arc<lock::Lock>>,
    /// The mover of pages from the write-ahead log into a database file.
    mover: Option<Arc<wal::Mover>>,
}

impl Store {
    /// Says whether the vote of a key that asked counts; it does not unless this is called.
    pub(crate) fn with_own_votes(self, count: bool) -> Self {
        Self { own_votes: count, ..self }
    }

    /// Returns the same database, of which at most `most` things are asked at once: the rest waits here, and not
    /// for a connection that a decision needs more.
    pub(crate) fn with_places(&self, most: usize) -> Self {
        Self { places: Some(Arc::new(Semaphore::new(most))), ..self.clone() }
    }

    /// Returns a place to ask from, for callers of [`db`](Self::db): given back when it is dropped.
    pub(crate) async fn place(&self) -> Option<OwnedSemaphorePermit> {
        // Nothing closes these places, so there is one sooner or later.
        Arc::clone(self.places.as_ref()?).acquire_owned().await.ok()
    }

    /// Returns the database, for rooms that keep tables of their own in it.
    pub(crate) fn db(&self) -> Db {
        self.db.clone()
    }

    /// Returns whether the database answers.
    pub(crate) async fn is_alive(&self) -> bool {
        const PING: &str = "SELECT 1";
        self.run(|db| async move { query(PING).execute(&db).await.map(drop) }).await.is_ok()
    }

    /// Closes every connection; everything after that is an error.
    pub(crate) async fn close(&self) {
        let (db, mover) = (self.db.clone(), self.mover.clone());
        // A panicked close leaves nothing that could be closed better.
        let _ = background::spawn(async move {
            if let Some(mover) = mover {
                mover.close().await;
            }
            db.close().await;
        })
        .await;
        if let Some(lock) = &self.lock {
            lock.release();
        }
    }

    /// Runs `work` on the background runtime, for as long as an answer may take.
    async fn run<T, F, W>(&self, work: F) -> Result<T, StoreError>
    where
        F: FnOnce(Db) -> W,
        W: Future<Output = Result<T, sqlx::Error>> + Send + 'static,
        T: Send + 'static,
    {
        let work = work(self.db.clone());
        let places = self.places.clone();
        let work = async move {
            let _place = match places {
                Some(places) => places.acquire_owned().await.ok(),
                None => None,
            };
            work.await
        };
        match background::spawn(async { tokio::time::timeout(DATABASE_TIMEOUT, work).await }).await
        {
            Ok(Ok(done)) => done.map_err(StoreError::Database),
            Ok(Err(_)) => {
                // No statement may take that long, so it is the wire that says nothing.
                self.db.renew();
                Err(StoreError::Silent)
            }
            Err(_) => Err(StoreError::Stopped),
        }
    }
}

/// Reads a column that holds JSON.
fn from_json<T: serde::de::DeserializeOwned>(column: &str, text: &str) -> Result<T, sqlx::Error> {
    serde_json::from_str(text).map_err(|error| unreadable(column, error))
}

/// Writes a column that holds JSON.
fn to_json<T: serde::Serialize + ?Sized>(value: &T) -> String {
    // Lists of strings and maps of values always serialise.
    serde_json::to_string(value).unwrap_or_default()
}

/// Reads a column that holds a point in time.
fn from_micros(column: &str, micros: i64) -> Result<Timestamp, sqlx::Error> {
    Timestamp::from_unix_micros(micros)
        .ok_or_else(|| unreadable(column, format!("{micros} is no point in time")))
}

/// Returns the error for a column that this version cannot have written.
fn unreadable(
    column: &str,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> sqlx::Error {
    sqlx::Error::ColumnDecode { index: column.to_owned(), source: source.into() }
}
