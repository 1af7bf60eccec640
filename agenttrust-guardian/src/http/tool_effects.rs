//! The effect of a tool that an operator or admin sets: final, whatever programs declare.

use agenttrust::Effect;
use agenttrust::model::schema::{Name, effect_in_a_request};
use axum::Json;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::answers::{Done, Held, NotFound, Unavailable};
use super::auth::Caller;
use super::body::Payload;
use super::params::Id;
use crate::domain::{Error, Permission};
use crate::services::tools;

/// The body of `PUT /api/v1/tools/{name}/effect`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SetEffect {
    #[schema(schema_with = effect_in_a_request)]
    effect: Effect,
}

/// The effect of a tool, as it was set.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ToolEffect {
    tool: String,
    effect: Effect,
}

/// Sets the effect of a tool, whatever programs declare
///
/// Where that lowers an effect that policies hold for several approvers, it waits for as many to approve it: send it
/// again then.
#[utoipa::path(
    put, path = "/api/v1/tools/{name}/effect", operation_id = "set_tool_effect", tag = "tools",
    params(("name" = Name, Path, description = "The tool")),
    request_body = SetEffect,
    responses((status = 200, description = "The effect", body = ToolEffect), Held, Unavailable),
)]
pub(super) async fn set(
    engine: App,
    caller: Caller,
    Id(tool): Id,
    payload: Payload,
) -> Result<Json<ToolEffect>, Error> {
    caller.need(Permission::SetEffects)?;
    let SetEffect { effect } = payload.json().await?;
    tools::set_effect(&engine, &caller.key, tool.clone(), effect).await?;
    Ok(Json(ToolEffect { tool, effect }))
}

/// Unsets the effect of a tool
///
/// From then on the tool has the effect that its declarations, hints and name say.
#[utoipa::path(
    delete, path = "/api/v1/tools/{name}/effect", operation_id = "unset_tool_effect", tag = "tools",
    params(("name" = Name, Path, description = "The tool")),
    responses((status = 200, description = "It is unset", body = Done), NotFound, Held, Unavailable),
)]
pub(super) async fn unset(engine: App, caller: Caller, Id(tool): Id) -> Result<Json<Done>, Error> {
    caller.need(Permission::SetEffects)?;
    tools::unset_effect(&engine, &caller.key, tool).await?;
    Ok(Json(Done { status: "unset" }))
}
