//! The audit log: read, verified and exported.

use std::io::{self, Write};

use agenttrust::__private::background;
use axum::Json;
use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use serde_json::{Value, json};
use tokio::sync::OwnedSemaphorePermit;

use super::auth::Caller;
use super::params::Params;
use super::{ApiError, App};
use crate::audit::{self, AuditError, Entry, MAX_PAGE};
use crate::role::Permission;
use crate::state::State;

/// How many entries an answer has, unless the caller asks for another number.
const PAGE: u32 = 100;

/// `GET /api/v1/audit`, from `?after=` on, `?limit=` many, of `?agent_id=`.
pub(super) async fn list(
    state: App,
    caller: Caller,
    params: Params,
) -> Result<Json<Value>, ApiError> {
    caller.need(Permission::ReadAudit)?;
    let after: u64 = params.number("after")?.unwrap_or(0);
    let limit: u32 = params.number("limit")?.unwrap_or(PAGE);
    if !(1..=MAX_PAGE).contains(&limit) {
        return Err(ApiError::invalid("limit", format!("is {limit}; it is from 1 to {MAX_PAGE}")));
    }
    let agent_id = params.name("agent_id")?.map(str::to_owned);
    state.audit.flush().await;
    let entries = page(&state, after, limit, agent_id).await?;
    let next = entries.last().map(|entry| entry.seq);
    let entries: Vec<Entry> =
        entries.into_iter().filter(|entry| entry.org_id == caller.org_id()).collect();
    Ok(Json(json!({ "entries": entries, "next_after": next })))
}

/// `GET /api/v1/audit/verify`.
pub(super) async fn verify(state: App, caller: Caller) -> Result<Json<Value>, ApiError> {
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
    let fault = found.fault.map(|fault| json!({ "seq": fault.seq, "what": fault.what }));
    Ok(Json(json!({
        "ok": fault.is_none(),
        "rows": found.rows,
        "head": found.head,
        "fault": fault,
    })))
}

/// `GET /api/v1/audit/export`: the log as JSON lines, page by page as they are read.
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
