//! Reading: which logs there are, a page of one, its end, all of it.
//!
//! Everything is read page by page and holds no transaction, so that reading never stops the writer.

use std::collections::BTreeMap;
#[cfg(feature = "cli")]
use std::io::Write;
#[cfg(feature = "cli")]
use std::sync::Arc;

use sqlx::{ColumnIndex, Decode, FromRow, Row, Type};

use super::error::AuditError;
use super::record::{Entry, Stored};
use crate::store::{Db, Target, query};

/// The largest number of entries of one page.
pub(crate) const MAX_PAGE: u32 = 1_000;

macro_rules! rows {
    ($where:literal) => {
        concat!(
            "SELECT log, seq, at, kind, org_id, agent_id, actor, body, prev_hash, hash FROM audit \
             WHERE log = $1 AND seq > $2",
            $where,
            " LIMIT $3"
        )
    };
}

const PAGE: &str = rows!(" ORDER BY seq");
const PAGE_OF_AGENT: &str = rows!(" AND agent_id = $4 ORDER BY seq");
const NEWEST: &str = rows!(" ORDER BY seq DESC");
const FIRST_FROM: &str = "SELECT seq FROM audit WHERE log = $1 AND at >= $2 ORDER BY seq LIMIT 1";
const LAST: &str = "SELECT seq FROM audit WHERE log = $1 ORDER BY seq DESC LIMIT 1";
/// The next name of a log, by the index: there may be millions of rows of each.
const NEXT_LOG: [&str; 3] = [
    "SELECT MIN(log) FROM audit WHERE log > $1",
    "SELECT MIN(log) FROM audit_checkpoints WHERE log > $1",
    "SELECT MIN(log) FROM audit_cuts WHERE log > $1",
];

/// Returns the names of all logs that have rows, or of which anything was ever signed, in their order.
///
/// # Errors
///
/// [`AuditError::Unreadable`] when the database cannot answer.
pub(crate) async fn logs(db: &Db) -> Result<Vec<String>, AuditError> {
    if let Db::Sqlite(_) = db {
        // A database file has one.
        return Ok(vec![String::new()]);
    }
    let mut logs = std::collections::BTreeSet::new();
    for sql in NEXT_LOG {
        let mut after = String::new();
        loop {
            let next = query(sql).bind(&after).fetch_one::<(Option<String>,)>(db).await;
            let Some(next) = next.map_err(AuditError::unreadable)?.0 else { break };
            logs.insert(next.clone());
            after = next;
        }
    }
    Ok(logs.into_iter().collect())
}

/// Returns up to `limit` (at most [`MAX_PAGE`]) entries of a log after number `after_seq`, in their order; of one
/// agent when `agent_id` names one.
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
    entries(page(db, log, after, limit.clamp(1, MAX_PAGE), agent_id).await?)
}

/// A row, or the number of one that cannot be read.
pub(crate) type Readable = Result<Entry, (u64, AuditError)>;

/// Returns up to `limit` rows as [`list`] has them, where a row that cannot be read is listed as unreadable and hides
/// no other.
///
/// # Errors
///
/// [`AuditError::Unreadable`] when the database cannot answer.
///
/// # Cancel safety
///
/// May be dropped at any time.
pub(crate) async fn list_each(
    db: &Db,
    log: &str,
    after: i64,
    limit: u32,
) -> Result<Vec<Readable>, AuditError> {
    let rows = page(db, log, after, limit.clamp(1, MAX_PAGE), None).await?;
    let each = rows.into_iter().map(|found| {
        let seq = u64::try_from(found.seq).unwrap_or(0);
        found.row.map(Entry::from).map_err(|error| (seq, AuditError::unreadable(error)))
    });
    Ok(each.collect())
}

/// Returns the number of the newest row of each log that has rows.
///
/// # Errors
///
/// [`AuditError::Unreadable`] when the database cannot answer.
pub(crate) async fn heads(db: &Db) -> Result<BTreeMap<String, i64>, AuditError> {
    let mut heads = BTreeMap::new();
    for log in logs(db).await? {
        let newest = last_seq(db, &log).await?;
        if newest > 0 {
            heads.insert(log, newest);
        }
    }
    Ok(heads)
}

/// Returns the number of the row before the first one that was written at `since` or later (RFC 3339 in UTC with six
/// decimals), of each log that has rows: its newest where there is no such row.
///
/// # Errors
///
/// [`AuditError::Unreadable`] when the database cannot answer.
pub(crate) async fn before(db: &Db, since: &str) -> Result<BTreeMap<String, i64>, AuditError> {
    let mut rows = heads(db).await?;
    for (log, seq) in &mut rows {
        let first = query(FIRST_FROM).bind(log.as_str()).bind(since).fetch_optional(db).await;
        let first: Option<(i64,)> = first.map_err(AuditError::unreadable)?;
        if let Some((first,)) = first {
            *seq = first.saturating_sub(1);
        }
    }
    Ok(rows)
}

/// Returns the newest entries of a log, up to `limit` (at most [`MAX_PAGE`]), in their order.
///
/// # Errors
///
/// [`AuditError::Unreadable`] when the database cannot answer.
#[cfg(feature = "cli")]
pub(crate) async fn newest(db: &Db, log: &str, limit: u32) -> Result<Vec<Entry>, AuditError> {
    let newest = query(NEWEST).bind(log).bind(i64::MIN).bind(i64::from(limit.min(MAX_PAGE)));
    let mut rows = newest.fetch_all(db).await.map_err(AuditError::unreadable)?;
    rows.reverse();
    entries(rows)
}

/// Returns the last entry of a log.
///
/// # Errors
///
/// [`AuditError::Unreadable`] when the database cannot answer.
pub(crate) async fn last(db: &Db, log: &str) -> Result<Option<Entry>, AuditError> {
    let last = query(NEWEST).bind(log).bind(i64::MIN).bind(1);
    let rows = last.fetch_all(db).await.map_err(AuditError::unreadable)?;
    Ok(entries(rows)?.pop())
}

fn entries(rows: Vec<ReadRow>) -> Result<Vec<Entry>, AuditError> {
    rows.into_iter()
        .map(|found| found.row.map(Entry::from).map_err(AuditError::unreadable))
        .collect()
}

/// Writes a log as JSON lines, one [`Entry`] a line: all of it, or up to a row.
///
/// # Errors
///
/// [`AuditError::Unreadable`] when the database cannot answer, [`AuditError::Export`] when `out` cannot be
/// written.
///
/// # Cancel safety
///
/// Dropped early, `out` holds the first lines.
#[cfg(feature = "cli")]
pub(crate) async fn export(
    db: &Db,
    log: &str,
    through: Option<i64>,
    mut out: impl Write,
) -> Result<(), AuditError> {
    let unwritten = |error| AuditError::Export(Arc::new(error));
    let last = last_seq(db, log).await?.min(through.unwrap_or(i64::MAX));
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

/// A row of the log: its number, and its content or the reason why that cannot be read.
pub(super) struct ReadRow {
    pub(super) seq: i64,
    pub(super) row: Result<Stored, sqlx::Error>,
}

impl<'r, R: Row> FromRow<'r, R> for ReadRow
where
    Stored: FromRow<'r, R>,
    &'static str: ColumnIndex<R>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
{
    fn from_row(row: &'r R) -> Result<Self, sqlx::Error> {
        Ok(Self { seq: row.try_get("seq")?, row: Stored::from_row(row) })
    }
}

pub(super) async fn last_seq(db: &Db, log: &str) -> Result<i64, AuditError> {
    let last: Option<(i64,)> =
        query(LAST).bind(log).fetch_optional(db).await.map_err(AuditError::unreadable)?;
    Ok(last.map_or(i64::MIN, |(seq,)| seq))
}

/// Returns the row of this number, if it is there and can be read.
pub(super) async fn row<'t>(
    on: impl Into<Target<'t>>,
    log: &str,
    seq: i64,
) -> Result<Option<Stored>, AuditError> {
    let found = page(on, log, seq.saturating_sub(1), 1, None).await?.pop();
    Ok(found.filter(|found| found.seq == seq).and_then(|found| found.row.ok()))
}

pub(super) async fn page<'t>(
    on: impl Into<Target<'t>>,
    log: &str,
    after: i64,
    limit: u32,
    agent_id: Option<&str>,
) -> Result<Vec<ReadRow>, AuditError> {
    let page = query(if agent_id.is_some() { PAGE_OF_AGENT } else { PAGE });
    let page = page.bind(log).bind(after).bind(i64::from(limit));
    let page = if let Some(agent_id) = agent_id { page.bind(agent_id) } else { page };
    page.fetch_all(on).await.map_err(AuditError::unreadable)
}
