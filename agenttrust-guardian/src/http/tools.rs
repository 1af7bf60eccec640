//! What an operator or admin says a tool does; it is final.

use agenttrust::Effect;
use axum::Json;
use serde::Deserialize;
use serde_json::{Value, json};

use super::auth::Caller;
use super::body::Payload;
use super::params::Id;
use super::{ApiError, App};
use crate::audit::Record;
use crate::role::Permission;

/// The body of `PUT /api/v1/tools/{name}/effect`.
#[derive(Debug, Deserialize)]
pub(super) struct SetEffect {
    effect: Effect,
}

/// `PUT /api/v1/tools/{name}/effect`.
pub(super) async fn set_effect(
    state: App,
    caller: Caller,
    Id(tool): Id,
    payload: Payload,
) -> Result<Json<Value>, ApiError> {
    caller.need(Permission::SetEffects)?;
    let SetEffect { effect } = payload.json().await?;
    state.ready_to_change()?;
    let (org_id, key_id) = (caller.org_id().to_owned(), caller.key.id.clone());
    let now = state.clock.now();
    state.store.set_tool_effect(org_id.clone(), tool.clone(), effect, key_id, now).await?;
    state.registry.tools.set(org_id.clone(), tool.clone(), effect);
    let record = Record::new("tool.effect_set", org_id)
        .actor(&caller.key.id)
        .body(json!({ "tool": tool, "effect": effect }));
    state.note(record).await?;
    Ok(Json(json!({ "tool": tool, "effect": effect })))
}
