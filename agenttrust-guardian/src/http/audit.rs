//! The audit log: read, verified and exported.

use std::io::{self, Write};

use agenttrust::__private::background;
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

use super::answers::{TooMany, Unavailable};
use super::auth::Caller;
use super::params::Params;
use super::{ApiError, App};
use crate::audit::{self, AuditError, Entry, MAX_PAGE};
use crate::role::Permission;
use crate::state::State;

/// How many entries an answer has, unless the caller asks for another number.
const PAGE: u32 = 100;

/// The answer of `GET /api/v1/audit`.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AuditPage {
    entries: Vec<Entry>,
    /// What to ask for `after` next; `null` when nothing is left.
    #[schema(required = true)]
    next_after: Option<u64>,
}

/// Read the audit log
#[utoipa::path(
    get, path = "/api/v1/audit", operation_id = "list_audit", tag = "audit",
    params(
        ("after" = Option<u64>, Query, description = "The number of the entry before the first one wanted"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "How many at most; 100 unless said"),
        ("agent_id" = Option<NameOrEmpty>, Query, description = "Only what is about this agent"),
    ),
    responses((status = 200, description = "The entries", body = AuditPage), Unavailable),
)]
pub(super) async fn list(
    state: App,
    caller: Caller,
    params: Params,
) -> Result<Json<AuditPage>, ApiError> {
    caller.need(Permission::ReadAudit)?;
    let after: i64 = params.number("after")?.unwrap_or(0);
    let after = u64::try_from(after)
        .map_err(|_| ApiError::invalid("after", "is not a whole number in range"))?;
    let limit: u32 = params.number("limit")?.unwrap_or(PAGE);
    if !(1..=MAX_PAGE).contains(&limit) {
        return Err(ApiError::invalid("limit", format!("is {limit}; it is from 1 to {MAX_PAGE}")));
    }
    let agent_id = params.name("agent_id")?.map(str::to_owned);
    state.audit.flush().await;
    let entries = page(&state, after, limit, agent_id).await?;
    let next_after = entries.last().map(|entry| entry.seq);
    let entries = entries.into_iter().filter(|entry| entry.org_id == caller.org_id()).collect();
    Ok(Json(AuditPage { entries, next_after }))
}

/// Whether the audit log is as it was written.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Verification {
    ok: bool,
    /// How many rows were read.
    rows: u64,
    /// The hash of the last row, in hexadecimal.
    head: String,
    /// The first fault.
    #[schema(required = true)]
    fault: Option<AuditFault>,
}

/// What is wrong with a row.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AuditFault {
    seq: u64,
    what: String,
}

/// Verify the audit log
#[utoipa::path(
    get, path = "/api/v1/audit/verify", operation_id = "verify_audit", tag = "audit",
    responses((status = 200, description = "What was found", body = Verification), TooMany, Unavailable),
)]
pub(super) async fn verify(state: App, caller: Caller) -> Result<Json<Verification>, ApiError> {
    caller.need(Permission::ReadAudit)?;
    let walk = begin_walk(&state)?;
    state.audit.flush().await;
    let (db, log) = (state.store.db(), state.settings.log.clone());
    // The walk goes on when the caller hangs up, and so must its leave.
    let verified = background::spawn(async move {
        let found = audit::verify(&db, &log).await;
        drop(walk);
        found
    });
    let found = verified
        .await
        .map_err(|_| ApiError::unavailable("verifying the audit log panicked"))?
        .map_err(unreadable)?;
    let fault = found.fault.map(|fault| AuditFault { seq: fault.seq, what: fault.what });
    Ok(Json(Verification { ok: fault.is_none(), rows: found.rows, head: found.head, fault }))
}

/// Export the audit log as JSON lines
///
/// Page by page as they are read.
#[utoipa::path(
    get, path = "/api/v1/audit/export", operation_id = "export_audit", tag = "audit",
    responses(
        (status = 200, description = "An entry a line", body = Entry, content_type = "application/x-ndjson"),
        TooMany, Unavailable,
    ),
)]
pub(super) async fn export(state: App, caller: Caller) -> Result<Response, ApiError> {
    caller.need(Permission::ReadAudit)?;
    let walk = begin_walk(&state)?;
    state.audit.flush().await;
    let org_id = caller.org_id().to_owned();
    let begin = (state.0, org_id, 0_u64, walk);
    let lines = stream::try_unfold(begin, |(state, org_id, after, walk)| async move {
        let entries = page(&state, after, MAX_PAGE, None).await.map_err(broken)?;
        let Some(last) = entries.last().map(|entry| entry.seq) else {
            return Ok::<_, io::Error>(None);
        };
        let mut text = Vec::new();
        for entry in entries.iter().filter(|entry| entry.org_id == org_id) {
            serde_json::to_writer(&mut text, entry)?;
            text.write_all(b"\n")?;
        }
        Ok(Some((Bytes::from(text), (state, org_id, last, walk))))
    });
    Ok(([(CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(lines)).into_response())
}

async fn page(
    state: &State,
    after: u64,
    limit: u32,
    agent_id: Option<String>,
) -> Result<Vec<Entry>, ApiError> {
    let (db, log) = (state.store.db(), state.settings.log.clone());
    background::spawn(
        async move { audit::list(&db, &log, after, limit, agent_id.as_deref()).await },
    )
    .await
    .map_err(|_| ApiError::unavailable("reading the audit log panicked"))?
    .map_err(unreadable)
}

fn begin_walk(state: &State) -> Result<OwnedSemaphorePermit, ApiError> {
    state.audit.begin_walk().ok_or_else(|| {
        ApiError::too_many(
            "the audit log is being verified or exported, which one caller at a time may do; \
             try again in a moment",
        )
    })
}

fn unreadable(error: AuditError) -> ApiError {
    tracing::error!(%error, "the audit log could not be read");
    ApiError::unavailable("the audit log cannot be read at present; try again later")
}

fn broken(error: ApiError) -> io::Error {
    io::Error::other(error.message().to_owned())
}
