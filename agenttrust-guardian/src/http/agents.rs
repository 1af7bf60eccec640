//! Agents: registering, reading, changing, suspending, revoking, and the floor under their sessions.

use agenttrust::Agent;
use agenttrust::model::schema::{Capability, Name};
use agenttrust::model::{
    AgentStatus, CreateAgentRequest, SessionMode, TakenBack, UpdateAgentRequest,
};
use axum::Json;
use axum::http::StatusCode;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::App;
use super::answers::{Conflict, Done, Held, NotFound, Unavailable};
use super::auth::Caller;
use super::body::Payload;
use super::params::{Id, Params};
use crate::domain::{Error, Permission};
use crate::services::agent_changes;
use crate::services::agents::{self, NewAgent, NewFloor};

/// Registers an agent
#[utoipa::path(
    post, path = "/api/v1/agents", operation_id = "create_agent", tag = "agents",
    request_body = CreateAgentRequest,
    responses((
            status = 201, description = "The agent", body = Agent,
            links(("read" = (operation_id = "get_agent", parameters(("id" = "$response.body#/id")))), ("check" = (operation_id = "check", request_body = json!({ "agent_id": "$response.body#/id" }))), ("issue a token" = (operation_id = "issue_token", request_body = json!({ "agent_id": "$response.body#/id" }))), ("begin a session" = (operation_id = "init_session", request_body = json!({ "agent_id": "$response.body#/id" }))), ("generate its card" = (operation_id = "generate_agent_card", parameters(("id" = "$response.body#/id"))))),
        ),
        Conflict, Unavailable),
)]
pub(super) async fn create(
    engine: App,
    caller: Caller,
    payload: Payload,
) -> Result<(StatusCode, Json<Agent>), Error> {
    caller.need(Permission::CreateAgents)?;
    let body: CreateAgentRequest = payload.json().await?;
    let new = NewAgent {
        org_id: body.org_id,
        name: body.name,
        framework: body.framework,
        public_key: body.public_key,
        capabilities: body.capabilities,
        metadata: body.metadata,
    };
    let agent = agents::create(&engine, &caller.key, new).await?;
    Ok((StatusCode::CREATED, Json(agent)))
}

/// The answer of `GET /api/v1/agents`.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Agents {
    agents: Vec<Agent>,
}

/// Lists the agents that the caller may see
#[utoipa::path(
    get, path = "/api/v1/agents", operation_id = "list_agents", tag = "agents",
    params(("org_id" = Option<String>, Query, description = "The caller's own organisation; no other is reached")),
    responses((status = 200, description = "The agents", body = Agents)),
)]
pub(super) async fn list(
    engine: App,
    caller: Caller,
    params: Params,
) -> Result<Json<Agents>, Error> {
    let reach = caller.reach(Permission::ReadAgents)?;
    agents::own_org(&caller.key, params.text("org_id"))?;
    let agents = agents::list(&engine, reach);
    Ok(Json(Agents { agents }))
}

/// Reads an agent
#[utoipa::path(
    get, path = "/api/v1/agents/{id}", operation_id = "get_agent", tag = "agents",
    params(("id" = Name, Path, description = "The agent")),
    responses((status = 200, description = "The agent", body = Agent), NotFound),
)]
pub(super) async fn get(engine: App, caller: Caller, Id(id): Id) -> Result<Json<Agent>, Error> {
    caller.need_for(Permission::ReadAgents, &id)?;
    Ok(Json(agents::known(&engine, caller.org_id(), &id)?.show()))
}

/// Changes an agent
///
/// A member that the body does not have stays as it is. `capabilities` and `groups` replace the whole list; `withdraw`
/// and `grant` change some of its entries, on top of what other callers changed meanwhile. A member of `metadata`
/// takes the place of the one of that name, and `null` takes it out.
///
/// It is in force on every replica within a second. The agent's live tokens and sessions narrow with it and never
/// widen: what it loses they lose for good, and what it gains only those have that are issued afterwards. An agent
/// that is suspended stays so.
///
/// With another `public_key`, what is bound to the key that the agent had is worth nothing from then on: its workload
/// tokens, sessions that were opened with them, and proofs. Its card has the new key once it is generated again.
#[utoipa::path(
    patch, path = "/api/v1/agents/{id}", operation_id = "update_agent", tag = "agents",
    params(("id" = Name, Path, description = "The agent")),
    request_body = UpdateAgentRequest,
    responses(
        (status = 200, description = "The agent as it is now", body = Agent), NotFound, Conflict, Unavailable,
    ),
)]
pub(super) async fn update(
    engine: App,
    caller: Caller,
    Id(id): Id,
    payload: Payload,
) -> Result<Json<Agent>, Error> {
    caller.need_for(Permission::ChangeAgents, &id)?;
    let wanted: UpdateAgentRequest = payload.json().await?;
    Ok(Json(agent_changes::change(&engine, &caller.key, &id, wanted).await?))
}

/// The body of `POST /api/v1/agents/{id}/revoke`, which published clients send.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub(super) struct RevokeAgent {
    /// The reason, which the audit keeps. At most 2,000 bytes of UTF-8.
    #[serde(default)]
    #[schema(max_length = 2000, pattern = "^[^\\u0000]*$")]
    reason: String,
}

/// The reason why something is taken back or given back.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Reason {
    /// The reason, which the audit keeps. At most 2,000 bytes of UTF-8.
    #[serde(default)]
    #[schema(max_length = 2000, pattern = "^[^\\u0000]*$")]
    pub(super) reason: String,
}

/// Returns the reason that the caller gives for suspending, revoking or reactivating this agent, if it may do so.
async fn reason_to_change(caller: &Caller, id: &str, payload: Payload) -> Result<String, Error> {
    caller.need_for(Permission::SuspendAgents, id)?;
    Ok(payload.json_or_empty::<Reason>().await?.reason)
}

/// Revokes an agent for good, with its tokens, sessions and approvals
///
/// It is in force at once at the Guardian that answers, also while its database or its disk refuses.
#[utoipa::path(
    post, path = "/api/v1/agents/{id}/revoke", operation_id = "revoke_agent", tag = "agents",
    params(("id" = Name, Path, description = "The agent")),
    request_body = Option<RevokeAgent>,
    responses((status = 200, description = "It is revoked", body = TakenBack), NotFound),
)]
pub(super) async fn revoke(
    engine: App,
    caller: Caller,
    Id(id): Id,
    payload: Payload,
) -> Result<Json<TakenBack>, Error> {
    caller.need_for(Permission::SuspendAgents, &id)?;
    let RevokeAgent { reason } = payload.json_or_empty().await?;
    let durable = agents::revoke(&engine, &caller.key, &id, reason).await?;
    Ok(Json(TakenBack::new(AgentStatus::Revoked.as_str(), durable)))
}

/// Suspends an agent
///
/// It is in force at once at the Guardian that answers, also while its database or its disk refuses.
#[utoipa::path(
    post, path = "/api/v1/agents/{id}/suspend", operation_id = "suspend_agent", tag = "agents",
    params(("id" = Name, Path, description = "The agent")),
    request_body = Option<Reason>,
    responses((status = 200, description = "It is suspended", body = TakenBack), NotFound, Conflict),
)]
pub(super) async fn suspend(
    engine: App,
    caller: Caller,
    Id(id): Id,
    payload: Payload,
) -> Result<Json<TakenBack>, Error> {
    let reason = reason_to_change(&caller, &id, payload).await?;
    let durable = agents::suspend(&engine, &caller.key, &id, reason).await?;
    Ok(Json(TakenBack::new(AgentStatus::Suspended.as_str(), durable)))
}

/// Lifts the suspension of an agent
#[utoipa::path(
    post, path = "/api/v1/agents/{id}/reactivate", operation_id = "reactivate_agent", tag = "agents",
    params(("id" = Name, Path, description = "The agent")),
    request_body = Option<Reason>,
    responses(
        (status = 200, description = "It is active", body = Done), NotFound, Conflict, Unavailable,
    ),
)]
pub(super) async fn reactivate(
    engine: App,
    caller: Caller,
    Id(id): Id,
    payload: Payload,
) -> Result<Json<Done>, Error> {
    let reason = reason_to_change(&caller, &id, payload).await?;
    agents::reactivate(&engine, &caller.key, &id, &reason).await?;
    Ok(Json(Done { status: AgentStatus::Active.as_str() }))
}

/// The body of `PUT /api/v1/agents/{id}/floor`. A field that is misspelt or left out must not open a
/// floor, so unknown fields are refused and a missing ceiling is told from `null`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SetFloor {
    /// The mode, which may be left out beside a ceiling and is then `restricted`.
    mode: Option<SessionMode>,
    /// The most that any session of the agent allows; `null` for no ceiling.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Vec<Capability>>, min_items = 1, max_items = 256)]
    scope_ceiling: Option<Option<Vec<String>>>,
}

fn given<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Option<Vec<String>>>, D::Error> {
    Option::deserialize(from).map(Some)
}

/// The floor of an agent, as it was set.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Floor {
    mode: SessionMode,
    #[schema(required = true)]
    scope_ceiling: Option<Vec<String>>,
}

/// Sets the floor of an agent, which applies to every session that it has
///
/// `mode` may be left out beside a ceiling, which means restricted. Only `{"mode": "open"}` takes a
/// floor away. An agent that has a ceiling keeps it unless another one or `null` is given.
#[utoipa::path(
    put, path = "/api/v1/agents/{id}/floor", operation_id = "set_floor", tag = "agents",
    params(("id" = Name, Path, description = "The agent")),
    request_body = SetFloor,
    responses((status = 200, description = "The floor", body = Floor), NotFound, Held, Unavailable),
)]
pub(super) async fn set_floor(
    engine: App,
    caller: Caller,
    Id(id): Id,
    payload: Payload,
) -> Result<Json<Floor>, Error> {
    caller.need_for(Permission::SetFloors, &id)?;
    let body: SetFloor = payload.json().await?;
    let new = NewFloor { mode: body.mode, ceiling: body.scope_ceiling };
    let (mode, scope_ceiling) = agents::set_floor(&engine, &caller.key, &id, new).await?;
    Ok(Json(Floor { mode, scope_ceiling }))
}
