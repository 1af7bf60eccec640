//! API keys: made and revoked by an admin, shown once.

use axum::Json;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use agenttrust::Timestamp;
use agenttrust::model::schema::Name;

use super::answers::{Done, NotFound, Unavailable};
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
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct CreateKey {
    #[schema(value_type = Role)]
    role: String,
    /// The agents that a key of role `agent` is bound to; keys of other roles are bound to none.
    #[serde(default)]
    #[schema(value_type = Vec<Name>, max_items = 256)]
    agents: Vec<String>,
}

/// A key as callers see it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Key)]
pub(super) struct KeyView {
    id: String,
    org_id: String,
    role: Role,
    agents: Vec<String>,
    created_at: Timestamp,
    #[schema(required = true)]
    revoked_at: Option<Timestamp>,
    /// The key itself, in the one answer that shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
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

/// Make a key
#[utoipa::path(
    post, path = "/api/v1/keys", operation_id = "create_key", tag = "keys",
    request_body = CreateKey,
    responses((status = 201, description = "The key, shown this once", body = KeyView), Unavailable),
)]
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

/// The answer of `GET /api/v1/keys`.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Keys {
    keys: Vec<KeyView>,
}

/// List the keys of the organisation
#[utoipa::path(
    get, path = "/api/v1/keys", operation_id = "list_keys", tag = "keys",
    responses((status = 200, description = "The keys, without what is secret", body = Keys), Unavailable),
)]
pub(super) async fn list(state: App, caller: Caller) -> Result<Json<Keys>, ApiError> {
    caller.need(Permission::ManageKeys)?;
    let mut keys = state.store.keys().await?;
    keys.retain(|key| key.org_id == caller.org_id());
    Ok(Json(Keys { keys: keys.into_iter().map(KeyView::from).collect() }))
}

/// Revoke a key
#[utoipa::path(
    delete, path = "/api/v1/keys/{id}", operation_id = "revoke_key", tag = "keys",
    params(("id" = Name, Path, description = "The id of the key")),
    responses((status = 200, description = "It is revoked", body = Done), NotFound, Unavailable),
)]
pub(super) async fn revoke(state: App, caller: Caller, Id(id): Id) -> Result<Json<Done>, ApiError> {
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
    Ok(Json(Done { status: "revoked" }))
}
