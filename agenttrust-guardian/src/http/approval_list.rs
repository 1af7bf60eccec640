//! The list of approvals: filtered, and page by page.

use agenttrust::Timestamp;
use agenttrust::model::schema::NameOrEmpty;
use agenttrust::model::{Approval, ApprovalStatus};
use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;

use super::App;
use super::answers::Unavailable;
use super::auth::Caller;
use super::params::Params;
use crate::domain::Error;
use crate::domain::Permission;
use crate::domain::names::check_name;
use crate::services::approvals;
use crate::store::{ApprovalFilter, Place};

/// How many approvals one answer lists at most, and unless another number is asked for.
const LISTED_MOST: usize = 1_000;

/// The answer of `GET /mcp/approvals`.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Approvals {
    /// The newest first.
    approvals: Vec<Approval>,
    /// What to send as `before` for those that come after these; absent at the end of the list.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next: Option<String>,
}

/// List the approvals that the caller may see
#[utoipa::path(
    get, path = "/mcp/approvals", operation_id = "list_approvals", tag = "approvals",
    params(
        ("status" = Option<ApprovalStatus>, Query, description = "Those that stand so"),
        ("agent_id" = Option<NameOrEmpty>, Query, description = "Those of this agent"),
        ("tool" = Option<NameOrEmpty>, Query, description = "Those for this tool"),
        ("since" = Option<Timestamp>, Query, description = "Those of actions that were held then or later"),
        ("until" = Option<Timestamp>, Query, description = "Those of actions that were held before"),
        ("in_doubt" = Option<bool>, Query, description = "Those that were used and of which nobody has reported how it went; or the others"),
        ("before" = Option<NameOrEmpty>, Query, description = "Go on where an answer said `next`"),
        ("limit" = Option<usize>, Query, minimum = 1, maximum = 1000, description = "So many at most; 1,000 unless it is said"),
    ),
    responses((status = 200, description = "The approvals; of disclosed inputs those that are not long", body = Approvals), Unavailable),
)]
pub(super) async fn list(
    engine: App,
    caller: Caller,
    params: Params,
) -> Result<Json<Approvals>, Error> {
    let reach = caller.reach(Permission::ReadApprovals)?;
    let agent_id = params.name("agent_id")?;
    let limit = limit(&params)?;
    let filter = ApprovalFilter {
        status: status(&params)?,
        agent_id: None,
        tool: params.name("tool")?.map(str::to_owned),
        since: params.time("since")?,
        until: params.time("until")?,
        after: params.text("before").map(place).transpose()?,
        in_doubt: params.truth("in_doubt")?,
        // One more tells whether there are more.
        limit: i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1),
    };
    let mut approvals = approvals::list(&engine, reach, agent_id, filter).await?;
    let more = approvals.len() > limit;
    approvals.truncate(limit);
    let next = approvals.last().filter(|_| more).and_then(cursor);
    Ok(Json(Approvals { approvals, next }))
}

fn limit(params: &Params) -> Result<usize, Error> {
    match params.number("limit")?.unwrap_or(LISTED_MOST) {
        limit @ 1..=LISTED_MOST => Ok(limit),
        other => Err(Error::invalid("limit", format!("is {other}; use 1 to {LISTED_MOST}"))),
    }
}

fn status(params: &Params) -> Result<Option<ApprovalStatus>, Error> {
    let status = params.text("status").map(|word| {
        word.parse().map_err(|_| {
            Error::invalid(
                "status",
                "is not known; use pending, approved, denied, expired or consumed",
            )
        })
    });
    status.transpose()
}

/// The place of this approval, as callers send it back.
fn cursor(approval: &Approval) -> Option<String> {
    approval.created_at.map(|at| format!("{}.{}", at.unix_micros(), approval.id))
}

/// The place that a [`cursor`] stands for.
fn place(cursor: &str) -> Result<Place, Error> {
    let read = || {
        let (at, id) = cursor.split_once('.')?;
        check_name("before", id).ok()?;
        let created_at = Timestamp::from_unix_micros(at.parse().ok()?)?;
        Some(Place { created_at, id: id.to_owned() })
    };
    read().ok_or_else(|| Error::invalid("before", "is nothing that an answer said as next"))
}
