//! API keys: made and revoked by an admin, shown once.

use axum::Json;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use agenttrust::Timestamp;

use super::auth::Caller;
use super::body::Payload;
use super::params::Id;
use super::{ApiError, App};
use crate::audit::Record;
use crate::builder::keep_key;
use crate::guardian::check_key_agents;
use crate::role::{Permission, Role};
use crate::secret::Secret;
use crate::store::KeyRow;

/// The body of `POST /api/v1/keys`.
#[derive(Debug, Deserialize)]
pub(super) struct CreateKey {
    role: String,
    #[serde(default)]
    agents: Vec<String>,
}

/// A key as callers see it.
#[derive(Debug, Serialize)]
pub(super) struct KeyView {
    id: String,
    org_id: String,
    role: Role,
    agents: Vec<String>,
    created_at: Timestamp,
    revoked_at: Option<Timestamp>,
    /// The key itself, in the one answer that shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
}

impl From<KeyRow> for KeyView {
    fn from(row: KeyRow) -> Self {
        Self {
            id: row.id,
            org_id: row.org_id,
            role: row.role,
            agents: row.agents,
            created_at: row.created_at,
            revoked_at: row.revoked_at,
            key: None,
        }
    }
}

/// `POST /api/v1/keys`.
pub(super) async fn create(
    state: App,
    caller: Caller,
    payload: Payload,
) -> Result<(StatusCode, Json<KeyView>), ApiError> {
    caller.need(Permission::ManageKeys)?;
    let body: CreateKey = payload.json().await?;
    let role: Role = body.role.parse().map_err(|error: crate::role::UnknownRole| {
        ApiError::invalid("role", format!("is not known: {error}"))
    })?;
    check_key_agents(&state, caller.org_id(), role, &body.agents)?;
    state.ready_to_change()?;
    let secret = Secret::random("sk_live_")?;
    let hash = secret.fingerprint();
    let row = keep_key(&state, caller.org_id(), role, body.agents, hash, &caller.key.id).await?;
    let view = KeyView { key: Some(secret.expose().to_owned()), ..KeyView::from(row) };
    Ok((StatusCode::CREATED, Json(view)))
}

/// `GET /api/v1/keys`.
pub(super) async fn list(state: App, caller: Caller) -> Result<Json<Value>, ApiError> {
    caller.need(Permission::ManageKeys)?;
    let mut keys = state.store.keys().await?;
    keys.retain(|key| key.org_id == caller.org_id());
    let keys: Vec<KeyView> = keys.into_iter().map(KeyView::from).collect();
    Ok(Json(json!({ "keys": keys })))
}

/// `DELETE /api/v1/keys/{id}`.
pub(super) async fn revoke(
    state: App,
    caller: Caller,
    Id(id): Id,
) -> Result<Json<Value>, ApiError> {
    caller.need(Permission::ManageKeys)?;
    state.ready_to_change()?;
    let now = state.clock.now();
    if !state.store.revoke_key(id.clone(), caller.org_id().to_owned(), now).await? {
        return Err(ApiError::not_found(format!("there is no key {id:?} that works")));
    }
    state.catch_up().await?;
    let record = Record::new("key.revoked", caller.org_id())
        .actor(&caller.key.id)
        .body(json!({ "key_id": id }));
    state.note(record).await?;
    Ok(Json(json!({ "status": "revoked" })))
}
