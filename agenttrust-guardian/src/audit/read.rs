//! Reading the log: a page of it, all of it, and whether it is whole.
//!
//! Everything is read page by page and holds no transaction, so that reading never stops the writer.

use std::io::Write;
use std::sync::Arc;

use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqlitePool};

use super::chain::{GENESIS, Hash, Link};
use super::error::AuditError;
use super::record::{Entry, Stored, hex};

/// How many entries [`list`] returns at most.
pub const MAX_PAGE: u32 = 1_000;

const PAGE: &str = "SELECT * FROM audit WHERE seq > ?1 ORDER BY seq LIMIT ?2";
const PAGE_OF_AGENT: &str =
    "SELECT * FROM audit WHERE agent_id = ?3 AND seq > ?1 ORDER BY seq LIMIT ?2";
const LAST: &str = "SELECT max(seq) FROM audit";

/// Up to `limit` (at most [`MAX_PAGE`]) entries after number `after_seq`, in their order; of one agent
/// when `agent_id` names one.
///
/// # Errors
///
/// [`AuditError::Unreadable`] when the database cannot answer.
///
/// # Cancel safety
///
/// May be dropped at any time.
pub async fn list(
    pool: &SqlitePool,
    after_seq: u64,
    limit: u32,
    agent_id: Option<&str>,
) -> Result<Vec<Entry>, AuditError> {
    let after = i64::try_from(after_seq).unwrap_or(i64::MAX);
    let rows = page(pool, after, limit.clamp(1, MAX_PAGE), agent_id).await?;
    rows.iter()
        .map(|row| Stored::try_from(row).map(Entry::from).map_err(AuditError::unreadable))
        .collect()
}

/// What a walk along the chain found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// How many rows are whole, from the first one on.
    pub rows: u64,
    /// The hash of the last of those, in hexadecimal; 64 zeros for an empty log. Noted outside, it shows
    /// later that no row was removed from the end.
    pub head: String,
    /// The first fault; `None` when the chain is whole.
    pub fault: Option<Fault>,
}

/// The first place where the chain is broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The row that is changed, missing or out of place.
    pub seq: u64,
    /// What is wrong with it.
    pub what: String,
}

/// Walks the chain from its first row to the one that is last when it starts.
///
/// # Errors
///
/// [`AuditError::Unreadable`] when the database cannot answer. A broken chain is no error: it is the
/// [`Verification::fault`].
///
/// # Cancel safety
///
/// May be dropped at any time.
pub async fn verify(pool: &SqlitePool) -> Result<Verification, AuditError> {
    let mut walk = Walk { rows: 0, head: GENESIS };
    let mut fault = None;
    let last = last_seq(pool).await?;
    // From the very lowest number, so that a row put before the first is seen.
    let mut after = i64::MIN;
    'pages: while after < last {
        let rows = page(pool, after, MAX_PAGE, None).await?;
        if rows.is_empty() {
            let seq = walk.rows + 1;
            fault = Some(Fault {
                seq,
                what: format!("row {seq} was removed while the log was verified"),
            });
            break;
        }
        for row in &rows {
            after = row.try_get("seq").map_err(AuditError::unreadable)?;
            if after > last {
                break 'pages;
            }
            if let Err(broken) = walk.step(after, row) {
                fault = Some(broken);
                break 'pages;
            }
        }
    }
    Ok(Verification { rows: walk.rows, head: hex(&walk.head), fault })
}

/// Writes the whole log as JSON lines, one [`Entry`] a line.
///
/// # Errors
///
/// [`AuditError::Unreadable`] when the database cannot answer, [`AuditError::Export`] when `out` cannot be
/// written.
///
/// # Cancel safety
///
/// Dropped early, `out` holds the first lines.
pub async fn export(pool: &SqlitePool, mut out: impl Write) -> Result<(), AuditError> {
    let unwritten = |error| AuditError::Export(Arc::new(error));
    let last = last_seq(pool).await?;
    let mut after = i64::MIN;
    while after < last {
        let rows = page(pool, after, MAX_PAGE, None).await?;
        if rows.is_empty() {
            break;
        }
        for row in &rows {
            let row = Stored::try_from(row).map_err(AuditError::unreadable)?;
            after = row.seq;
            if after > last {
                break;
            }
            let mut line =
                serde_json::to_vec(&Entry::from(row)).map_err(|error| unwritten(error.into()))?;
            line.push(b'\n');
            out.write_all(&line).map_err(unwritten)?;
        }
    }
    out.flush().map_err(unwritten)
}

/// How far the walk has come: everything up to here is whole.
struct Walk {
    rows: u64,
    head: Hash,
}

impl Walk {
    fn step(&mut self, seq: i64, row: &SqliteRow) -> Result<(), Fault> {
        let expected = self.rows + 1;
        let Ok(number) = u64::try_from(seq) else {
            return Err(Fault {
                seq: 0,
                what: format!("a row numbered {seq} was added before the first one"),
            });
        };
        if number != expected {
            return Err(match number.checked_sub(1) {
                None => Fault {
                    seq: 0,
                    what: "a row numbered 0 was added before the first one".to_owned(),
                },
                Some(gone) if gone == expected => {
                    Fault { seq: expected, what: format!("row {expected} was removed") }
                }
                Some(gone) => {
                    Fault { seq: expected, what: format!("rows {expected} to {gone} were removed") }
                }
            });
        }
        let fault = |what: String| Fault { seq: number, what };
        let row = Stored::try_from(row).map_err(|error| {
            fault(format!("row {number} was changed: it cannot be read ({error})"))
        })?;
        let hash = Link::from(&row).hash();
        if row.hash != hash {
            return Err(fault(format!(
                "row {number} was changed or moved here from another place: it does not match its own hash"
            )));
        }
        if row.prev_hash != self.head {
            return Err(fault(format!(
                "row {number} does not continue the row before it: one of the two was replaced"
            )));
        }
        self.rows = number;
        self.head = hash;
        Ok(())
    }
}

async fn last_seq(pool: &SqlitePool) -> Result<i64, AuditError> {
    let last: Option<i64> =
        sqlx::query_scalar(LAST).fetch_one(pool).await.map_err(AuditError::unreadable)?;
    Ok(last.unwrap_or(i64::MIN))
}

async fn page(
    pool: &SqlitePool,
    after: i64,
    limit: u32,
    agent_id: Option<&str>,
) -> Result<Vec<SqliteRow>, AuditError> {
    let query = match agent_id {
        None => sqlx::query(PAGE).bind(after).bind(limit),
        Some(agent_id) => sqlx::query(PAGE_OF_AGENT).bind(after).bind(limit).bind(agent_id),
    };
    query.fetch_all(pool).await.map_err(AuditError::unreadable)
}
