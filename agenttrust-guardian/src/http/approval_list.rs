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
use super::paging::Paging;
use super::params::Params;
use crate::domain::Error;
use crate::domain::Permission;
use crate::services::approvals;
use crate::store::ApprovalFilter;

/// The beginning of every approval's id.
const APPROVAL_PREFIX: &str = "apr_";

/// The answer of `GET /mcp/approvals`.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Approvals {
    /// The newest first.
    approvals: Vec<Approval>,
    /// The value of `before` that asks for the next page; absent at the end of the list.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next: Option<String>,
}

/// Lists the approvals that the caller may see
#[utoipa::path(
    get, path = "/mcp/approvals", operation_id = "list_approvals", tag = "approvals",
    params(
        ("status" = Option<ApprovalStatus>, Query, description = "Those that stand so"),
        ("agent_id" = Option<NameOrEmpty>, Query, description = "Those of this agent"),
        ("tool" = Option<NameOrEmpty>, Query, description = "Those for this tool"),
        ("since" = Option<Timestamp>, Query, description = "Those of actions that were held then or later"),
        ("until" = Option<Timestamp>, Query, description = "Those of actions that were held before"),
        ("in_doubt" = Option<bool>, Query, description = "Those that were used and whose call has no report of its outcome; or the others"),
        ("before" = Option<NameOrEmpty>, Query, description = "Go on where an answer said `next`"),
        ("limit" = Option<usize>, Query, minimum = 1, maximum = 1000, description = "So many at most; 1,000 by default"),
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
    let paging = Paging::from_params(&params, APPROVAL_PREFIX)?;
    let filter = ApprovalFilter {
        status: status(&params)?,
        agent_id: None,
        tool: params.name("tool")?.map(str::to_owned),
        since: params.time("since")?,
        until: params.time("until")?,
        after: paging.after.clone(),
        in_doubt: params.truth("in_doubt")?,
        limit: paging.looked_for(),
    };
    let mut approvals = approvals::list(&engine, reach, agent_id, filter).await?;
    let next = paging.cut(&mut approvals, |approval| (approval.created_at, &approval.id));
    Ok(Json(Approvals { approvals, next }))
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
