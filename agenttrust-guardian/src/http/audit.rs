//! The audit: read, verified and exported, log by log.

use std::io;

use agenttrust::model::schema::NameOrEmpty;
use axum::Json;
use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use serde::Serialize;
use utoipa::ToSchema;

use super::App;
use super::answers::{NotFound, TooMany, Unavailable};
use super::auth::Caller;
use super::params::Params;
use crate::audit::{Checkpoint, Entry, MAX_PAGE, Verification as Walked};
use crate::domain::{Error, Permission};
use crate::services::audit::{self, AuditQuery, Checkpoints, LogBrief, Page, Verified};

/// The number of entries in an answer, unless the caller asks for another one.
const PAGE: u32 = 100;

/// The answer of `GET /api/v1/audit`.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AuditPage {
    entries: Vec<Entry>,
    /// The value of `after` that asks for the next entries of the same log; `null` when nothing is left.
    #[schema(required = true)]
    next_after: Option<u64>,
}

/// Reads an audit log
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
    let reach = caller.reach(Permission::ReadAudit)?;
    let after = number(&params, "after")?.unwrap_or(0);
    let limit = limit(&params)?;
    let agent_id = params.name("agent_id")?;
    agent_id.map_or(Ok(()), |agent_id| reach.need_named(agent_id))?;
    let agent_id = agent_id.or(reach.named).map(str::to_owned);
    let query = AuditQuery { log: log(&params)?, after, limit, agent_id };
    let Page { entries, next_after } = audit::list(&engine, caller.org_id(), query).await?;
    Ok(Json(AuditPage { entries, next_after }))
}

/// The answer of `GET /api/v1/audit/logs`.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AuditLogs {
    logs: Vec<AuditLogBrief>,
}

/// An audit log, of which SQLite has one and PostgreSQL one a replica.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AuditLogBrief {
    /// Its name; empty on SQLite.
    log: String,
    /// Whether the Guardian that answers writes it.
    own: bool,
    /// The number of its newest row; `null` for other organisations than the Guardian's own.
    #[schema(required = true)]
    newest: Option<u64>,
    /// The time when the newest row was written, in RFC 3339.
    #[schema(required = true)]
    newest_at: Option<String>,
}

/// Lists the audit logs
///
/// Only keys of the Guardian's own organisation are told how far each log has come.
#[utoipa::path(
    get, path = "/api/v1/audit/logs", operation_id = "list_audit_logs", tag = "audit",
    responses((status = 200, description = "Every log", body = AuditLogs), Unavailable),
)]
pub(super) async fn logs(engine: App, caller: Caller) -> Result<Json<AuditLogs>, Error> {
    caller.need(Permission::ReadAudit)?;
    let logs = audit::logs(&engine, caller.org_id()).await?;
    Ok(Json(AuditLogs { logs: logs.into_iter().map(AuditLogBrief::from).collect() }))
}

impl From<LogBrief> for AuditLogBrief {
    fn from(brief: LogBrief) -> Self {
        let LogBrief { log, own, last } = brief;
        let newest = last.as_ref().map(|last| last.seq);
        Self { log, own, newest, newest_at: last.map(|last| last.at) }
    }
}

/// The answer of `GET /api/v1/audit/checkpoints`.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AuditCheckpoints {
    /// The public key by which this Guardian's checkpoints are verified (Ed25519), in hexadecimal.
    #[schema(required = true)]
    key: Option<String>,
    /// The place where the log begins, if its first rows were let go.
    #[schema(required = true)]
    cut: Option<Checkpoint>,
    /// The newest first.
    checkpoints: Vec<Checkpoint>,
    /// The value of `before` that asks for the next checkpoints; `null` when nothing is left.
    #[schema(required = true)]
    next_before: Option<u64>,
}

/// Reads the checkpoints of an audit log
///
/// For keys of the Guardian's own organisation, since a checkpoint vouches for the rows of all organisations. A
/// checkpoint that is kept elsewhere shows later whether rows were removed from the end, or all was rewritten.
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
    caller.need_own_organisation("a checkpoint vouches for the rows of every organisation")?;
    let before = number(&params, "before")?;
    let (limit, log) = (limit(&params)?, log(&params)?);
    let found = audit::checkpoints(&engine, log, before, limit).await?;
    let Checkpoints { key, cut, checkpoints, next_before } = found;
    Ok(Json(AuditCheckpoints { key, cut, checkpoints, next_before }))
}

/// Whether the audit is as it was written.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Verification {
    /// Whether every log is whole.
    ok: bool,
    /// The number of rows that were read, in all logs.
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
    /// The row up to which an operator accepted it as it is; row 0 where none was wrong.
    #[schema(required = true)]
    accepted: Option<u64>,
    /// The newest row that a checkpoint vouches for.
    #[schema(required = true)]
    signed: Option<u64>,
    /// The public keys that signed, in hexadecimal.
    keys: Vec<String>,
    #[schema(required = true)]
    fault: Option<AuditFault>,
}

/// A fault that was found in a row.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct AuditFault {
    /// The log that the row is in.
    log: String,
    seq: u64,
    what: String,
}

/// Verifies the audit
///
/// For keys of the Guardian's own organisation, since a log is whole or it is not, whosever its rows are. Every log is
/// compared with the checkpoints in the database, and with what this Guardian knows of its own log.
#[utoipa::path(
    get, path = "/api/v1/audit/verify", operation_id = "verify_audit", tag = "audit",
    responses((status = 200, description = "What was found", body = Verification), TooMany, Unavailable),
)]
pub(super) async fn verify(engine: App, caller: Caller) -> Result<Json<Verification>, Error> {
    caller.need(Permission::ReadAudit)?;
    caller
        .need_own_organisation("the audit is verified with the rows of every organisation in it")?;
    let Verified { rows, head, logs } = audit::verify(&engine).await?;
    let logs: Vec<_> = logs.into_iter().map(AuditLogVerification::from).collect();
    let fault = logs.iter().find_map(|log| log.fault.clone());
    Ok(Json(Verification { ok: fault.is_none(), rows, head, fault, logs }))
}

impl From<Walked> for AuditLogVerification {
    fn from(found: Walked) -> Self {
        let Walked { log, rows, head, cut, accepted, signed, keys, fault } = found;
        let fault =
            fault.map(|fault| AuditFault { log: log.clone(), seq: fault.seq, what: fault.what });
        Self { log, rows, head, cut, accepted, signed, keys, fault }
    }
}

/// Exports the audit as JSON lines
///
/// Log by log, piece by piece as they are read: a reader that is slow holds up no other caller.
#[utoipa::path(
    get, path = "/api/v1/audit/export", operation_id = "export_audit", tag = "audit",
    params(("log" = Option<NameOrEmpty>, Query, description = "Only this log")),
    responses(
        (status = 200, description = "An entry a line", body = Entry, content_type = "application/x-ndjson"),
        NotFound, TooMany, Unavailable,
    ),
)]
pub(super) async fn export(engine: App, caller: Caller, params: Params) -> Result<Response, Error> {
    let reach = caller.reach(Permission::ReadAudit)?;
    let begun = audit::export(&engine, &caller.key, reach.named, log(&params)?).await?;
    let lines = stream::try_unfold(begun, |mut export| async move {
        let next = export.next_lines().await.map_err(broken)?;
        Ok::<_, io::Error>(next.map(|lines| (Bytes::from(lines), export)))
    });
    Ok(([(CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(lines)).into_response())
}

/// Returns the log that is asked for.
fn log(params: &Params) -> Result<Option<String>, Error> {
    Ok(params.name("log")?.map(str::to_owned))
}

/// Returns the number of a row.
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

fn broken(error: Error) -> io::Error {
    io::Error::other(error.message().to_owned())
}
