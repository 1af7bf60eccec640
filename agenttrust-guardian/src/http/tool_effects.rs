//! The effect of a tool that an operator or admin sets: final, whatever anybody declares.

use agenttrust::Effect;
use axum::Json;
use serde::Deserialize;
use serde_json::{Value, json};

use super::auth::Caller;
use super::body::Payload;
use super::params::Id;
use super::{ApiError, App};
use crate::audit::Record;
use crate::manifest::Manifest;
use crate::role::Permission;
use crate::state::Planned;

/// The body of `PUT /api/v1/tools/{name}/effect`.
#[derive(Debug, Deserialize)]
pub(super) struct SetEffect {
    effect: Effect,
}

/// `PUT /api/v1/tools/{name}/effect`.
pub(super) async fn set(
    state: App,
    caller: Caller,
    Id(tool): Id,
    payload: Payload,
) -> Result<Json<Value>, ApiError> {
    caller.need(Permission::SetEffects)?;
    let SetEffect { effect } = payload.json().await?;
    state.ready_to_change()?;
    let answer = json!({ "tool": tool, "effect": effect });
    let record = record(&caller, "tool.effect_set", answer.clone());
    let plan = move |manifest: &Manifest| {
        let changes = vec![manifest.set(&tool, Some(effect))];
        Ok(Planned { changes, records: vec![record.clone()] })
    };
    state.change_tools(&caller.key, plan).await?;
    Ok(Json(answer))
}

/// `DELETE /api/v1/tools/{name}/effect`: from now on the tool counts as what is declared of it, hinted
/// and named.
pub(super) async fn unset(
    state: App,
    caller: Caller,
    Id(tool): Id,
) -> Result<Json<Value>, ApiError> {
    caller.need(Permission::SetEffects)?;
    state.ready_to_change()?;
    let key = caller.key.clone();
    let plan = move |manifest: &Manifest| {
        let change = manifest.set(&tool, None);
        let Some(effect) = change.before.set else {
            return Err(ApiError::not_found(format!("no effect is set for tool {tool:?}")));
        };
        let body = json!({ "tool": tool, "effect": effect });
        let records = vec![record(&caller, "tool.effect_unset", body)];
        Ok(Planned { changes: vec![change], records })
    };
    state.change_tools(&key, plan).await?;
    Ok(Json(json!({ "status": "unset" })))
}

fn record(caller: &Caller, kind: &'static str, body: Value) -> Record {
    Record::new(kind, caller.org_id()).actor(&caller.key.id).body(body)
}
