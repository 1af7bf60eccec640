//! API keys: made and revoked by an admin, shown once.

use std::time::Duration;

use axum::Json;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use agenttrust::Timestamp;
use agenttrust::model::schema::{Name, NameOrEmpty};

use super::answers::{NotFound, TakenBack, Unavailable};
use super::auth::Caller;
use super::body::{Payload, whole};
use super::params::{Id, Params};
use super::{ApiError, App};
use crate::audit::Record;
use crate::builder::keep_key;
use crate::guardian::check_key_agents;
use crate::names::check_name;
use crate::role::{Permission, Role};
use crate::secret::Secret;
use crate::state::DEFAULT_ORG;
use crate::store::{KeyRow, Rotation};

/// The longest that two secrets of a key work beside each other, in seconds.
const OVERLAP_MOST: u64 = 30 * 86_400;

/// The body of `POST /api/v1/keys`.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct CreateKey {
    #[schema(value_type = Role)]
    role: String,
    /// The agents that a key of role `agent` is bound to; keys of other roles are bound to none.
    #[serde(default)]
    #[schema(value_type = Vec<Name>, max_items = 256)]
    agents: Vec<String>,
    /// Another organisation than the caller's, for an admin of `org_default`: its first key makes it.
    #[serde(default)]
    #[schema(value_type = Option<Name>, nullable = false)]
    org_id: Option<String>,
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
    /// When it was given another secret.
    #[schema(required = true)]
    rotated_at: Option<Timestamp>,
    /// How long the secret before that works.
    #[schema(required = true)]
    old_key_until: Option<Timestamp>,
    /// Up to a minute behind.
    #[schema(required = true)]
    last_used_at: Option<Timestamp>,
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
            rotated_at: row.rotated_at,
            old_key_until: row.old.map(|(_, until)| until),
            last_used_at: row.last_used_at,
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
    let org_id = organisation(&caller, body.org_id.as_deref())?;
    check_key_agents(&state, org_id, role, &body.agents)?;
    state.ready_to_change()?;
    let secret = Secret::random("sk_live_")?;
    let hash = secret.fingerprint();
    let row = keep_key(&state, org_id, role, body.agents, hash, &caller.key.id).await?;
    let view = KeyView { key: Some(secret.expose().to_owned()), ..KeyView::from(row) };
    Ok((StatusCode::CREATED, Json(view)))
}

/// The organisation that a request about keys is for. Those of the Guardian's own look after all.
fn organisation<'a>(caller: &'a Caller, org_id: Option<&'a str>) -> Result<&'a str, ApiError> {
    let Some(org_id) = org_id.filter(|org_id| *org_id != caller.org_id()) else {
        return Ok(caller.org_id());
    };
    check_name("org_id", org_id)?;
    if caller.org_id() != DEFAULT_ORG {
        return Err(ApiError::forbidden(format!(
            "this key belongs to organisation {:?} and reaches no other; use an admin key of \
             {DEFAULT_ORG:?}",
            caller.org_id()
        )));
    }
    Ok(org_id)
}

/// The answer of `GET /api/v1/keys`.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Keys {
    keys: Vec<KeyView>,
}

/// List the keys of an organisation
#[utoipa::path(
    get, path = "/api/v1/keys", operation_id = "list_keys", tag = "keys",
    params(("org_id" = Option<NameOrEmpty>, Query, description = "Another organisation than the caller's, for an admin of `org_default`")),
    responses((status = 200, description = "The keys, without what is secret", body = Keys), Unavailable),
)]
pub(super) async fn list(
    state: App,
    caller: Caller,
    params: Params,
) -> Result<Json<Keys>, ApiError> {
    caller.need(Permission::ManageKeys)?;
    let org_id = organisation(&caller, params.name("org_id")?)?;
    let mut keys = state.reading_store.keys().await?;
    keys.retain(|key| key.org_id == org_id);
    Ok(Json(Keys { keys: keys.into_iter().map(KeyView::from).collect() }))
}

/// Revoke a key
///
/// It is in force at once at the Guardian that answers, also while its database or its disk refuses.
#[utoipa::path(
    delete, path = "/api/v1/keys/{id}", operation_id = "revoke_key", tag = "keys",
    params(
        ("id" = Name, Path, description = "The id of the key"),
        ("org_id" = Option<NameOrEmpty>, Query, description = "Another organisation than the caller's, for an admin of `org_default`"),
    ),
    responses((status = 200, description = "It is revoked", body = TakenBack), NotFound, Unavailable),
)]
pub(super) async fn revoke(
    state: App,
    caller: Caller,
    Id(id): Id,
    params: Params,
) -> Result<Json<TakenBack>, ApiError> {
    caller.need(Permission::ManageKeys)?;
    let org_id = organisation(&caller, params.name("org_id")?)?;
    // Made by another process a moment ago, it is not known here yet.
    if !state.knows_key(org_id, &id) {
        state.catch_up().await?;
    }
    if !state.knows_key(org_id, &id) {
        return Err(no_such_key(&id));
    }
    let record =
        Record::new("key.revoked", org_id).actor(&caller.key.id).body(json!({ "key_id": id }));
    let durable = state.take_key(org_id, &id, record).await;
    Ok(Json(TakenBack { status: "revoked", durable }))
}

/// The body of `POST /api/v1/keys/{id}/rotate`.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct Rotate {
    /// How long the secret that it has now still works, in seconds. With 0 it is over at once.
    #[serde(default = "a_day", deserialize_with = "whole")]
    #[schema(default = 86_400, maximum = 2_592_000)]
    overlap: u64,
    /// Another organisation than the caller's, for an admin of `org_default`.
    #[serde(default)]
    #[schema(value_type = Option<Name>, nullable = false)]
    org_id: Option<String>,
}

impl Default for Rotate {
    fn default() -> Self {
        Self { overlap: a_day(), org_id: None }
    }
}

fn a_day() -> u64 {
    86_400
}

/// Give a key another secret
///
/// It stays the same key: what it asked for and decided stays its own. A secret before the last one is
/// over at once.
#[utoipa::path(
    post, path = "/api/v1/keys/{id}/rotate", operation_id = "rotate_key", tag = "keys",
    params(("id" = Name, Path, description = "The id of the key")),
    request_body = Option<Rotate>,
    responses(
        (status = 200, description = "The key with its new secret, shown this once", body = KeyView),
        NotFound, Unavailable,
    ),
)]
pub(super) async fn rotate(
    state: App,
    caller: Caller,
    Id(id): Id,
    payload: Payload,
) -> Result<Json<KeyView>, ApiError> {
    caller.need(Permission::ManageKeys)?;
    let Rotate { overlap, org_id } = payload.json_or_empty().await?;
    if overlap > OVERLAP_MOST {
        let long = format!("is {overlap}; {OVERLAP_MOST} seconds is the most");
        return Err(ApiError::invalid("overlap", long));
    }
    let org_id = organisation(&caller, org_id.as_deref())?;
    state.ready_to_change()?;
    let secret = Secret::random("sk_live_")?;
    let now = state.clock.now();
    let rotation = Rotation {
        id: id.clone(),
        org_id: org_id.to_owned(),
        hash: secret.fingerprint(),
        old_until: now.saturating_add(Duration::from_secs(overlap)),
        now,
    };
    if !state.control_store.rotate_key(rotation).await? {
        return Err(no_such_key(&id));
    }
    state.catch_up().await?;
    let record = Record::new("key.rotated", org_id)
        .actor(&caller.key.id)
        .body(json!({ "key_id": id, "overlap": overlap }));
    state.note(record).await?;
    let row = state.control_store.key(id.clone()).await?.ok_or_else(|| no_such_key(&id))?;
    Ok(Json(KeyView { key: Some(secret.expose().to_owned()), ..KeyView::from(row) }))
}

fn no_such_key(id: &str) -> ApiError {
    ApiError::not_found(format!("there is no key {id:?} that works"))
}
