//! The audit: read, verified and exported, log by log.

use std::collections::VecDeque;
use std::io::{self, Write};

use agenttrust::background;
use agenttrust::model::schema::NameOrEmpty;
use axum::Json;
use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use serde::Serialize;
use tokio::sync::OwnedSemaphorePermit;
use utoipa::ToSchema;

use super::App;
use super::answers::{NotFound, TooMany, Unavailable};
use super::auth::Caller;
use super::params::Params;
use crate::audit;
use crate::audit::{AuditError, Checkpoint, Entry, MAX_PAGE, Trust};
use crate::domain::Error;
use crate::domain::Permission;
use crate::engine::Engine;
use crate::store::Db;

/// How many entries an answer has, unless the caller asks for another number.
const PAGE: u32 = 100;

/// The answer of `GET /api/v1/audit`.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AuditPage {
    entries: Vec<Entry>,
    /// What to ask for `after` next, of the same log; `null` when nothing is left.
    #[schema(required = true)]
    next_after: Option<u64>,
}

/// Read an audit log
///
/// The one that this Guardian writes, unless another is named.
#[utoipa::path(
    get, path = "/api/v1/audit", operation_id = "list_audit", tag = "audit",
    params(
        ("log" = Option<NameOrEmpty>, Query, description = "The log of this replica; `GET /api/v1/audit/logs` lists them"),
        ("after" = Option<u64>, Query, description = "The number of the entry before the first one wanted"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "How many at most; 100 unless said"),
        ("agent_id" = Option<NameOrEmpty>, Query, description = "Only what is about this agent"),
    ),
    responses((status = 200, description = "The entries", body = AuditPage), Unavailable),
)]
pub(super) async fn list(
    engine: App,
    caller: Caller,
    params: Params,
) -> Result<Json<AuditPage>, Error> {
    caller.need(Permission::ReadAudit)?;
    let after = number(&params, "after")?.unwrap_or(0);
    let limit = limit(&params)?;
    let agent_id = params.name("agent_id")?.map(str::to_owned);
    let log = log(&engine, &params)?;
    engine.audit.flush().await;
    let entries = page(&engine, log, after, limit, agent_id).await?;
    let next_after = entries.last().map(|entry| entry.seq);
    let entries = entries.into_iter().filter(|entry| entry.org_id == caller.org_id()).collect();
    Ok(Json(AuditPage { entries, next_after }))
}

/// The answer of `GET /api/v1/audit/logs`.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AuditLogs {
    logs: Vec<AuditLogBrief>,
}

/// One log: on SQLite there is one, on PostgreSQL one a replica.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AuditLogBrief {
    /// Its name; empty on SQLite.
    log: String,
    /// Whether the Guardian that answers writes it.
    own: bool,
    /// The number of its newest row.
    #[schema(required = true)]
    newest: Option<u64>,
    /// When that was written, in RFC 3339.
    #[schema(required = true)]
    newest_at: Option<String>,
}

/// List the audit logs
#[utoipa::path(
    get, path = "/api/v1/audit/logs", operation_id = "list_audit_logs", tag = "audit",
    responses((status = 200, description = "Every log", body = AuditLogs), Unavailable),
)]
pub(super) async fn logs(engine: App, caller: Caller) -> Result<Json<AuditLogs>, Error> {
    caller.need(Permission::ReadAudit)?;
    engine.audit.flush().await;
    let found = read(&engine, |db| async move {
        let mut found = Vec::new();
        for log in audit::logs(&db).await? {
            let last = audit::last(&db, &log).await?;
            found.push((log, last));
        }
        Ok(found)
    });
    let brief = |(log, last): (String, Option<Entry>)| AuditLogBrief {
        own: log == engine.settings.log,
        log,
        newest: last.as_ref().map(|last| last.seq),
        newest_at: last.map(|last| last.at),
    };
    Ok(Json(AuditLogs { logs: found.await?.into_iter().map(brief).collect() }))
}

/// The answer of `GET /api/v1/audit/checkpoints`.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AuditCheckpoints {
    /// The public key by which this Guardian's checkpoints are verified (Ed25519), in hexadecimal.
    #[schema(required = true)]
    key: Option<String>,
    /// Where the log begins, if its first rows were let go.
    #[schema(required = true)]
    cut: Option<Checkpoint>,
    /// The newest first.
    checkpoints: Vec<Checkpoint>,
    /// What to ask for `before` next; `null` when nothing is left.
    #[schema(required = true)]
    next_before: Option<u64>,
}

/// Read the checkpoints of an audit log
///
/// Kept elsewhere, one of them shows later whether rows were removed from the end, or all was rewritten.
#[utoipa::path(
    get, path = "/api/v1/audit/checkpoints", operation_id = "list_audit_checkpoints", tag = "audit",
    params(
        ("log" = Option<NameOrEmpty>, Query, description = "The log of this replica, instead of the Guardian's own"),
        ("before" = Option<u64>, Query, description = "Only those of rows before this one"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "How many at most; 100 unless said"),
    ),
    responses((status = 200, description = "The checkpoints", body = AuditCheckpoints), Unavailable),
)]
pub(super) async fn checkpoints(
    engine: App,
    caller: Caller,
    params: Params,
) -> Result<Json<AuditCheckpoints>, Error> {
    caller.need(Permission::ReadAudit)?;
    let before = number(&params, "before")?.and_then(|before| i64::try_from(before).ok());
    let before = before.unwrap_or(i64::MAX);
    let (limit, log) = (limit(&params)?, log(&engine, &params)?);
    let (cut, checkpoints) = read(&engine, move |db| async move {
        let cut = audit::cut(&db, &log).await.map_err(AuditError::unreadable)?;
        let page = audit::checkpoints(&db, &log, before, limit).await;
        Ok((cut, page.map_err(AuditError::unreadable)?))
    })
    .await?;
    let key = engine.audit.key().map(|key| key.public().to_string());
    let next_before = checkpoints.last().map(|oldest| oldest.seq);
    Ok(Json(AuditCheckpoints { key, cut, checkpoints, next_before }))
}

/// Whether the audit is as it was written.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Verification {
    /// Whether every log is whole.
    ok: bool,
    /// How many rows were read, in all logs.
    rows: u64,
    /// The hash of the last row of the log that this Guardian writes, in hexadecimal.
    head: String,
    /// The first fault.
    #[schema(required = true)]
    fault: Option<AuditFault>,
    logs: Vec<AuditLogVerification>,
}

/// Whether one log is as it was written.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AuditLogVerification {
    /// Its name; empty on SQLite.
    log: String,
    rows: u64,
    /// The hash of its last row, in hexadecimal.
    head: String,
    /// The row up to which it was let go.
    #[schema(required = true)]
    cut: Option<u64>,
    /// The newest row that a checkpoint vouches for.
    #[schema(required = true)]
    signed: Option<u64>,
    /// The public keys that signed, in hexadecimal.
    keys: Vec<String>,
    #[schema(required = true)]
    fault: Option<AuditFault>,
}

/// What is wrong with a row.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct AuditFault {
    /// Which log.
    log: String,
    seq: u64,
    what: String,
}

/// Verify the audit
///
/// Every log, against the checkpoints in the database and against what this Guardian knows of its own.
#[utoipa::path(
    get, path = "/api/v1/audit/verify", operation_id = "verify_audit", tag = "audit",
    responses((status = 200, description = "What was found", body = Verification), TooMany, Unavailable),
)]
pub(super) async fn verify(engine: App, caller: Caller) -> Result<Json<Verification>, Error> {
    caller.need(Permission::ReadAudit)?;
    let walk = begin_walk(&engine)?;
    engine.audit.flush().await;
    let trust = Trust { own: Some(engine.audit.own(&engine.settings.log)), ..Trust::default() };
    // The walk goes on when the caller hangs up, and so must its leave.
    let found = read(&engine, |db| async move {
        let found = audit::verify_all(&db, &trust).await;
        drop(walk);
        found
    });
    let logs: Vec<_> = found.await?.into_iter().map(AuditLogVerification::from).collect();
    let fault = logs.iter().find_map(|log| log.fault.clone());
    let own = logs.iter().find(|log| log.log == engine.settings.log);
    let head = own.map(|log| log.head.clone()).unwrap_or_default();
    let rows = logs.iter().map(|log| log.rows).sum();
    Ok(Json(Verification { ok: fault.is_none(), rows, head, fault, logs }))
}

impl From<audit::Verification> for AuditLogVerification {
    fn from(found: audit::Verification) -> Self {
        let audit::Verification { log, rows, head, cut, signed, keys, fault } = found;
        let fault =
            fault.map(|fault| AuditFault { log: log.clone(), seq: fault.seq, what: fault.what });
        Self { log, rows, head, cut, signed, keys, fault }
    }
}

/// Export the audit as JSON lines
///
/// Log by log, page by page as they are read.
#[utoipa::path(
    get, path = "/api/v1/audit/export", operation_id = "export_audit", tag = "audit",
    params(("log" = Option<NameOrEmpty>, Query, description = "Only this log")),
    responses(
        (status = 200, description = "An entry a line", body = Entry, content_type = "application/x-ndjson"),
        NotFound, TooMany, Unavailable,
    ),
)]
pub(super) async fn export(engine: App, caller: Caller, params: Params) -> Result<Response, Error> {
    caller.need(Permission::ReadAudit)?;
    let one = params.name("log")?.map(str::to_owned);
    let walk = begin_walk(&engine)?;
    engine.audit.flush().await;
    let known = read(&engine, |db| async move { audit::logs(&db).await }).await?;
    let logs = match one {
        None => known,
        Some(log) if known.contains(&log) => vec![log],
        Some(log) => return Err(Error::unknown("audit log", &log)),
    };
    let org_id = caller.org_id().to_owned();
    let begin = (engine.0, org_id, VecDeque::from(logs), 0_u64, walk);
    let lines = stream::try_unfold(begin, |(engine, org_id, mut logs, after, walk)| async move {
        let Some(log) = logs.front().cloned() else { return Ok::<_, io::Error>(None) };
        let entries = page(&engine, log, after, MAX_PAGE, None).await.map_err(broken)?;
        let after = match entries.last() {
            Some(last) => last.seq,
            None => {
                logs.pop_front();
                0
            }
        };
        let mut text = Vec::new();
        for entry in entries.iter().filter(|entry| entry.org_id == org_id) {
            serde_json::to_writer(&mut text, entry)?;
            text.write_all(b"\n")?;
        }
        Ok(Some((Bytes::from(text), (engine, org_id, logs, after, walk))))
    });
    Ok(([(CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(lines)).into_response())
}

/// The log that is asked for, else the one that this Guardian writes.
fn log(engine: &Engine, params: &Params) -> Result<String, Error> {
    Ok(params.name("log")?.unwrap_or(&engine.settings.log).to_owned())
}

/// The number of a row.
fn number(params: &Params, name: &str) -> Result<Option<u64>, Error> {
    let number: Option<i64> = params.number(name)?;
    let outside = |_| Error::invalid(name, "is not a whole number in range");
    number.map(|number| u64::try_from(number).map_err(outside)).transpose()
}

fn limit(params: &Params) -> Result<u32, Error> {
    let limit: u32 = params.number("limit")?.unwrap_or(PAGE);
    if (1..=MAX_PAGE).contains(&limit) {
        return Ok(limit);
    }
    Err(Error::invalid("limit", format!("is {limit}; it is from 1 to {MAX_PAGE}")))
}

async fn page(
    engine: &Engine,
    log: String,
    after: u64,
    limit: u32,
    agent_id: Option<String>,
) -> Result<Vec<Entry>, Error> {
    read(engine, move |db| async move {
        audit::list(&db, &log, after, limit, agent_id.as_deref()).await
    })
    .await
}

/// Reads on the background runtime, to the end even when nobody waits for it any more.
async fn read<T, F, W>(engine: &Engine, work: F) -> Result<T, Error>
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

fn begin_walk(engine: &Engine) -> Result<OwnedSemaphorePermit, Error> {
    engine.audit.begin_walk().ok_or_else(|| {
        Error::too_many(
            "the audit log is being verified or exported, which one caller at a time may do; \
             try again in a moment",
        )
    })
}

fn unreadable(error: AuditError) -> Error {
    tracing::error!(%error, "the audit log could not be read");
    Error::unavailable("the audit log cannot be read at present; try again later")
}

fn broken(error: Error) -> io::Error {
    io::Error::other(error.message().to_owned())
}
