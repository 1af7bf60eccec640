//! The audit: read, verified and exported, log by log.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use agenttrust::background;

use crate::audit::{self, AuditError, Checkpoint, Entry, Trust, Verification};
use crate::domain::{DEFAULT_ORG, Error, Key};
use crate::engine::Engine;
use crate::store::Db;

/// The largest number of entries of an export that are read at once ...
const AT_ONCE: u32 = 500;
/// ... and after how many bytes no more of them are handed on: what a reader does not take is held for it.
const BYTES_AT_ONCE: usize = 256 << 10;
/// The time that an export waits for a place to read from.
const PLACE_WITHIN: Duration = Duration::from_secs(10);

/// A query of entries of a log.
#[derive(Debug)]
pub(crate) struct AuditQuery {
    /// The log to read; the one that this Guardian writes, unless another is named.
    pub(crate) log: Option<String>,
    /// The number of the entry before the first one.
    pub(crate) after: u64,
    /// The largest number of entries.
    pub(crate) limit: u32,
    /// The agent that the entries must be about, if only those are wanted.
    pub(crate) agent_id: Option<String>,
}

/// A page of a log, as an organisation sees it.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) entries: Vec<Entry>,
    /// The number of the last entry that was looked at; `None` when nothing is left.
    pub(crate) next_after: Option<u64>,
}

/// Reads the entries of an organisation that are wanted.
///
/// # Errors
///
/// Unavailable where the audit cannot be read.
pub(crate) async fn list(engine: &Engine, org_id: &str, query: AuditQuery) -> Result<Page, Error> {
    let AuditQuery { log, after, limit, agent_id } = query;
    let log = log.unwrap_or_else(|| engine.settings.log.clone());
    engine.audit.flush().await;
    let mut entries = page(engine, log, after, limit, agent_id).await?;
    let next_after = entries.last().map(|entry| entry.seq);
    entries.retain(|entry| entry.org_id == org_id);
    Ok(Page { entries, next_after })
}

/// An audit log, of which SQLite has one and PostgreSQL one a replica.
#[derive(Debug)]
pub(crate) struct LogBrief {
    /// Its name; empty on SQLite.
    pub(crate) log: String,
    /// Whether this Guardian writes it.
    pub(crate) own: bool,
    /// Its newest entry, whosever it is; told to the Guardian's own organisation.
    pub(crate) last: Option<Entry>,
}

/// Lists the logs, as an organisation sees them.
///
/// # Errors
///
/// Unavailable where the audit cannot be read.
pub(crate) async fn logs(engine: &Engine, org_id: &str) -> Result<Vec<LogBrief>, Error> {
    let is_own = org_id == DEFAULT_ORG;
    engine.audit.flush().await;
    let found = read_log(engine, move |db| async move {
        let mut found = Vec::new();
        for log in audit::logs(&db).await? {
            let last = if is_own { audit::last(&db, &log).await? } else { None };
            found.push((log, last));
        }
        Ok(found)
    });
    let own = &engine.settings.log;
    let brief = |(log, last): (String, Option<Entry>)| LogBrief { own: log == *own, log, last };
    Ok(found.await?.into_iter().map(brief).collect())
}

/// Checkpoints of a log.
#[derive(Debug)]
pub(crate) struct Checkpoints {
    /// The public key by which this Guardian's checkpoints are verified, in hexadecimal.
    pub(crate) key: Option<String>,
    /// The place where the log begins, if its first rows were let go.
    pub(crate) cut: Option<Checkpoint>,
    /// The newest first.
    pub(crate) checkpoints: Vec<Checkpoint>,
    /// The number of the row of the oldest of these; `None` when nothing is left.
    pub(crate) next_before: Option<u64>,
}

/// Reads up to `limit` checkpoints of a log, of rows before this one; of the log that this Guardian writes,
/// unless another is named.
///
/// # Errors
///
/// Unavailable where the audit cannot be read.
pub(crate) async fn checkpoints(
    engine: &Engine,
    log: Option<String>,
    before: Option<u64>,
    limit: u32,
) -> Result<Checkpoints, Error> {
    let log = log.unwrap_or_else(|| engine.settings.log.clone());
    let before = before.and_then(|before| i64::try_from(before).ok()).unwrap_or(i64::MAX);
    let (cut, checkpoints) = read_log(engine, move |db| async move {
        let cut = audit::cut(&db, &log).await.map_err(AuditError::unreadable)?;
        let page = audit::checkpoints(&db, &log, before, limit).await;
        Ok((cut, page.map_err(AuditError::unreadable)?))
    })
    .await?;
    let key = engine.audit.key().map(|key| key.public().to_string());
    let next_before = checkpoints.last().map(|oldest| oldest.seq);
    Ok(Checkpoints { key, cut, checkpoints, next_before })
}

/// The findings along every log.
#[derive(Debug)]
pub(crate) struct Verified {
    /// The number of rows that were read, in all logs.
    pub(crate) rows: u64,
    /// The hash of the last row of the log that this Guardian writes, in hexadecimal.
    pub(crate) head: String,
    pub(crate) logs: Vec<Verification>,
}

/// Verifies every log, against the checkpoints in the database and against what this Guardian knows of its
/// own.
///
/// # Errors
///
/// Too many while the audit is being verified, unavailable where it cannot be read.
pub(crate) async fn verify(engine: &Engine) -> Result<Verified, Error> {
    let walk = engine.audit.begin_walk().ok_or_else(|| {
        Error::too_many(
            "the audit log is being verified, which one caller at a time may do; try again in a moment",
        )
    })?;
    engine.audit.flush().await;
    let trust = Trust { own: Some(engine.audit.own(&engine.settings.log)), ..Trust::default() };
    let (log, name) = (engine.audit.clone(), engine.settings.log.clone());
    // The walk goes on when the caller hangs up, and so must its leave; what it finds is remembered all the same.
    let found = read_log(engine, |db| async move {
        let mut found = audit::verify_all(&db, &trust).await?;
        drop(walk);
        log.heed(&name, &mut found).await;
        Ok(found)
    });
    let logs = found.await?;
    let own = logs.iter().find(|log| log.log == engine.settings.log);
    let head = own.map(|log| log.head.clone()).unwrap_or_default();
    let rows = logs.iter().map(|log| log.rows).sum();
    Ok(Verified { rows, head, logs })
}

/// An export on its way, and what is left of it. While its reader is slow it holds nothing but that.
#[derive(Debug)]
pub(crate) struct Export {
    engine: Arc<Engine>,
    key: Arc<Key>,
    /// The agent that the entries must be about, if only those are wanted.
    agent_id: Option<String>,
    logs: VecDeque<String>,
    /// The number of the last entry that was read of the first of these logs.
    after: u64,
    /// The number of entries that are read at once.
    at_once: u32,
}

/// Begins an export of what is about an organisation, or about the one agent that the caller speaks for, of
/// every log or of this one.
///
/// # Errors
///
/// Not found for a log that there is not, unavailable where the audit cannot be read.
pub(crate) async fn export(
    engine: &Arc<Engine>,
    key: &Arc<Key>,
    named: Option<&str>,
    log: Option<String>,
) -> Result<Export, Error> {
    engine.audit.flush().await;
    let known = read_log(engine, |db| async move { audit::logs(&db).await }).await?;
    let logs = match log {
        None => known,
        Some(log) if known.contains(&log) => vec![log],
        Some(log) => return Err(Error::unknown("audit log", &log)),
    };
    Ok(Export {
        engine: Arc::clone(engine),
        key: Arc::clone(key),
        agent_id: named.map(str::to_owned),
        logs: logs.into(),
        after: 0,
        at_once: AT_ONCE,
    })
}

impl Export {
    /// Reads the next entries, as JSON lines: none where no entry is the organisation's. `None` after the last one.
    ///
    /// It has a place among the exports meanwhile, and none in between.
    ///
    /// # Errors
    ///
    /// Unavailable where the audit cannot be read, too many where there is no place for a while.
    pub(crate) async fn next_lines(&mut self) -> Result<Option<Vec<u8>>, Error> {
        let Some(log) = self.logs.front().cloned() else { return Ok(None) };
        let place = self.engine.limits.exports.wait(&self.key, PLACE_WITHIN).await?;
        let of = self.agent_id.clone();
        let entries = page(&self.engine, log, self.after, self.at_once, of).await?;
        drop(place);
        if entries.is_empty() {
            self.logs.pop_front();
            self.after = 0;
        }
        let (mut lines, mut taken) = (Vec::new(), 0);
        for entry in entries {
            if lines.len() >= BYTES_AT_ONCE {
                // What is left is read again.
                break;
            }
            taken += 1;
            self.after = entry.seq;
            if entry.org_id == self.key.org_id {
                serde_json::to_writer(&mut lines, &entry)
                    .map_err(|_| Error::unavailable("an entry of the audit cannot be written"))?;
                lines.push(b'\n');
            }
        }
        self.at_once = (taken * 2).clamp(1, AT_ONCE);
        Ok(Some(lines))
    }
}

async fn page(
    engine: &Engine,
    log: String,
    after: u64,
    limit: u32,
    agent_id: Option<String>,
) -> Result<Vec<Entry>, Error> {
    read_log(engine, move |db| async move {
        audit::list(&db, &log, after, limit, agent_id.as_deref()).await
    })
    .await
}

/// Reads on the background runtime, to the end even when no caller waits for it any more.
async fn read_log<T, F, W>(engine: &Engine, work: F) -> Result<T, Error>
where
    F: FnOnce(Db) -> W,
    W: Future<Output = Result<T, AuditError>> + Send + 'static,
    T: Send + 'static,
{
    let store = engine.reading_store.clone();
    let work = work(store.db());
    let read = async move {
        let _place = store.place().await;
        work.await
    };
    background::spawn(read)
        .await
        .map_err(|_| Error::unavailable("reading the audit log panicked"))?
        .map_err(unreadable)
}

fn unreadable(error: AuditError) -> Error {
    tracing::error!(%error, "the audit log could not be read");
    Error::unavailable("the audit log cannot be read at present; try again later")
}
