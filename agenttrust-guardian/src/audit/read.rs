//! Reading the log: a page of it, all of it, and whether it is whole.
//!
//! Everything is read page by page and holds no transaction, so that reading never stops the writer.

use std::io::Write;
use std::sync::Arc;

use sqlx::{ColumnIndex, Decode, FromRow, Row, Type};

use super::chain::{Hash, Link, genesis};
use super::error::AuditError;
use super::record::{Entry, Stored, hex};
use crate::store::{Db, query};

/// How many entries [`list`] returns at most.
pub const MAX_PAGE: u32 = 1_000;

macro_rules! page {
    ($where:literal) => {
        concat!(
            "SELECT log, seq, at, kind, org_id, agent_id, actor, body, prev_hash, hash FROM audit \
             WHERE log = $1 AND seq > $2",
            $where,
            " ORDER BY seq LIMIT $3"
        )
    };
}

const PAGE: &str = page!("");
const PAGE_OF_AGENT: &str = page!(" AND agent_id = $4");
const LAST: &str = "SELECT seq FROM audit WHERE log = $1 ORDER BY seq DESC LIMIT 1";

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
pub(crate) async fn list(
    db: &Db,
    log: &str,
    after_seq: u64,
    limit: u32,
    agent_id: Option<&str>,
) -> Result<Vec<Entry>, AuditError> {
    let after = i64::try_from(after_seq).unwrap_or(i64::MAX);
    let rows = page(db, log, after, limit.clamp(1, MAX_PAGE), agent_id).await?;
    rows.into_iter()
        .map(|found| found.row.map(Entry::from).map_err(AuditError::unreadable))
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
pub(crate) async fn verify(db: &Db, log: &str) -> Result<Verification, AuditError> {
    let mut walk = Walk { rows: 0, head: genesis(log) };
    let mut fault = None;
    let last = last_seq(db, log).await?;
    // From the very lowest number, so that a row put before the first is seen.
    let mut after = i64::MIN;
    'pages: while after < last {
        let rows = page(db, log, after, MAX_PAGE, None).await?;
        if rows.is_empty() {
            let seq = walk.rows + 1;
            fault = Some(Fault {
                seq,
                what: format!("row {seq} was removed while the log was verified"),
            });
            break;
        }
        for Found { seq, row } in rows {
            after = seq;
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
pub(crate) async fn export(db: &Db, log: &str, mut out: impl Write) -> Result<(), AuditError> {
    let unwritten = |error| AuditError::Export(Arc::new(error));
    let last = last_seq(db, log).await?;
    let mut after = i64::MIN;
    while after < last {
        let rows = page(db, log, after, MAX_PAGE, None).await?;
        if rows.is_empty() {
            break;
        }
        for found in rows {
            let row = found.row.map_err(AuditError::unreadable)?;
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
    fn step(&mut self, seq: i64, row: Result<Stored, sqlx::Error>) -> Result<(), Fault> {
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
        let row = row.map_err(|error| {
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

/// A row, as far as it can be read.
struct Found {
    seq: i64,
    row: Result<Stored, sqlx::Error>,
}

impl<'r, R: Row> FromRow<'r, R> for Found
where
    Stored: FromRow<'r, R>,
    &'static str: ColumnIndex<R>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
{
    fn from_row(row: &'r R) -> Result<Self, sqlx::Error> {
        Ok(Self { seq: row.try_get("seq")?, row: Stored::from_row(row) })
    }
}

async fn last_seq(db: &Db, log: &str) -> Result<i64, AuditError> {
    let last: Option<(i64,)> =
        query(LAST).bind(log).fetch_optional(db).await.map_err(AuditError::unreadable)?;
    Ok(last.map_or(i64::MIN, |(seq,)| seq))
}

async fn page(
    db: &Db,
    log: &str,
    after: i64,
    limit: u32,
    agent_id: Option<&str>,
) -> Result<Vec<Found>, AuditError> {
    let page = query(if agent_id.is_some() { PAGE_OF_AGENT } else { PAGE });
    let page = page.bind(log).bind(after).bind(i64::from(limit));
    let page = if let Some(agent_id) = agent_id { page.bind(agent_id) } else { page };
    page.fetch_all(db).await.map_err(AuditError::unreadable)
}
