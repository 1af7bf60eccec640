//! Agents: registering, reading, suspending, revoking, and the floor under their sessions.

use agenttrust::Agent;
use agenttrust::model::{AgentStatus, CreateAgentRequest, SessionMode};
use axum::Json;
use axum::http::StatusCode;
use ed25519_dalek::VerifyingKey;
use ed25519_dalek::pkcs8::DecodePublicKey;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;
use utoipa::ToSchema;

use super::answers::{Conflict, Done, NotFound, TakenBack, Unavailable};
use super::auth::Caller;
use super::body::Payload;
use super::params::{Id, Params};
use super::{ApiError, App};
use crate::audit::Record;
use crate::ids;
use crate::names::{check_name, check_names, check_text};
use crate::registry::{AgentEntry, GROUPS, Limits, groups_of};
use crate::role::{Access, Permission};
use crate::state::State;
use agenttrust::model::CapabilitySet;
use agenttrust::model::schema::{Capability, Name};

/// Register an agent
#[utoipa::path(
    post, path = "/api/v1/agents", operation_id = "create_agent", tag = "agents",
    request_body = CreateAgentRequest,
    responses((
            status = 201, description = "The agent", body = Agent,
            links(("read" = (operation_id = "get_agent", parameters(("id" = "$response.body#/id")))), ("check" = (operation_id = "check", request_body = json!({ "agent_id": "$response.body#/id" }))), ("issue a token" = (operation_id = "issue_token", request_body = json!({ "agent_id": "$response.body#/id" }))), ("begin a session" = (operation_id = "init_session", request_body = json!({ "agent_id": "$response.body#/id" })))),
        ),
        Conflict, Unavailable),
)]
pub(super) async fn create(
    state: App,
    caller: Caller,
    payload: Payload,
) -> Result<(StatusCode, Json<Agent>), ApiError> {
    caller.need(Permission::CreateAgents)?;
    let body: CreateAgentRequest = payload.json().await?;
    check_name("name", &body.name)?;
    check_name("framework", &body.framework)?;
    let org_id = body.org_id.as_deref().filter(|org_id| !org_id.is_empty());
    own_org(&caller, org_id)?;
    let public_key = body.public_key.filter(|pem| !pem.is_empty());
    public_key.as_deref().map_or(Ok(()), check_public_key)?;
    let capabilities = CapabilitySet::parse(&body.capabilities)
        .map_err(|error| ApiError::capability("capabilities", &error))?;
    check_names("capabilities", &body.capabilities)?;
    check_groups(body.metadata.get(GROUPS))?;
    state.ready_to_change()?;

    let now = state.clock.now();
    let mut agent = Agent::new(ids::new("agt_"), body.name);
    agent.org_id = caller.org_id().to_owned();
    agent.framework = body.framework;
    agent.public_key = public_key.unwrap_or_default();
    // A name given twice counts once.
    agent.capabilities = capabilities.names().map(str::to_owned).collect();
    agent.metadata = body.metadata;
    agent.created_at = Some(now);
    state.store.insert_agent(agent.clone(), now).await?;
    state.catch_up().await?;
    let about = json!({
        "name": agent.name,
        "capabilities": agent.capabilities,
        "groups": groups_of(&agent),
    });
    state.note(record(&caller, "agent.created", &agent.id, about)).await?;
    Ok((StatusCode::CREATED, Json(agent)))
}

/// Refuses groups that policies could not name.
fn check_groups(groups: Option<&Value>) -> Result<(), ApiError> {
    const FIELD: &str = "metadata.groups";
    let Some(groups) = groups else { return Ok(()) };
    let names = groups
        .as_array()
        .and_then(|groups| groups.iter().map(Value::as_str).collect::<Option<Vec<&str>>>())
        .ok_or_else(|| {
            let example = r#"is not a list of names; send one such as ["ops"], or leave it out"#;
            ApiError::invalid(FIELD, example)
        })?;
    check_names(FIELD, &names)
}

/// The answer of `GET /api/v1/agents`.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Agents {
    agents: Vec<Agent>,
}

/// List the agents that the caller may see
#[utoipa::path(
    get, path = "/api/v1/agents", operation_id = "list_agents", tag = "agents",
    params(("org_id" = Option<String>, Query, description = "The caller's own organisation; no other is reached")),
    responses((status = 200, description = "The agents", body = Agents)),
)]
pub(super) async fn list(
    state: App,
    caller: Caller,
    params: Params,
) -> Result<Json<Agents>, ApiError> {
    let access = caller.need(Permission::ReadAgents)?;
    own_org(&caller, params.text("org_id"))?;
    let entries = state.registry.agents.list(caller.org_id());
    let agents = entries
        .iter()
        .filter(|entry| access == Access::Any || caller.key.is_bound_to(&entry.agent.id))
        .map(|entry| entry.show())
        .collect();
    Ok(Json(Agents { agents }))
}

/// Read an agent
#[utoipa::path(
    get, path = "/api/v1/agents/{id}", operation_id = "get_agent", tag = "agents",
    params(("id" = Name, Path, description = "The agent")),
    responses((status = 200, description = "The agent", body = Agent), NotFound),
)]
pub(super) async fn get(state: App, caller: Caller, Id(id): Id) -> Result<Json<Agent>, ApiError> {
    caller.need_for(Permission::ReadAgents, &id)?;
    Ok(Json(known(&state, &caller, &id)?.show()))
}

/// The body of the three below.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub(super) struct Reason {
    /// Why, for whoever reads the audit; at most 2,000 bytes of UTF-8.
    #[serde(default)]
    #[schema(max_length = 2000, pattern = "^[^\\u0000]*$")]
    reason: String,
}

/// Why the caller, who may, changes how this agent stands.
async fn reason_to_change(
    state: &State,
    caller: &Caller,
    id: &str,
    payload: Payload,
) -> Result<String, ApiError> {
    caller.need(Permission::SuspendAgents)?;
    let Reason { reason } = payload.json_or_empty().await?;
    check_text("reason", &reason)?;
    known(state, caller, id)?;
    Ok(reason)
}

/// Revoke an agent for good, with its tokens, sessions and approvals
///
/// It is in force at once at the Guardian that answers, also while its database or its disk refuses.
#[utoipa::path(
    post, path = "/api/v1/agents/{id}/revoke", operation_id = "revoke_agent", tag = "agents",
    params(("id" = Name, Path, description = "The agent")),
    request_body = Option<Reason>,
    responses((status = 200, description = "It is revoked", body = TakenBack), NotFound),
)]
pub(super) async fn revoke(
    state: App,
    caller: Caller,
    Id(id): Id,
    payload: Payload,
) -> Result<Json<TakenBack>, ApiError> {
    let reason = reason_to_change(&state, &caller, &id, payload).await?;
    let record = record(&caller, "agent.revoked", &id, json!({ "reason": reason }));
    let status = AgentStatus::Revoked;
    let durable = state.take_agent(caller.org_id(), &id, status, reason, record).await;
    Ok(Json(TakenBack { status: status.as_str(), durable }))
}

/// Suspend an agent
///
/// It is in force at once at the Guardian that answers, also while its database or its disk refuses.
#[utoipa::path(
    post, path = "/api/v1/agents/{id}/suspend", operation_id = "suspend_agent", tag = "agents",
    params(("id" = Name, Path, description = "The agent")),
    request_body = Option<Reason>,
    responses((status = 200, description = "It is suspended", body = TakenBack), NotFound, Conflict),
)]
pub(super) async fn suspend(
    state: App,
    caller: Caller,
    Id(id): Id,
    payload: Payload,
) -> Result<Json<TakenBack>, ApiError> {
    let reason = reason_to_change(&state, &caller, &id, payload).await?;
    // It may be revoked at another replica, of which memory hears once this one is stored.
    let revoked = || {
        ApiError::conflict(format!(
            "agent {id:?} is revoked, which is for good; register another one"
        ))
    };
    if state.is_revoked(caller.org_id(), &id) {
        return Err(revoked());
    }
    let record = record(&caller, "agent.suspended", &id, json!({ "reason": reason }));
    let status = AgentStatus::Suspended;
    let durable = state.take_agent(caller.org_id(), &id, status, reason, record).await;
    if state.is_revoked(caller.org_id(), &id) {
        return Err(revoked());
    }
    Ok(Json(TakenBack { status: status.as_str(), durable }))
}

/// Lift the suspension of an agent
#[utoipa::path(
    post, path = "/api/v1/agents/{id}/reactivate", operation_id = "reactivate_agent", tag = "agents",
    params(("id" = Name, Path, description = "The agent")),
    request_body = Option<Reason>,
    responses(
        (status = 200, description = "It is active", body = Done), NotFound, Conflict, Unavailable,
    ),
)]
pub(super) async fn reactivate(
    state: App,
    caller: Caller,
    Id(id): Id,
    payload: Payload,
) -> Result<Json<Done>, ApiError> {
    let reason = reason_to_change(&state, &caller, &id, payload).await?;
    state.ready_to_change()?;
    let record = record(&caller, "agent.reactivated", &id, json!({ "reason": reason }));
    state.reactivate_agent(caller.org_id(), &id, record).await?;
    Ok(Json(Done { status: AgentStatus::Active.as_str() }))
}

/// The body of `PUT /api/v1/agents/{id}/floor`. A field that is misspelt or left out must not open a
/// floor, so unknown fields are refused and a missing ceiling is told from `null`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SetFloor {
    /// May be left out beside a ceiling, which means restricted.
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

/// Set what applies to every session of an agent
///
/// `mode` may be left out beside a ceiling, which means restricted. Only `{"mode": "open"}` takes a
/// floor away. An agent that has a ceiling keeps it unless another one or `null` is given.
#[utoipa::path(
    put, path = "/api/v1/agents/{id}/floor", operation_id = "set_floor", tag = "agents",
    params(("id" = Name, Path, description = "The agent")),
    request_body = SetFloor,
    responses((status = 200, description = "The floor", body = Floor), NotFound, Conflict, Unavailable),
)]
pub(super) async fn set_floor(
    state: App,
    caller: Caller,
    Id(id): Id,
    payload: Payload,
) -> Result<Json<Floor>, ApiError> {
    caller.need(Permission::SetFloors)?;
    let body: SetFloor = payload.json().await?;
    if body.mode == Some(SessionMode::Unknown) {
        return Err(unknown_mode());
    }
    let silent = body.scope_ceiling.is_none();
    let ceiling = body.scope_ceiling.flatten();
    if ceiling.as_ref().is_some_and(Vec::is_empty) {
        return Err(ApiError::invalid(
            "scope_ceiling",
            "is empty; give it scopes, or null for no ceiling",
        ));
    }
    let mode = match (body.mode, &ceiling) {
        (None, None) => {
            return Err(ApiError::invalid(
                "mode",
                "is missing; use open, restricted or supervised, or give a scope_ceiling",
            ));
        }
        (None, Some(_)) => SessionMode::Restricted,
        (Some(SessionMode::Open), Some(_)) => return Err(open_with_ceiling()),
        (Some(SessionMode::Restricted), None) => return Err(restricted_without_ceiling()),
        (Some(mode), _) => mode,
    };
    check_names("scope_ceiling", ceiling.as_deref().unwrap_or_default())?;
    let floor = Limits::new(mode, ceiling.clone().map(Into::into))
        .map_err(|error| ApiError::capability("scope_ceiling", &error))?;
    let entry = known(&state, &caller, &id)?;
    let instead = !silent || mode == SessionMode::Open;
    if !instead && !entry.floor.ceiling().is_empty() {
        return Err(ceiling_stays());
    }
    state.ready_to_change()?;
    let (org_id, now) = (caller.org_id().to_owned(), state.clock.now());
    if !state.store.set_floor(org_id, id.clone(), mode, ceiling, instead, now).await? {
        return Err(ceiling_stays());
    }
    let shown = Some(floor.ceiling().to_vec()).filter(|ceiling| !ceiling.is_empty());
    let answer = Floor { mode, scope_ceiling: shown };
    let about = json!({ "mode": answer.mode, "scope_ceiling": answer.scope_ceiling });
    state.catch_up().await?;
    state.note(record(&caller, "agent.floor_set", &id, about)).await?;
    Ok(Json(answer))
}

/// The agent of this id in the caller's organisation.
pub(super) fn known(state: &State, caller: &Caller, id: &str) -> Result<Arc<AgentEntry>, ApiError> {
    let found = state.registry.agents.get(caller.org_id(), id);
    found.ok_or_else(|| ApiError::unknown("agent", id))
}

fn ceiling_stays() -> ApiError {
    ApiError::invalid(
        "scope_ceiling",
        "is missing, and this agent has a ceiling; repeat it, or give null to drop it",
    )
}

pub(super) fn unknown_mode() -> ApiError {
    ApiError::invalid("mode", "is not known; use open, restricted or supervised")
}

pub(super) fn open_with_ceiling() -> ApiError {
    ApiError::invalid("mode", "is open, which has no scope ceiling; use restricted or supervised")
}

pub(super) fn restricted_without_ceiling() -> ApiError {
    ApiError::invalid(
        "scope_ceiling",
        "is empty, so restricted would allow nothing; give it scopes",
    )
}

fn own_org(caller: &Caller, org_id: Option<&str>) -> Result<(), ApiError> {
    match org_id {
        Some(org_id) if org_id != caller.org_id() => Err(ApiError::forbidden(format!(
            "this key belongs to organisation {:?} and reaches no other",
            caller.org_id()
        ))),
        _ => Ok(()),
    }
}

fn check_public_key(pem: &str) -> Result<(), ApiError> {
    VerifyingKey::from_public_key_pem(pem)
        .map(drop)
        .map_err(|_| ApiError::invalid("public_key", "is no Ed25519 public key in PKIX PEM"))
}

fn record(caller: &Caller, kind: &'static str, agent_id: &str, body: Value) -> Record {
    Record::new(kind, caller.org_id()).agent(agent_id).actor(&caller.key.id).body(body)
}
