//! The table of changes in the order in which they were committed. By it a Guardian's memory follows its database, and
//! several Guardians on one database follow each other.
//!
//! Every transaction that changes what memory holds ends with one row here. Its number is drawn from a row of
//! `settings` that stays locked until the transaction ends. So numbers become visible in their order and without a gap:
//! a reader that has seen number 7 never gets a late number 6.

use std::io;
use std::time::Duration;

use agenttrust::{Timestamp, background};
use sqlx::postgres::PgListener;

use super::db::{CHANNEL, Db, query};
use super::primary::Primary;
use super::row::from_row;
use super::{PRUNED_AT_ONCE, Store, StoreError, Transaction, from_micros, unreadable};

const NEXT: &str = "UPDATE settings SET value = value + 1 WHERE name = 'changes' RETURNING value";
const NEWEST: &str = "SELECT value FROM settings WHERE name = 'changes'";
const LAST_MADE: &str = "SELECT MAX(made_at) FROM changes";
const ADD: &str =
    "INSERT INTO changes (seq, kind, org_id, id, made_at) VALUES ($1, $2, $3, $4, $5)";
const SINCE: &str =
    "SELECT seq, kind, org_id, id, made_at FROM changes WHERE seq > $1 ORDER BY seq LIMIT 1000";
// Never the newest: whoever was away is to see that there is more than it knows of.
const PRUNE: &str = "DELETE FROM changes WHERE seq IN (SELECT seq FROM changes WHERE made_at < $1 \
                     AND seq < (SELECT value FROM settings WHERE name = 'changes') \
                     ORDER BY seq LIMIT $2)";

/// The silence after which it is tried whether notifications still arrive.
const TRIED_AFTER: Duration = Duration::from_secs(2);

/// The kind of row that a change is of. Its particulars are read from the table that it was made in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Agent,
    Key,
    Token,
    Session,
    Delegation,
    Tools,
    Policies,
    Approval,
    McpServer,
    Task,
    Card,
    CardKey,
    FederationProvider,
}

impl Kind {
    const ALL: [Self; 13] = [
        Self::Agent,
        Self::Key,
        Self::Token,
        Self::Session,
        Self::Delegation,
        Self::Tools,
        Self::Policies,
        Self::Approval,
        Self::McpServer,
        Self::Task,
        Self::Card,
        Self::CardKey,
        Self::FederationProvider,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Key => "key",
            Self::Token => "token",
            Self::Session => "session",
            Self::Delegation => "delegation",
            Self::Tools => "tools",
            Self::Policies => "policies",
            Self::Approval => "approval",
            Self::McpServer => "mcp_server",
            Self::Task => "task",
            Self::Card => "card",
            Self::CardKey => "card_key",
            Self::FederationProvider => "federation_provider",
        }
    }
}

/// A change as it was read.
#[derive(Clone, Debug)]
pub(crate) struct Changed {
    pub(crate) seq: i64,
    pub(crate) kind: Kind,
    pub(crate) org_id: String,
    pub(crate) id: String,
    pub(crate) made_at: Timestamp,
}

from_row! {
    struct Raw {
        seq: i64,
        kind: String,
        org_id: String,
        id: String,
        made_at: i64,
    }
}

/// Appends what this transaction changed to the change feed. It is the last statement of the transaction: from here on
/// every other transaction that changes something waits for it.
pub(super) async fn append_change(
    transaction: &mut Transaction,
    kind: Kind,
    org_id: &str,
    id: &str,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    let (seq,): (i64,) = query(NEXT).fetch_one(&mut *transaction).await?;
    query(ADD)
        .bind(seq)
        .bind(kind.as_str())
        .bind(org_id)
        .bind(id)
        .bind(now.unix_micros())
        .execute(&mut *transaction)
        .await?;
    transaction.notify().await
}

impl Store {
    /// Returns the number of the newest change.
    pub(crate) async fn newest_change(&self) -> Result<i64, StoreError> {
        let newest: (i64,) =
            self.run(|db| async move { query(NEWEST).fetch_one(&db).await }).await?;
        Ok(newest.0)
    }

    /// Returns when the last change was made that is not forgotten yet.
    pub(crate) async fn last_change_made(&self) -> Result<Option<Timestamp>, StoreError> {
        self.run(|db| async move {
            let (made_at,): (Option<i64>,) = query(LAST_MADE).fetch_one(&db).await?;
            made_at.map(|at| from_micros("made_at", at)).transpose()
        })
        .await
    }

    /// Returns up to 1,000 changes after number `seen`, in their order.
    pub(crate) async fn changes_since(&self, seen: i64) -> Result<Vec<Changed>, StoreError> {
        self.run(move |db| async move {
            let rows: Vec<Raw> = query(SINCE).bind(seen).fetch_all(&db).await?;
            rows.into_iter().map(Changed::try_from).collect()
        })
        .await
    }

    /// Forgets changes made before `before`, the oldest first, one step; returns how many.
    pub(crate) async fn prune_changes(&self, before: Timestamp) -> Result<u64, StoreError> {
        self.run(move |db| async move {
            query(PRUNE).bind(before.unix_micros()).bind(PRUNED_AT_ONCE).execute(&db).await
        })
        .await
    }
}

/// A connection that hears that something was changed, by whichever replica.
#[derive(Debug)]
pub(crate) struct Listener {
    heard: PgListener,
    by: Primary,
}

impl Listener {
    /// Returns once something may have been changed, and an error once the connection is lost or leads to a standby. A
    /// change that was missed is never heard of, so a caller looks now and then as well.
    pub(crate) async fn heard(&mut self) -> Result<(), StoreError> {
        loop {
            match background::timeout(TRIED_AFTER, self.heard.try_recv()).await {
                Ok(Ok(Some(_))) => break,
                Ok(Ok(None)) => {
                    return Err(sqlx::Error::Io(io::ErrorKind::UnexpectedEof.into()).into());
                }
                Ok(Err(error)) => return Err(error.into()),
                Err(_) => self.by.try_listener(&mut self.heard).await?,
            }
        }
        // One look is enough for all that came with it.
        while self.heard.next_buffered().is_some() {}
        Ok(())
    }
}

impl Store {
    /// Listens for changes; `None` on SQLite, which sends no notifications.
    pub(crate) async fn listen(&self) -> Result<Option<Listener>, StoreError> {
        let Db::Postgres(by) = self.db() else { return Ok(None) };
        let heard = by.listen(CHANNEL).await?;
        Ok(Some(Listener { heard, by }))
    }
}

impl TryFrom<Raw> for Changed {
    type Error = sqlx::Error;

    fn try_from(raw: Raw) -> Result<Self, sqlx::Error> {
        let kind = Kind::ALL
            .into_iter()
            .find(|kind| kind.as_str() == raw.kind)
            .ok_or_else(|| unreadable("kind", "not what a change is of"))?;
        let made_at = from_micros("made_at", raw.made_at)?;
        Ok(Self { seq: raw.seq, kind, org_id: raw.org_id, id: raw.id, made_at })
    }
}
