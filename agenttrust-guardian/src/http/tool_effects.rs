//! The effect of a tool that an operator or admin sets: final, whatever anybody declares.

use agenttrust::Effect;
use agenttrust::model::schema::{Name, effect_in_a_request};
use axum::Json;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::App;
use super::answers::{Done, NotFound, Unavailable};
use super::auth::Caller;
use super::body::Payload;
use super::params::Id;
use crate::audit::Record;
use crate::domain::Error;
use crate::domain::Permission;
use crate::engine::Planned;
use crate::manifest::Manifest;

/// The body of `PUT /api/v1/tools/{name}/effect`.
#[derive(Debug, Deserialize, ToSchema)]
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

/// Set the effect of a tool, whatever anybody declares
#[utoipa::path(
    put, path = "/api/v1/tools/{name}/effect", operation_id = "set_tool_effect", tag = "tools",
    params(("name" = Name, Path, description = "The tool")),
    request_body = SetEffect,
    responses((status = 200, description = "The effect", body = ToolEffect), Unavailable),
)]
pub(super) async fn set(
    engine: App,
    caller: Caller,
    Id(tool): Id,
    payload: Payload,
) -> Result<Json<ToolEffect>, Error> {
    caller.need(Permission::SetEffects)?;
    let SetEffect { effect } = payload.json().await?;
    engine.ensure_auditable()?;
    let answer = ToolEffect { tool: tool.clone(), effect };
    let record = record(&caller, "tool.effect_set", json!({ "tool": tool, "effect": effect }));
    let plan = move |manifest: &Manifest| {
        let changes = vec![manifest.set(&tool, Some(effect))];
        Ok(Planned { changes, records: vec![record.clone()] })
    };
    engine.change_tools(&caller.key, plan).await?;
    Ok(Json(answer))
}

/// Unset the effect of a tool
///
/// From now on the tool counts as what is declared of it, hinted and named.
#[utoipa::path(
    delete, path = "/api/v1/tools/{name}/effect", operation_id = "unset_tool_effect", tag = "tools",
    params(("name" = Name, Path, description = "The tool")),
    responses((status = 200, description = "It is unset", body = Done), NotFound, Unavailable),
)]
pub(super) async fn unset(engine: App, caller: Caller, Id(tool): Id) -> Result<Json<Done>, Error> {
    caller.need(Permission::SetEffects)?;
    engine.ensure_auditable()?;
    let key = caller.key.clone();
    let plan = move |manifest: &Manifest| {
        let change = manifest.set(&tool, None);
        let Some(effect) = change.before.set else {
            return Err(Error::not_found(format!("no effect is set for tool {tool:?}")));
        };
        let body = json!({ "tool": tool, "effect": effect });
        let records = vec![record(&caller, "tool.effect_unset", body)];
        Ok(Planned { changes: vec![change], records })
    };
    engine.change_tools(&key, plan).await?;
    Ok(Json(Done { status: "unset" }))
}

fn record(caller: &Caller, kind: &'static str, body: Value) -> Record {
    Record::new(kind, caller.org_id()).actor(&caller.key.id).body(body)
}
