//! One approval: read, waited for, decided, and shown its input.

use std::time::Duration;

use agenttrust::model::schema::{DecisionReason, Name, NameOrEmpty};
use agenttrust::model::{Approval, ApprovalDecision};
use axum::Json;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::App;
use super::admit::Place;
use super::answers::{Conflict, Done, NotFound, Unavailable};
use super::auth::Caller;
use super::body::Payload;
use super::finish::Finish;
use super::params::{Id, Params};
use crate::domain::Error;
use crate::domain::Permission;
use crate::services::approvals::{self, Word};

/// The longest that a request may wait, in seconds.
const WAIT_MOST: u64 = 60;

/// Reads an approval
///
/// With `wait`, a pending one is answered when it changes, or after that many seconds.
#[utoipa::path(
    get, path = "/mcp/approvals/{id}", operation_id = "get_approval", tag = "approvals",
    params(
        ("id" = Name, Path, description = "The approval"),
        ("wait" = Option<u64>, Query, maximum = 60, description = "How long to wait for a change, in seconds"),
    ),
    responses((status = 200, description = "The approval", body = Approval), NotFound, Unavailable),
)]
pub(super) async fn get(
    engine: App,
    caller: Caller,
    Id(id): Id,
    params: Params,
    place: Place,
) -> Result<Json<Approval>, Error> {
    let reach = caller.reach(Permission::ReadApprovals)?;
    let wait: u64 = params.number("wait")?.unwrap_or(0);
    if wait > WAIT_MOST {
        return Err(Error::invalid("wait", format!("is {wait}; {WAIT_MOST} seconds is the most")));
    }
    let wait = Duration::from_secs(wait);
    let approval = approvals::wait_for(&engine, reach, &id, wait, || place.wait()).await?;
    Ok(Json(approval))
}

/// Approves a held action
#[utoipa::path(
    post, path = "/mcp/approvals/{id}/approve", operation_id = "approve", tag = "approvals",
    params(("id" = Name, Path, description = "The approval")),
    request_body = Option<DecideBody>,
    responses(
        (status = 200, description = "Where it stands now", body = ApprovalDecision), NotFound, Conflict, Unavailable,
    ),
)]
pub(super) async fn approve(
    engine: App,
    caller: Caller,
    id: Id,
    payload: Payload,
) -> Result<Json<ApprovalDecision>, Error> {
    decide(engine, caller, id, payload, true).await
}

/// Denies a held action
#[utoipa::path(
    post, path = "/mcp/approvals/{id}/deny", operation_id = "deny", tag = "approvals",
    params(("id" = Name, Path, description = "The approval")),
    request_body = Option<DecideBody>,
    responses(
        (status = 200, description = "Where it stands now", body = ApprovalDecision), NotFound, Conflict, Unavailable,
    ),
)]
pub(super) async fn deny(
    engine: App,
    caller: Caller,
    id: Id,
    payload: Payload,
) -> Result<Json<ApprovalDecision>, Error> {
    decide(engine, caller, id, payload, false).await
}

/// The body of a request that approves or denies.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = Decision)]
pub(super) struct DecideBody {
    /// The name of the approver, in the caller's words. It is recorded beside the key, which says
    /// who it really was.
    #[serde(default)]
    #[schema(value_type = Option<NameOrEmpty>)]
    decided_by: Option<String>,
    /// The reason for the decision, shown to the caller whose action was held, and recorded.
    #[serde(default)]
    #[schema(value_type = Option<DecisionReason>)]
    reason: Option<String>,
}

async fn decide(
    engine: App,
    caller: Caller,
    Id(id): Id,
    payload: Payload,
    approve: bool,
) -> Result<Json<ApprovalDecision>, Error> {
    let reach = caller.reach(Permission::DecideApprovals)?;
    if caller.named.is_some() {
        approvals::find(&engine, reach, &id).await?;
    }
    let DecideBody { decided_by, reason } = payload.json_or_empty().await?;
    let word = Word { approve, decided_by, reason };
    approvals::decide(&engine, &caller.key, &id, word).await.map(Json)
}

/// The body of `PUT /mcp/approvals/{id}/input`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Disclosure {
    /// The input; at most 64 KiB as JSON, nested at most 32 deep.
    #[schema(value_type = Value)]
    input: Value,
    /// The random value that opens the digest for this one input.
    r: String,
}

/// Shows the approver what the digest commits to
///
/// The Guardian compares the input with the digest, and does not keep the value that opens it.
#[utoipa::path(
    put, path = "/mcp/approvals/{id}/input", operation_id = "disclose_input", tag = "approvals",
    params(("id" = Name, Path, description = "The approval")),
    request_body = Disclosure,
    responses(
        (status = 200, description = "The approver is shown it", body = Done), NotFound, Conflict, Unavailable,
    ),
)]
pub(super) async fn disclose(
    engine: App,
    caller: Caller,
    Id(id): Id,
    finish: Finish,
    payload: Payload,
) -> Result<Json<Done>, Error> {
    let reach = caller.reach(Permission::DiscloseInput)?;
    let Disclosure { input, r } = payload.unbegun().json().await?;
    let shown = (input, r);
    approvals::disclose(&engine, reach, &id, shown, || finish.begin()).await?;
    Ok(Json(Done { status: "disclosed" }))
}
