//! API keys: made and revoked by an admin, shown once.

use axum::Json;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use agenttrust::Timestamp;
use agenttrust::model::schema::{Name, NameOrEmpty};
use agenttrust::model::{Issued, KeyRevocation};

use super::App;
use super::answers::{Conflict, NotFound, Unavailable};
use super::auth::Caller;
use super::body::Payload;
use super::params::{Id, Params};
use crate::domain::Error;
use crate::domain::names::check_name;
use crate::domain::numbers::whole;
use crate::domain::{DEFAULT_ORG, ParseRoleError, Permission, Role, Secret};
use crate::engine::taking::KeyTaking;
use crate::services::keys::{self, Maker, NewKey, NewSecret};
use crate::store::KeyRow;

/// The body of `POST /api/v1/keys`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateKey {
    #[schema(value_type = Role)]
    role: String,
    /// The agents that a key of role `agent` is bound to; keys of other roles are bound to none.
    #[serde(default)]
    #[schema(value_type = Vec<Name>, max_items = 256)]
    agents: Vec<String>,
    /// The organisation of the key, if it is another one than the caller's, for an admin of `org_default`: its first
    /// key makes it.
    #[serde(default)]
    #[schema(value_type = Option<Name>)]
    org_id: Option<String>,
    /// The gateway that a key of role `gateway` is of: several keys of one name are one gateway. A token for
    /// an audience is taken at the gateway that it names.
    #[serde(default)]
    #[schema(value_type = Option<Name>)]
    gateway: Option<String>,
    /// The person or program that it is of. Keys of one owner are one approver, and none of them decides what
    /// another one asked for. Left out, the key of an operator or admin is of the owner of the key that makes it.
    #[serde(default)]
    #[schema(value_type = Option<Name>)]
    owner: Option<String>,
}

/// A key as callers see it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Key)]
pub(super) struct KeyView {
    id: String,
    org_id: String,
    role: Role,
    agents: Vec<String>,
    /// The gateway that it is of.
    #[schema(required = true)]
    gateway: Option<String>,
    /// The person or program that it is of.
    #[schema(required = true)]
    owner: Option<String>,
    /// The key that it was made with; `null` where the program made it.
    #[schema(required = true)]
    made_by: Option<String>,
    created_at: Timestamp,
    #[schema(required = true)]
    revoked_at: Option<Timestamp>,
    /// The time when the key was last given another secret.
    #[schema(required = true)]
    rotated_at: Option<Timestamp>,
    /// The time until which the secret before that works.
    #[schema(required = true)]
    old_key_until: Option<Timestamp>,
    /// The time when the key was last used, which may be a minute behind.
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
            gateway: row.gateway,
            owner: row.owner,
            made_by: row.made_by,
            created_at: row.created_at,
            revoked_at: row.revoked_at,
            rotated_at: row.rotated_at,
            old_key_until: row.old.map(|(_, until)| until),
            last_used_at: row.last_used_at,
            key: None,
        }
    }
}

/// Makes a key
#[utoipa::path(
    post, path = "/api/v1/keys", operation_id = "create_key", tag = "keys",
    request_body = CreateKey,
    responses(
        (status = 201, description = "The key, shown this once", body = KeyView), Conflict, Unavailable,
    ),
)]
pub(super) async fn create(
    engine: App,
    caller: Caller,
    payload: Payload,
) -> Result<(StatusCode, Json<KeyView>), Error> {
    let reach = caller.reach(Permission::ManageKeys)?;
    let body: CreateKey = payload.json().await?;
    body.agents.iter().try_for_each(|agent_id| reach.need_named(agent_id))?;
    let role: Role = body.role.parse().map_err(|error: ParseRoleError| {
        Error::invalid("role", format!("is not known: {error}"))
    })?;
    let org_id = organisation(&caller, body.org_id.as_deref())?.to_owned();
    let secret = Secret::random("sk_live_")?;
    let CreateKey { agents, gateway, owner, .. } = body;
    let new = NewKey { org_id, role, agents, hash: secret.fingerprint(), gateway, owner };
    let row = keys::create(&engine, new, Maker::Key(&caller.key)).await?;
    let view = KeyView { key: Some(secret.expose().to_owned()), ..KeyView::from(row) };
    Ok((StatusCode::CREATED, Json(view)))
}

/// Returns the organisation that a request about keys is for. Those of the Guardian's own look after all.
fn organisation<'a>(caller: &'a Caller, org_id: Option<&'a str>) -> Result<&'a str, Error> {
    let Some(org_id) = org_id.filter(|org_id| *org_id != caller.org_id()) else {
        return Ok(caller.org_id());
    };
    check_name("org_id", org_id)?;
    if caller.org_id() != DEFAULT_ORG {
        return Err(Error::forbidden(format!(
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

/// Lists the keys of an organisation
#[utoipa::path(
    get, path = "/api/v1/keys", operation_id = "list_keys", tag = "keys",
    params(("org_id" = Option<NameOrEmpty>, Query, description = "Another organisation than the caller's, for an admin of `org_default`")),
    responses((status = 200, description = "The keys, without what is secret", body = Keys), Unavailable),
)]
pub(super) async fn list(engine: App, caller: Caller, params: Params) -> Result<Json<Keys>, Error> {
    caller.need(Permission::ManageKeys)?;
    let org_id = organisation(&caller, params.name("org_id")?)?;
    let keys = keys::list(&engine, org_id).await?;
    Ok(Json(Keys { keys: keys.into_iter().map(KeyView::from).collect() }))
}

/// The body of `DELETE /api/v1/keys/{id}`, which may be left out. A field that is misspelt must not keep what
/// is to be taken back, so unknown fields are refused.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RevokeKey {
    /// The reason, which the audit keeps. At most 2,000 bytes of UTF-8.
    #[serde(default)]
    #[schema(max_length = 2000, pattern = "^[^\\u0000]*$")]
    reason: String,
    /// The fate of the tokens and sessions that were issued and opened with it, and of all that was made from them.
    /// Left out, it is `revoke` where the reason is `compromised`, and `keep` elsewhere.
    #[serde(default)]
    issued: Option<Issued>,
}

/// Revokes a key
///
/// It is in force at once at the Guardian that answers, also while its database or its disk refuses.
#[utoipa::path(
    delete, path = "/api/v1/keys/{id}", operation_id = "revoke_key", tag = "keys",
    params(
        ("id" = Name, Path, description = "The id of the key"),
        ("org_id" = Option<NameOrEmpty>, Query, description = "Another organisation than the caller's, for an admin of `org_default`"),
    ),
    request_body = Option<RevokeKey>,
    responses((status = 200, description = "It is revoked", body = KeyRevocation), NotFound, Unavailable),
)]
pub(super) async fn revoke(
    engine: App,
    caller: Caller,
    Id(id): Id,
    params: Params,
    payload: Payload,
) -> Result<Json<KeyRevocation>, Error> {
    caller.need(Permission::ManageKeys)?;
    let org_id = organisation(&caller, params.name("org_id")?)?;
    let RevokeKey { reason, issued } = payload.json_or_empty().await?;
    if issued == Some(Issued::Unknown) {
        return Err(Error::invalid("issued", "is not known; use keep or revoke"));
    }
    let take_issued = keys::takes_issued(issued.map(|issued| issued == Issued::Revoke), &reason);
    let taking = KeyTaking { reason, take_issued };
    let ended = keys::revoke(&engine, org_id, &id, taking, &caller.key.id).await?;
    let mut answer = KeyRevocation::default();
    "revoked".clone_into(&mut answer.status);
    answer.durable = ended.durable;
    answer.issued = if take_issued { Issued::Revoke } else { Issued::Keep };
    answer.tokens = ended.gone.tokens;
    answer.sessions = ended.gone.sessions;
    answer.delegations = ended.gone.delegations;
    Ok(Json(answer))
}

/// The body of `POST /api/v1/keys/{id}/rotate`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Rotate {
    /// The time that the present secret still works, in seconds. With 0 it ends at once.
    #[serde(default = "a_day", deserialize_with = "whole")]
    #[schema(default = 86_400, maximum = 2_592_000)]
    overlap: u64,
    /// The organisation of the key, if it is another one than the caller's, for an admin of `org_default`.
    #[serde(default)]
    #[schema(value_type = Option<Name>)]
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

/// Gives a key another secret
///
/// It stays the same key: what it asked for and decided stays its own. Any older secret ends at once.
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
    engine: App,
    caller: Caller,
    Id(id): Id,
    payload: Payload,
) -> Result<Json<KeyView>, Error> {
    caller.need(Permission::ManageKeys)?;
    let Rotate { overlap, org_id } = payload.json_or_empty().await?;
    let org_id = organisation(&caller, org_id.as_deref())?;
    let secret = Secret::random("sk_live_")?;
    let new = NewSecret { hash: secret.fingerprint(), overlap };
    let row = keys::rotate(&engine, org_id, &id, new, &caller.key.id).await?;
    Ok(Json(KeyView { key: Some(secret.expose().to_owned()), ..KeyView::from(row) }))
}
